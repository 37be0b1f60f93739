"""Run an operation in the foreground: signals, what is shown meanwhile, and the exit code's reason."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from handclasp.authority.operations.operation import Event, Run, Step, perform
from handclasp.cli.context import Session
from handclasp.cli.output import say, show_event
from handclasp.cli.serving import stopping_on_signals
from handclasp.errors import InvalidInput
from handclasp.registry.operations import Operation

if TYPE_CHECKING:
    from rich.progress import Progress

#: Where each kind's steps are made: from the session, the operation's arguments and what a command was given.
KINDS = {
    "rotate-clients": "handclasp.cli.rotate.clients:steps",
    "rotate-issuer": "handclasp.cli.rotate.issuer:issuer_steps",
    "rotate-root": "handclasp.cli.rotate.issuer:root_steps",
}


class MakeSteps(Protocol):
    def __call__(self, session: Session, arguments: dict[str, Any], given: dict[str, Any]) -> Sequence[Step]: ...


def steps_of(session: Session, operation: Operation, given: dict[str, Any]) -> Sequence[Step]:
    """The steps of a recorded operation. Raises InvalidInput for a kind this version does not know."""
    import json  # noqa: PLC0415

    if operation.kind not in KINDS:
        raise InvalidInput(
            f"operation {operation.operation_id} is of a kind this version does not know: {operation.kind}",
            hint="upgrade Handclasp",
        )
    module, _, attribute = KINDS[operation.kind].partition(":")
    make: MakeSteps = getattr(import_module(module), attribute)
    return make(session, json.loads(operation.arguments), given)


def run_operation(
    session: Session, operation: Operation, steps: Sequence[Step], *, until: str | None = None, as_json: bool
) -> Operation:
    """Do the steps that are left; the caller has taken the lease. Ctrl-C and SIGTERM end it with Interrupted."""
    with stopping_on_signals() as stop, _shown(as_json=as_json) as report:
        run = Run(session.registry, operation, session.actor, stop.wait, report)
        done = perform(run, steps, until=until)
    if as_json:
        show_event({"event": done.status.value, "operation": done.operation_id, "waiting_for": done.waiting_for})
    elif done.waiting_for:
        say(f"operation {done.operation_id} waits: {done.waiting_for}")
    else:
        say(f"operation {done.operation_id} is {done.status.value}")
    return done


@contextmanager
def _shown(*, as_json: bool) -> Iterator[Any]:
    """Events as JSON lines; else lines for people, with a progress bar where there is a terminal."""
    if as_json:
        yield show_event
    elif sys.stderr and sys.stderr.isatty():
        with _progress_bar() as bar:
            yield _Bar(bar)
    else:
        yield _say_event


def _say_event(event: Event) -> None:
    if event["event"] == "step":
        say(f"{event['step']}: {event['title']}")
    elif event["event"] == "note":
        say(f"  {event['message']}")


def _progress_bar() -> "Progress":
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


class _Bar:
    def __init__(self, bar: "Progress") -> None:
        self._bar = bar
        self._task: Any = None

    def __call__(self, event: Event) -> None:
        if event["event"] == "progress":
            if self._task is None:
                self._task = self._bar.add_task(event["step"], total=event["total"])
            self._bar.update(self._task, completed=event["done"], total=event["total"])
            return
        if event["event"] == "step" and self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None
        text = f"{event['step']}: {event['title']}" if event["event"] == "step" else f"  {event['message']}"
        from rich.text import Text  # noqa: PLC0415

        self._bar.console.print(Text(text))
