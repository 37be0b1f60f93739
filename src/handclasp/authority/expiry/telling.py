"""Tell each channel what it has not been told, and remember that once the channel has taken it.

Remembered means: by this channel, for good, in the registry. A run that was missed or a channel that failed is made up
for by the next run. A message is remembered right after it was taken: only a crash between the two sends it again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from handclasp.authority.expiry.ending import Ending, sentence
from handclasp.authority.expiry.threshold import Threshold, crossed
from handclasp.errors import NoticeFailed
from handclasp.notice.port import Channel, Notice
from handclasp.registry.port import Registry


@dataclass(frozen=True, slots=True)
class Occasion:
    """A notice, the names that say it was told before (any of them), and those it is remembered by."""

    notice: Notice
    known_by: tuple[str, ...]
    remembered_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one channel: the notices it took, or those it did not take and why."""

    channel: str
    notices: tuple[Notice, ...] = ()
    failed: NoticeFailed | None = None


def of_endings(endings: Iterable[Ending], chosen: Sequence[Threshold], now: int) -> list[Occasion]:
    """One for each ending that has crossed a threshold: of the most urgent one, which settles those before it."""
    found = []
    for ending in endings:
        names = crossed(ending.not_before, ending.not_after, now, chosen)
        if names:
            keys = tuple(f"{ending.key}/{name}" for name in names)
            found.append(Occasion(_notice(ending, names[0], now), keys[:1], keys))
    return found


def of_event(kind: str, subject: str, key: str, message: str, **facts: object) -> Occasion:
    """Something that has happened, told once for its key."""
    name = f"{kind}/{key}"
    return Occasion(Notice(subject, kind, "", message, facts), (name,), (name,))


def tell(occasions: Sequence[Occasion], channels: Iterable[Channel], registry: Registry) -> list[Told]:
    """One message at most for each channel; a channel that fails keeps none of the others from being told."""
    return [_tell_one(occasions, channel, registry) for channel in channels]


def _tell_one(occasions: Sequence[Occasion], channel: Channel, registry: Registry) -> Told:
    new = [each for each in occasions if not any(registry.noticed(f"{channel.name}/{name}") for name in each.known_by)]
    if not new:
        return Told(channel.name)
    notices = tuple(each.notice for each in new)
    try:
        channel.send(notices)
    except NoticeFailed as error:
        return Told(channel.name, notices, error)
    with registry.change() as change:
        now = change.now()
        for name in (name for each in new for name in each.remembered_by):
            change.remember_notice(f"{channel.name}/{name}", now)
    return Told(channel.name, notices)


def trial(channels: Iterable[Channel]) -> list[Told]:
    """Send each a notice that says it is a test; nothing is remembered."""
    told = []
    for channel in channels:
        notice = Notice("handclasp", "test", "", f"this is a test of handclasp's notices by {channel.name}: it works")
        try:
            channel.send([notice])
            told.append(Told(channel.name, (notice,)))
        except NoticeFailed as error:
            told.append(Told(channel.name, (notice,), error))
    return told


def unreadable(what: str, error: str) -> Occasion:
    """What cannot be read cannot be watched: that is told too, once for each thing that is wrong with it."""
    return of_event("unreadable", what, f"{what}/{error}", f"{what} cannot be watched: {error}")


def _notice(ending: Ending, threshold: str, now: int) -> Notice:
    return Notice(ending.subject, ending.kind, threshold, sentence(ending, now), ending.facts, ending.not_after)
