"""Follow the registry: notice every change, decide again, tell the proxy; what must stop first, before all else.

The order is the point. A denial is written to the proxy's kill list, a file of a few entries that acts within
milliseconds; the whole table, which takes the proxy longer, is written after it and only when needed. A kill is
lifted only after a table without that certificate acts, so there is no moment in which it could pass.

A registry that does not answer is a registry that may have revoked somebody: the gateway decides with what it last
knew for a time of grace, and refuses everybody after it. When the registry is back, all that it has to say is taken
in before the first request passes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256

from handclasp.authorizer.decision import Policy, Reason
from handclasp.gateway.issuer_trust import issuer_trust
from handclasp.gateway.news import Contact, Source, Trust, elapsed
from handclasp.gateway.proxy import Proxy
from handclasp.gateway.table import Table
from handclasp.pki.pem import load_certificates
from handclasp.registry.port import Registry
from handclasp.truststore.port import Truststore

#: A changed data version costs 6 us to see: the registry is asked this often.
POLL_SECONDS = 0.02
#: Denials that a loaded table need not be rewritten for: the kill list carries them.
MAX_KILLS = 256


@dataclass
class Follower:
    """One gateway's view of the registry. Call `step` every POLL_SECONDS; it returns at once if nothing is new.

    `grace` is how many seconds after its last answer the registry may be away before everybody is refused.
    """

    registry: Registry
    truststore: Truststore
    proxy: Proxy
    policy: Policy
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    monotonic: Callable[[], float] = elapsed
    grace: float = 300.0

    def __post_init__(self) -> None:
        self._table = Table(self.policy)
        self._revision = 0
        self.source = Source(self.registry, self.truststore, self.monotonic, self.grace)
        #: the anchors the proxy was told of
        self._bundle: bytes | None = None
        #: what the table that was loaded last says of each fingerprint
        self._said: dict[str, Reason] = {}
        #: whom it lets in, and whom the one before it does, which acts until the last is in force
        self._admitted: set[str] = set()
        self._admitted_before: set[str] = set()
        #: None: something else than a list of ours is in its place
        self._kills: dict[str, Reason] | None = {}
        self._stale = True
        self._settled = False
        #: when the last table was written, and from when on the next one may be; by a clock that nobody sets
        self._loaded = self._next_table = 0.0

    @property
    def revision(self) -> int:
        """The registry's revision that the proxy has been told of."""
        return self._revision

    @property
    def trust(self) -> str:
        """SHA-256 of the trust anchors that the proxy has been told of, hex."""
        return sha256(self._bundle or b"").hexdigest()

    @property
    def settled(self) -> bool:
        """True when all that is known acts: the proxy serves `revision` and `trust`."""
        return self._settled

    @property
    def contact(self) -> Contact:
        return self.source.contact

    @property
    def allowed(self) -> int:
        """How many certificates pass now."""
        if self.source.contact is Contact.REFUSING:
            return 0
        return sum(1 for entry in self._table.entries.values() if entry.allow)

    def step(self) -> bool:
        """Take in what is new. True if the proxy was told something.

        Raises what registry and trust store raise; RegistryUnavailable only before the registry was read once.
        """
        moment = self.clock()
        now = int(moment.timestamp())
        changed = self._table.advance(now)
        changed |= self._take_in(moment, now)
        self._stale = self._stale or self._needs_table(changed)
        if self.source.contact is Contact.REFUSING:
            return self._refuse_all()
        # Cheap when nothing is on its way to the proxy; raises when the proxy refuses what it was told.
        acts = self.proxy.in_force() and not self._stale and not self._admitted_before and self._kills is not None
        self._settled = acts and not changed
        if self._settled:
            return False
        table_acts = self.proxy.table_in_force()
        if table_acts and self._admitted_before:
            self._admitted_before = set()
            # A proxy that takes in table after table takes in nothing else: it rests as long as the last one took.
            instant = self.monotonic()
            self._next_table = instant + (instant - self._loaded)
        told = self._tell_kills()
        return self._tell_table(table_acts) or told

    def _take_in(self, moment: datetime, now: int) -> set[str]:
        news = self.source.news(now)
        if news is None:
            return set()
        self._revision = news.revision
        before = self._table.entries
        if news.anew:
            self._table = Table(self.policy)
        changed = self._table.apply(news.standings, now)
        if news.trust is not None:
            changed |= self._take_trust(news.trust, moment, now)
        if news.anew:
            entries = self._table.entries
            changed = {f for f in before | entries if before.get(f) != entries.get(f)}
        return changed

    def _refuse_all(self) -> bool:
        self._settled = False
        if self._kills is None:
            self.proxy.in_force()  # raises when the proxy refuses it
            return False
        self.proxy.refuse_all()
        self._kills = None
        return True

    def _take_trust(self, trust: Trust, moment: datetime, now: int) -> set[str]:
        anchors = load_certificates(trust.bundle, "the trust store") if trust.bundle else []
        # No anchors at all is not a file the proxy would take: the table refuses everybody then.
        if trust.bundle != self._bundle and anchors:
            self.proxy.trust(trust.bundle)
            self._bundle = trust.bundle
        return self._table.trust(issuer_trust(trust.issuers, anchors, moment), now)

    def _needs_table(self, changed: set[str]) -> bool:
        """The table says something else of somebody than is so now, and the kill list is not the place to mend it."""
        for fingerprint in changed:
            # Somebody new may pass, or is refused for another reason than the log would give.
            entry = self._table.entries.get(fingerprint)
            reason = entry.reason if entry is not None else Reason.UNREGISTERED
            if reason is not self._said.get(fingerprint) and fingerprint not in self._admitted:
                return True
        return bool(changed) and len(self._table.denied(self._admitted)) > MAX_KILLS

    def _tell_kills(self) -> bool:
        """Refuse at once what a table that may act would let in: the last one, or the one it has not replaced yet."""
        kills = self._table.denied(self._admitted | self._admitted_before)
        if kills == self._kills:
            return False
        self.proxy.kill(kills)
        self._kills = kills
        return True

    def _tell_table(self, table_acts: bool) -> bool:
        instant = self.monotonic()
        if not self._stale or not table_acts or instant < self._next_table:
            return False
        self._loaded = instant
        self.proxy.load(self._table.entries)
        self._said = {f: entry.reason for f, entry in self._table.entries.items()}
        self._admitted_before = self._admitted
        self._admitted = {f for f, reason in self._said.items() if reason is Reason.ALLOWED}
        self._stale = False
        return True
