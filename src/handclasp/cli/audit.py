"""`handclasp audit ...`: who did what, and whether the record is whole."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import ClientName, json_option
from handclasp.cli.output import data, moment, say, show_facts, show_json, show_json_array, show_json_lines, show_rows
from handclasp.errors import InvalidInput, KeyUnavailable, RegistryDamaged
from handclasp.registry.records import AuditCheckpoint, AuditEntry

if TYPE_CHECKING:
    from handclasp.authority.audit.audit_trail import Trail

#: Faults named in the one line of an error; more of them have the same cause.
_NAMED = 3


@click.group(epilog=example("handclasp audit list --client acme", "handclasp audit verify"))
def audit() -> None:
    """The audit trail: every change, each entry's hash covering the one before, its head signed now and then."""


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


@audit.command(epilog=example("handclasp audit export > audit.jsonl", "handclasp audit export --after 120 --json"))
@click.option("--after", type=click.IntRange(min=0), default=0, metavar="N", help="Only what comes after number N.")
@json_option
@click.pass_obj
def export(session: Session, after: int, as_json: bool) -> None:  # noqa: ARG001 - JSON lines either way
    """Print the audit trail as JSON lines, each checkpoint after the entry it signs.

    For a log collector, or as a note to `audit verify --checkpoint`.
    """
    show_json_lines(_exported(session, after))


@audit.command(epilog=example("handclasp audit checkpoint >> /mnt/elsewhere/checkpoints.jsonl"))
@json_option
@click.pass_obj
def checkpoint(session: Session, as_json: bool) -> None:  # noqa: ARG001 - a line of JSON either way
    """Sign the audit trail's head now, and print the checkpoint as a line of JSON to be kept elsewhere.

    The key (Ed25519) is in custody and is made with the first checkpoint.
    """
    from handclasp.authority.audit.checkpoint import checkpoint_now  # noqa: PLC0415
    from handclasp.cli.checkpoint_text import checkpoint_line  # noqa: PLC0415
    from handclasp.cli.checkpointing import note_elsewhere  # noqa: PLC0415
    from handclasp.errors import NotEstablished  # noqa: PLC0415

    before = session.registry.last_checkpoint()
    made = checkpoint_now(session.registry, session.custody, actor=session.actor)
    if made is None:
        raise NotEstablished("the audit trail is empty: there is nothing to sign", hint="run: handclasp init")
    if made != before:
        note_elsewhere(session.settings, made)
    data(checkpoint_line(made))


@audit.command(
    epilog=example("handclasp audit verify", "handclasp audit verify --checkpoint /mnt/elsewhere/checkpoints.jsonl")
)
@click.option("--checkpoint", "noted", metavar="FILE", help="Checkpoints kept elsewhere; - is stdin.")
@click.option("--public-key", metavar="HEX", help="The key checkpoints are signed with, where custody is elsewhere.")
@json_option
@click.pass_obj
def verify(session: Session, noted: str | None, public_key: str | None, as_json: bool) -> None:
    """Recompute the whole hash chain and check every checkpoint; exit 1, naming the entry, if anything is wrong.

    It finds an entry that was edited, removed or moved, and a tail cut off or rewritten behind a checkpoint. A
    checkpoint removed together with the tail it covers is found with --checkpoint: keep what `audit checkpoint` or
    `audit verify --json` prints on another machine.
    """
    from handclasp.authority.audit.audit_trail import verify_trail  # noqa: PLC0415
    from handclasp.cli.checkpoint_text import checkpoint_json  # noqa: PLC0415

    elsewhere = _noted(noted)
    trail = verify_trail(session.registry, public_key=_public_key(session, elsewhere, public_key), noted=elsewhere)
    _raise_faults(trail)
    last = trail.checkpoint
    if as_json:
        signed = None if last is None else checkpoint_json(last)
        show_json(
            {"entries": trail.entries, "head": trail.head, "checkpoints": trail.checkpoints, "checkpoint": signed}
        )
        return
    say("the audit trail is whole")
    facts: list[tuple[str, object]] = [("entries", trail.entries), ("head", trail.head)]
    if last is not None:
        facts += [("signed up to", f"{last.sequence}, {moment(last.at)}"), ("public key", last.public_key)]
    show_facts(facts)


def _noted(file: str | None) -> list[AuditCheckpoint]:
    if file is None:
        return []
    from handclasp.cli.checkpoint_text import parse_checkpoints  # noqa: PLC0415
    from handclasp.cli.input_files import read_file  # noqa: PLC0415

    found = parse_checkpoints(read_file(file, "checkpoint file"), f"checkpoint file {file}")
    if not found:
        raise InvalidInput(f"checkpoint file {file} holds no checkpoints", hint="handclasp audit checkpoint prints one")
    return found


def _public_key(session: Session, noted: list[AuditCheckpoint], given: str | None) -> str | None:
    """Whose signature counts. Raises KeyUnavailable where something is signed and the key is elsewhere."""
    if given is not None:
        return _hex_key(given)
    from handclasp.authority.audit.checkpoint import audit_public_key  # noqa: PLC0415

    try:
        return audit_public_key(session.custody)
    except KeyUnavailable as error:
        if session.registry.last_checkpoint() is None and not any(each.signature for each in noted):
            return None
        raise KeyUnavailable(
            f"checkpoints cannot be checked: {error}", hint="pass --public-key HEX, as noted from `audit verify`"
        ) from None


def _hex_key(text: str) -> str:
    try:
        if len(bytes.fromhex(text)) == 32:  # noqa: PLR2004 - octets of an Ed25519 key, RFC 8032
            return bytes.fromhex(text).hex()
    except ValueError:
        pass
    raise InvalidInput("--public-key is not an Ed25519 key: that is 64 hexadecimal digits")


def _raise_faults(trail: "Trail") -> None:
    if not trail.faults:
        return
    text = "; ".join(trail.faults[:_NAMED])
    if more := len(trail.faults) - _NAMED:
        text += f"; and {more} more" if more > 0 else ""
    hint = "; ".join(trail.explanations[-1:]) or "compare with a backup of the registry"
    raise RegistryDamaged(text, hint=hint)


def _exported(session: Session, after: int) -> Iterator[dict[str, object]]:
    from handclasp.cli.checkpoint_text import checkpoint_json  # noqa: PLC0415

    signed = iter([each for each in session.registry.checkpoints() if each.sequence > after])
    following = next(signed, None)
    for entry in session.registry.audit(after=after):
        yield _json(entry)
        while following is not None and following.sequence <= entry.sequence:
            yield checkpoint_json(following)
            following = next(signed, None)


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
