"""`handclasp client list`: everybody who may call, how long still, and who was seen when."""

from collections.abc import Iterator

import click

from handclasp.authority.rotation.due import due_at
from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import json_option
from handclasp.cli.output import moment, show_json_array, show_rows
from handclasp.cli.views import client_json
from handclasp.registry.records import ClientStatus, ClientSummary
from handclasp.settings import RotationSettings

_COLUMNS = (
    "name",
    "environment",
    "application",
    "status",
    "certificates",
    "expires",
    "owner",
    "last seen",
    "renewal due",
)


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

    Columns: name, environment, application, status, active certificates, when the last of them expires, owner, when
    a gateway last let the client in, when its renewal is due (to the day; `client show` has each certificate's moment).
    """
    wanted = session.registry.summaries()
    if environment is not None:
        wanted = (summary for summary in wanted if summary.client.environment == environment)
    if status is not None:
        wanted = (summary for summary in wanted if summary.client.status == status)
    rotation = session.settings.rotation
    if as_json:
        now = session.registry.now()
        show_json_array(_json(summary, rotation, now) for summary in wanted)
    else:
        show_rows(_COLUMNS, _rows(wanted, rotation))


def _rows(summaries: Iterator[ClientSummary], rotation: RotationSettings) -> Iterator[tuple[object, ...]]:
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
            moment(summary.last_seen_at),
            moment(_due_at(summary, rotation)),
        )


def _due_at(summary: ClientSummary, rotation: RotationSettings) -> int | None:
    """Without the jitter that each certificate has of its own."""
    if summary.not_before is None or summary.not_after is None:
        return None
    return due_at(summary.not_before, summary.not_after, "", rotation)


def _json(summary: ClientSummary, rotation: RotationSettings, now: int) -> dict[str, object]:
    due = _due_at(summary, rotation)
    return {
        **client_json(summary.client),
        "active_certificates": summary.active_certificates,
        "not_after": moment(summary.not_after),
        "last_seen_at": moment(summary.last_seen_at),
        "requests": summary.requests,
        "renewal_due_at": moment(due),
        "renewal_due": due is not None and now >= due,
    }
