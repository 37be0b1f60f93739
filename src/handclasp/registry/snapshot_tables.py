"""A snapshot sorted into its tables, to be looked at as a whole."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from handclasp.registry.port import Row
from handclasp.registry.records import AuditEntry

#: A row: its columns by name.
Columns = dict[str, Any]

#: Parents before children, as snapshots have them.
ORDER = (
    "revision",
    "issuer",
    "client",
    "certificate",
    "audit",
    "checkpoint",
    "operation",
    "sighting",
    "refusal",
    "notice",
)


@dataclass(frozen=True, slots=True)
class Tables:
    """A snapshot, sorted into its tables."""

    rows: dict[str, list[Columns]]

    @classmethod
    def of(cls, rows: Iterable[Row]) -> "Tables":
        found: dict[str, list[Columns]] = {table: [] for table in ORDER}
        for table, row in rows:
            found.setdefault(table, []).append(row)
        return cls(found)

    def __getitem__(self, table: str) -> list[Columns]:
        return self.rows[table]

    def all(self) -> Iterator[Row]:
        for table, rows in self.rows.items():
            for row in rows:
                yield table, row

    def revision(self) -> int:
        return max((row["value"] for row in self["revision"]), default=0)

    def entries(self) -> list[AuditEntry]:
        return [AuditEntry(**row) for row in self["audit"]]

    def roots(self) -> set[str]:
        return {row["fingerprint"] for row in self["issuer"] if row["parent_id"] is None}
