"""One watch at a time on one state: two would both find a notice unsent, and both send it."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from handclasp.errors import NotEstablished, StateInUse

#: Longer than every channel's time to answer together.
_PATIENCE_SECONDS = 60.0
_AGAIN_SECONDS = 0.1


@contextmanager
def watching_alone(state: Path) -> Iterator[None]:
    """Waits for another watch to end, but not for ever: raises StateInUse. The kernel lifts a dead holder's lock."""
    try:
        descriptor = os.open(state / "watch.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileNotFoundError:
        raise NotEstablished(f"there is no authority in {state}", hint="run: handclasp init") from None
    try:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _taken(descriptor):
            if time.monotonic() > deadline:
                raise StateInUse(f"another watch of {state} has been at work for a minute")
            time.sleep(_AGAIN_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
