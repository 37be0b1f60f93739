"""When it is told of an end: thresholds that suit the life of what ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handclasp.authority.expiry.threshold import Threshold, crossed, next_crossing, parse_thresholds, thresholds_of
from handclasp.errors import InvalidInput
from tests.watch.world import DAY, HOUR, START, THRESHOLDS

Thresholds = tuple[Threshold, ...]
CHOSEN = parse_thresholds(THRESHOLDS)


@pytest.mark.parametrize(
    ("life", "expected"),
    [
        (365 * DAY - 1, ["30d", "14d", "7d", "1d", "expired"]),
        # With a third left renewal is only just due: at 30 of 90 days nothing is wrong yet.
        (90 * DAY - 1, ["14d", "7d", "1d", "expired"]),
        (10 * DAY, ["1d", "expired"]),
        (24 * HOUR, ["25%", "10%", "expired"]),
        (600, ["25%", "10%", "expired"]),
    ],
)
def test_a_threshold_counts_while_it_is_shorter_than_a_third_of_the_life(life: int, expected: list[str]) -> None:
    assert [each.name for each in thresholds_of(life, CHOSEN)] == expected


def test_a_day_long_certificate_is_told_of_six_hours_before_its_end() -> None:
    end = START + DAY
    assert crossed(START, end, end - 6 * HOUR - 1, CHOSEN) == []
    assert crossed(START, end, end - 6 * HOUR, CHOSEN) == ["25%"]
    assert crossed(START, end, end - 2 * HOUR, CHOSEN) == ["10%", "25%"]


def test_it_is_valid_through_its_last_second() -> None:
    end = START + 365 * DAY
    assert crossed(START, end, end, CHOSEN)[0] == "1d"
    assert crossed(START, end, end + 1, CHOSEN)[0] == "expired"


def test_thresholds_are_the_same_however_they_are_written() -> None:
    assert parse_thresholds(("24h", "1d", "2w", "14d")) == parse_thresholds(("14d", "1d"))
    with pytest.raises(InvalidInput, match=r"watch\.thresholds"):
        parse_thresholds(("soon",))


lives = st.integers(min_value=60, max_value=20 * 365 * DAY)
chosen = st.lists(st.integers(min_value=1, max_value=400).map("{}d".format), max_size=5).map(parse_thresholds)


@given(life=lives, chosen=chosen, elapsed=st.floats(min_value=0, max_value=1.2))
def test_what_was_crossed_stays_crossed_and_the_end_is_the_last(life: int, chosen: Thresholds, elapsed: float) -> None:
    now = START + int(life * elapsed)
    names = crossed(START, START + life, now, chosen)
    assert set(names) <= set(crossed(START, START + life, now + 1, chosen))
    assert ("expired" in names) == (now > START + life)


@given(life=lives, chosen=chosen, elapsed=st.floats(min_value=0, max_value=1.2))
def test_the_next_crossing_is_the_next_second_in_which_more_is_crossed(
    life: int, chosen: Thresholds, elapsed: float
) -> None:
    now = START + int(life * elapsed)
    at = next_crossing(START, START + life, now, chosen)
    if at is None:
        assert now > START + life
    else:
        assert len(crossed(START, START + life, at - 1, chosen)) == len(crossed(START, START + life, now, chosen))
        assert len(crossed(START, START + life, at, chosen)) > len(crossed(START, START + life, now, chosen))
