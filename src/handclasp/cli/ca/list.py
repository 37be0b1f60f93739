"""`handclasp ca list`: the issuers, oldest first."""

import click

from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import json_option
from handclasp.cli.output import moment, show_json_array, show_rows
from handclasp.cli.views import issuer_json

_COLUMNS = ("id", "kind", "status", "not after", "key", "subject")


@click.command(name="list", epilog=example("handclasp ca list", "handclasp ca list --json"))
@json_option
@click.pass_obj
def list_issuers(session: Session, as_json: bool) -> None:
    """List the issuers, oldest first. Key: whether its private key is in custody here."""
    issuers = session.registry.issuers()
    if as_json:
        show_json_array(map(issuer_json, issuers))
        return
    show_rows(
        _COLUMNS,
        [
            (i.issuer_id, i.kind.value, i.status.value, moment(i.not_after), "yes" if i.key_name else "no", i.subject)
            for i in issuers
        ],
    )
