"""What the model remembers from step to step: every certificate there ever was, and what is final."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from handclasp.registry.audit_chain import chained
from handclasp.registry.operations import UNFINISHED, OperationStatus
from handclasp.registry.port import Registry
from handclasp.registry.records import (
    AuditEntry,
    Certificate,
    CertificateStatus,
    Client,
    ClientStatus,
    Issuer,
    IssuerStatus,
    RevocationReason,
)
from tests.model.world import World


@dataclass(frozen=True)
class Picture:
    """The registry's state at one moment, each record under its name."""

    clients: dict[str, Client]
    certificates: dict[str, Certificate]
    issuers: dict[str, Issuer]
    operations: dict[str, OperationStatus]
    audit: int

    @classmethod
    def of(cls, registry: Registry) -> "Picture":
        standings = list(registry.standings())
        last = registry.last_audit()
        return cls(
            {s.client.client_id: s.client for s in registry.summaries()},
            {s.certificate.fingerprint: s.certificate for s in standings},
            {i.issuer_id: i for i in registry.issuers()},
            {o.operation_id: o.status for o in registry.operations()},
            last.sequence if last else 0,
        )


@dataclass
class Ledger:
    """`taken` are the certificates that an operator has taken away, or has agreed to lose."""

    world: World
    picture: Picture
    last_entry: AuditEntry | None = None
    issued: dict[str, bytes] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)
    revoked_clients: set[str] = field(default_factory=set)
    retired: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)

    def take_in(self, *, restored: bool = False) -> None:
        """Compare with the moment before: what has changed is in the trail, and what is final has stayed."""
        before, after = self.picture, Picture.of(self.world.seen)
        entries = self._new_entries()
        self._agreed(after)
        if restored:
            assert "registry.restore" in [entry.action for entry in entries]
            self.taken |= before.certificates.keys() - after.certificates.keys()
            self.taken |= {f for f in after.certificates if not self.world.lets_in(f)}
        else:
            _has_entries(before, after, entries)
            self._superseded_with_care(before, after)
        self.issued |= {f: c.der for f, c in after.certificates.items()}
        self._final(after)
        self.picture = after

    def _agreed(self, after: Picture) -> None:
        """Whom the operator agreed to lock out has lost what is of a retired issuer."""
        for fingerprint, made in after.certificates.items():
            is_lost = made.status is CertificateStatus.REVOKED or (
                after.issuers[made.issuer_id].status is IssuerStatus.RETIRED
            )
            if made.client_id in self.world.agreed and is_lost:
                self.taken.add(fingerprint)
        if not any(status in UNFINISHED for status in after.operations.values()):
            self.world.agreed.clear()

    def _new_entries(self) -> list[AuditEntry]:
        """Each follows from the one before."""
        entries = list(self.world.seen.audit(after=self.last_entry.sequence if self.last_entry else 0))
        for entry in entries:
            fields = ("at", "actor", "action", "subject", "details")
            assert entry == chained(self.last_entry, **{name: getattr(entry, name) for name in fields})
            self.last_entry = entry
        return entries

    def _final(self, after: Picture) -> None:
        revoked = {f for f, c in after.certificates.items() if c.status is CertificateStatus.REVOKED}
        clients = {name for name, c in after.clients.items() if c.status is ClientStatus.REVOKED}
        retired = {i for i, issuer in after.issuers.items() if issuer.status is IssuerStatus.RETIRED}
        assert self.revoked <= revoked, "a revoked certificate came back"
        assert self.revoked_clients <= clients, "a revoked client came back"
        assert self.retired <= retired, "a retired issuer came back"
        self.revoked, self.revoked_clients, self.retired = revoked, clients, retired

    def _superseded_with_care(self, before: Picture, after: Picture) -> None:
        """What an operation took away was replaced, or it was nobody's, over, or agreed to be lost."""
        for fingerprint, known in before.certificates.items():
            now = after.certificates[fingerprint]
            if now.status is known.status or fingerprint in self.taken or now.delivered_at is None:
                continue
            if known.client_id is None or known.client_id.startswith("handclasp-verify"):
                continue
            if not known.not_before <= self.world.now <= known.not_after:
                continue
            assert now.revocation_reason in {RevocationReason.SUPERSEDED, RevocationReason.CA_COMPROMISE}
            others = (c for f, c in after.certificates.items() if f != fingerprint and c.client_id == known.client_id)
            assert any(c.delivered_at is not None and c.status is CertificateStatus.ACTIVE for c in others), (
                f"a certificate of {known.client_id} was superseded, and no other had been delivered"
            )


def _has_entries(before: Picture, after: Picture, entries: list[AuditEntry]) -> None:
    """Every change of state is in the audit trail: what, and to which."""
    facts = [(entry.action, entry.subject, json.loads(entry.details)) for entry in entries]
    for name, client in after.clients.items():
        known = before.clients.get(name)
        if known is None:
            assert _entry(facts, {"client.enrol"}, name), f"{name} was enrolled"
        elif known.status is not client.status:
            assert _entry(facts, None, name, after=client.status.value), f"{name} became {client.status}"
    for fingerprint, made in after.certificates.items():
        earlier = before.certificates.get(fingerprint)
        if earlier is None:
            assert _entry(facts, None, made.client_id, fingerprint=fingerprint), f"{made.client_id} was certified"
        if made.status is not (earlier.status if earlier else CertificateStatus.ACTIVE):
            actions = {"certificate.revoke", "certificate.supersede"}
            assert _entry(facts, actions, made.client_id, serial_number=made.serial_number)
    for issuer_id, issuer in after.issuers.items():
        same = before.issuers.get(issuer_id)
        if same is None or same.status is not issuer.status:
            assert _entry(facts, None, issuer_id, after=issuer.status.value), f"{issuer_id} became {issuer.status}"
    for operation_id, status in after.operations.items():
        if operation_id not in before.operations:
            assert _entry(facts, {"operation.begin"}, operation_id)
        elif status is not before.operations[operation_id] and status in _ENDS:
            assert _entry(facts, {_ENDS[status]}, operation_id)


_ENDS = {OperationStatus.DONE: "operation.done", OperationStatus.ABANDONED: "operation.abandon"}


def _entry(
    facts: Iterable[tuple[str, str, dict[str, Any]]], actions: set[str] | None, subject: str | None, **wanted: object
) -> bool:
    return any(
        (actions is None or action in actions)
        and of == subject
        and all(details.get(name) == value for name, value in wanted.items())
        for action, of, details in facts
    )
