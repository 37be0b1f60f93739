"""A tick does every part, whatever is wrong with one; operations are retried, given up, and somebody is told."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from handclasp import bootstrap
from handclasp.authority.operations.taking import begin
from handclasp.cli import operation_run, scheduled
from handclasp.cli.context import Session
from handclasp.cli.scheduled import PARTS, Outcome, Ticking, tick
from handclasp.notice.memory import MemoryChannel
from handclasp.registry.operations import Operation, OperationStatus
from handclasp.registry.sqlite import SqliteRegistry
from tests.cli.terminal import Terminal
from tests.schedule import steps as scripted
from tests.schedule.steps import KIND, Script


class Timer:
    """A session whose registry's clock is the test's, and ticks of it."""

    def __init__(self, state: Path) -> None:
        self.now = 1_800_000_000.0
        self.session = Session(str(state))
        self.session.registry = SqliteRegistry(state / "registry.db", clock=lambda: self.now)
        self.said: list[str] = []

    def tick(self, *parts: str, patience: float = 60.0) -> dict[str, Outcome]:
        ticking = Ticking(self.session, lambda _: False, self.said.append, patience)
        return {outcome.part: outcome for outcome in tick(ticking, parts or PARTS)}

    def begin(self, *does: str) -> Operation:
        """An operation that was killed before its first step."""
        scripted.SCRIPT = Script(list(does))
        todo = scripted.steps(self.session, {}, {})
        begun = begin(KIND, {"of": list(does)}, todo, registry=self.session.registry, actor="tester")
        with self.session.registry.change() as change:
            change.save_operation(replace(begun, holder=None, lease_until=None))
        return begun

    def status(self, operation: Operation) -> OperationStatus:
        return self.session.registry.operation(operation.operation_id).status


@pytest.fixture
def timer(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Timer]:
    monkeypatch.setitem(operation_run.KINDS, KIND, "tests.schedule.steps:steps")
    made = Timer(terminal.state)
    yield made
    made.session.close()


def test_there_is_nothing_to_do_in_a_new_deployment(timer: Timer) -> None:
    outcomes = timer.tick()
    assert list(outcomes) == ["operations", "clients", "superseding", "watch", "audit"]
    assert [outcome for outcome in outcomes.values() if outcome.error or outcome.done] == []


def test_what_was_killed_is_resumed(timer: Timer) -> None:
    killed = timer.begin("end")
    assert "is done" in (timer.tick("operations")["operations"].done or "")
    assert timer.status(killed) is OperationStatus.DONE


def test_what_fails_is_retried_three_times_then_given_up_and_told_of_once(timer: Timer) -> None:
    failing = timer.begin("fail")
    assert "the disk is full" in (timer.tick("operations")["operations"].error or "")
    for pause in (300, 600, 1_200):
        timer.now += pause - 1
        assert timer.tick("operations")["operations"] == Outcome("operations")
        timer.now += 1
        assert "the disk is full" in (timer.tick("operations")["operations"].error or "")
    assert scripted.SCRIPT.runs == 4
    assert "given up" in (timer.tick("operations")["operations"].error or "")
    assert timer.status(failing) is OperationStatus.FAILED
    for _ in range(3):
        timer.now += 3_600
        timer.tick()
    assert scripted.SCRIPT.runs == 4
    [told] = [line for line in timer.said if failing.operation_id in line]
    assert "failed in its step work: the disk is full" in told


def test_what_fails_and_then_works_is_done(timer: Timer) -> None:
    flaky = timer.begin("fail", "fail", "end")
    for pause in (0, 300, 600):
        timer.now += pause
        timer.tick("operations")
    assert timer.status(flaky) is OperationStatus.DONE


def test_a_defect_of_ours_is_counted_as_a_failure_and_not_retried_for_ever(timer: Timer) -> None:
    broken = timer.begin("break")
    for _ in range(20):
        timer.now += 600
        timer.tick("operations")
    assert timer.status(broken) is OperationStatus.FAILED
    assert scripted.SCRIPT.runs == 4


def test_an_operation_of_a_kind_this_version_does_not_know_is_given_up_too(
    timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = timer.begin("end")
    monkeypatch.delitem(operation_run.KINDS, KIND)
    for _ in range(20):
        timer.now += 600
        timer.tick("operations")
    assert timer.status(unknown) is OperationStatus.FAILED


def test_what_waits_is_looked_at_again_and_its_reason_is_said(timer: Timer) -> None:
    waiting = timer.begin("not yet", "end")
    assert "is waiting: the weather" in (timer.tick("operations")["operations"].done or "")
    timer.tick("operations")
    assert scripted.SCRIPT.runs == 1
    timer.now += 3_600
    timer.tick("operations")
    assert timer.status(waiting) is OperationStatus.DONE


def test_an_operation_that_takes_too_long_is_left_for_the_next_tick_and_the_other_parts_are_done(timer: Timer) -> None:
    slow = timer.begin("sleep")
    outcomes = timer.tick(patience=0.01)
    assert list(outcomes) == list(PARTS)
    left = timer.session.registry.operation(slow.operation_id)
    assert (left.status, left.holder, left.attempts) == (OperationStatus.OPEN, None, 0)


@pytest.mark.parametrize("broken", list(PARTS))
def test_a_part_that_fails_keeps_no_other_from_being_done(
    broken: str, timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(ticking: Ticking) -> str | None:
        raise OSError(28, "No space left on device")

    done: list[str] = []

    def noted(part: str, run: Callable[[Ticking], str | None]) -> Callable[[Ticking], str | None]:
        def noting(ticking: Ticking) -> str | None:
            done.append(part)
            return run(ticking)

        return noting

    for part, run in list(PARTS.items()):
        monkeypatch.setitem(scheduled.PARTS, part, fail if part == broken else noted(part, run))
    outcomes = timer.tick()
    assert outcomes[broken].error == "No space left on device"
    assert sorted([*done, broken]) == sorted(PARTS)
    assert [part for part, outcome in outcomes.items() if outcome.error] == [broken]


def test_a_tick_that_is_to_stop_stops(timer: Timer) -> None:
    timer.begin("end")
    assert tick(Ticking(timer.session, lambda _: True, timer.said.append), PARTS) == []


def due(timer: Timer, terminal: Terminal, name: str = "acme") -> None:
    """A client whose certificate is due."""
    assert terminal.add(name).code == 0
    [held] = timer.session.registry.certificates(name)
    timer.now = held.not_before + (held.not_after - held.not_before) * 0.75


def test_who_is_due_is_rotated_and_nobody_twice(timer: Timer, terminal: Terminal) -> None:
    due(timer, terminal)
    assert "is done" in (timer.tick("clients")["clients"].done or "")
    assert len(timer.session.registry.certificates("acme")) == 2
    timer.now += 60
    assert timer.tick("clients")["clients"] == Outcome("clients")
    assert len(timer.session.registry.operations()) == 1


def test_a_rotation_that_was_given_up_is_said_and_not_begun_anew(timer: Timer, terminal: Terminal) -> None:
    due(timer, terminal)
    timer.tick("clients")
    [done] = timer.session.registry.operations()
    with timer.session.registry.change() as change:
        change.save_operation(replace(done, status=OperationStatus.FAILED))
    assert "no client's certificate is rotated" in (timer.tick("clients")["clients"].error or "")


def test_a_channel_that_fails_is_an_error_of_the_watch_and_told_again(
    timer: Timer, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = MemoryChannel()
    monkeypatch.setattr(bootstrap, "open_channels", lambda *_: [channel])
    assert terminal.add("acme").code == 0
    timer.now = timer.session.registry.certificates("acme")[0].not_after - 3_600
    channel.failing = True
    assert "told to fail" in (timer.tick("watch")["watch"].error or "")
    channel.failing = False
    timer.tick("watch")
    timer.tick("watch")
    assert [notice.subject for notice in channel.sent if notice.kind == "client-certificate"] == ["acme"]
