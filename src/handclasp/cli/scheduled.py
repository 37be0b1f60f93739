"""One tick of the schedule: what is due, part by part, and no part's failure keeps the others from being done.

    operations   resume what was killed, retry what failed, give up what fails for too long
    clients      rotate the certificates that are due
    superseding  supersede the certificates that have been replaced and are used no more
    watch        tell of what ends and of what went wrong
    audit        sign the trail's head

No part asks anybody anything: what needs the root's passphrase or an operator's yes is left alone.
"""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta

from handclasp.authority.operations.operation import Run, perform
from handclasp.authority.operations.retry import RetryPolicy, Verdict, before_retry, count_failure, give_up, verdict
from handclasp.authority.operations.taking import begin, take_up
from handclasp.cli.boundary import words
from handclasp.cli.context import Session
from handclasp.errors import HandclaspError, Interrupted, LeaseHeld
from handclasp.registry.operations import Operation, OperationStatus


@dataclass(frozen=True, slots=True)
class Ticking:
    """`wait` sleeps so many seconds and is true when it is to stop; `say` gets lines for people.

    An operation that waits for something outside is left for the next tick after `patience` seconds; one that was
    interrupted less than `hands_off` ago is left to who did that.
    """

    session: Session
    wait: Callable[[float], bool]
    say: Callable[[str], None]
    patience: float = math.inf
    hands_off: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a part did (None: there was nothing to do), or what kept it from that."""

    part: str
    done: str | None = None
    error: str | None = None


def tick(ticking: Ticking, parts: Iterable[str]) -> list[Outcome]:
    """The parts' outcomes, in order. Ends early, with those it has, when it is to stop."""
    found: list[Outcome] = []
    for part in parts:
        if ticking.wait(0):
            break
        found.append(_outcome(part, ticking))
    return found


def seconds_to_retry(session: Session) -> int | None:
    """When the first of the failing operations is to be tried again or given up; None when there is none."""
    rotation = session.settings.rotation
    now, policy = session.registry.now(), RetryPolicy(rotation.retries, rotation.maximum_age)
    # Each try is counted, so that this comes to an end; what was only interrupted is the next run's.
    failing = [each for each in session.registry.operations(unfinished=True) if each.attempts]
    verdicts = [verdict(each, now, policy) for each in failing if each.status is OperationStatus.OPEN]
    return min((seconds for what, seconds in verdicts if what is not Verdict.LEAVE), default=None)


def _outcome(part: str, ticking: Ticking) -> Outcome:
    try:
        return Outcome(part, done=PARTS[part](ticking))
    except LeaseHeld as held:  # somebody else is at it: nothing is wrong
        return Outcome(part, done=str(held))
    except Exception as error:  # the other parts are to be done whatever is wrong with this one
        message, hint, _ = words(error)
        return Outcome(part, error=f"{message} (hint: {hint})" if hint else message)


def _operations(ticking: Ticking) -> str | None:
    """Raises HandclaspError, naming them, when some failed."""
    session = ticking.session
    done: list[str] = []
    failed: list[str] = []
    for operation in reversed(session.registry.operations(unfinished=True)):
        what, _ = verdict(operation, session.registry.now(), _policy(ticking))
        if what is Verdict.GIVE_UP and give_up(operation, registry=session.registry, actor=session.actor):
            failed.append(f"operation {operation.operation_id} ({operation.kind}) is given up: {operation.error}")
        if what is Verdict.RUN:
            _go_on(ticking, operation, done, failed)
        if ticking.wait(0):
            break
    if failed:
        raise HandclaspError("; ".join(failed), hint="handclasp operation list --failed" if not done else None)
    return "; ".join(done) or None


def _go_on(ticking: Ticking, operation: Operation, done: list[str], failed: list[str]) -> None:
    from handclasp.cli.operation_run import steps_of  # noqa: PLC0415

    session = ticking.session
    named = f"operation {operation.operation_id} ({operation.kind})"
    try:
        steps = steps_of(session, operation, {})
        if operation.attempts:
            before_retry(operation, session.registry)
        taken = take_up(operation.operation_id, registry=session.registry, actor=session.actor)
        ended = perform(Run(session.registry, taken, session.actor, _patient(ticking)), steps)
        done.append(f"{named} is {ended.status.value}" + (f": {ended.waiting_for}" if ended.waiting_for else ""))
    except (LeaseHeld, Interrupted):  # somebody else goes on with it, or the next tick does
        return
    except Exception as error:  # a defect too: it is counted like any other failure, and the next operation tried
        count_failure(operation, words(error)[0], session.registry)
        failed.append(f"{named} failed: {words(error)[0]}")


def _clients(ticking: Ticking) -> str | None:
    """Begins an operation only when somebody is due; one that is unfinished is the part `operations`'s matter."""
    from handclasp.authority.rotation.rotate_clients import ROTATE_CLIENTS, is_anything_to_do  # noqa: PLC0415
    from handclasp.cli.rotate.clients import rotation_arguments, steps  # noqa: PLC0415

    session = ticking.session
    for known in session.registry.operations(unfinished=True):
        if known.kind == ROTATE_CLIENTS and known.status is OperationStatus.FAILED:
            raise HandclaspError(
                f"operation {known.operation_id} failed, and until it is over no client's certificate is rotated",
                hint=f"handclasp operation resume {known.operation_id}, or: operation abandon {known.operation_id}",
            )
        if known.kind == ROTATE_CLIENTS:
            return None
    arguments = rotation_arguments(session, due=True)
    if not is_anything_to_do(session.registry, session.settings.rotation, arguments):
        return None
    todo = steps(session, arguments, {})
    begun = begin(ROTATE_CLIENTS, arguments, todo, registry=session.registry, actor=session.actor)
    ended = perform(Run(session.registry, begun, session.actor, ticking.wait), todo)
    return f"operation {ended.operation_id} ({ended.kind}) is {ended.status.value}"


def _superseding(ticking: Ticking) -> str | None:
    from handclasp.authority.rotation.supersede import supersede_due  # noqa: PLC0415

    session = ticking.session
    settle = int(session.settings.rotation.settle.total_seconds())
    done = supersede_due(registry=session.registry, actor=session.actor, settle=settle, wait=ticking.wait)
    return f"superseded {done.superseded} replaced certificates" if done.superseded else None


def _patient(ticking: Ticking) -> Callable[[float], bool]:
    """`wait`, and true as well when the patience is over."""
    deadline = time.monotonic() + ticking.patience

    def wait(seconds: float) -> bool:
        left = deadline - time.monotonic()
        return ticking.wait(max(0.0, min(seconds, left))) or seconds > left

    return wait


def _policy(ticking: Ticking) -> RetryPolicy:
    rotation = ticking.session.settings.rotation
    return RetryPolicy(rotation.retries, rotation.maximum_age, ticking.hands_off)


def _watch(ticking: Ticking) -> str | None:
    from handclasp import bootstrap  # noqa: PLC0415
    from handclasp.cli.watching import watch_once  # noqa: PLC0415

    done = watch_once(ticking.session, bootstrap.open_channels(ticking.session.settings, ticking.say))
    if done.failed:
        raise HandclaspError(
            "; ".join(str(told.failed) for told in done.failed), hint="what was not sent is sent again"
        )
    told = [f"{told.channel} of {len(told.notices)}" for told in done.told if told.notices]
    return f"told {', '.join(told)}" if told else None


def _audit(ticking: Ticking) -> None:
    from handclasp.cli.checkpointing import checkpoint_when_due  # noqa: PLC0415

    session = ticking.session
    checkpoint_when_due(session.registry, lambda: session.custody, session.settings, session.actor)


PARTS: dict[str, Callable[[Ticking], str | None]] = {
    "operations": _operations,
    "clients": _clients,
    "superseding": _superseding,
    "watch": _watch,
    "audit": _audit,
}
