"""Something that ends: whose it is, from when until when, and the sentence that tells of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Ending:
    """`what` is said of it in a sentence ("client acme: certificate 0A01"); `key` names it for good.

    `owing` is what should have happened before, such as "it has not been renewed"; "" when there is nothing to say.
    """

    kind: str
    subject: str
    what: str
    key: str
    not_before: int
    not_after: int
    owing: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)


def sentence(ending: Ending, now: int) -> str:
    left = ending.not_after - now
    on = f"{datetime.fromtimestamp(ending.not_after, UTC):%Y-%m-%d %H:%M} UTC"
    when = f"expired on {on}" if left < 0 else f"ends in {time_text(left)}, on {on}"
    return f"{ending.what} {when}" + (f"; {ending.owing}" if ending.owing else "")


def time_text(seconds: int) -> str:
    """For people: the largest unit of which there are two, in whole numbers."""
    for name, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return f"{seconds} seconds"
