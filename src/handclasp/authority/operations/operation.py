"""Run an operation: step by step, each recorded, under a lease, so that a killed run is taken up and two never work.

A step is a function of the `Run`. What it writes and how far it has come go into one transaction (`run.save`), or it
can be done twice without harm: it may be killed between any two lines. It ends by returning, by `NotYet` when it has
to wait for something outside, or by an error that the next run starts from.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from handclasp.authority.operations.lease import LEASE_SECONDS
from handclasp.authority.recording import details
from handclasp.errors import HandclaspError, Interrupted, LeaseHeld, LeaseLost, RegistryError
from handclasp.registry.operations import Operation, OperationStatus
from handclasp.registry.port import Change, Registry

#: The step of an operation that is done.
END = "end"
#: What an operation waits for that was told to stop before a step.
STOPPED_BEFORE = "resumed for the steps that are left"
Event = dict[str, Any]


class NotYet(Exception):
    """The step waits for something outside; its message says for what, for people."""


@dataclass
class Run:
    """One leased run. `wait` sleeps so many seconds and is true when the run is to stop; `report` gets what happens.

    One that is not `patient` does not sit out what takes hours: its step ends with NotYet, and is looked at again.
    """

    registry: Registry
    operation: Operation
    actor: str
    wait: Callable[[float], bool]
    report: Callable[[Event], None] = lambda _: None
    patient: bool = True

    @property
    def arguments(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.operation.arguments)
        return found

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.operation.state)
        return found

    @property
    def resume_hint(self) -> str:
        return f"resume with: handclasp operation resume {self.operation.operation_id}"

    def save(self, change: Change, *, cursor: str | None = None, **state: Any) -> None:
        """Record how far the step has come, and what it found out, in the caller's transaction; renews the lease.

        Raises LeaseLost, which rolls the caller's writes back, when another run has taken over.
        """
        now = change.now()
        # From what is stored: an earlier transaction that was rolled back must leave nothing behind here.
        stored = _own(change, self.operation)
        saved = replace(
            stored,
            cursor=stored.cursor if cursor is None else cursor,
            state=json.dumps(json.loads(stored.state) | state, sort_keys=True),
            updated_at=now,
            lease_until=now + LEASE_SECONDS,
        )
        change.save_operation(saved)
        self.operation = saved

    def remember(self, **state: Any) -> None:
        """`save` in a transaction of its own."""
        with self.registry.change() as change:
            self.save(change, **state)

    def record(self, change: Change, action: str, what: str, /, **facts: object) -> None:
        """An entry of the audit trail, in the caller's transaction."""
        facts["operation"] = self.operation.operation_id
        change.record(at=change.now(), actor=self.actor, action=action, subject=what, details=details(**facts))

    def check(self) -> None:
        """Raises Interrupted when the run is to stop: call it between units of work."""
        self.sleep(0)

    def sleep(self, seconds: float) -> None:
        """Wait, keeping the lease. Raises Interrupted, LeaseLost."""
        if self.wait(seconds):
            raise Interrupted(f"operation {self.operation.operation_id} was interrupted", hint=self.resume_hint)
        if (self.operation.lease_until or 0) - self.registry.now() < LEASE_SECONDS * 2 / 3:
            self.remember()

    def begin_step(self, step: "Step") -> None:
        self._tell("step", title=step.title)

    def progress(self, done: int, total: int) -> None:
        self._tell("progress", done=done, total=total)

    def tell(self, message: str, **facts: object) -> None:
        """Something a person should know."""
        self._tell("note", message=message, **facts)

    def _tell(self, event: str, **facts: object) -> None:
        self.report({"event": event, "operation": self.operation.operation_id, "step": self.operation.step, **facts})


@dataclass(frozen=True, slots=True)
class Step:
    """`title` says for people what it does."""

    name: str
    title: str
    run: Callable[[Run], None]


def perform(run: Run, steps: Sequence[Step], *, until: str | None = None) -> Operation:
    """Do the steps that are left, up to and without the step `until`. The caller has taken the lease.

    Returns the operation, done or waiting. Whatever happens, the lease is given back. Raises what a step raises;
    Interrupted and every other error of ours come with the hint that says how to resume.
    """
    names = [step.name for step in steps] + [END]
    try:
        while run.operation.step not in {END, until}:
            step = next(each for each in steps if each.name == run.operation.step)
            run.check()
            run.begin_step(step)
            step.run(run)
            following = names[names.index(step.name) + 1]
            with run.registry.change() as change:
                stored = _own(change, run.operation)
                change.save_operation(replace(stored, step=following, cursor=None, attempts=0, error=None))
                run.save(change)
                run.record(change, "operation.step", stored.kind, done=step.name)
    except NotYet as waiting:
        return _give_back(run, status=OperationStatus.WAITING, waiting_for=str(waiting))
    except LeaseHeld:
        raise
    except Interrupted:
        with suppress(RegistryError):
            _give_back(run)
        raise
    except HandclaspError as error:
        with suppress(RegistryError):
            _give_back(run, error=str(error), attempts=run.operation.attempts + 1)
        error.hint = f"{error.hint}; then {run.resume_hint}" if error.hint else run.resume_hint
        raise
    except BaseException:
        with suppress(RegistryError):
            _give_back(run)
        raise
    if run.operation.step != END:
        return _give_back(run, status=OperationStatus.WAITING, waiting_for=STOPPED_BEFORE)
    return _give_back(run, status=OperationStatus.DONE, finished_at=run.registry.now(), waiting_for=None)


def _own(change: Change, operation: Operation) -> Operation:
    """The operation as it is stored. Raises LeaseLost unless this run's lease is the newest."""
    stored = change.operation(operation.operation_id)
    if stored.fence != operation.fence:
        raise LeaseLost(f"operation {operation.operation_id} was taken over by {stored.holder or 'somebody else'}")
    return stored


def _give_back(run: Run, **fields: Any) -> Operation:
    with run.registry.change() as change:
        stored = _own(change, run.operation)
        done = replace(stored, holder=None, lease_until=None, updated_at=change.now(), **fields)
        change.save_operation(done)
        if done.status is OperationStatus.DONE:
            run.record(change, "operation.done", done.operation_id, kind=done.kind)
    run.operation = done
    return done
