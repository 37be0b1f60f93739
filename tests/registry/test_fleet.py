"""Gateways, notices, checkpoints and the clock they are told by, in every adapter."""

import time
from dataclasses import replace

import pytest

from handclasp.registry.port import Registry
from tests.registry import rows
from tests.registry.conftest import NewRegistry


class Clock:
    """The registry's clock, in the test's hand."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def clocked(kind: str, new_registry: NewRegistry, clock: Clock) -> Registry:
    return new_registry(kind, clock)


def test_the_registry_tells_the_time(registry: Registry) -> None:
    assert abs(registry.now() - time.time()) < 5
    with registry.change() as change:
        assert abs(change.now() - time.time()) < 5


def test_whole_seconds_are_told_by_its_own_clock(clocked: Registry, clock: Clock) -> None:
    clock.now = 1_234.9
    assert clocked.now() == 1_234


def test_a_report_is_read_back_with_how_long_ago_it_was_made(clocked: Registry, clock: Clock) -> None:
    everywhere = replace(rows.gateway("gw-0"), environments=None)
    nowhere = replace(rows.gateway("gw-2"), environments=())
    assert clocked.gateways() == []
    with clocked.change() as change:
        change.report_gateway(replace(rows.gateway("gw-1"), silent_for=99.0))
    clock.now += 2.5
    with clocked.change() as change:
        change.report_gateway(nowhere)
        change.report_gateway(everywhere)
    clock.now += 1.0
    assert clocked.gateways() == [
        replace(everywhere, silent_for=1.0),
        replace(rows.gateway("gw-1"), silent_for=3.5),
        replace(nowhere, silent_for=1.0),
    ]


def test_a_new_report_takes_the_last_ones_place(clocked: Registry, clock: Clock) -> None:
    with clocked.change() as change:
        change.report_gateway(rows.gateway(revision=3))
    clock.now += 60
    with clocked.change() as change:
        change.report_gateway(replace(rows.gateway(revision=4), address="10.0.0.8:8443", log_position="12:9999"))
    found = clocked.gateways()
    assert [(each.revision, each.address, each.log_position, each.silent_for) for each in found] == [
        (4, "10.0.0.8:8443", "12:9999", 0.0)
    ]


def test_a_clock_set_back_makes_no_report_come_from_the_future(clocked: Registry, clock: Clock) -> None:
    with clocked.change() as change:
        change.report_gateway(rows.gateway())
    clock.now -= 600
    assert clocked.gateways()[0].silent_for == 0.0


def test_a_gateway_that_said_goodbye_is_forgotten_and_twice_is_no_error(registry: Registry) -> None:
    with registry.change() as change:
        change.report_gateway(rows.gateway("gw-1"))
        change.report_gateway(rows.gateway("gw-2"))
    for _ in range(2):
        with registry.change() as change:
            change.forget_gateway("gw-1")
    assert [each.gateway_id for each in registry.gateways()] == ["gw-2"]


def test_no_report_alters_a_decision(registry: Registry) -> None:
    with registry.change() as change:
        change.report_gateway(rows.gateway())
        change.remember_notice("n", 1)
        change.add_checkpoint(rows.checkpoint(1))
    with registry.change() as change:
        change.forget_gateway("gw-1")
    assert registry.revision() == 0


def test_a_notice_is_remembered_and_twice_is_once(registry: Registry) -> None:
    assert not registry.noticed("certificate:1:30d")
    for at in (5, 6):
        with registry.change() as change:
            change.remember_notice("certificate:1:30d", at)
            assert change.noticed("certificate:1:30d")
    assert registry.noticed("certificate:1:30d")
    assert not registry.noticed("certificate:1:14d")


def test_checkpoints_come_oldest_first_and_the_last_is_the_farthest(registry: Registry) -> None:
    assert registry.checkpoints() == []
    assert registry.last_checkpoint() is None
    for sequence in (2, 9, 11):
        with registry.change() as change:
            change.add_checkpoint(rows.checkpoint(sequence))
    assert registry.checkpoints() == [rows.checkpoint(2), rows.checkpoint(9), rows.checkpoint(11)]
    assert registry.last_checkpoint() == rows.checkpoint(11)


def test_the_last_entry_of_the_trail_is_its_head(registry: Registry) -> None:
    assert registry.last_audit() is None
    for name in ("a", "b"):
        rows.note(registry, name)
    assert registry.last_audit() == list(registry.audit())[-1]
