"""`handclasp audit ...`: who did what, and whether the record is whole."""

from collections.abc import Iterator

import click

from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import ClientName, json_option
from handclasp.cli.output import moment, say, show_facts, show_json, show_json_array, show_rows
from handclasp.errors import RegistryDamaged
from handclasp.registry.records import AuditEntry


@click.group(epilog=example("handclasp audit list --client acme", "handclasp audit verify"))
def audit() -> None:
    """The audit trail: every change, each entry's hash covering the one before."""


@audit.command(name="list", epilog=example("handclasp audit list --client acme", "handclasp audit list --after 120"))
@click.option("--client", "name", type=ClientName(), metavar="NAME", help="Only what happened to this client.")
@click.option("--after", type=click.IntRange(min=0), default=0, metavar="N", help="Only entries after number N.")
@json_option
@click.pass_obj
def list_entries(session: Session, name: str | None, after: int, as_json: bool) -> None:
    """List the audit trail, oldest first.

    Columns: number, time, who, what was done, to what, details (JSON).
    """
    entries = (
        entry for entry in session.registry.audit(after=after) if name is None or entry.subject.lower() == name.lower()
    )
    if as_json:
        show_json_array(map(_json, entries))
    else:
        show_rows(
            ("number", "time", "actor", "action", "subject", "details"),
            ((e.sequence, moment(e.at), e.actor, e.action, e.subject, e.details) for e in entries),
        )


@audit.command(epilog=example("handclasp audit verify"))
@json_option
@click.pass_obj
def verify(session: Session, as_json: bool) -> None:
    """Recompute the whole hash chain; exit 1, naming the entry, if one was edited, removed or moved.

    It prints the last entry's number and hash. Note them elsewhere: entries cut off the end are found by nothing else.
    """
    from handclasp.registry.audit_chain import GENESIS, broken_at  # noqa: PLC0415

    last: list[AuditEntry] = []

    def watched() -> Iterator[AuditEntry]:
        for entry in session.registry.audit():
            last[:] = [entry]
            yield entry

    broken = broken_at(watched())
    if broken is not None:
        raise RegistryDamaged(
            f"audit entry {broken} does not follow from the one before: it was edited, or entries before it were "
            "removed or moved",
            hint="compare with a backup of the registry",
        )
    number, head = (last[0].sequence, last[0].hash) if last else (0, GENESIS)
    if as_json:
        show_json({"entries": number, "head": head})
        return
    say("the audit trail is whole")
    show_facts([("entries", number), ("head", head)])


def _json(entry: AuditEntry) -> dict[str, object]:
    import json  # noqa: PLC0415

    return {
        "sequence": entry.sequence,
        "at": moment(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "details": json.loads(entry.details),
        "previous": entry.previous,
        "hash": entry.hash,
    }
