"""When to tell of an end: so long before it, and once it is past. Pure.

A threshold is of use while it is shorter than a third of the life: with a third left renewal is only just due, and
nothing is wrong yet. Of what lives too briefly for every threshold that was asked for (24 h certificates), it is told
when a quarter and when a tenth of its life is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from handclasp.duration import duration_text, parse_duration

EXPIRED = "expired"
#: One over the share of the life that is left.
_SHARES = (4, 10)
_LONGEST_SHARE = 3


@dataclass(frozen=True, slots=True)
class Threshold:
    """Crossed when so many seconds are left, or fewer."""

    name: str
    left: int


#: RFC 5280 4.1.2.5: valid through notAfter, so one second later it is over.
_OVER = Threshold(EXPIRED, -1)


def parse_thresholds(texts: Sequence[str]) -> tuple[Threshold, ...]:
    """Longest first, each once however it is written. Raises InvalidInput."""
    durations = {parse_duration(text, "setting watch.thresholds") for text in texts}
    return tuple(Threshold(duration_text(each), int(each.total_seconds())) for each in sorted(durations, reverse=True))


def thresholds_of(life: int, chosen: Sequence[Threshold]) -> tuple[Threshold, ...]:
    """Those that are of use to what lives so many seconds, longest first; `expired` is always the last."""
    useful = tuple(each for each in chosen if each.left * _LONGEST_SHARE < life)
    return (useful or tuple(Threshold(f"{100 // share}%", life // share) for share in _SHARES)) + (_OVER,)


def crossed(not_before: int, not_after: int, now: int, chosen: Sequence[Threshold]) -> list[str]:
    """The names of the thresholds behind it, the most urgent first."""
    left = not_after - now
    behind = [each.name for each in thresholds_of(not_after - not_before, chosen) if left <= each.left]
    return behind[::-1]


def next_crossing(not_before: int, not_after: int, now: int, chosen: Sequence[Threshold]) -> int | None:
    """When the next one will be crossed; None once it is over."""
    ahead = [not_after - each.left for each in thresholds_of(not_after - not_before, chosen)]
    return min((at for at in ahead if at > now), default=None)
