"""What a gateway tells the registry: that it lives, what it really serves, and whom it has seen.

Counts and the position in the access log they come from are written in one transaction, so that a crash neither
loses a request nor counts it twice. What it serves is told after the gateway has asked itself (gateway/self_check.py),
not after a file was written; one whose listener does not answer says nothing, and is named as silent.
"""

import time
from dataclasses import dataclass, field

from handclasp.authority.rotation.gateway_evidence import SILENT_SECONDS
from handclasp.gateway.access_log_tail import AccessLogTail
from handclasp.gateway.self_check import SelfCheck
from handclasp.gateway.sightings import Tally
from handclasp.registry.fleet import Gateway
from handclasp.registry.port import Change, Registry

#: A gateway reports this often even if it has nothing to say: "at least every five seconds", with room to be late.
HEARTBEAT_SECONDS = 4.0
#: What it has seen is told this often at most, and no more of the time than this: one writer keeps out all others.
_TELL_SECONDS = 1.0
_TELL_SHARE = 0.1
#: Mebibytes of the log between two reports: one that is far behind still says that it lives.
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Described:
    """What stays the same about a gateway for as long as it runs."""

    gateway_id: str
    address: str
    server_name: str
    environments: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Served:
    """What the proxy has been told and acts by: revision, digest of the trust anchors, version of the table, and the
    server's certificate (DER) with its issuer."""

    revision: int
    trust: str
    table: int
    server_issuer: str
    certificate: bytes = field(repr=False)


@dataclass
class Reporter:
    """Call `watch` often, and `report` with a registry of the caller's thread. `served` may be set by another."""

    described: Described
    self_check: SelfCheck
    tail: AccessLogTail
    served: Served | None = None
    _tally: Tally = field(default_factory=Tally)
    #: counts whose commit may or may not have happened, and the position that tells which
    _unsure: tuple[Tally, str] | None = None
    _confirmed: Served | None = None
    _confirmed_at: float = 0.0
    _unanswered_from: float | None = None
    _reported: Served | None = None
    _reported_at: float = 0.0
    _took: float = 0.0
    #: this clock stands still while the machine sleeps
    _awake_from: float = field(default_factory=time.monotonic)

    def watch(self) -> bool:
        """Count what is new in the access log. True if there is more. Raises OSError."""
        for _ in range(_AT_ONCE):
            if not (lines := self.tail.read()):
                return False
            self._tally.add(lines)
        return True

    @property
    def is_unanswered(self) -> bool:
        """The listener has not answered the gateway's own question for so long that others call it silent."""
        return self._unanswered_from is not None and time.monotonic() - self._unanswered_from > SILENT_SECONDS

    def report(self, registry: Registry) -> bool:
        """Tell the registry if there is something to tell. Raises what it raises; nothing is lost by it."""
        self._confirm()
        instant = time.monotonic()
        since = instant - self._reported_at
        is_due = self._confirmed != self._reported or since >= HEARTBEAT_SECONDS
        has_seen = bool(self._tally or self._unsure) and since >= max(_TELL_SECONDS, self._took / _TELL_SHARE)
        if self._confirmed is None or instant - self._confirmed_at > 2 * HEARTBEAT_SECONDS:
            return False
        if not is_due and not has_seen:
            return False
        self._tell(registry)
        return True

    def say_goodbye(self, registry: Registry) -> None:
        """The last counts; nobody waits for this gateway from now on. Raises what the registry raises."""
        self._tell(registry)
        if self._tally:
            self._tell(registry)
        with registry.change() as change:
            change.forget_gateway(self.described.gateway_id)

    def _confirm(self) -> None:
        served = self.served
        instant = time.monotonic()
        if served is None or (served == self._confirmed and instant - self._confirmed_at < HEARTBEAT_SECONDS):
            return
        answered = self.self_check.ask()
        if answered is None:
            self._unanswered_from = self._unanswered_from or instant
            return
        self._unanswered_from = None
        # A table loaded since then holds what this one does.
        acts = answered.table is None or answered.table >= served.table
        if acts and answered.certificate == served.certificate:
            self._confirmed = served
            self._confirmed_at = time.monotonic()

    def _tell(self, registry: Registry) -> None:
        tally, position = self._unsure or (self._tally, self.tail.position)
        confirmed, begun = self._confirmed, time.monotonic()
        try:
            with registry.change() as change:
                if self._unsure is None or not self._is_told(change, position):
                    gateway_now, now = int(time.time()), change.now()
                    change.add_sightings(tally.sightings(gateway_now, now), tally.refusals(gateway_now, now))
                if confirmed is not None:
                    change.report_gateway(self._gateway(confirmed, position, change.now()))
        except Exception:
            if self._unsure is None:
                self._unsure, self._tally = (tally, position), Tally()
            raise
        if self._unsure is None:
            self._tally = Tally()
        self._unsure = None
        self._reported, self._reported_at = confirmed, time.monotonic()
        self._took = self._reported_at - begun

    def _is_told(self, change: Change, position: str) -> bool:
        """The commit went through, and only the word of it was lost."""
        return (self.described.gateway_id, position) in {(g.gateway_id, g.log_position) for g in change.gateways()}

    def _gateway(self, served: Served, position: str, now: int) -> Gateway:
        return Gateway(
            gateway_id=self.described.gateway_id,
            address=self.described.address,
            server_name=self.described.server_name,
            environments=self.described.environments,
            revision=served.revision,
            trust=served.trust,
            server_issuer=served.server_issuer,
            log_position=position,
            awake_since=int(now - (time.monotonic() - self._awake_from)),
        )
