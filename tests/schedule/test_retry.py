"""What a timer goes on with, when, and when it gives up."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from handclasp.authority.operations.lease import this_process
from handclasp.authority.operations.operation import STOPPED_BEFORE
from handclasp.authority.operations.retry import RetryPolicy, Verdict, before_retry, give_up, verdict
from handclasp.authority.rotation.rotate_issuer import ROTATE_ISSUER, ROTATE_ROOT
from handclasp.registry.memory import MemoryRegistry
from handclasp.registry.operations import Operation, OperationStatus
from tests.registry.rows import operation

NOW = 100_000
POLICY = RetryPolicy(retries=3, maximum_age=timedelta(hours=1))


def stopped(**more: object) -> Operation:
    """Nobody holds it, and it has not failed."""
    given: dict[str, object] = {"holder": None, "lease_until": None, "updated_at": NOW, **more}
    return replace(operation(), **given)  # type: ignore[arg-type]


def what(found: Operation, now: int = NOW) -> Verdict:
    return verdict(found, now, POLICY)[0]


def test_what_was_killed_or_interrupted_is_gone_on_with() -> None:
    assert what(stopped()) is Verdict.RUN
    # Its holder's lease is over, or its holder is a process of this machine that is no more.
    assert what(stopped(holder="elsewhere/1/2", lease_until=NOW)) is Verdict.RUN
    gone = this_process().rpartition("/")[0] + "/1"
    assert what(stopped(holder=gone, lease_until=NOW + 60)) is Verdict.RUN


def test_what_somebody_works_on_is_left_alone_be_it_this_very_process() -> None:
    for holder in ("elsewhere/1/2", this_process()):
        assert what(stopped(holder=holder, lease_until=NOW + 60)) is Verdict.LEAVE


@pytest.mark.parametrize("status", [OperationStatus.FAILED, OperationStatus.DONE, OperationStatus.ABANDONED])
def test_what_is_over_or_given_up_is_left_alone(status: OperationStatus) -> None:
    assert what(stopped(status=status)) is Verdict.LEAVE


def test_pauses_grow_with_each_failure() -> None:
    for attempts, pause in ((1, 300), (2, 600), (3, 1_200)):
        failing = stopped(attempts=attempts, state=json.dumps({"failing_since": NOW}))
        assert verdict(failing, NOW + 1, POLICY) == (Verdict.LATER, pause - 1)
        assert what(failing, NOW + pause) is Verdict.RUN


def test_what_was_interrupted_is_left_for_a_while_to_who_did_that() -> None:
    policy = replace(POLICY, hands_off=timedelta(minutes=10))
    interrupted = stopped(updated_at=NOW)
    assert verdict(interrupted, NOW + 60, policy) == (Verdict.LATER, 540)
    assert verdict(interrupted, NOW + 600, policy) == (Verdict.RUN, 0)
    assert verdict(interrupted, NOW, POLICY) == (Verdict.RUN, 0)


def test_after_three_retries_or_an_hour_it_is_given_up() -> None:
    assert what(stopped(attempts=4, state=json.dumps({"failing_since": NOW}))) is Verdict.GIVE_UP
    old = stopped(attempts=2, state=json.dumps({"failing_since": NOW - 3_601}), updated_at=NOW - 3_000)
    assert what(old) is Verdict.GIVE_UP


def test_what_failed_while_no_timer_ran_is_tried_at_least_once() -> None:
    """A timer that comes once a day sees a failure hours after it happened."""
    assert what(stopped(attempts=1, updated_at=NOW - 80_000)) is Verdict.RUN


def test_a_failure_of_another_step_long_ago_does_not_count() -> None:
    registry = MemoryRegistry(clock=lambda: NOW)
    failing = stopped(attempts=1, state=json.dumps({"failing_since": 1, "kept": True}))
    with registry.change() as change:
        change.add_operation(failing)
    before_retry(failing, registry)
    assert json.loads(registry.operation("op-1").state) == {"failing_since": NOW, "kept": True}
    assert registry.operation("op-1").updated_at == failing.updated_at


def test_what_waits_is_looked_at_every_hour() -> None:
    waiting = stopped(status=OperationStatus.WAITING, waiting_for="--lock-out 3")
    assert verdict(waiting, NOW + 60, POLICY) == (Verdict.LATER, 3_540)
    assert what(waiting, NOW + 3_600) is Verdict.RUN


@pytest.mark.parametrize("kind", [ROTATE_ISSUER, ROTATE_ROOT])
def test_what_asks_for_the_root_or_for_a_yes_is_never_begun(kind: str) -> None:
    assert what(stopped(kind=kind, step="create")) is Verdict.LEAVE
    emergency = stopped(kind=kind, step="reissue", arguments='{"emergency": true}')
    assert what(emergency) is Verdict.LEAVE
    assert what(replace(emergency, attempts=9)) is Verdict.LEAVE
    assert what(stopped(kind=kind, step="reissue", arguments='{"emergency": false}')) is Verdict.RUN


def test_what_an_operator_stopped_on_purpose_waits_for_the_operator() -> None:
    told = stopped(kind=ROTATE_ISSUER, step="idle", status=OperationStatus.WAITING, waiting_for=STOPPED_BEFORE)
    assert what(told, NOW + 999_999) is Verdict.LEAVE


def test_giving_up_is_recorded_and_yields_to_who_has_taken_it_up() -> None:
    registry = MemoryRegistry(clock=lambda: NOW)
    failing = stopped(attempts=4, error="the disk is full")
    with registry.change() as change:
        change.add_operation(replace(failing, fence=failing.fence + 1))
    assert give_up(failing, registry=registry, actor="timer") is None
    done = give_up(registry.operation("op-1"), registry=registry, actor="timer")
    assert done is not None
    assert registry.operation("op-1").status is OperationStatus.FAILED
    assert [entry.action for entry in registry.audit()] == ["operation.fail"]
