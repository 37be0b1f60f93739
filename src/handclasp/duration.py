"""Durations as people write them: 90s, 15m, 24h, 7d, and AWS's rate(90 days)."""

import re
from datetime import timedelta

from handclasp.errors import InvalidInput

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"([0-9]{1,9})([smhdw])")
#: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#rate-based
_RATE = re.compile(r"rate\(([0-9]{1,9}) (minute|hour|day)s?\)")


def parse_duration(text: str, what: str) -> timedelta:
    """Raises InvalidInput, naming `what`, for anything else, and for more than a century."""
    if found := _DURATION.fullmatch(text.strip()):
        unit = _UNITS[found[2]]
    elif found := _RATE.fullmatch(text.strip()):
        unit = f"{found[2]}s"
    else:
        raise InvalidInput(f"{what} is a duration such as 90s, 15m, 24h or 7d, not {text!r}")
    duration = timedelta(**{unit: int(found[1])}) if int(found[1]) <= _MOST[unit] else None
    if duration is None:
        raise InvalidInput(f"{what} is longer than a century: {text!r}")
    return duration


_CENTURY = timedelta(days=36_525)
_MOST = {unit: int(_CENTURY / timedelta(**{unit: 1})) for unit in ("seconds", "minutes", "hours", "days", "weeks")}


def duration_text(duration: timedelta) -> str:
    """The shortest way to write it that `parse_duration` reads back; whole seconds."""
    seconds = int(duration.total_seconds())
    for letter, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{letter}"
    return f"{seconds}s"
