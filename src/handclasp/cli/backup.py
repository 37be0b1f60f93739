"""`handclasp backup`: everything, in one encrypted file."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from handclasp.cli.lazy import example
from handclasp.cli.options import json_option
from handclasp.errors import HandclaspError, InvalidInput

if TYPE_CHECKING:
    from handclasp.authority.backup.backup import Backup
    from handclasp.cli.context import Session

#: What a backup's passphrase file is called in errors.
PASSPHRASE_FILE = "backup passphrase file"  # noqa: S105 - that is its name


@click.command(epilog=example("handclasp backup handclasp.age --passphrase-file backup.pass"))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--passphrase-file", required=True, metavar="FILE", help="Its first line is what the backup opens with.")
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@json_option
@click.pass_obj
def backup(session: "Session", file: Path, passphrase_file: str, force: bool, as_json: bool) -> None:
    """Write registry, CA keys, trust store, settings and clients' newest files to FILE, encrypted.

    It is taken while everything goes on. The root's key stays sealed with its own passphrase inside. The format is
    age's: `age -d FILE | tar xz` opens it without Handclasp. Whoever has FILE and its passphrase has the authority.
    """
    from handclasp.age_file import encrypted  # noqa: PLC0415
    from handclasp.atomic_file import write_atomically  # noqa: PLC0415
    from handclasp.authority.backup.backup import back_up, record_backup  # noqa: PLC0415
    from handclasp.authority.backup.backup_archive import packed  # noqa: PLC0415
    from handclasp.cli.input_files import read_passphrase_file  # noqa: PLC0415

    passphrase = read_passphrase_file(passphrase_file, PASSPHRASE_FILE)
    if file.is_dir() or not file.absolute().parent.is_dir():
        raise InvalidInput(f"backup {file} cannot be written: name a file in a folder that exists")
    if file.exists() and not force:
        raise InvalidInput(f"backup {file} exists", hint="choose another name, or pass --force")
    taken = back_up(
        registry=session.registry,
        custody=session.custody,
        truststore=session.truststore,
        delivery=session.delivery,
        settings=_settings(session),
    )
    sealed = encrypted(packed(taken.archive), passphrase)
    try:
        write_atomically(file, sealed)
    except OSError as error:
        raise HandclaspError(f"backup {file} cannot be written: {error.strerror}") from error
    record_backup(taken, str(file), registry=session.registry, actor=session.actor)
    _show(file, len(sealed), taken, as_json=as_json)


def _settings(session: "Session") -> bytes | None:
    from handclasp.settings import CONFIGURATION_FILE  # noqa: PLC0415

    path = session.config or session.state / CONFIGURATION_FILE
    return path.read_bytes() if path.exists() else None


def _show(file: Path, size: int, taken: "Backup", *, as_json: bool) -> None:
    from handclasp.cli.output import moment, say, show_facts, show_json  # noqa: PLC0415

    manifest = taken.archive.manifest
    if as_json:
        show_json(
            {
                "file": str(file),
                "bytes": size,
                "backup": manifest.backup,
                "created_at": moment(manifest.created_at),
                "revision": manifest.revision,
                "audit": {"entries": manifest.audit_sequence, "head": manifest.audit_hash},
                "clients": taken.clients,
                "certificates": taken.certificates,
                "client_files": len(taken.archive.clients),
                "keys": sorted(taken.archive.keys),
                "missing_keys": list(taken.missing_keys),
            }
        )
        return
    for name in taken.missing_keys:
        say(f"note: key {name} is not in custody here, and so not in the backup")
    say(f"{file} holds everything up to audit entry {manifest.audit_sequence}")
    show_facts(
        [
            ("backup", manifest.backup),
            ("bytes", size),
            ("clients", taken.clients),
            ("certificates", taken.certificates),
            ("keys", ", ".join(sorted(taken.archive.keys)) or None),
        ]
    )
