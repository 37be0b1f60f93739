"""A damaged database is put aside, never deleted: whatever can still be read from it may be wanted."""

from pathlib import Path

from handclasp.atomic_file import sync_folder
from handclasp.errors import RegistryError

#: The database last: as long as it is there, a crash in between leaves what was there, damaged as it was.
_SUFFIXES = ("-wal", "-shm", "")


def set_aside(path: Path, label: str) -> Path:
    """Rename the database with its journal; where it is now. Raises RegistryError."""
    aside = path.with_name(f"{path.name}.{label}")
    try:
        for suffix in _SUFFIXES:
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        sync_folder(path.parent)
    except OSError as error:
        raise RegistryError(f"registry {path} cannot be set aside: {error.strerror}") from error
    return aside
