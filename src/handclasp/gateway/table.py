"""The neutral table: for every registered client certificate, the decision now and what to say to the upstream.

It knows no proxy. `gateway/envoy/` writes it down for Envoy; another proxy would be another folder reading this
same table. The decision is `authorizer.decision.decide`, asked once per certificate when something about it
changes, and again at the moment time alone would change it.
"""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from handclasp.authorizer.decision import Policy, Presented, Reason, Registered, decide
from handclasp.gateway.issuer_trust import Window
from handclasp.registry.records import Certificate, Standing

_NEVER = Window(1, 0)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row: `reason` is ALLOWED or why not; the certificate and its client are what the upstream may be told."""

    reason: Reason
    certificate: Certificate
    client_id: str
    environment: str
    application: str

    @property
    def allow(self) -> bool:
        return self.reason is Reason.ALLOWED


class Table:
    """The decisions by fingerprint. Not thread-safe: one follower owns it."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._trust: Mapping[str, Window] = {}
        self._standings: dict[str, Standing] = {}
        self._due: list[tuple[int, str]] = []
        self._advanced_to = 0
        self.entries: dict[str, Entry] = {}

    def apply(self, standings: Iterable[Standing], now: int) -> set[str]:
        """Take in what the registry says now. Returns the fingerprints whose entry is new or different."""
        changed = set()
        for standing in standings:
            fingerprint = standing.certificate.fingerprint
            self._standings[fingerprint] = standing
            for moment in self._moments(standing.certificate, now):
                heapq.heappush(self._due, (moment, fingerprint))
            if self._decide(fingerprint, now):
                changed.add(fingerprint)
        return changed

    def trust(self, trusted: Mapping[str, Window], now: int) -> set[str]:
        """Take in which issuers are trusted. Returns the fingerprints whose entry is different."""
        if trusted == self._trust:
            return set()
        self._trust = dict(trusted)
        return self.apply(list(self._standings.values()), now)

    def advance(self, now: int) -> set[str]:
        """Time has passed. Returns the fingerprints whose entry is different for that alone."""
        before, self._advanced_to = self._advanced_to, now
        if now < before:
            # The clock was set back: what had expired by the wrong one is valid again, and must not stay refused.
            self._due.clear()
            return self.apply(list(self._standings.values()), now)
        changed = set()
        while self._due and self._due[0][0] <= now:
            _, fingerprint = heapq.heappop(self._due)
            if self._decide(fingerprint, now):
                changed.add(fingerprint)
        return changed

    def denied(self, fingerprints: Iterable[str]) -> dict[str, Reason]:
        """Of these, the ones that must not pass now, with the reason."""
        found = {}
        for fingerprint in fingerprints:
            entry = self.entries.get(fingerprint)
            if entry is None:
                found[fingerprint] = Reason.UNREGISTERED
            elif not entry.allow:
                found[fingerprint] = entry.reason
        return found

    def _decide(self, fingerprint: str, now: int) -> bool:
        standing = self._standings[fingerprint]
        certificate, client = standing.certificate, standing.client
        window = self._trust.get(certificate.issuer_id, _NEVER)
        presented = Presented(
            fingerprint=fingerprint,
            path_valid=window.holds(now),
            # Only client profiles are standings: usage was checked when it was issued or adopted.
            allows_client_auth=certificate.profile == "client",
            not_before=certificate.not_before,
            not_after=certificate.not_after,
        )
        registered = Registered(
            fingerprint=certificate.fingerprint,
            client_id=client.client_id,
            environment=client.environment,
            certificate_status=certificate.status.value,
            client_status=client.status.value,
        )
        decision = decide(presented, registered, self._policy, now)
        entry = Entry(decision.reason, certificate, client.client_id, client.environment, client.application)
        changed = self.entries.get(fingerprint) != entry
        self.entries[fingerprint] = entry
        return changed

    def _moments(self, certificate: Certificate, now: int) -> list[int]:
        window = self._trust.get(certificate.issuer_id, _NEVER)
        moments = (certificate.not_before, certificate.not_after + 1, window.not_before, window.not_after + 1)
        return [moment for moment in moments if moment > now]
