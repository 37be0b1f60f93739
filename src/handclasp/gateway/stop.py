"""The wish to stop, from a signal handler or another thread.

Not a threading.Event: a handler runs in the very thread that waits, and may find it holding the event's lock, which
it would then wait for itself for ever. Writing to a pipe takes no lock.
"""

import os
import select
from contextlib import suppress


class Stop:
    """Set once, for good."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)

    def set(self) -> None:
        with suppress(BlockingIOError):  # set so often that the pipe is full
            os.write(self._writer, b".")

    def is_set(self) -> bool:
        return self.wait(0)

    def wait(self, seconds: float) -> bool:
        """True as soon as it is set, False when the time is over."""
        waiting = select.poll()
        waiting.register(self._reader, select.POLLIN)
        return bool(waiting.poll(seconds * 1000))

    def __del__(self) -> None:
        # Not before: a thread that could still set it must not write into what the number is used for next.
        os.close(self._reader)
        os.close(self._writer)
