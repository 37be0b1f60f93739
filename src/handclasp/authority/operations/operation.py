"""Run an operation: step by step, each recorded, under a lease, so that a killed run is taken up and two never work.

A step is a function of the `Run`. What it writes and how far it has come go into one transaction (`run.save`), or it
can be done twice without harm: it may be killed between any two lines. It ends by returning, by `NotYet` when it has
to wait for something outside, or by an error that the next run starts from.
"""

import json
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from handclasp.authority.operations.lease import LEASE_SECONDS, is_gone, this_process
from handclasp.authority.recording import details
from handclasp.errors import HandclaspError, Interrupted, LeaseHeld, LeaseLost, RegistryError, TransitionRefused
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


def begin(
    kind: str,
    arguments: dict[str, Any],
    steps: Sequence[Step],
    *,
    registry: Registry,
    actor: str,
    apart_from: Sequence[str] = (),
) -> Operation:
    """The lease of a new operation, or of the unfinished one with the same arguments: a killed run is taken up.

    Raises LeaseHeld when another process works on it, TransitionRefused when an unfinished one of this kind (or of
    `apart_from`) has other arguments.
    """
    written = json.dumps(arguments, sort_keys=True)
    with registry.change() as change:
        for known in change.operations(unfinished=True):
            if known.kind != kind and known.kind not in apart_from:
                continue
            _refuse_while_held(known, change.now())
            if known.kind == kind and known.arguments == written:
                return _taken(change, known, actor)
            raise TransitionRefused(
                f"operation {known.operation_id} ({known.kind}) is unfinished",
                hint=f"handclasp operation resume {known.operation_id}, or: operation abandon {known.operation_id}",
            )
        now = change.now()
        operation = Operation(
            operation_id=secrets.token_hex(6),
            kind=kind,
            arguments=written,
            status=OperationStatus.OPEN,
            step=steps[0].name,
            cursor=None,
            state="{}",
            holder=this_process(),
            lease_until=now + LEASE_SECONDS,
            fence=1,
            attempts=0,
            created_at=now,
            updated_at=now,
        )
        change.add_operation(operation)
        change.record(
            at=now,
            actor=actor,
            action="operation.begin",
            subject=operation.operation_id,
            details=details(kind=kind, arguments=arguments),
        )
    return operation


def take_up(operation_id: str, *, registry: Registry, actor: str) -> Operation:
    """The lease of an unfinished operation. Raises NotRegistered, LeaseHeld, TransitionRefused when it is over.

    It is in the audit trail, but for one that waits: that is looked at again and again, and nothing changes by it.
    """
    with registry.change() as change:
        known = change.operation(operation_id)
        if known.status in {OperationStatus.DONE, OperationStatus.ABANDONED}:
            raise TransitionRefused(f"operation {operation_id} is {known.status.value}: there is nothing to resume")
        _refuse_while_held(known, change.now())
        return _taken(change, known, actor)


def abandon(operation_id: str, *, registry: Registry, actor: str) -> Operation:
    """Give it up where it stands; what its steps did stays. Raises NotRegistered, LeaseHeld, TransitionRefused."""
    with registry.change() as change:
        known = change.operation(operation_id)
        if known.status in {OperationStatus.DONE, OperationStatus.ABANDONED}:
            raise TransitionRefused(f"operation {operation_id} is {known.status.value} already")
        _refuse_while_held(known, change.now())
        now = change.now()
        given_up = replace(
            known,
            status=OperationStatus.ABANDONED,
            holder=None,
            lease_until=None,
            fence=known.fence + 1,
            updated_at=now,
            finished_at=now,
            waiting_for=None,
        )
        change.save_operation(given_up)
        change.record(
            at=now,
            actor=actor,
            action="operation.abandon",
            subject=operation_id,
            details=details(kind=known.kind, step=known.step),
        )
    return given_up


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


def _refuse_while_held(operation: Operation, now: int) -> None:
    if operation.holder is None or (operation.lease_until or 0) <= now or operation.holder == this_process():
        return
    if not is_gone(operation.holder):
        host, pid, _ = operation.holder.rsplit("/", 2)
        raise LeaseHeld(
            f"operation {operation.operation_id} ({operation.kind}) is being worked on by process {pid} on {host}",
            hint=f"its lease ends in {(operation.lease_until or 0) - now} s unless it is renewed",
        )


def _taken(change: Change, operation: Operation, actor: str) -> Operation:
    now = change.now()
    taken = replace(
        operation,
        status=OperationStatus.OPEN,
        holder=this_process(),
        lease_until=now + LEASE_SECONDS,
        fence=operation.fence + 1,
        updated_at=now,
        waiting_for=None,
    )
    change.save_operation(taken)
    if operation.status is not OperationStatus.WAITING:
        change.record(
            at=now,
            actor=actor,
            action="operation.resume",
            subject=operation.operation_id,
            details=details(kind=operation.kind, step=operation.step),
        )
    return taken


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
