"""The access log, followed: whole lines after a position, across rotation, truncation, restarts and crashes.

A position is "INODE:OFFSET", always at the beginning of a line, so that it can be kept beside what the lines before
it came to, in one transaction. Who renames the file is found by its inode; who copies and truncates it, by its size.
"""

import os
import re
import stat
from pathlib import Path

#: More than Envoy writes for a request of the largest headers we take; a longer line is none of ours.
MAX_LINE = 1_048_576
_POSITION = re.compile(r"([0-9]{1,20}):([0-9]{1,20})")


class AccessLogTail:
    """Begins at `position`; without one at the end, for a log may hold years. Not thread-safe.

    Raises OSError when the log is there and cannot be read. What is no file (a terminal, a pipe) has no lines.
    """

    def __init__(self, path: Path, position: str | None = None) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._inode = self._offset = 0
        #: how far a line that is too long has been looked through for its end
        self._skipped = 0
        found = _POSITION.fullmatch(position or "")
        if found:
            self._resume(int(found[1]), int(found[2]))
        elif self._open(path) and position is None:
            self._offset = self._last_line_end(os.fstat(self._fd).st_size)

    @property
    def position(self) -> str:
        """Behind the last line that `read` has returned; "" as long as there is no log."""
        return "" if self._descriptor is None else f"{self._inode}:{self._offset}"

    def read(self) -> list[bytes]:
        """The next lines, up to a mebibyte of them; none when nothing is new."""
        if self._descriptor is None and not self._open(self._path):
            return []
        lines = self._next_lines()
        # The writer opens a file anew some time after it was renamed: until there is something in the new one, it
        # writes into the old. What came between the two looks is read before the old one is left.
        if not lines and self._is_replaced():
            lines = self._next_lines()
            if not lines and self._open(self._path):
                lines = self._next_lines()
        return lines

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @property
    def _fd(self) -> int:
        assert self._descriptor is not None  # noqa: S101 - opened before anything is read
        return self._descriptor

    def _resume(self, inode: int, offset: int) -> None:
        """Where we were, in the file of that inode wherever it is now; its successor is read from the beginning."""
        for path in (self._path, *sorted(self._path.parent.glob(f"{self._path.name}?*"))):
            try:
                is_ours = path.stat().st_ino == inode
            except OSError:
                continue
            if is_ours and self._open(path):
                self._offset = offset
                return

    def _open(self, path: Path) -> bool:
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                return False
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        self.close()
        self._descriptor = descriptor
        self._inode = os.fstat(descriptor).st_ino
        self._offset = self._skipped = 0
        return True

    def _is_replaced(self) -> bool:
        try:
            found = self._path.stat()
        except OSError:
            return False
        return found.st_ino != self._inode and found.st_size > 0

    def _next_lines(self) -> list[bytes]:
        size = os.fstat(self._fd).st_size
        if size == self._offset:
            return []
        if size < self._offset + self._skipped or not self._begins_a_line():
            # It was copied and emptied: what is in it now is new.
            self._offset = self._skipped = 0
        data = os.pread(self._fd, MAX_LINE, self._offset + self._skipped)
        end = data.rfind(b"\n") + 1
        if not end:
            # Half a line is left to be read whole; one that is too long is looked through for its end.
            self._skipped += len(data) if self._skipped or len(data) == MAX_LINE else 0
            return []
        lines = data[:end].split(b"\n")[:-1]
        if self._skipped:
            end += self._skipped
            self._skipped = 0
            del lines[0]
        self._offset += end
        return lines

    def _begins_a_line(self) -> bool:
        return self._offset == 0 or os.pread(self._fd, 1, self._offset - 1) == b"\n"

    def _last_line_end(self, size: int) -> int:
        """Behind the last line that is whole."""
        end = size
        while end:
            begin = max(0, end - MAX_LINE)
            found = os.pread(self._fd, end - begin, begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            end = begin
        return 0
