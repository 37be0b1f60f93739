"""Kill a process at its n-th write: a real SIGKILL, before each write reaches the disk and after each commit."""

import os
import signal
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.forking import in_child

_WRITES = ("replace", "rename", "fsync", "mkdir", "symlink", "link", "unlink", "rmdir")
_FOR_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def killed_at(number: int, work: Callable[[], object]) -> bool:
    """Run `work` in a child that dies at its write `number`; False if it came to its end before that."""
    status = in_child(lambda: _armed(number, work))
    assert status in {0, -signal.SIGKILL}, "the command failed on its own"
    return status == -signal.SIGKILL


def _armed(number: int, work: Callable[[], object]) -> None:
    left = number

    def write() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(original: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        write()
        return original(*arguments, **named)

    def opened(original: Callable[..., int], path: Any, flags: int, *arguments: Any, **named: Any) -> int:
        if flags & _FOR_WRITING:
            write()
        return original(path, flags, *arguments, **named)

    class Connection(sqlite3.Connection):
        def execute(self, statement: str, *arguments: Any) -> sqlite3.Cursor:
            if not statement.lstrip().startswith("SELECT"):
                write()
            cursor = super().execute(statement, *arguments)
            if statement == "COMMIT":
                write()
            return cursor

    # Set for good: this process ends with the work.
    for name in _WRITES:
        setattr(os, name, partial(counted, getattr(os, name)))
    os.open = partial(opened, os.open)
    sqlite3.connect = partial(sqlite3.connect, factory=Connection)  # type: ignore[assignment]
    work()
