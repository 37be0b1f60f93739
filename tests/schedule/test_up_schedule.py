"""Inside `up` the schedule ticks beside the gateway: it ends with it, never ends it, and knows when it was asleep."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from handclasp.authority.operations.taking import begin
from handclasp.cli import operation_run, scheduled
from handclasp.cli.context import Session
from handclasp.cli.scheduled import PARTS, Outcome, Ticking
from handclasp.cli.up_schedule import Agenda, Said, Sleeper, scheduling
from handclasp.gateway.stop import Stop
from tests.cli.terminal import Terminal
from tests.gateway.deployment import until
from tests.schedule import steps as scripted
from tests.schedule.steps import KIND, Script

PAUSE = 0.02


@pytest.fixture
def session(terminal: Terminal) -> Iterator[Session]:
    made = Session(str(terminal.state))
    yield made
    made.close()


def test_who_is_due_is_rotated_by_itself(session: Session, terminal: Terminal) -> None:
    assert terminal.add("acme").code == 0
    with closing(sqlite3.connect(terminal.state / "registry.db")) as connection, connection:
        connection.execute("UPDATE certificate SET not_before = not_before - 300 * 86400")
    with scheduling(session, Stop(), pause=PAUSE, hands_off=timedelta(0)):
        until(lambda: len(session.registry.certificates("acme")) == 2, "rotated")
        until(lambda: not session.registry.operations(unfinished=True), "recorded")


def test_it_ends_promptly_in_the_middle_of_an_operation_which_the_next_one_takes_up(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(operation_run.KINDS, KIND, "tests.schedule.steps:steps")
    scripted.SCRIPT = Script(["sleep", "end"])
    begun = begin(KIND, {}, scripted.steps(session, {}, {}), registry=session.registry, actor="tester")
    with session.registry.change() as change:
        change.save_operation(replace(begun, holder=None, lease_until=None))
    with scheduling(session, Stop(), pause=PAUSE, hands_off=timedelta(0)):
        until(lambda: scripted.SCRIPT.runs == 1, "begun")
        ended = time.monotonic()
    assert time.monotonic() - ended < 2
    assert session.registry.operation(begun.operation_id).holder is None
    with scheduling(session, Stop(), pause=PAUSE, hands_off=timedelta(0)):
        until(lambda: not session.registry.operations(unfinished=True), "done")


def test_an_operation_that_waits_keeps_nothing_else_from_being_done(
    session: Session, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks: list[str] = []

    def wait_for_ever(ticking: Ticking) -> None:
        ticks.append("operations")
        ticking.wait(3_600)

    monkeypatch.setitem(scheduled.PARTS, "operations", wait_for_ever)
    monkeypatch.setitem(scheduled.PARTS, "clients", lambda _: ticks.append("clients"))
    with scheduling(session, Stop(), pause=PAUSE, hands_off=timedelta(0)):
        until(lambda: ticks.count("clients") >= 3, "ticks")
    assert ticks.count("operations") == 1


def test_an_error_is_said_once_and_stops_nothing(
    session: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ticks: list[str] = []

    def fail(ticking: Ticking) -> None:
        ticks.append("x")
        raise ZeroDivisionError("a defect")

    monkeypatch.setitem(scheduled.PARTS, "clients", fail)
    stop = Stop()
    with scheduling(session, stop, pause=PAUSE, hands_off=timedelta(0)):
        until(lambda: len(ticks) >= 5, "ticks")
        assert not stop.is_set()
    said = [line for line in capsys.readouterr().err.splitlines() if "clients" in line]
    assert len(said) == 1
    assert said[0].startswith("warning: schedule: clients: internal error: ZeroDivisionError: a defect")


def test_a_registry_that_is_gone_is_an_error_like_any_other(
    session: Session, terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.state.rename(terminal.folder / "moved")
    said: list[str] = []

    def is_said() -> bool:
        said.extend(capsys.readouterr().err.splitlines())
        return any("there is no authority" in line for line in said)

    with scheduling(session, Stop(), pause=PAUSE, hands_off=timedelta(0)):
        until(is_said, "said")


def test_after_a_sleep_nothing_is_decided_from_what_gateways_have_not_said_yet() -> None:
    wall, monotonic = [1_000.0], [5.0]
    agenda = Agenda(list(PARTS), Sleeper(lambda: wall[0], lambda: monotonic[0]), lambda: monotonic[0])

    def tick(wall_on: float, monotonic_on: float) -> list[str]:
        wall[0] += wall_on
        monotonic[0] += monotonic_on
        return agenda.due()

    assert tick(60, 60) == ["operations", "clients", "superseding", "watch", "audit"]
    assert tick(60, 60) == ["operations", "clients", "superseding", "audit"]
    assert tick(2 * 86_400, 600) == ["operations", "clients", "audit"]
    assert tick(60, 60) == ["operations", "clients", "superseding", "watch", "audit"]


def test_a_sleep_is_a_wall_clock_that_went_on_without_the_monotonic_one() -> None:
    wall, monotonic = [1_000.0], [5.0]
    sleeper = Sleeper(lambda: wall[0], lambda: monotonic[0])
    for wall_on, monotonic_on, expected in (
        (60, 60, False),
        (2 * 86_400, 60, True),
        (60, 60, False),
        (1, 60, False),  # a leap second, or a clock that NTP corrects
        (-2 * 86_400, 60, True),  # set back: what was seen when is not to be believed either
    ):
        wall[0] += wall_on
        monotonic[0] += monotonic_on
        assert sleeper.was_asleep() is expected


def test_an_error_that_changes_or_ends_is_said() -> None:
    said = Said()
    assert list(said.news([Outcome("watch", error="a")])) == ["warning: schedule: watch: a"]
    assert list(said.news([Outcome("watch", error="a")])) == []
    assert list(said.news([])) == []
    assert list(said.news([Outcome("watch", error="b")])) == ["warning: schedule: watch: b"]
    assert list(said.news([Outcome("watch")])) == ["schedule: watch: works again"]
    assert list(said.news([Outcome("clients", done="3 rotated")])) == ["schedule: clients: 3 rotated"]
