"""Columns, and records from rows: a table's columns stand in the order of its record's fields."""

from typing import Any

from handclasp.registry.fleet import Gateway, Refusals
from handclasp.registry.operations import Operation, OperationStatus
from handclasp.registry.records import (
    Certificate,
    CertificateStatus,
    Client,
    ClientStatus,
    Issuer,
    IssuerKind,
    IssuerStatus,
    RevocationReason,
)

Values = tuple[Any, ...]

CLIENT = "client_id, environment, application, owner, contact, status, created_at"
CERTIFICATE = (
    "issuer_id, serial_number, fingerprint, client_id, profile, subject, public_key_id, not_before, not_after, "
    "status, created_at, der, revoked_at, revocation_reason, delivered_at, own_csr, replaced_by, supersede_at"
)
ISSUER = (
    "issuer_id, kind, subject, serial_number, fingerprint, not_before, not_after, status, key_name, parent_id, "
    "created_at, der, cross_certificate"
)
AUDIT = "sequence, at, actor, action, subject, details, previous, hash"
CHECKPOINT = "sequence, hash, at, public_key, signature"
OPERATION = (
    "operation_id, kind, arguments, status, step, cursor, state, holder, lease_until, fence, attempts, created_at, "
    "updated_at, finished_at, waiting_for, error"
)
GATEWAY = (
    "gateway_id, address, server_name, environments, revision, trust, server_issuer, log_position, awake_since, "
    "reported_at"
)
REFUSAL = "fingerprint, reason, requests, last_at"

CLIENT_WIDTH = CLIENT.count(",") + 1
CERTIFICATE_WIDTH = CERTIFICATE.count(",") + 1

#: A lookup costs a tenth of what calling the enumeration does, and lists are long.
_CLIENT_STATUSES = {status.value: status for status in ClientStatus}
_CERTIFICATE_STATUSES = {status.value: status for status in CertificateStatus}


def qualified(table: str, columns: str) -> str:
    return ", ".join(f"{table}.{name}" for name in columns.split(", "))


def placeholders(columns: str) -> str:
    return ", ".join("?" for _ in columns.split(", "))


def values(record: Any) -> Values:
    return tuple(getattr(record, name) for name in record.__slots__)


def client(row: Values) -> Client:
    name, environment, application, owner, contact, status, created_at = row
    return Client(name, environment, application, owner, contact, _CLIENT_STATUSES[status], created_at)


def certificate(row: Values) -> Certificate:
    found = list(row)
    found[9] = _CERTIFICATE_STATUSES[found[9]]
    found[11] = bytes(found[11])
    found[13] = RevocationReason(found[13]) if found[13] else None
    found[15] = bool(found[15])
    return Certificate(*found)


def issuer(row: Values) -> Issuer:
    found = list(row)
    found[1] = IssuerKind(found[1])
    found[7] = IssuerStatus(found[7])
    found[11] = bytes(found[11])
    found[12] = None if found[12] is None else bytes(found[12])
    return Issuer(*found)


def operation(row: Values) -> Operation:
    found = list(row)
    found[3] = OperationStatus(found[3])
    return Operation(*found)


def gateway(row: Values, now: float) -> Gateway:
    found = list(row)
    found[3] = None if found[3] is None else tuple(filter(None, found[3].split("\n")))
    found[9] = max(0.0, now - found[9])
    return Gateway(*found)


def gateway_values(report: Gateway, now: float) -> Values:
    environments = None if report.environments is None else "\n".join(report.environments)
    return (*values(report)[:3], environments, *values(report)[4:9], now)


def refusals(row: Values) -> Refusals:
    return Refusals(*row)
