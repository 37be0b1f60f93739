"""Writing: what a transaction may do."""

from collections.abc import Iterable
from typing import Any

from handclasp.errors import LeaseLost, NotRegistered
from handclasp.registry.fleet import Gateway, Refusals, Sighting
from handclasp.registry.operations import Operation
from handclasp.registry.records import (
    AuditCheckpoint,
    AuditEntry,
    Certificate,
    CertificateStatus,
    Client,
    ClientStatus,
    Issuer,
    IssuerStatus,
    RevocationReason,
)
from handclasp.registry.sql import rows
from handclasp.registry.sql.reader import SqlReader
from handclasp.registry.sql.rows import placeholders, values

RAISE_REVISION = "UPDATE revision SET value = value + 1 RETURNING value"
INSERT_CLIENT = f"INSERT INTO client ({rows.CLIENT}, revision) VALUES ({placeholders(rows.CLIENT)}, ?)"
INSERT_CERTIFICATE = (
    f"INSERT INTO certificate ({rows.CERTIFICATE}, revision) VALUES ({placeholders(rows.CERTIFICATE)}, ?)"
)
INSERT_ISSUER = f"INSERT INTO issuer ({rows.ISSUER}) VALUES ({placeholders(rows.ISSUER)})"
INSERT_AUDIT = f"INSERT INTO audit ({rows.AUDIT}) VALUES ({placeholders(rows.AUDIT)})"
INSERT_CHECKPOINT = f"INSERT INTO checkpoint ({rows.CHECKPOINT}) VALUES ({placeholders(rows.CHECKPOINT)})"
INSERT_OPERATION = f"INSERT INTO operation ({rows.OPERATION}) VALUES ({placeholders(rows.OPERATION)})"
INSERT_NOTICE = "INSERT INTO notice (name, sent_at) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"
SELECT_LAST_AUDIT = f"SELECT {rows.AUDIT} FROM audit ORDER BY sequence DESC LIMIT 1"
UPDATE_CLIENT_STATUS = "UPDATE client SET status = ?, revision = ? WHERE client_id = ?"
UPDATE_CERTIFICATE_STATUS = """
    UPDATE certificate SET status = ?, revoked_at = ?, revocation_reason = ?, revision = ?
    WHERE issuer_id = ? AND serial_number = ?
"""
UPDATE_DELIVERED = "UPDATE certificate SET delivered_at = ? WHERE issuer_id = ? AND serial_number = ?"
UPDATE_REPLACED = """
    UPDATE certificate SET replaced_by = ?,
        supersede_at = CASE WHEN supersede_at < ? THEN supersede_at ELSE ? END
    WHERE issuer_id = ? AND serial_number = ?
"""
UPDATE_ISSUER_STATUS = "UPDATE issuer SET status = ? WHERE issuer_id = ?"
_OPERATION_FIELDS = rows.OPERATION.split(", ")[1:]
UPDATE_OPERATION = (
    f"UPDATE operation SET {', '.join(f'{name} = ?' for name in _OPERATION_FIELDS)} "
    "WHERE operation_id = ? AND fence <= ?"
)
_GATEWAY_FIELDS = rows.GATEWAY.split(", ")[1:]
UPSERT_GATEWAY = (
    f"INSERT INTO gateway ({rows.GATEWAY}) VALUES ({placeholders(rows.GATEWAY)}) ON CONFLICT (gateway_id) DO UPDATE "
    f"SET {', '.join(f'{name} = excluded.{name}' for name in _GATEWAY_FIELDS)}"
)
DELETE_GATEWAY = "DELETE FROM gateway WHERE gateway_id = ?"
SELECT_IS_CERTIFICATE = "SELECT 1 FROM certificate WHERE fingerprint = ?"
UPSERT_SIGHTING = """
    INSERT INTO sighting (fingerprint, last_seen_at, requests) VALUES (?, ?, ?)
    ON CONFLICT (fingerprint) DO UPDATE SET requests = sighting.requests + excluded.requests, last_seen_at =
        CASE WHEN sighting.last_seen_at > excluded.last_seen_at
            THEN sighting.last_seen_at ELSE excluded.last_seen_at END
"""
UPSERT_REFUSAL = """
    INSERT INTO refusal (fingerprint, reason, requests, last_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (fingerprint, reason) DO UPDATE SET requests = refusal.requests + excluded.requests, last_at =
        CASE WHEN refusal.last_at > excluded.last_at THEN refusal.last_at ELSE excluded.last_at END
"""


class SqlChange(SqlReader):
    _raised_revision: int | None = None
    #: the trail's end as this transaction knows it: nobody else writes meanwhile
    _last_audit: AuditEntry | None = None

    def _revision(self) -> int:
        """This transaction's revision, raised once."""
        if self._raised_revision is None:
            row = self._run(RAISE_REVISION).fetchone()
            self._raised_revision = int(row[0])
        return self._raised_revision

    def add_client(self, client: Client) -> None:
        self._run(INSERT_CLIENT, (*values(client), self._revision()))

    def set_client_status(self, client_id: str, status: ClientStatus) -> None:
        _changed(self._run(UPDATE_CLIENT_STATUS, (status, self._revision(), client_id)), f"client {client_id}")

    def add_certificate(self, certificate: Certificate) -> None:
        fields = list(values(certificate))
        fields[15] = int(certificate.own_csr)
        self._run(INSERT_CERTIFICATE, (*fields, self._revision()))

    def set_certificate_status(
        self,
        certificate: Certificate,
        status: CertificateStatus,
        *,
        at: int,
        reason: RevocationReason | None,
    ) -> None:
        key = (certificate.issuer_id, certificate.serial_number)
        cursor = self._run(UPDATE_CERTIFICATE_STATUS, (status, at, reason, self._revision(), *key))
        _changed(cursor, f"certificate {certificate.serial_number}")

    def set_delivered(self, issuer_id: str, serial_number: str, at: int) -> None:
        _changed(self._run(UPDATE_DELIVERED, (at, issuer_id, serial_number)), f"certificate {serial_number}")

    def set_replaced(self, certificate: Certificate, *, replaced_by: str, supersede_at: int) -> None:
        key = (certificate.issuer_id, certificate.serial_number)
        cursor = self._run(UPDATE_REPLACED, (replaced_by, supersede_at, supersede_at, *key))
        _changed(cursor, f"certificate {certificate.serial_number}")

    def add_issuer(self, issuer: Issuer) -> None:
        self._revision()
        self._run(INSERT_ISSUER, values(issuer))

    def set_issuer_status(self, issuer_id: str, status: IssuerStatus) -> None:
        self._revision()
        _changed(self._run(UPDATE_ISSUER_STATUS, (status, issuer_id)), f"issuer {issuer_id}")

    def record(self, *, at: int, actor: str, action: str, subject: str, details: str) -> None:
        # Imported here: what only reads starts faster without json and hashlib.
        from handclasp.registry.audit_chain import chained  # noqa: PLC0415

        if self._last_audit is None:
            row = self._run(SELECT_LAST_AUDIT).fetchone()
            self._last_audit = AuditEntry(*row) if row else None
        entry = chained(self._last_audit, at=at, actor=actor, action=action, subject=subject, details=details)
        self._run(INSERT_AUDIT, values(entry))
        self._last_audit = entry

    def add_operation(self, operation: Operation) -> None:
        self._run(INSERT_OPERATION, values(operation))

    def save_operation(self, operation: Operation) -> None:
        identifier, *fields = values(operation)
        if self._run(UPDATE_OPERATION, (*fields, identifier, operation.fence)).rowcount == 1:
            return
        stored = self.operation(operation.operation_id)
        raise LeaseLost(f"operation {operation.operation_id} was taken over by {stored.holder or 'somebody else'}")

    def report_gateway(self, gateway: Gateway) -> None:
        self._run(UPSERT_GATEWAY, rows.gateway_values(gateway, self._clock()))

    def forget_gateway(self, gateway_id: str) -> None:
        self._run(DELETE_GATEWAY, (gateway_id,))

    def add_sightings(self, sightings: Iterable[Sighting], refusals: Iterable[Refusals] = ()) -> None:
        for seen in sightings:
            if self._is_certificate(seen.fingerprint):
                self._run(UPSERT_SIGHTING, values(seen))
        for refused in refusals:
            fingerprint = refused.fingerprint if self._is_certificate(refused.fingerprint) else ""
            self._run(UPSERT_REFUSAL, (fingerprint, *values(refused)[1:]))

    def _is_certificate(self, fingerprint: str) -> bool:
        return self._run(SELECT_IS_CERTIFICATE, (fingerprint,)).fetchone() is not None

    def remember_notice(self, name: str, at: int) -> None:
        self._run(INSERT_NOTICE, (name, at))

    def add_checkpoint(self, checkpoint: AuditCheckpoint) -> None:
        self._run(INSERT_CHECKPOINT, values(checkpoint))


def _changed(cursor: Any, what: str) -> None:
    if cursor.rowcount != 1:
        raise NotRegistered(f"no {what} is registered")
