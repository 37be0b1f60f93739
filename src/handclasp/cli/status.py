"""`handclasp status`: how things stand, on one page."""

import json
import os
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import json_option
from handclasp.cli.output import moment, show_facts, show_json
from handclasp.errors import NotEstablished
from handclasp.registry.records import CertificateStatus

_SOON = timedelta(days=30)
_GATEWAY_STATUS = Path("gateway/status.json")


@click.command(epilog=example("handclasp status", "handclasp status --json"))
@json_option
@click.pass_obj
def status(session: Session, as_json: bool) -> None:
    """Tell how things stand: issuers, trust store, clients, certificates, the gateway here and all that report.

    Exits 0 whatever it has to tell; `handclasp ca verify` is the command that judges.
    """
    from handclasp.cli.gateway_views import gateway_line  # noqa: PLC0415

    facts = _facts(session)
    if as_json:
        show_json(facts)
        return
    if not facts["established"]:
        show_facts([("state", facts["state"]), ("established", "no: run handclasp init")])
        return
    show_facts(
        [
            ("state", facts["state"]),
            *((f"{i['kind']}", f"{i['subject']}, until {i['not_after']}, {i['status']}") for i in facts["issuers"]),
            ("trust store", f"{facts['truststore']['location']}, {facts['truststore']['state']}"),
            ("clients", _counted(facts["clients"])),
            ("certificates", _counted(facts["certificates"])),
            ("expire soon", f"{facts['expiring_soon']} within {_SOON.days} days"),
            ("revision", facts["revision"]),
            ("gateway here", _gateway_line(facts["gateway"])),
            *((f"gateway {each['id']}", gateway_line(each)) for each in facts["gateways"]),
        ]
    )


def _facts(session: Session) -> dict[str, Any]:
    facts: dict[str, Any] = {"state": str(session.state), "established": False, "gateway": _gateway(session.state)}
    try:
        issuers = session.registry.issuers()
    except NotEstablished:
        return facts
    if not issuers:
        return facts
    from handclasp.cli.gateway_views import gateways_json  # noqa: PLC0415

    clients = Counter(summary.client.status.value for summary in session.registry.summaries())
    certificates, expiring = _certificates(session)
    return facts | {
        "established": True,
        "issuers": [
            {"kind": i.kind.value, "subject": i.subject, "not_after": moment(i.not_after), "status": i.status.value}
            for i in issuers
        ],
        "truststore": {"location": session.truststore.location(), "state": _truststore_state(session)},
        "clients": dict(clients),
        "certificates": dict(certificates),
        "expiring_soon": expiring,
        "revision": session.registry.revision(),
        "gateways": gateways_json(session.registry),
    }


def _certificates(session: Session) -> tuple[Counter[str], int]:
    """Clients' certificates by status, and how many of the active expire soon. Expired is nobody's decision."""
    now, soon = session.now.timestamp(), (session.now + _SOON).timestamp()
    counted: Counter[str] = Counter()
    expiring = 0
    for standing in session.registry.standings():
        certificate = standing.certificate
        active = certificate.status is CertificateStatus.ACTIVE
        expired = active and certificate.not_after < now
        counted["expired" if expired else certificate.status.value] += 1
        expiring += active and not expired and certificate.not_after < soon
    return counted, expiring


def _truststore_state(session: Session) -> str:
    from handclasp.authority.publish import trust_bundle  # noqa: PLC0415

    published = session.truststore.read()
    if published is None:
        return "not published"
    return "current" if published == trust_bundle(session.registry, session.now) else "differs from the registry"


def _gateway(state: Path) -> dict[str, Any]:
    """What the gateway last wrote about itself. Another version's file, or half a one, must not fail `status`."""
    try:
        written = json.loads((state / _GATEWAY_STATUS).read_text(encoding="utf-8"))
        process = int(written["pid"])
        os.kill(process, 0)
    except PermissionError:
        pass
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return {"running": False}
    if process <= 0:
        return {"running": False}
    return {"running": True, **{key: value for key, value in written.items() if key != "running"}}


def _gateway_line(gateway: dict[str, Any]) -> str:
    if not gateway["running"]:
        return "not running"
    return ", ".join(["running", *(f"{key} {value}" for key, value in gateway.items() if key != "running")])


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"
