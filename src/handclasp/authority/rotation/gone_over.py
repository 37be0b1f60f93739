"""Whether a client has gone over from an old certificate to the one in its place: pure.

What is known of a client is what gateways have seen. From that, for an old certificate and the one in its place:

    seen, last with the old one                      it has not gone over: kept
    seen with the old, never with the new            it is asleep, or does not read its files: kept
    seen with both, last with the new                it has gone over. Superseded when the old one was silent three
                                                     times as long as it used to be between two requests, and at least
                                                     for `settle`: pooled connections and slow callers come back with
                                                     the old one for a while. After the overlap that is not waited for
                                                     when the old one was never used since the new one was delivered.
    never seen with the old, seen with the new       superseded: nobody uses it
    never seen at all                                superseded after the overlap: so it goes without gateways too

So a caller that has slept for two days comes back with the old certificate and is let in; it is superseded once the
new one has been seen. Kept past the overlap it is reported as a straggler, by name; in the end it expires by itself.
"""

from dataclasses import dataclass

from handclasp.registry.fleet import Sighting
from handclasp.registry.records import Certificate, Client

#: A caller that was silent for so many of its usual intervals has something else to call with.
_PATIENCE = 3


@dataclass(frozen=True, slots=True)
class Pair:
    """An old certificate beside the one in its place, and what was seen of both."""

    client: Client
    old: Certificate
    new: Certificate
    old_seen: Sighting | None
    new_seen: Sighting | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`listen`: it is judged by its silence, and heard a second time before anything is done."""

    supersede: bool
    listen: bool = False
    why: str = ""


def judge(pair: Pair, now: int, settle: int) -> Verdict:
    """The table above. `now` is the registry's, `settle` in seconds."""
    old, new = pair.old, pair.new
    is_over = old.supersede_at is not None and now >= old.supersede_at
    if new.delivered_at is None or not new.not_before <= now <= new.not_after:
        return Verdict(False, why="the certificate in its place is not valid now")
    if pair.old_seen is None:
        if pair.new_seen is not None and now - new.delivered_at >= settle:
            return Verdict(True, listen=True)
        return Verdict(is_over, listen=is_over, why="nobody was seen with either certificate yet")
    if pair.new_seen is None:
        return Verdict(False, why="it has not been seen with its new certificate")
    silent = pair.new_seen.last_seen_at - pair.old_seen.last_seen_at
    since_delivery = pair.old_seen.last_seen_at - new.delivered_at
    patience = settle if is_over and since_delivery < 0 else max(settle, _PATIENCE * _interval(old, pair.old_seen))
    # Measured to the last request with the new one: a span in which somebody certainly listened.
    if silent >= patience:
        return Verdict(True, listen=True)
    return Verdict(False, why="it still uses the old certificate, or did a moment ago")


def _interval(old: Certificate, seen: Sighting) -> int:
    """Seconds between two of its requests, on average, from when it was handed over to when it was seen last."""
    begun = old.delivered_at if old.delivered_at is not None else old.created_at
    span: int = max(0, seen.last_seen_at - begun)
    return span // max(1, seen.requests)
