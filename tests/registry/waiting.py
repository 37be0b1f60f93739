"""Waiting for a condition, and for no time of its own."""

import time
from collections.abc import Callable

#: A test ends by its condition, not by waiting this long.
PATIENCE_S = 20.0


def seconds_until(condition: Callable[[], bool]) -> float:
    """How long it took. Fails when it does not come true."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < PATIENCE_S
        time.sleep(0.002)
    return time.monotonic() - begun
