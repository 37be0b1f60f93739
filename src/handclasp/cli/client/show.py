"""`handclasp client show`: one client and its certificates."""

from typing import TYPE_CHECKING

import click

from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import json_option, name_argument
from handclasp.cli.output import moment, show_facts, show_json, show_rows
from handclasp.cli.views import certificate_json, client_json

if TYPE_CHECKING:
    from handclasp.pki.identity import ClientId

_COLUMNS = ("serial number", "status", "not before", "not after", "delivered", "SHA-256", "subject")


@click.command(epilog=example("handclasp client show acme", "handclasp client show acme --json"))
@name_argument
@json_option
@click.pass_obj
def show(session: Session, name: "ClientId", as_json: bool) -> None:
    """Show client NAME and every certificate it has had, oldest first."""
    client = session.registry.client(name)
    certificates = session.registry.certificates(client.client_id)
    if as_json:
        show_json({**client_json(client), "certificates": [certificate_json(c) for c in certificates]})
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
            )
            for c in certificates
        ],
    )
