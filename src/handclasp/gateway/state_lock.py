"""One `up` for one state: an advisory lock that the kernel lifts when its holder dies, however it dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from handclasp.atomic_file import make_private_folder
from handclasp.errors import StateInUse


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock while the block runs. Raises StateInUse, naming the process, if another holds it."""
    make_private_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "another process"
            raise StateInUse(
                f"a gateway already runs on {path.parent.parent} (process {holder})",
                hint="stop it first, or pass another --state",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
