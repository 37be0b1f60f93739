"""A snapshot brought back over a registry that has gone on since: nothing that was taken away comes back.

The rules, each of which only ever takes trust away:
- A client, certificate or issuer that is suspended, revoked or retired on either side is so afterwards.
- What was revoked since the snapshot and is not in it is kept as it is now, with the client it belongs to and its
  issuer, which is retired: a restore brings no trust that the snapshot does not hold.
- What was issued since and is active is forgotten; `Difference.issued` names it.
- The audit trail goes on where it is, if it goes on from the snapshot's; so no entry and no checkpoint is lost. Where
  it does not (another trail, a broken one), the snapshot's is brought back, and what is lost is told.
- Operations are held by nobody, and whoever still works on one has lost it.
"""

from dataclasses import dataclass, field

from handclasp.registry.audit_chain import broken_at
from handclasp.registry.snapshot_tables import Columns, Tables

#: A status further right is never replaced by one further left.
_CLIENT = ("active", "suspended", "revoked")
_CERTIFICATE = ("active", "revoked")
_RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Difference:
    """What the registry has beyond the snapshot.

    `withdrawn`: (kind, name, status now) of what the snapshot has active; `issued`: active certificates it does not
    have, (client or "-", serial number); `clients`: those it does not have. `trail_cut`: entries may be missing,
    because the registry had none, or `lost_entries` that do not follow from the snapshot's.
    """

    withdrawn: tuple[tuple[str, str, str], ...] = ()
    issued: tuple[tuple[str, str], ...] = ()
    clients: tuple[str, ...] = ()
    trail_cut: bool = True
    lost_entries: int = 0


@dataclass(frozen=True, slots=True)
class Merge:
    tables: Tables
    difference: Difference


@dataclass
class _Sides:
    snapshot: Tables
    current: Tables
    revision: int
    withdrawn: list[tuple[str, str, str]] = field(default_factory=list)


def merged(snapshot: Tables, current: Tables) -> Merge:
    """The rows to be, and what they differ in from `current`."""
    sides = _Sides(snapshot, current, max(snapshot.revision(), current.revision()) + 1)
    certificates, carried = _certificates(sides)
    clients, forgotten = _clients(sides, {row["client_id"].lower() for row in carried if row["client_id"]})
    issuers = _issuers(sides, {row["issuer_id"] for row in carried})
    trail, lost = _trail(snapshot, current)
    known = {(row["issuer_id"], row["serial_number"]) for row in certificates}
    issued = [row for row in current["certificate"] if (row["issuer_id"], row["serial_number"]) not in known]
    tables = Tables(
        snapshot.rows
        | {
            "revision": [{"value": sides.revision}],
            "issuer": issuers,
            "client": clients,
            "certificate": certificates,
            "audit": trail["audit"],
            "checkpoint": trail["checkpoint"],
            "operation": [_let_go(row, current) for row in snapshot["operation"]],
        }
    )
    return Merge(
        tables,
        Difference(
            withdrawn=tuple(sides.withdrawn),
            issued=tuple((row["client_id"] or "-", row["serial_number"]) for row in issued),
            clients=tuple(forgotten),
            trail_cut=lost > 0 or not current["audit"],
            lost_entries=lost,
        ),
    )


def _certificates(sides: _Sides) -> tuple[list[Columns], list[Columns]]:
    """All that are to be, and among them those the snapshot does not have."""
    now = {(row["issuer_id"], row["serial_number"]): row for row in sides.current["certificate"]}
    kept = []
    for row in sides.snapshot["certificate"]:
        later = now.pop((row["issuer_id"], row["serial_number"]), None)
        if later is not None and _further(_CERTIFICATE, row, later):
            sides.withdrawn.append(("certificate", _name(row), later["status"]))
            fields = {name: later[name] for name in ("status", "revoked_at", "revocation_reason")}
            kept.append(row | fields | {"revision": sides.revision})
        else:
            kept.append(row)
    number = max((row["number"] for row in kept), default=0)
    carried = [row for row in now.values() if row["status"] != "active"]
    carried = [row | {"number": number + n, "revision": sides.revision} for n, row in enumerate(carried, start=1)]
    return kept + carried, carried


def _clients(sides: _Sides, needed: set[str]) -> tuple[list[Columns], list[str]]:
    """All that are to be, and the names of those forgotten."""
    now = {row["client_id"].lower(): row for row in sides.current["client"]}
    kept = []
    for row in sides.snapshot["client"]:
        later = now.pop(row["client_id"].lower(), None)
        if later is not None and _further(_CLIENT, row, later):
            sides.withdrawn.append(("client", row["client_id"], later["status"]))
            kept.append(row | {"status": later["status"], "revision": sides.revision})
        else:
            kept.append(row)
    carried = [row for name, row in now.items() if row["status"] != "active" or name in needed]
    names = {row["client_id"] for row in carried}
    forgotten = [row["client_id"] for row in now.values() if row["client_id"] not in names]
    return kept + [row | {"revision": sides.revision} for row in carried], forgotten


def _issuers(sides: _Sides, needed: set[str]) -> list[Columns]:
    now = {row["issuer_id"]: row for row in sides.current["issuer"]}
    kept = []
    for row in sides.snapshot["issuer"]:
        later = now.pop(row["issuer_id"], None)
        if later is not None and later["status"] == _RETIRED != row["status"]:
            sides.withdrawn.append(("issuer", row["subject"], _RETIRED))
            kept.append(row | {"status": _RETIRED})
        else:
            kept.append(row)
    # An issuer's own issuer is needed with it; a later one may have been made by it, so the newest is looked at first.
    carried: list[Columns] = []
    for row in sorted(now.values(), key=lambda each: each["number"], reverse=True):
        if row["status"] == _RETIRED or row["issuer_id"] in needed:
            carried.insert(0, row | {"status": _RETIRED})
            needed = needed | {row["parent_id"]}
    number = max((row["number"] for row in kept), default=0)
    return kept + [row | {"number": number + n} for n, row in enumerate(carried, start=1)]


def _trail(snapshot: Tables, current: Tables) -> tuple[Tables, int]:
    """Whose audit trail stays, and how many entries of the current one are lost with it."""
    ours, theirs = snapshot["audit"], current["audit"]
    if not theirs:
        return snapshot, 0
    if _has_head(theirs, ours) and broken_at(current.entries()) is None:
        return current, 0
    if _has_head(ours, theirs):
        return snapshot, 0
    shared = {row["hash"] for row in ours}
    return snapshot, sum(row["hash"] not in shared for row in theirs)


def _has_head(trail: list[Columns], of: list[Columns]) -> bool:
    """True if the last entry of `of` is in `trail`, where it was: so all before it is too."""
    return not of or (len(trail) >= len(of) and trail[len(of) - 1] == of[-1])


def _let_go(operation: Columns, current: Tables) -> Columns:
    fences = [row["fence"] for row in current["operation"] if row["operation_id"] == operation["operation_id"]]
    fence = max([operation["fence"], *fences]) + 1
    return operation | {"holder": None, "lease_until": None, "fence": fence}


def _further(statuses: tuple[str, ...], row: Columns, later: Columns) -> bool:
    return statuses.index(later["status"]) > statuses.index(row["status"])


def _name(certificate: Columns) -> str:
    return f"{certificate['serial_number']} of {certificate['client_id'] or 'nobody'}"
