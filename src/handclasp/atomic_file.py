"""Files that are whole or absent: write a temporary file, fsync it, rename it, fsync the folder.

A crash leaves at most a hidden `.part` file, 0600, which the next write into that folder removes. A reader sees
the old content or the new, never a mixture (rename is atomic, POSIX).
"""

import os
import re
from contextlib import suppress
from pathlib import Path

from handclasp.errors import KeyUnavailable

_PART = re.compile(r"\.(?P<pid>\d+)\.part$")


def make_private_folder(path: Path) -> None:
    """`path` and its missing parents, 0700 each. A folder that exists keeps its mode."""
    missing = [p for p in (path, *path.parents) if not p.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(folder.parent)


def check_private(path: Path) -> None:
    """Raises KeyUnavailable if anybody but the owner may read or write `path`."""
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        allowed = "0700" if path.is_dir() else "0600"
        raise KeyUnavailable(
            f"{path} is open to others (mode {mode:04o})", hint=f"chmod {allowed} {path}, and consider its keys exposed"
        )


def write_atomically(path: Path, content: bytes) -> None:
    """Replace or create `path`, mode 0600. When this returns the content is on the disk."""
    _remove_abandoned(path.parent)
    part = path.parent / f".{path.name}.{os.getpid()}.part"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_abandoned(folder: Path) -> None:
    """Parts of processes that are gone: a crash between write and rename."""
    for part in folder.glob(".*.part"):
        found = _PART.search(part.name)
        if found and not _alive(int(found["pid"])):
            part.unlink(missing_ok=True)


def remove_abandoned(folder: int, name: str) -> None:
    """One entry of the open folder, if it is the part of a process that is gone."""
    found = _PART.search(name)
    if found and not _alive(int(found["pid"])):
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
