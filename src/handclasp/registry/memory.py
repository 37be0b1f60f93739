"""The registry in memory: for tests and for trying things; the same contract, forgotten with the process."""

import copy
import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from handclasp.errors import (
    AlreadyEstablished,
    AlreadyRegistered,
    LeaseLost,
    NotRegistered,
    RegistryDamaged,
    RegistryError,
)
from handclasp.registry.audit_chain import chained
from handclasp.registry.fleet import Gateway, Refusals, Sighting
from handclasp.registry.operations import UNFINISHED, Operation
from handclasp.registry.port import Row
from handclasp.registry.records import (
    AuditCheckpoint,
    AuditEntry,
    Certificate,
    CertificateStatus,
    Client,
    ClientStatus,
    ClientSummary,
    Holding,
    Issuer,
    IssuerStatus,
    RevocationReason,
    Standing,
)

_Key = tuple[str, str]


@dataclass
class _State:
    revision: int = 0
    clients: dict[str, Client] = field(default_factory=dict)
    certificates: dict[_Key, Certificate] = field(default_factory=dict)
    issuers: dict[str, Issuer] = field(default_factory=dict)
    audit: list[AuditEntry] = field(default_factory=list)
    client_revision: dict[str, int] = field(default_factory=dict)
    certificate_revision: dict[_Key, int] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    gateways: dict[str, tuple[Gateway, float]] = field(default_factory=dict)
    sightings: dict[str, Sighting] = field(default_factory=dict)
    refusals: dict[_Key, Refusals] = field(default_factory=dict)
    notices: dict[str, int] = field(default_factory=dict)
    checkpoints: list[AuditCheckpoint] = field(default_factory=list)


class _Reader:
    _state: _State
    _clock: Callable[[], float]

    def now(self) -> int:
        return int(self._clock())

    def client(self, client_id: str) -> Client:
        try:
            return self._state.clients[client_id.lower()]
        except KeyError:
            raise NotRegistered(f"no client {client_id} is registered") from None

    def certificate(self, issuer_id: str, serial_number: str) -> Certificate:
        try:
            return self._state.certificates[issuer_id, serial_number]
        except KeyError:
            raise NotRegistered(f"no certificate {serial_number} of issuer {issuer_id} is registered") from None

    def certificates(self, client_id: str) -> list[Certificate]:
        owned = (c for c in self._state.certificates.values() if (c.client_id or "").lower() == client_id.lower())
        return sorted(owned, key=lambda c: c.created_at)

    def public_key_owner(self, public_key_id: str) -> str | None:
        owned = (c for c in self._state.certificates.values() if c.public_key_id == public_key_id)
        return next((c.client_id or "" for c in owned), None)

    def issuers(self) -> list[Issuer]:
        return sorted(self._state.issuers.values(), key=lambda issuer: issuer.created_at)

    def holdings(self, *, issuer_id: str | None = None, after: str = "", clients: int = 500) -> list[Holding]:
        held = [h for h in self._held() if issuer_id in {None, h.certificate.issuer_id}]
        names = sorted({h.client.client_id.lower() for h in held if h.client.client_id.lower() > after.lower()})
        page = set(names[:clients])
        found = [h for h in held if h.client.client_id.lower() in page]
        return sorted(found, key=lambda h: (h.client.client_id.lower(), h.certificate.created_at))

    def holders(self, *, issuer_id: str | None = None) -> int:
        return len({h.client.client_id for h in self._held() if issuer_id in {None, h.certificate.issuer_id}})

    def compromised_keys(self) -> set[str]:
        found = (c for c in self._state.certificates.values() if c.revocation_reason is RevocationReason.KEY_COMPROMISE)
        return {c.public_key_id for c in found}

    def superseding(self, before: int, *, limit: int = 500) -> list[Holding]:
        due = [(h.certificate.supersede_at, h.client.client_id.lower(), h) for h in self._held()]
        found = sorted(((at, name, h) for at, name, h in due if at is not None and at <= before), key=lambda d: d[:2])
        return [h for _, _, h in found[:limit]]

    def _held(self) -> Iterator[Holding]:
        for certificate in self._state.certificates.values():
            if certificate.client_id is not None and certificate.status is CertificateStatus.ACTIVE:
                seen = self._state.sightings.get(certificate.fingerprint)
                client = self._state.clients[certificate.client_id.lower()]
                yield Holding(certificate, client, seen.last_seen_at if seen else None, seen.requests if seen else 0)

    def sighting(self, fingerprint: str) -> Sighting | None:
        return self._state.sightings.get(fingerprint)

    def refusals(self) -> list[Refusals]:
        return sorted(self._state.refusals.values(), key=lambda r: (-r.last_at, r.fingerprint, r.reason))

    def operation(self, operation_id: str) -> Operation:
        try:
            return self._state.operations[operation_id]
        except KeyError:
            raise NotRegistered(f"no operation {operation_id} is registered") from None

    def operations(self, *, unfinished: bool = False) -> list[Operation]:
        found = [each for each in self._state.operations.values() if not unfinished or each.status in UNFINISHED]
        # Newest first, and of one second the one added last.
        return sorted(found, key=lambda each: each.created_at)[::-1]

    def gateways(self) -> list[Gateway]:
        now = self._clock()
        reported = sorted(self._state.gateways.items())
        return [replace(report, silent_for=max(0.0, now - at)) for _, (report, at) in reported]

    def noticed(self, name: str) -> bool:
        return name in self._state.notices

    def last_checkpoint(self) -> AuditCheckpoint | None:
        return max(self._state.checkpoints, key=lambda each: each.sequence, default=None)


class MemoryRegistry(_Reader):
    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._state = _State()
        self._commits = 0
        self._seen: int | None = None
        self._changing = False

    @contextmanager
    def change(self) -> Iterator["_Change"]:
        if self._changing:
            raise RegistryError("a change is under way already")
        change = _Change(copy.deepcopy(self._state), self._clock)
        self._changing = True
        try:
            yield change
        finally:
            self._changing = False
        self._state = change.committed()
        self._commits += 1

    def summaries(self) -> Iterator[ClientSummary]:
        for _, client in sorted(self._state.clients.items()):
            active = [c for c in self.certificates(client.client_id) if c.status is CertificateStatus.ACTIVE]
            last = max(active, key=lambda c: c.not_after, default=None)
            seen = [s for c in self.certificates(client.client_id) if (s := self.sighting(c.fingerprint))]
            yield ClientSummary(
                client,
                len(active),
                last.not_before if last else None,
                last.not_after if last else None,
                max((s.last_seen_at for s in seen), default=None),
                sum(s.requests for s in seen),
            )

    def revision(self) -> int:
        return self._state.revision

    def has_changed(self) -> bool:
        changed = self._commits != self._seen
        self._seen = self._commits
        return changed

    def standings(self, *, since: int = 0) -> Iterator[Standing]:
        state = self._state
        for key, certificate in state.certificates.items():
            if certificate.client_id is None:
                continue
            client = state.clients[certificate.client_id.lower()]
            if max(state.certificate_revision[key], state.client_revision[client.client_id.lower()]) > since:
                yield Standing(certificate, client)

    def audit(self, *, after: int = 0) -> Iterator[AuditEntry]:
        yield from (entry for entry in self._state.audit if entry.sequence > after)

    def last_audit(self) -> AuditEntry | None:
        return self._state.audit[-1] if self._state.audit else None

    def checkpoints(self) -> list[AuditCheckpoint]:
        return list(self._state.checkpoints)

    def snapshot(self) -> Iterator[Row]:
        """Its own shape, one field of the state a row: it is read back by `load` only."""
        state = self._state
        for each in dataclasses.fields(_State):
            yield each.name, {"value": getattr(state, each.name)}

    def load(self, snapshot: Iterable[Row]) -> None:
        if self._state.issuers or self._state.clients or self._state.audit:
            raise AlreadyEstablished("there is an authority in this registry already")
        self._take(snapshot)

    def replace(self, rows: Callable[[list[Row]], Iterable[Row]]) -> None:
        self._take(rows(list(self.snapshot())))

    def _take(self, snapshot: Iterable[Row]) -> None:
        try:
            self._state = _State(**{name: row["value"] for name, row in snapshot})
        except (KeyError, TypeError):
            raise RegistryDamaged("the snapshot is not one of a registry in memory") from None
        self._commits += 1

    def close(self) -> None:
        pass


class _Change(_Reader):
    def __init__(self, state: _State, clock: Callable[[], float]) -> None:
        self._state = state
        self._clock = clock
        self._alters_decisions = False
        self._next_revision = state.revision + 1

    def committed(self) -> _State:
        if self._alters_decisions:
            self._state.revision = self._next_revision
        return self._state

    def _revision(self) -> int:
        self._alters_decisions = True
        return self._next_revision

    def add_client(self, client: Client) -> None:
        key = client.client_id.lower()
        if key in self._state.clients:
            raise AlreadyRegistered("a client of that name is registered already")
        self._state.clients[key] = client
        self._state.client_revision[key] = self._revision()

    def set_client_status(self, client_id: str, status: ClientStatus) -> None:
        client = self.client(client_id)
        self._state.clients[client_id.lower()] = replace(client, status=status)
        self._state.client_revision[client_id.lower()] = self._revision()

    def add_certificate(self, certificate: Certificate) -> None:
        key = (certificate.issuer_id, certificate.serial_number)
        if certificate.issuer_id not in self._state.issuers:
            raise RegistryError("the registry refuses the change: unknown issuer")
        if certificate.client_id is not None and certificate.client_id.lower() not in self._state.clients:
            raise RegistryError("the registry refuses the change: unknown client")
        if key in self._state.certificates:
            raise AlreadyRegistered("that serial number is registered already")
        if any(c.fingerprint == certificate.fingerprint for c in self._state.certificates.values()):
            raise AlreadyRegistered("that certificate is registered already")
        self._state.certificates[key] = certificate
        self._state.certificate_revision[key] = self._revision()

    def set_certificate_status(
        self,
        certificate: Certificate,
        status: CertificateStatus,
        *,
        at: int,
        reason: RevocationReason | None,
    ) -> None:
        key = (certificate.issuer_id, certificate.serial_number)
        known = self.certificate(*key)
        self._state.certificates[key] = replace(known, status=status, revoked_at=at, revocation_reason=reason)
        self._state.certificate_revision[key] = self._revision()

    def set_delivered(self, issuer_id: str, serial_number: str, at: int) -> None:
        known = self.certificate(issuer_id, serial_number)
        self._state.certificates[issuer_id, serial_number] = replace(known, delivered_at=at)

    def set_replaced(self, certificate: Certificate, *, replaced_by: str, supersede_at: int) -> None:
        known = self.certificate(certificate.issuer_id, certificate.serial_number)
        earlier = supersede_at if known.supersede_at is None else min(known.supersede_at, supersede_at)
        key = (known.issuer_id, known.serial_number)
        self._state.certificates[key] = replace(known, replaced_by=replaced_by, supersede_at=earlier)

    def add_issuer(self, issuer: Issuer) -> None:
        if any(issuer.fingerprint == i.fingerprint or issuer.issuer_id == i.issuer_id for i in self.issuers()):
            raise AlreadyRegistered("that issuer is registered already")
        self._state.issuers[issuer.issuer_id] = issuer
        self._revision()

    def set_issuer_status(self, issuer_id: str, status: IssuerStatus) -> None:
        if issuer_id not in self._state.issuers:
            raise NotRegistered(f"no issuer {issuer_id} is registered")
        self._state.issuers[issuer_id] = replace(self._state.issuers[issuer_id], status=status)
        self._revision()

    def record(self, *, at: int, actor: str, action: str, subject: str, details: str) -> None:
        last = self._state.audit[-1] if self._state.audit else None
        self._state.audit.append(chained(last, at=at, actor=actor, action=action, subject=subject, details=details))

    def add_operation(self, operation: Operation) -> None:
        if operation.operation_id in self._state.operations:
            raise AlreadyRegistered("that operation is registered already")
        self._state.operations[operation.operation_id] = operation

    def save_operation(self, operation: Operation) -> None:
        stored = self.operation(operation.operation_id)
        if stored.fence > operation.fence:
            raise LeaseLost(f"operation {operation.operation_id} was taken over by {stored.holder or 'somebody else'}")
        self._state.operations[operation.operation_id] = operation

    def report_gateway(self, gateway: Gateway) -> None:
        self._state.gateways[gateway.gateway_id] = (gateway, self._clock())

    def forget_gateway(self, gateway_id: str) -> None:
        self._state.gateways.pop(gateway_id, None)

    def add_sightings(self, sightings: Iterable[Sighting], refusals: Iterable[Refusals] = ()) -> None:
        ours = {c.fingerprint for c in self._state.certificates.values()}
        for seen in sightings:
            if seen.fingerprint in ours:
                known = self._state.sightings.get(seen.fingerprint, Sighting(seen.fingerprint, 0, 0))
                self._state.sightings[seen.fingerprint] = Sighting(
                    seen.fingerprint, max(known.last_seen_at, seen.last_seen_at), known.requests + seen.requests
                )
        for refused in refusals:
            fingerprint = refused.fingerprint if refused.fingerprint in ours else ""
            key = (fingerprint, refused.reason)
            before = self._state.refusals.get(key, Refusals(fingerprint, refused.reason, 0, 0))
            self._state.refusals[key] = Refusals(
                fingerprint, refused.reason, before.requests + refused.requests, max(before.last_at, refused.last_at)
            )

    def remember_notice(self, name: str, at: int) -> None:
        self._state.notices.setdefault(name, at)

    def add_checkpoint(self, checkpoint: AuditCheckpoint) -> None:
        self._state.checkpoints.append(checkpoint)
