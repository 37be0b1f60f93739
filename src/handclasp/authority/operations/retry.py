"""Which unfinished operation a timer may go on with, when, and when it gives up. Pure.

Retried with growing pauses, at most so often and so long after the first failure the timer saw; what is given up is the
dead-letter list, `operation list --failed`, and somebody is told. Left alone is what somebody works on, what needs the
root's passphrase or an operator's yes, and what was stopped on purpose.
"""

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from handclasp.authority.operations.lease import is_gone
from handclasp.authority.operations.operation import STOPPED_BEFORE
from handclasp.authority.recording import details
from handclasp.registry.operations import Operation, OperationStatus
from handclasp.registry.port import Registry

_FIRST_PAUSE_SECONDS = 300
#: What waits for something outside is looked at this often: each look is an entry of the audit trail.
_WAITING_SECONDS = 3_600
_SINCE = "failing_since"
#: Their first step opens the root's key, and an emergency asks before it cuts anybody off.
_OF_ISSUERS = {"rotate-issuer", "rotate-root"}
_OPENS_THE_ROOT = "create"


class Verdict(StrEnum):
    RUN = "run"
    LATER = "later"
    GIVE_UP = "give up"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """What was killed or interrupted is left to whoever did that for `hands_off`: it may be resumed by hand."""

    retries: int
    maximum_age: timedelta
    hands_off: timedelta = timedelta(0)


def verdict(operation: Operation, now: int, policy: RetryPolicy) -> tuple[Verdict, int]:
    """What to do with it, and in how many seconds if that is LATER."""
    if operation.status not in {OperationStatus.OPEN, OperationStatus.WAITING} or needs_operator(operation):
        return Verdict.LEAVE, 0
    if operation.holder is not None and (operation.lease_until or 0) > now and not is_gone(operation.holder):
        return Verdict.LEAVE, 0
    if operation.status is OperationStatus.WAITING:
        return _from(operation.updated_at + _WAITING_SECONDS, now)
    if operation.attempts == 0:
        return _from(operation.updated_at + int(policy.hands_off.total_seconds()), now)
    since = json.loads(operation.state).get(_SINCE, now) if operation.attempts > 1 else now
    if operation.attempts > policy.retries or now - since > policy.maximum_age.total_seconds():
        return Verdict.GIVE_UP, 0
    return _from(operation.updated_at + _FIRST_PAUSE_SECONDS * 2 ** (operation.attempts - 1), now)


def needs_operator(operation: Operation) -> bool:
    """True for a step that asks for the root's passphrase, an emergency's yes, or what `--until` stopped before."""
    if operation.status is OperationStatus.WAITING and operation.waiting_for == STOPPED_BEFORE:
        return True
    if operation.kind not in _OF_ISSUERS:
        return False
    return operation.step == _OPENS_THE_ROOT or bool(json.loads(operation.arguments).get("emergency"))


def before_retry(operation: Operation, registry: Registry) -> None:
    """Remember since when it has been failing, the first time that it is retried."""
    with registry.change() as change:
        known = change.operation(operation.operation_id)
        state = json.loads(known.state)
        if known.fence == operation.fence and (_SINCE not in state or known.attempts <= 1):
            change.save_operation(replace(known, state=json.dumps(state | {_SINCE: change.now()}, sort_keys=True)))


def count_failure(operation: Operation, error: str, registry: Registry) -> None:
    """Count what the run did not: it had no steps, or met a defect. Without this it would be retried for ever."""
    with registry.change() as change:
        known = change.operation(operation.operation_id)
        uncounted = known.attempts == operation.attempts and known.status is OperationStatus.OPEN
        if uncounted and known.holder is None:
            now = change.now()
            change.save_operation(replace(known, attempts=known.attempts + 1, error=error, updated_at=now))


def give_up(operation: Operation, *, registry: Registry, actor: str) -> Operation | None:
    """Put it on the dead-letter list; None when somebody has taken it up meanwhile. `operation resume` still may."""
    with registry.change() as change:
        known = change.operation(operation.operation_id)
        if known.fence != operation.fence or known.status is not OperationStatus.OPEN:
            return None
        now = change.now()
        failed = replace(known, status=OperationStatus.FAILED, updated_at=now)
        change.save_operation(failed)
        change.record(
            at=now,
            actor=actor,
            action="operation.fail",
            subject=known.operation_id,
            details=details(kind=known.kind, step=known.step, attempts=known.attempts, error=known.error),
        )
    return failed


def _from(at: int, now: int) -> tuple[Verdict, int]:
    return (Verdict.RUN, 0) if now >= at else (Verdict.LATER, at - now)
