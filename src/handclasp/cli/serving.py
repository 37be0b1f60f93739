"""Serve in the foreground: signals, the ready file, and nothing left behind."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from handclasp import bootstrap
from handclasp.atomic_file import write_atomically
from handclasp.cli.context import Session
from handclasp.cli.output import say
from handclasp.errors import InvalidInput
from handclasp.gateway.run import serve
from handclasp.gateway.serving import Serving
from handclasp.gateway.state_lock import hold
from handclasp.gateway.stop import Stop


def serve_session(session: Session, stop: Stop, on_ready: Callable[[], None], ready_file: Path | None) -> None:
    """Serve until `stop`. `ready_file` exists exactly while requests are answered. Raises StateInUse, GatewayFailed."""
    if ready_file is not None and not ready_file.parent.is_dir():
        raise InvalidInput(f"--ready-file {ready_file}: there is no folder {ready_file.parent}")

    def ready() -> None:
        if ready_file is not None:
            write_atomically(ready_file, b"ready\n")
        on_ready()

    serving = Serving(
        settings=session.settings,
        registry=session.registry,
        open_registry=lambda: bootstrap.open_registry(session.settings),
        truststore=session.truststore,
        custody=session.custody,
        practice=session.practice,
        actor=session.actor,
        say=say,
    )
    # Only who holds the lock may touch the file: it may be the ready file of the gateway that runs already.
    with hold(serving.lock), _absent_but_while_ready(ready_file):
        serve(serving, stop, ready)


@contextmanager
def _absent_but_while_ready(ready_file: Path | None) -> Iterator[None]:
    """A crash may have left one behind; whatever happens now, none stays."""
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)
    try:
        yield
    finally:
        if ready_file is not None:
            ready_file.unlink(missing_ok=True)


@contextmanager
def stopping_on_signals() -> Iterator[Stop]:
    """What SIGINT and SIGTERM set, while the block runs."""
    stop = Stop()

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's signature
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
