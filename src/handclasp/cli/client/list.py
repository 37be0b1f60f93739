"""`handclasp client list`: everybody who may call, and how long still."""

from collections.abc import Iterator

import click

from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import json_option
from handclasp.cli.output import moment, show_json_array, show_rows
from handclasp.cli.views import client_json
from handclasp.registry.records import ClientStatus, ClientSummary

_COLUMNS = ("name", "environment", "application", "status", "certificates", "expires", "owner")


@click.command(
    name="list",
    epilog=example("handclasp client list --environment prod --status suspended", "handclasp client list | cut -f 1"),
)
@click.option("--environment", metavar="NAME", help="Only this environment.")
@click.option("--status", type=click.Choice([status.value for status in ClientStatus]), help="Only this status.")
@json_option
@click.pass_obj
def list_clients(session: Session, environment: str | None, status: str | None, as_json: bool) -> None:
    """List clients by name: a table on a terminal, tab-separated lines in a pipe, one array with --json.

    Columns: name, environment, application, status, active certificates, when the last of them expires, owner.
    """
    wanted = session.registry.summaries()
    if environment is not None:
        wanted = (summary for summary in wanted if summary.client.environment == environment)
    if status is not None:
        wanted = (summary for summary in wanted if summary.client.status == status)
    if as_json:
        show_json_array(map(_json, wanted))
    else:
        show_rows(_COLUMNS, _rows(wanted))


def _rows(summaries: Iterator[ClientSummary]) -> Iterator[tuple[object, ...]]:
    for summary in summaries:
        client = summary.client
        yield (
            client.client_id,
            client.environment,
            client.application,
            client.status,
            summary.active_certificates,
            moment(summary.not_after),
            client.owner,
        )


def _json(summary: ClientSummary) -> dict[str, object]:
    return {
        **client_json(summary.client),
        "active_certificates": summary.active_certificates,
        "not_after": moment(summary.not_after),
    }
