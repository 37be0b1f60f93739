"""`handclasp client show`: one client, its certificates, and what gateways have seen of each."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from handclasp.authority.rotation.due import due_at
from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import json_option, name_argument
from handclasp.cli.output import moment, show_facts, show_json, show_rows
from handclasp.cli.views import certificate_json, client_json
from handclasp.registry.fleet import Refusals
from handclasp.registry.records import Certificate, CertificateStatus

if TYPE_CHECKING:
    from handclasp.pki.identity import ClientId

_COLUMNS = (
    "serial number",
    "status",
    "not before",
    "not after",
    "delivered",
    "SHA-256",
    "subject",
    "last seen",
    "requests",
    "refused",
    "renewal due",
)


@click.command(epilog=example("handclasp client show acme", "handclasp client show acme --json"))
@name_argument
@json_option
@click.pass_obj
def show(session: Session, name: "ClientId", as_json: bool) -> None:
    """Show client NAME and every certificate it has had, oldest first.

    Each with when a gateway last let it in, how many requests were let in, how many were refused and why, and when
    its renewal is due.
    """
    client = session.registry.client(name)
    certificates = session.registry.certificates(client.client_id)
    refusals = session.registry.refusals()
    seen = {c.fingerprint: _seen(session, c, refusals) for c in certificates}
    if as_json:
        shown = [{**certificate_json(c), **seen[c.fingerprint]} for c in certificates]
        show_json({**client_json(client), "certificates": shown})
        return
    show_facts(
        [
            ("client", client.client_id),
            ("status", client.status.value),
            ("environment", client.environment),
            ("application", client.application),
            ("owner", client.owner),
            ("contact", client.contact),
            ("registered", moment(client.created_at)),
        ]
    )
    show_rows(
        _COLUMNS,
        [
            (
                c.serial_number,
                c.status.value if c.revocation_reason is None else f"{c.status.value} ({c.revocation_reason.value})",
                moment(c.not_before),
                moment(c.not_after),
                moment(c.delivered_at),
                c.fingerprint,
                c.subject,
                seen[c.fingerprint]["last_seen_at"],
                seen[c.fingerprint]["requests"],
                _refused(seen[c.fingerprint]["refusals"]),
                seen[c.fingerprint]["renewal_due_at"],
            )
            for c in certificates
        ],
    )


def _seen(session: Session, certificate: Certificate, refused: list[Refusals]) -> dict[str, Any]:
    sighting = session.registry.sighting(certificate.fingerprint)
    refusals = Counter({r.reason: r.requests for r in refused if r.fingerprint == certificate.fingerprint})
    due = due_at(certificate.not_before, certificate.not_after, certificate.fingerprint, session.settings.rotation)
    return {
        "last_seen_at": moment(sighting.last_seen_at) if sighting else None,
        "requests": sighting.requests if sighting else 0,
        "refusals": dict(refusals.most_common()),
        "renewal_due_at": moment(due) if certificate.status is CertificateStatus.ACTIVE else None,
    }


def _refused(refusals: dict[str, int]) -> str | None:
    return ", ".join(f"{count} {reason}" for reason, count in refusals.items()) or None
