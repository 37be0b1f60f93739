"""`handclasp restore`: a backup brought back, never a revocation less."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handclasp.cli.backup import PASSPHRASE_FILE
from handclasp.cli.lazy import example
from handclasp.cli.options import json_option
from handclasp.errors import AlreadyEstablished, InvalidInput

if TYPE_CHECKING:
    from handclasp.authority.backup.backup_archive import Archive
    from handclasp.authority.backup.restore import Restored
    from handclasp.cli.context import Session
    from handclasp.registry.merge import Difference

#: Names in one line of an error; --dry-run lists them all.
_NAMED = 5


@click.command(
    epilog=example(
        "handclasp --state new restore handclasp.age --passphrase-file backup.pass",
        "handclasp restore handclasp.age --passphrase-file backup.pass --dry-run",
    )
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--passphrase-file", required=True, metavar="FILE", help="As it was given to `handclasp backup`.")
@click.option("--replace", is_flag=True, help="Do it over the same authority, gone on since, or over a damaged one.")
@click.option("--dry-run", is_flag=True, help="Say what would become of what has happened since, and change nothing.")
@json_option
@click.pass_obj
def restore(session: "Session", file: Path, passphrase_file: str, replace: bool, dry_run: bool, as_json: bool) -> None:
    """Bring the backup in FILE back, into the places the settings name.

    Over an authority that has gone on since (--replace), what was revoked, suspended or retired meanwhile stays so;
    what was issued meanwhile is forgotten, and listed: those certificates are refused from then on. Stop gateways
    first.
    """
    from handclasp.cli.restore_target import open_target, restored_into  # noqa: PLC0415

    archive = _opened(file, passphrase_file)
    with open_target(session, archive, file, replace=replace, dry_run=dry_run) as target:
        if dry_run:
            _show_difference(target.difference, as_json=as_json)
            return
        if target.is_living and not target.may_replace:
            raise _refused(target.difference)
        done = restored_into(session, archive, target)
    _show(file, archive, done, as_json=as_json)


def _opened(file: Path, passphrase_file: str) -> "Archive":
    from handclasp.age_file import decrypted  # noqa: PLC0415
    from handclasp.authority.backup.backup_archive import unpacked  # noqa: PLC0415
    from handclasp.cli.input_files import read_passphrase_file  # noqa: PLC0415

    passphrase = read_passphrase_file(passphrase_file, PASSPHRASE_FILE)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"backup {file} cannot be read: {error.strerror}") from None
    return unpacked(decrypted(content, passphrase, f"backup {file}"), f"backup {file}")


def _refused(difference: "Difference") -> AlreadyEstablished:
    since = []
    if difference.withdrawn:
        since.append(f"withdrawn since: {_some([f'{kind} {name}' for kind, name, _ in difference.withdrawn])}")
    if difference.issued or difference.clients:
        named = _some([*difference.clients, *(f"certificate {serial} of {who}" for who, serial in difference.issued)])
        since.append(f"issued since: {len(difference.issued)} ({named})")
    return AlreadyEstablished(
        f"this authority is here already; {'; '.join(since) or 'nothing was withdrawn or issued since'}",
        hint="--dry-run lists it all; --replace keeps what was withdrawn so, and forgets what was issued",
    )


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _difference_json(difference: "Difference") -> dict[str, object]:
    return {
        "withdrawn_since": [
            {"kind": kind, "name": name, "status": status} for kind, name, status in difference.withdrawn
        ],
        "issued_since": [{"client": who, "serial_number": serial} for who, serial in difference.issued],
        "clients_since": list(difference.clients),
        "lost_audit_entries": difference.lost_entries,
    }


def _show_difference(difference: "Difference", *, as_json: bool) -> None:
    from handclasp.cli.output import say, show_json, show_rows  # noqa: PLC0415

    if as_json:
        show_json(_difference_json(difference))
        return
    if not (difference.withdrawn or difference.issued or difference.clients):
        say("nothing has been withdrawn or issued since")
    if difference.lost_entries:
        say(f"the audit trail here is another than the backup's: {difference.lost_entries} entries would be lost")
    show_rows(
        ("what", "name", "becomes"),
        [
            *((kind, name, f"stays {status}") for kind, name, status in difference.withdrawn),
            *(("client", name, "forgotten") for name in difference.clients),
            *(("certificate", f"{serial} of {who}", "forgotten") for who, serial in difference.issued),
        ],
    )


def _show(file: Path, archive: "Archive", done: "Restored", *, as_json: bool) -> None:
    from handclasp.cli.output import moment, say, show_facts, show_json  # noqa: PLC0415

    manifest = archive.manifest
    if as_json:
        numbers = {name: value for name, value in asdict(done).items() if name not in {"difference", "left"}}
        facts = {"file": str(file), "backup": manifest.backup, "created_at": moment(manifest.created_at)}
        show_json(facts | numbers | {"files_left": list(done.left)} | _difference_json(done.difference))
        return
    for name in done.left:
        say(f"note: the files of client {name} were not put back: newer ones are there, or it may not use these")
    say(f"restored {file}, of {moment(manifest.created_at)}")
    _show_difference(done.difference, as_json=False)
    show_facts([("clients", done.clients), ("certificates", done.certificates), ("files put back", done.delivered)])
