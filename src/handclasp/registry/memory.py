"""The registry in memory: for tests and for trying things; the same contract, forgotten with the process."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from handclasp.errors import AlreadyRegistered, NotRegistered, RegistryError
from handclasp.registry.audit_chain import chained
from handclasp.registry.records import (
    AuditEntry,
    Certificate,
    CertificateStatus,
    Client,
    ClientStatus,
    ClientSummary,
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


class _Reader:
    _state: _State

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


class MemoryRegistry(_Reader):
    def __init__(self) -> None:
        self._state = _State()
        self._commits = 0
        self._seen: int | None = None
        self._changing = False

    @contextmanager
    def change(self) -> Iterator["_Change"]:
        if self._changing:
            raise RegistryError("a change is under way already")
        change = _Change(copy.deepcopy(self._state))
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
            yield ClientSummary(client, len(active), max((c.not_after for c in active), default=None))

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

    def close(self) -> None:
        pass


class _Change(_Reader):
    def __init__(self, state: _State) -> None:
        self._state = state
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
