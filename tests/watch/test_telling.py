"""Each crossing is told once by each channel: whatever runs were missed, channels failed, or clocks were set."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from handclasp.authority.expiry.telling import of_event, tell, trial
from handclasp.authority.expiry.threshold import parse_thresholds, thresholds_of
from handclasp.notice.memory import MemoryChannel
from tests.watch.world import DAY, HOUR, START, THRESHOLDS, World


def test_each_threshold_is_told_once_on_its_day() -> None:
    world = World()
    world.client("acme")
    world.certificate("acme", 365 * DAY)
    for _ in range(24 * 370):
        world.now += HOUR
        world.watch()
    assert world.crossings() == [("acme", name) for name in ("30d", "14d", "7d", "1d", "expired")]
    assert "ends in 14 days, on 2027-03-08 00:00 UTC; it has not been renewed" in world.channel.sent[1].message
    assert "expired on 2027-03-08 00:00 UTC" in world.channel.sent[4].message


def test_after_missed_runs_only_the_most_urgent_is_told_and_those_before_it_never() -> None:
    world = World()
    world.client("acme")
    world.certificate("acme", 365 * DAY)
    world.now += 359 * DAY
    world.watch()
    world.watch()
    assert world.crossings() == [("acme", "7d")]


def test_a_channel_that_fails_loses_nothing_and_sends_nothing_twice() -> None:
    world = World()
    world.client("acme")
    world.certificate("acme", 365 * DAY)
    world.now += 352 * DAY
    world.channel.failing = True
    told = world.watch()
    assert told.failed is not None
    assert [notice.threshold for notice in told.notices] == ["14d"]
    world.now += DAY
    world.channel.failing = False
    world.watch()
    world.watch()
    assert world.crossings() == [("acme", "14d")]


def test_a_failing_channel_keeps_no_other_from_being_told_and_is_told_itself_later() -> None:
    world = World()
    world.client("acme")
    world.certificate("acme", 365 * DAY)
    world.now += 352 * DAY
    broken, sound = MemoryChannel("broken"), MemoryChannel("sound")
    broken.failing = True
    outcomes = tell(world.occasions(), [broken, sound], world.registry)
    assert [bool(told.failed) for told in outcomes] == [True, False]
    broken.failing = False
    tell(world.occasions(), [broken, sound], world.registry)
    assert (len(broken.sent), len(sound.sent)) == (1, 1)


def test_a_clock_that_is_set_back_two_days_tells_nothing_again_and_one_that_is_set_on_loses_nothing() -> None:
    world = World()
    world.client("acme")
    world.certificate("acme", 365 * DAY)
    world.now += 358 * DAY
    world.watch()
    world.now -= 2 * DAY
    world.watch()
    world.now += 9 * DAY
    world.watch()
    assert world.crossings() == [("acme", "7d"), ("acme", "1d")]


def test_an_hour_that_is_skipped_or_doubled_and_a_leap_second_are_nothing_to_it() -> None:
    """Times are seconds since 1970: clocks on walls do not come into it, and a leap second is one told twice."""
    world = World()
    world.client("acme")
    world.certificate("acme", DAY)
    for at in range(0, DAY + 2 * HOUR, HOUR // 2):
        for _ in range(2):
            world.now = START + at
            world.watch()
    assert world.crossings() == [("acme", "25%"), ("acme", "10%"), ("acme", "expired")]


def test_ten_thousand_clients_at_once_are_one_message(tmp_path: Path) -> None:
    world = World().on_disk(tmp_path / "registry.db")
    world.many(10_000, 90 * DAY)
    world.now += 80 * DAY
    world.watch()
    world.watch()
    assert [len(batch) for batch in world.channel.batches] == [10_000]
    world.registry.close()


def test_an_event_is_told_once_for_its_key() -> None:
    world = World()
    failed = of_event("operation", "op-1", "op-1/3", "operation op-1 failed", operation="op-1")
    again = of_event("operation", "op-1", "op-1/5", "operation op-1 failed", operation="op-1")
    world.watch(failed)
    world.watch(failed)
    world.watch(again)
    assert len(world.channel.sent) == 2


def test_a_trial_is_told_every_time_and_remembered_never() -> None:
    world = World()
    broken = MemoryChannel("broken")
    broken.failing = True
    for _ in range(2):
        assert [bool(told.failed) for told in trial([world.channel, broken])] == [False, True]
    assert len(world.channel.sent) == 2


runs = st.lists(st.tuples(st.integers(min_value=-2 * DAY, max_value=40 * DAY), st.booleans()), min_size=1, max_size=30)


@given(life=st.sampled_from([HOUR, DAY, 10 * DAY, 90 * DAY, 365 * DAY]), runs=runs)
def test_whoever_looks_is_told_of_every_certificate_before_it_ends_and_of_nothing_twice(
    life: int, runs: list[tuple[int, bool]]
) -> None:
    """Runs come at any time, clocks go back, the channel fails at will: it is told if it was possible to tell."""
    world = World()
    world.client("acme")
    certificate = world.certificate("acme", life)
    warnings = thresholds_of(life, parse_thresholds(THRESHOLDS))[:-1]
    could_have_been_told = False
    for step, failing in runs:
        world.now = max(START, world.now + step * life // (365 * DAY))
        world.channel.failing = failing
        world.watch()
        left = certificate.not_after - world.now
        could_have_been_told |= not failing and 0 <= left <= warnings[0].left
    told = [name for _, name in world.crossings()]
    assert len(told) == len(set(told))
    if could_have_been_told and "expired" not in told[:1]:
        assert set(told) & {each.name for each in warnings}
