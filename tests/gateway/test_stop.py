"""The wish to stop arrives from anywhere, a signal handler in the waiting thread included."""

import os
import signal
import threading
import time

from handclasp.gateway.stop import Stop


def test_it_is_set_for_good() -> None:
    stop = Stop()
    assert not stop.is_set()
    assert not stop.wait(0.001)
    stop.set()
    stop.set()
    assert stop.is_set()
    assert stop.wait(10)


def test_waiting_ends_when_another_thread_sets_it() -> None:
    stop = Stop()
    threading.Timer(0.05, stop.set).start()
    begun = time.monotonic()
    assert stop.wait(10)
    assert time.monotonic() - begun < 5


def test_it_can_be_set_more_often_than_anybody_listens() -> None:
    stop = Stop()
    for _ in range(100_000):
        stop.set()
    assert stop.is_set()


def test_a_handler_may_set_it_whatever_the_waiting_thread_is_doing() -> None:
    """threading.Event would wait for its own lock here sooner or later: signals come at every point of the wait."""
    stop = Stop()
    handled = 0

    def on_signal(*_: object) -> None:
        nonlocal handled
        handled += 1
        stop.set()

    before = signal.signal(signal.SIGUSR1, on_signal)
    child = os.fork()
    if child == 0:
        for _ in range(300):
            os.kill(os.getppid(), signal.SIGUSR1)
            time.sleep(0.0005)
        os._exit(0)
    try:
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            stop.wait(0.0001)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert handled > 0
    assert stop.is_set()
