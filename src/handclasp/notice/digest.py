"""Many notices as one message: a heading, the most urgent line by line, and how many more there are."""

from collections import Counter
from collections.abc import Sequence

from handclasp.notice.port import Notice

#: More than this nobody reads; `handclasp watch --once --json` has all of them.
MOST_LINES = 20
_MOST_CHARACTERS = 300


def heading(notices: Sequence[Notice]) -> str:
    """One line: the sentence itself if there is one notice, else how many of what kind."""
    if len(notices) == 1:
        return one_line(notices[0].message)
    counted = Counter(notice.kind for notice in notices)
    return f"{len(notices)} notices: " + ", ".join(f"{number} {kind}" for kind, number in counted.items())


def lines(notices: Sequence[Notice]) -> list[str]:
    """What is gone first, then what ends next; each line bounded."""
    shown = [one_line(notice.message) for notice in by_urgency(notices)[:MOST_LINES]]
    if len(notices) > MOST_LINES:
        shown.append(f"... and {len(notices) - MOST_LINES} more: handclasp watch --once --json")
    return shown


def by_urgency(notices: Sequence[Notice]) -> list[Notice]:
    """What does not end has happened already, and comes first."""
    return sorted(notices, key=lambda notice: -1 if notice.ends_at is None else notice.ends_at)


def one_line(text: str) -> str:
    """Subjects of foreign certificates are others' text: what does not print is escaped, what is long is cut."""
    clean = text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return clean if len(clean) <= _MOST_CHARACTERS else clean[: _MOST_CHARACTERS - 3] + "..."
