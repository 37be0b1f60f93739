"""Follow the registry: notice every change, decide again, tell the proxy; what must stop first, before all else.

The order is the point. A denial is written to the proxy's kill list, a file of a few entries that acts within
milliseconds; the whole table, which takes the proxy longer, is written after it and only when needed. A kill is
lifted only after a table without that certificate acts, so there is no moment in which it could pass.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from handclasp.authorizer.decision import Policy, Reason
from handclasp.gateway.issuer_trust import issuer_trust
from handclasp.gateway.proxy import Proxy
from handclasp.gateway.table import Table
from handclasp.pki.pem import load_certificates
from handclasp.registry.port import Registry
from handclasp.truststore.port import Truststore

#: A changed data version costs 6 us to see: the registry is asked this often.
POLL_SECONDS = 0.02
#: A trust store replaced by somebody else, without a change in the registry, is noticed within this.
TRUST_POLL_SECONDS = 5
#: Denials that a loaded table need not be rewritten for: the kill list carries them.
MAX_KILLS = 256


@dataclass
class Follower:
    """One gateway's view of the registry. Call `step` every POLL_SECONDS; it returns at once if nothing is new."""

    registry: Registry
    truststore: Truststore
    proxy: Proxy
    policy: Policy
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self._table = Table(self.policy)
        self._revision = 0
        self._bundle: bytes | None = None
        self._trust_checked = 0
        #: fingerprints the table that was loaded last lets in
        self._loaded: set[str] = set()
        self._kills: dict[str, Reason] = {}
        self._stale = True

    @property
    def revision(self) -> int:
        """The registry's revision that the proxy has been told of."""
        return self._revision

    @property
    def allowed(self) -> int:
        """How many certificates pass now."""
        return sum(1 for entry in self._table.entries.values() if entry.allow)

    def step(self) -> bool:
        """Take in what is new. True if the proxy was told something. Raises what registry and trust store raise."""
        moment = self.clock()
        now = int(moment.timestamp())
        has_changed = self.registry.has_changed()
        changed = self._table.advance(now)
        if has_changed:
            revision = self.registry.revision()
            changed |= self._table.apply(self.registry.standings(since=self._revision), now)
            self._revision = revision
        if has_changed or now - self._trust_checked >= TRUST_POLL_SECONDS:
            changed |= self._take_trust(moment, now)
        if changed:
            self._stale = self._stale or self._needs_table(changed)
        told = self._tell_kills()
        return self._tell_table() or told

    def _take_trust(self, moment: datetime, now: int) -> set[str]:
        self._trust_checked = now
        bundle = self.truststore.read() or b""
        if bundle != self._bundle:
            self.proxy.trust(bundle)
            self._bundle = bundle
        anchors = load_certificates(bundle) if bundle else []
        return self._table.trust(issuer_trust(self.registry.issuers(), anchors, moment), now)

    def _needs_table(self, changed: set[str]) -> bool:
        """Somebody new may pass, or so many may no longer that they belong into the table."""
        newly_allowed = any(self._table.entries[f].allow and f not in self._loaded for f in changed)
        return newly_allowed or len(self._table.denied(self._loaded)) > MAX_KILLS

    def _tell_kills(self) -> bool:
        """Refuse at once what the table in force would let in."""
        kills = self._table.denied(self._loaded)
        # While a newer table may not act yet, nothing that is killed is let go.
        if not self.proxy.table_in_force():
            kills = {f: r for f, r in self._kills.items() if self._table.denied([f])} | kills
        if kills == self._kills:
            return False
        self.proxy.kill(kills)
        self._kills = kills
        return True

    def _tell_table(self) -> bool:
        if not self._stale or not self.proxy.table_in_force():
            return False
        self.proxy.load(self._table.entries)
        self._loaded = {f for f, entry in self._table.entries.items() if entry.allow}
        self._stale = False
        return True
