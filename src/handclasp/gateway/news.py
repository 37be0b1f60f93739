"""What is new in registry and trust store, all of it or nothing; and whether the registry answers at all.

A registry that does not answer is a registry that may have revoked somebody: what was last known decides for a time
of grace, and nobody passes after it. One that is back is read anew, from the beginning.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from handclasp.errors import RegistryUnavailable
from handclasp.registry.port import Registry
from handclasp.registry.records import Issuer, Standing
from handclasp.truststore.port import Truststore

#: A trust store replaced by somebody else, without a change in the registry, is noticed within this.
TRUST_POLL_SECONDS = 5
#: A registry that did not answer is asked again after so long: the attempt itself may take its time.
ASK_AGAIN_SECONDS = 1.0
#: Linux has a clock that nobody sets and that goes on while the machine sleeps.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Seconds on a clock that nobody sets; where there is such a clock, a suspended machine's time counts."""
    return time.clock_gettime(_CLOCK)


class Contact(StrEnum):
    """With the registry. `lost`: decided with what was known last; `refusing`: lost for so long that nobody passes."""

    FOLLOWED = "followed"
    LOST = "lost"
    REFUSING = "refusing"


@dataclass(frozen=True, slots=True)
class Trust:
    """The published bundle, and the issuers as the registry knows them."""

    bundle: bytes
    issuers: list[Issuer]


@dataclass(frozen=True, slots=True)
class News:
    """`anew`: `standings` are all there are; what is not among them is no more. `trust` is None if not looked at."""

    revision: int
    standings: list[Standing]
    anew: bool
    trust: Trust | None


@dataclass
class Source:
    """Where news comes from. `grace` is how many seconds after its last answer the registry may be away."""

    registry: Registry
    truststore: Truststore
    monotonic: Callable[[], float]
    grace: float

    def __post_init__(self) -> None:
        self.contact = Contact.FOLLOWED
        #: the trust store as it was last, and when it was looked at (by the clock that trust is decided by)
        self.bundle = b""
        self.trust_checked = 0
        self._known = 0
        #: something was said to have changed, and has not been read yet
        self._unread = False
        self._answered_at = self._ask_again_at = self.monotonic()

    def news(self, now: int) -> News | None:
        """None when nothing is new, or nobody answers: see `contact`.

        Raises what registry and trust store raise; RegistryUnavailable only before the registry was read once.
        """
        if self.contact is not Contact.FOLLOWED and self.monotonic() < self._ask_again_at:
            self._without()
            return None
        try:
            found = self._read(now)
        except RegistryUnavailable:
            if self._known == 0:
                raise
            self._unread = True
            self._ask_again_at = self.monotonic() + ASK_AGAIN_SECONDS
            self._without()
            return None
        self.contact = Contact.FOLLOWED
        self._answered_at = self.monotonic()
        self._unread = False
        if found is not None:
            self._known = found.revision
            if found.trust is not None:
                self.bundle, self.trust_checked = found.trust.bundle, now
        return found

    def _read(self, now: int) -> News | None:
        self._unread |= self.registry.has_changed()
        # However the clock was set: seen late is seen in five seconds, not when it has caught up.
        is_due = abs(now - self.trust_checked) >= TRUST_POLL_SECONDS
        if not self._unread and not is_due:
            return None
        revision = self.registry.revision() if self._unread else self._known
        # A server that was away, or counts from an earlier number, may have been put back to another state: what is
        # gone from it would be in no list of changes.
        anew = self.contact is not Contact.FOLLOWED or revision < self._known
        has_news = anew or revision != self._known
        standings = list(self.registry.standings(since=0 if anew else self._known)) if has_news else []
        bundle = self.truststore.read() or b""
        looks = has_news or is_due or bundle != self.bundle
        return News(revision, standings, anew, Trust(bundle, self.registry.issuers()) if looks else None)

    def _without(self) -> None:
        is_over = self.monotonic() - self._answered_at > self.grace
        self.contact = Contact.REFUSING if is_over else Contact.LOST
