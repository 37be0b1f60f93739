"""What a SQL registry answers outside of transactions: lists, revision, trail, snapshot."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import groupby
from typing import Any

from handclasp.errors import AlreadyEstablished, RegistryDamaged
from handclasp.registry.port import Row
from handclasp.registry.records import AuditCheckpoint, AuditEntry, ClientSummary, Standing
from handclasp.registry.sql import rows
from handclasp.registry.sql.change import SELECT_LAST_AUDIT, SqlChange
from handclasp.registry.sql.reader import SqlReader
from handclasp.registry.sql.rows import CERTIFICATE, CERTIFICATE_WIDTH, CLIENT, CLIENT_WIDTH, qualified

SELECT_SUMMARIES = f"""
    SELECT {CLIENT},
        (SELECT count(*) FROM certificate AS c WHERE c.client_id = client.client_id AND c.status = 'active'),
        (SELECT not_before FROM certificate AS c WHERE c.client_id = client.client_id AND c.status = 'active'
            ORDER BY not_after DESC LIMIT 1),
        (SELECT max(not_after) FROM certificate AS c WHERE c.client_id = client.client_id AND c.status = 'active'),
        seen.last_seen_at, coalesce(seen.requests, 0)
    FROM client LEFT JOIN (
        SELECT certificate.client_id AS owner_id, max(last_seen_at) AS last_seen_at, sum(requests) AS requests
        FROM sighting JOIN certificate ON certificate.fingerprint = sighting.fingerprint
        GROUP BY certificate.client_id
    ) AS seen ON seen.owner_id = client.client_id
    ORDER BY client_id
"""
SELECT_REVISION = "SELECT value FROM revision"
SELECT_STANDINGS = f"""
    SELECT {qualified("certificate", CERTIFICATE)}, {qualified("client", CLIENT)}
    FROM certificate JOIN client ON client.client_id = certificate.client_id
    WHERE certificate.number IN (
        SELECT number FROM certificate WHERE revision > ?
        UNION
        SELECT c.number FROM certificate AS c JOIN client AS o ON o.client_id = c.client_id WHERE o.revision > ?
    )
"""
SELECT_AUDIT = f"SELECT {rows.AUDIT} FROM audit WHERE sequence > ? ORDER BY sequence"
SELECT_CHECKPOINTS = f"SELECT {rows.CHECKPOINT} FROM checkpoint ORDER BY sequence"

#: What a snapshot holds, parents before children, in the order rows were written. Gateways are here today only.
TABLES = {
    "revision": "value",
    "issuer": f"{rows.ISSUER}, number",
    "client": f"{CLIENT}, revision",
    "certificate": f"{CERTIFICATE}, revision, number",
    "audit": rows.AUDIT,
    "checkpoint": rows.CHECKPOINT,
    "operation": f"{rows.OPERATION}, number",
    "sighting": "fingerprint, last_seen_at, requests",
    "refusal": rows.REFUSAL,
    "notice": "name, sent_at",
}
_ORDERED_BY = {"issuer": "number", "certificate": "number", "operation": "number", "audit": "sequence"}
SELECT_IS_EMPTY = "SELECT 1 FROM issuer UNION ALL SELECT 1 FROM client UNION ALL SELECT 1 FROM audit LIMIT 1"


class SqlRegistry(SqlReader):
    """An adapter brings `change` and the connection behind `_run`."""

    def change(self) -> AbstractContextManager[SqlChange]:
        raise NotImplementedError

    def _stream(self, statement: str, *parameters: Any) -> Iterator[rows.Values]:
        with self._errors():
            yield from self._run(statement, parameters)

    def summaries(self) -> Iterator[ClientSummary]:
        for row in self._stream(SELECT_SUMMARIES):
            active, not_before, not_after, last_seen_at, requests = row[CLIENT_WIDTH:]
            client = rows.client(row[:CLIENT_WIDTH])
            yield ClientSummary(client, active, not_before, not_after, last_seen_at, int(requests))

    def revision(self) -> int:
        row = self._one(SELECT_REVISION)
        if row is None:
            raise RegistryDamaged("the registry has lost its revision", hint="restore it from a backup")
        return int(row[0])

    def standings(self, *, since: int = 0) -> Iterator[Standing]:
        for row in self._stream(SELECT_STANDINGS, since, since):
            yield Standing(rows.certificate(row[:CERTIFICATE_WIDTH]), rows.client(row[CERTIFICATE_WIDTH:]))

    def audit(self, *, after: int = 0) -> Iterator[AuditEntry]:
        for row in self._stream(SELECT_AUDIT, after):
            yield AuditEntry(*row)

    def last_audit(self) -> AuditEntry | None:
        row = self._one(SELECT_LAST_AUDIT)
        return AuditEntry(*row) if row else None

    def checkpoints(self) -> list[AuditCheckpoint]:
        return [AuditCheckpoint(*row) for row in self._all(SELECT_CHECKPOINTS)]

    def load(self, snapshot: Iterable[Row]) -> None:
        with self.change():
            if self._run(SELECT_IS_EMPTY).fetchone():
                raise AlreadyEstablished("there is an authority in this registry already")
            self._insert(snapshot)

    def replace(self, rows: Callable[[list[Row]], Iterable[Row]]) -> None:
        with self.change():
            made = list(rows([each for table in TABLES for each in self._rows(table)]))
            self._empty()
            self._insert(made)

    def _rows(self, table: str) -> Iterator[Row]:
        cursor = self._run(selection(table))
        columns = [each[0] for each in cursor.description]
        for row in cursor:
            yield table, dict(zip(columns, row, strict=True))

    def _empty(self) -> None:
        """Delete every row that a snapshot holds, children before parents; the audit trail's guard is lifted for it."""
        for table in reversed(TABLES):
            if table != "revision":
                self._run(f"DELETE FROM {table}")

    def _insert(self, snapshot: Iterable[Row]) -> None:
        for table, group in groupby(snapshot, key=lambda row: row[0]):
            columns = TABLES.get(table)
            if columns is None:
                raise RegistryDamaged(f"the snapshot holds an unknown table {table!r}")
            for _, row in group:
                if set(row) != set(columns.split(", ")):
                    raise RegistryDamaged(f"the snapshot's {table} has other columns than this version's")
                self._run(*_insertion(table, row))


def selection(table: str) -> str:
    """The statement that reads one table of a snapshot."""
    return f"SELECT {TABLES[table]} FROM {table} ORDER BY {_ORDERED_BY.get(table, '1')}"


def _insertion(table: str, row: dict[str, Any]) -> tuple[str, list[Any]]:
    if table == "revision":
        return "UPDATE revision SET value = ?", list(row.values())
    marks = ", ".join("?" for _ in row)
    return f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values())
