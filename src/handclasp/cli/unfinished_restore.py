"""The note that a restore has begun: while it lies in the state folder, nothing else works on what is half of each."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path

from handclasp.atomic_file import sync_folder, write_atomically
from handclasp.errors import RegistryError

#: In the state folder while a restore is under way.
UNFINISHED_RESTORE = "restore-unfinished.json"


@dataclass(frozen=True, slots=True)
class UnfinishedRestore:
    """`run` names this restore for good: an audit entry with it says that the registry has been done."""

    file: str
    backup: str
    run: str


def refuse_half_restored(state: Path) -> None:
    """Raises RegistryError, saying how to go on, while there is one. Cheap when there is none."""
    if not os.path.lexists(state / UNFINISHED_RESTORE):
        return
    found = unfinished_restore(state)
    raise RegistryError(
        f"a restore into {state} was interrupted",
        hint=f"finish it: handclasp restore {found.file if found else 'FILE'} --passphrase-file F",
    )


def unfinished_restore(state: Path) -> UnfinishedRestore | None:
    """The restore to be finished; None if there is none, or nobody can tell which."""
    import json  # noqa: PLC0415

    try:
        return UnfinishedRestore(**json.loads((state / UNFINISHED_RESTORE).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def note_restore(state: Path, restore: UnfinishedRestore) -> None:
    import json  # noqa: PLC0415

    write_atomically(state / UNFINISHED_RESTORE, json.dumps(asdict(restore)).encode())


def forget_restore(state: Path) -> None:
    (state / UNFINISHED_RESTORE).unlink(missing_ok=True)
    sync_folder(state)
