"""Reading: what a transaction and a registry outside of one answer alike."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from handclasp.errors import NotRegistered
from handclasp.registry.fleet import Gateway, Refusals, Sighting
from handclasp.registry.operations import UNFINISHED, Operation
from handclasp.registry.records import AuditCheckpoint, Certificate, Client, Holding, Issuer
from handclasp.registry.sql import rows
from handclasp.registry.sql.rows import CERTIFICATE, CERTIFICATE_WIDTH, CLIENT, CLIENT_WIDTH, qualified

#: A connection's execute: statement with ? for each parameter, parameters; a DB-API cursor comes back.
Run = Callable[..., Any]

SELECT_CLIENT = f"SELECT {CLIENT} FROM client WHERE client_id = ?"
SELECT_CERTIFICATE = f"SELECT {CERTIFICATE} FROM certificate WHERE issuer_id = ? AND serial_number = ?"
SELECT_CERTIFICATES = f"SELECT {CERTIFICATE} FROM certificate WHERE client_id = ? ORDER BY created_at, number"
SELECT_KEY_OWNER = "SELECT client_id FROM certificate WHERE public_key_id = ? LIMIT 1"
SELECT_ISSUERS = f"SELECT {rows.ISSUER} FROM issuer ORDER BY created_at, number"
_HELD = f"""
    SELECT {qualified("certificate", CERTIFICATE)}, {qualified("client", CLIENT)},
        sighting.last_seen_at, sighting.requests
    FROM certificate
    JOIN client ON client.client_id = certificate.client_id
    LEFT JOIN sighting ON sighting.fingerprint = certificate.fingerprint
"""
SELECT_HOLDINGS = f"""{_HELD}
    WHERE certificate.status = 'active' AND certificate.client_id IN (
        SELECT DISTINCT client_id FROM certificate
        WHERE status = 'active' AND client_id > ? ORDER BY client_id LIMIT ?)
    ORDER BY certificate.client_id, certificate.created_at, certificate.number
"""
SELECT_HOLDINGS_OF_ISSUER = f"""{_HELD}
    WHERE certificate.status = 'active' AND certificate.issuer_id = ? AND certificate.client_id IN (
        SELECT DISTINCT client_id FROM certificate
        WHERE issuer_id = ? AND status = 'active' AND client_id > ? ORDER BY client_id LIMIT ?)
    ORDER BY certificate.client_id, certificate.created_at, certificate.number
"""
SELECT_HOLDERS = "SELECT count(DISTINCT client_id) FROM certificate WHERE status = 'active'"
SELECT_HOLDERS_OF_ISSUER = f"{SELECT_HOLDERS} AND issuer_id = ?"
SELECT_COMPROMISED_KEYS = "SELECT DISTINCT public_key_id FROM certificate WHERE revocation_reason = 'keyCompromise'"
SELECT_SUPERSEDING = f"""{_HELD}
    WHERE certificate.status = 'active' AND certificate.supersede_at <= ?
    ORDER BY certificate.supersede_at, certificate.client_id LIMIT ?
"""
SELECT_SIGHTING = "SELECT fingerprint, last_seen_at, requests FROM sighting WHERE fingerprint = ?"
SELECT_REFUSALS = f"SELECT {rows.REFUSAL} FROM refusal ORDER BY last_at DESC, fingerprint, reason"
SELECT_OPERATION = f"SELECT {rows.OPERATION} FROM operation WHERE operation_id = ?"
SELECT_OPERATIONS = f"SELECT {rows.OPERATION} FROM operation ORDER BY created_at DESC, number DESC"
SELECT_UNFINISHED = f"""
    SELECT {rows.OPERATION} FROM operation WHERE status IN ({", ".join(f"'{each.value}'" for each in UNFINISHED)})
    ORDER BY created_at DESC, number DESC
"""
SELECT_GATEWAYS = f"SELECT {rows.GATEWAY} FROM gateway ORDER BY gateway_id"
SELECT_NOTICE = "SELECT 1 FROM notice WHERE name = ?"
SELECT_LAST_CHECKPOINT = f"SELECT {rows.CHECKPOINT} FROM checkpoint ORDER BY sequence DESC LIMIT 1"


class SqlReader:
    """`clock` is the registry's; `errors` turns the driver's errors into ours."""

    def __init__(
        self, run: Run, clock: Callable[[], float], errors: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._run = run
        self._clock = clock
        self._errors = errors

    def _one(self, statement: str, *parameters: Any) -> rows.Values | None:
        with self._errors():
            found: rows.Values | None = self._run(statement, parameters).fetchone()
        return found

    def _all(self, statement: str, *parameters: Any) -> list[rows.Values]:
        with self._errors():
            found: list[rows.Values] = self._run(statement, parameters).fetchall()
        return found

    def now(self) -> int:
        with self._errors():
            return int(self._clock())

    def client(self, client_id: str) -> Client:
        row = self._one(SELECT_CLIENT, client_id)
        if row is None:
            raise NotRegistered(f"no client {client_id} is registered", hint="handclasp client list shows all clients")
        return rows.client(row)

    def certificate(self, issuer_id: str, serial_number: str) -> Certificate:
        row = self._one(SELECT_CERTIFICATE, issuer_id, serial_number)
        if row is None:
            raise NotRegistered(f"no certificate {serial_number} of issuer {issuer_id} is registered")
        return rows.certificate(row)

    def certificates(self, client_id: str) -> list[Certificate]:
        return [rows.certificate(row) for row in self._all(SELECT_CERTIFICATES, client_id)]

    def public_key_owner(self, public_key_id: str) -> str | None:
        row = self._one(SELECT_KEY_OWNER, public_key_id)
        return None if row is None else (row[0] or "")

    def issuers(self) -> list[Issuer]:
        return [rows.issuer(row) for row in self._all(SELECT_ISSUERS)]

    def holdings(self, *, issuer_id: str | None = None, after: str = "", clients: int = 500) -> list[Holding]:
        if issuer_id is None:
            found = self._all(SELECT_HOLDINGS, after, clients)
        else:
            found = self._all(SELECT_HOLDINGS_OF_ISSUER, issuer_id, issuer_id, after, clients)
        return [_holding(row) for row in found]

    def holders(self, *, issuer_id: str | None = None) -> int:
        row = self._one(SELECT_HOLDERS) if issuer_id is None else self._one(SELECT_HOLDERS_OF_ISSUER, issuer_id)
        return 0 if row is None else int(row[0])

    def compromised_keys(self) -> set[str]:
        return {row[0] for row in self._all(SELECT_COMPROMISED_KEYS)}

    def superseding(self, before: int, *, limit: int = 500) -> list[Holding]:
        return [_holding(row) for row in self._all(SELECT_SUPERSEDING, before, limit)]

    def sighting(self, fingerprint: str) -> Sighting | None:
        row = self._one(SELECT_SIGHTING, fingerprint)
        return None if row is None else Sighting(*row)

    def refusals(self) -> list[Refusals]:
        return [rows.refusals(row) for row in self._all(SELECT_REFUSALS)]

    def operation(self, operation_id: str) -> Operation:
        row = self._one(SELECT_OPERATION, operation_id)
        if row is None:
            raise NotRegistered(
                f"no operation {operation_id} is registered", hint="handclasp operation list shows all operations"
            )
        return rows.operation(row)

    def operations(self, *, unfinished: bool = False) -> list[Operation]:
        return [rows.operation(row) for row in self._all(SELECT_UNFINISHED if unfinished else SELECT_OPERATIONS)]

    def gateways(self) -> list[Gateway]:
        found = self._all(SELECT_GATEWAYS)
        with self._errors():
            now = self._clock()
        return [rows.gateway(row, now) for row in found]

    def noticed(self, name: str) -> bool:
        return self._one(SELECT_NOTICE, name) is not None

    def last_checkpoint(self) -> AuditCheckpoint | None:
        row = self._one(SELECT_LAST_CHECKPOINT)
        return None if row is None else AuditCheckpoint(*row)


def _holding(row: rows.Values) -> Holding:
    end = CERTIFICATE_WIDTH + CLIENT_WIDTH
    held = rows.certificate(row[:CERTIFICATE_WIDTH])
    return Holding(held, rows.client(row[CERTIFICATE_WIDTH:end]), row[end], row[end + 1] or 0)
