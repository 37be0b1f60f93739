"""Before trust is taken away it is said who would be locked out, and their number must be named."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handclasp.authority.probe import VERIFY_APPLICATION, VERIFY_CLIENT
from handclasp.authority.rotation.lock_out import LockedOut, confirm_lock_out, locked_out, suspension
from handclasp.errors import LockOutRefused
from handclasp.registry.fleet import Sighting
from handclasp.registry.port import Registry
from handclasp.registry.records import CertificateStatus, ClientStatus, RevocationReason
from handclasp.registry.sqlite import SqliteRegistry
from tests.registry import rows

NOW = 5_000
OLD, NEW = "issuer-1", "issuer-2"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    made = SqliteRegistry(tmp_path / "registry.db")
    with made.change() as change:
        change.add_issuer(rows.issuer(1))
        change.add_issuer(rows.issuer(2))
    yield made
    made.close()


class Clients:
    """Gives clients certificates, numbered as they come."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._number = 0

    def give(self, name: str, issuer: str, *, seen: int | None = None, **fields: object) -> None:
        self._number += 1
        made = replace(rows.certificate(self._number, name), issuer_id=issuer, delivered_at=1_000)
        made = replace(made, **fields)  # type: ignore[arg-type]
        with self._registry.change() as change:
            if name not in {s.client.client_id for s in self._registry.summaries()}:
                change.add_client(rows.client(name))
            change.add_certificate(made)
            if seen is not None:
                change.add_sightings([Sighting(made.fingerprint, seen, 1)])


@pytest.fixture
def clients(registry: Registry) -> Clients:
    return Clients(registry)


def named(registry: Registry, **more: int) -> list[tuple[str, int | None]]:
    return [(each.client_id, each.last_seen_at) for each in locked_out(registry, {OLD}, now=NOW, **more)]


def test_a_client_with_certificates_of_that_issuer_only_is_locked_out(registry: Registry, clients: Clients) -> None:
    clients.give("acme", OLD, seen=4_000)
    clients.give("beta", OLD)
    clients.give("both", OLD)
    clients.give("both", NEW)
    clients.give("other", NEW)
    assert named(registry) == [("acme", 4_000), ("beta", None)]


@pytest.mark.parametrize(
    "fields",
    [
        {"not_before": NOW + 1},
        {"not_after": NOW - 1},
        {"delivered_at": None},
        {"status": CertificateStatus.REVOKED, "revoked_at": 1, "revocation_reason": RevocationReason.SUPERSEDED},
    ],
)
def test_a_certificate_that_cannot_be_used_saves_nobody(
    registry: Registry, clients: Clients, fields: dict[str, Any]
) -> None:
    clients.give("acme", OLD)
    clients.give("acme", NEW, **fields)
    assert named(registry) == [("acme", None)]


def test_who_is_refused_already_is_not_locked_out(registry: Registry, clients: Clients) -> None:
    clients.give("acme", OLD, not_after=NOW - 1)
    clients.give("beta", OLD)
    with registry.change() as change:
        change.set_client_status("beta", ClientStatus.SUSPENDED)
    assert named(registry) == []


def test_who_was_seen_last_with_the_old_one_still_depends_on_it(registry: Registry, clients: Clients) -> None:
    for name, old, new in (("never-moved", 4_000, None), ("moved", 4_000, 4_001), ("went-back", 4_002, 4_001)):
        clients.give(name, OLD, seen=old)
        clients.give(name, NEW, seen=new)
    clients.give("long-ago", OLD, seen=100)
    clients.give("long-ago", NEW)
    assert named(registry) == []
    assert named(registry, in_use_since=3_000) == [("never-moved", 4_000), ("went-back", 4_002)]


def test_probes_are_nobody(registry: Registry, clients: Clients) -> None:
    with registry.change() as change:
        change.add_client(replace(rows.client(VERIFY_CLIENT), application=VERIFY_APPLICATION))
    clients.give(VERIFY_CLIENT, OLD)
    assert named(registry) == []


def test_thousands_of_clients_are_looked_through_page_by_page(registry: Registry) -> None:
    names = [f"client-{number:04}" for number in range(1_201)]
    with registry.change() as change:
        for number, name in enumerate(names):
            change.add_client(rows.client(name))
            change.add_certificate(rows.certificate(number, name))
    assert [name for name, _ in named(registry)] == names


def test_the_number_must_be_named_exactly() -> None:
    found = [LockedOut("acme", 0, "why"), LockedOut("beta", None, "why")]
    confirm_lock_out(found, 2, "retiring")
    confirm_lock_out([], None, "retiring")
    confirm_lock_out([], 7, "retiring")
    with pytest.raises(LockOutRefused) as raised:
        confirm_lock_out(found, None, "retiring")
    assert str(raised.value) == (
        "retiring would lock out 2 active clients: acme (last seen 1970-01-01T00:00:00Z), beta (never seen)"
    )
    assert raised.value.hint == "pass --lock-out 2 if that is meant"
    for wrong in (0, 1, 3):
        with pytest.raises(LockOutRefused, match=f"2 active clients, not the {wrong} you named"):
            confirm_lock_out(found, wrong, "retiring")


def test_many_are_counted_and_the_first_named() -> None:
    found = [LockedOut(f"c{number}", None, "why") for number in range(25)]
    with pytest.raises(LockOutRefused, match=r"c9 \(never seen\) and 15 more$"):
        confirm_lock_out(found, None, "retiring")


def test_suspending_locks_out_the_client_itself_if_it_is_let_in(registry: Registry, clients: Clients) -> None:
    clients.give("acme", OLD, seen=4_000)
    clients.give("gone", OLD, not_after=NOW - 1)
    assert suspension(registry, "ACME", NOW) == [LockedOut("acme", 4_000, "it would be suspended")]
    assert suspension(registry, "gone", NOW) == []
    with registry.change() as change:
        change.set_client_status("acme", ClientStatus.SUSPENDED)
    assert suspension(registry, "acme", NOW) == []
