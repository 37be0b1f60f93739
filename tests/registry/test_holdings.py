"""Active certificates, page by page, and those that may be superseded: in every adapter."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handclasp.errors import NotRegistered
from handclasp.registry.fleet import Sighting
from handclasp.registry.port import Registry
from handclasp.registry.records import CertificateStatus, Holding, RevocationReason
from tests.registry import rows
from tests.registry.conftest import NewRegistry


def _every_page(registry: Registry, clients: int, issuer_id: str | None = None) -> list[list[Holding]]:
    pages: list[list[Holding]] = []
    after = ""
    while page := registry.holdings(issuer_id=issuer_id, after=after, clients=clients):
        pages.append(page)
        after = page[-1].client.client_id
    return pages


def test_a_holding_is_a_certificate_its_client_and_when_it_was_seen(registry: Registry) -> None:
    rows.fill(registry, "acme", "beta")
    with registry.change() as change:
        change.add_sightings([Sighting("fingerprint-2", 700, 4)])
    assert registry.holdings() == [
        Holding(rows.certificate(1, "acme"), rows.client("acme"), None, 0),
        Holding(rows.certificate(2, "beta"), rows.client("beta"), 700, 4),
    ]


def test_what_is_revoked_or_nobodys_is_not_held(registry: Registry) -> None:
    rows.fill(registry, "acme", "beta")
    with registry.change() as change:
        change.add_certificate(rows.certificate(9, None))
        change.set_certificate_status(rows.certificate(1), CertificateStatus.REVOKED, at=5, reason=None)
    assert [each.client.client_id for each in registry.holdings()] == ["beta"]


def test_a_page_holds_whole_clients_with_the_oldest_certificate_first(registry: Registry) -> None:
    rows.fill(registry, "acme", "beta", "gamma")
    with registry.change() as change:
        change.add_certificate(rows.certificate(7, "acme", created_at=500))
        change.add_certificate(rows.certificate(8, "beta", created_at=2_000))
        change.add_certificate(rows.certificate(9, "acme"))  # of the same second as its first, and added later
    pages = [
        [(each.client.client_id, each.certificate.serial_number) for each in page]
        for page in _every_page(registry, clients=2)
    ]
    assert pages == [[("acme", "7"), ("acme", "1"), ("acme", "9"), ("beta", "2"), ("beta", "8")], [("gamma", "3")]]


def test_of_one_issuer_only_its_own_certificates_are_listed(registry: Registry) -> None:
    rows.fill(registry, "acme", "beta", "gamma")
    with registry.change() as change:
        change.add_issuer(rows.issuer(2, "issuer-1"))
        for number, name in ((7, "acme"), (8, "gamma")):
            change.add_certificate(replace(rows.certificate(number, name), issuer_id="issuer-2"))
    pages = _every_page(registry, clients=1, issuer_id="issuer-2")
    assert [[each.certificate.serial_number for each in page] for page in pages] == [["7"], ["8"]]
    assert [len(page) for page in _every_page(registry, clients=1, issuer_id="issuer-1")] == [1, 1, 1]
    assert registry.holdings(issuer_id="unknown") == []


_NAMES = st.from_regex(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,6}[A-Za-z0-9])?", fullmatch=True)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    clients=st.dictionaries(_NAMES.map(str.lower), st.integers(0, 3), max_size=8),
    shouted=st.sets(st.integers(0, 7)),
    page=st.integers(1, 3),
)
def test_paging_visits_every_active_certificate_once_whatever_the_names(
    kind: str, new_registry: NewRegistry, clients: dict[str, int], shouted: set[int], page: int
) -> None:
    registry = new_registry(kind)
    expected = set()
    with registry.change() as change:
        change.add_issuer(rows.issuer())
        for number, (name, count) in enumerate(clients.items()):
            change.add_client(rows.client(name.upper() if number in shouted else name))
            for each in range(count):
                certificate = rows.certificate(number * 10 + each + 1, name)
                change.add_certificate(certificate)
                if each == 2:
                    change.set_certificate_status(
                        certificate, CertificateStatus.REVOKED, at=5, reason=RevocationReason.SUPERSEDED
                    )
                else:
                    expected.add(certificate.serial_number)
    pages = _every_page(registry, page)
    found = [each.certificate.serial_number for held in pages for each in held]
    assert sorted(found) == sorted(expected)
    assert all(len({each.client.client_id for each in held}) <= page for held in pages)
    registry.close()


def test_a_replaced_certificate_says_by_which_and_until_when(registry: Registry) -> None:
    rows.fill(registry, "acme")
    with registry.change() as change:
        change.set_replaced(rows.certificate(1), replaced_by="fingerprint-2", supersede_at=3_000)
    found = registry.certificate("issuer-1", "1")
    assert found == replace(rows.certificate(1), replaced_by="fingerprint-2", supersede_at=3_000)
    assert registry.revision() == 1, "it decides as before"
    with pytest.raises(NotRegistered), registry.change() as change:
        change.set_replaced(rows.certificate(9), replaced_by="fingerprint-2", supersede_at=3_000)


@pytest.mark.parametrize(("first", "second"), [(3_000, 4_000), (4_000, 3_000)])
def test_replaced_again_the_earlier_time_stays(registry: Registry, first: int, second: int) -> None:
    rows.fill(registry, "acme")
    for name, at in (("a", first), ("b", second)):
        with registry.change() as change:
            change.set_replaced(rows.certificate(1), replaced_by=name, supersede_at=at)
    found = registry.certificate("issuer-1", "1")
    assert (found.replaced_by, found.supersede_at) == ("b", 3_000)


def test_superseding_are_the_active_that_are_due_the_longest_due_first(registry: Registry) -> None:
    rows.fill(registry, "acme", "Beta", "gamma", "kept", "revoked")
    with registry.change() as change:
        for number, name, at in ((1, "acme", 3_000), (2, "beta", 2_000), (3, "gamma", 3_001), (5, "revoked", 1_000)):
            change.set_replaced(rows.certificate(number, name), replaced_by="x", supersede_at=at)
        change.set_certificate_status(rows.certificate(5), CertificateStatus.REVOKED, at=5, reason=None)
    assert [each.client.client_id for each in registry.superseding(3_000)] == ["Beta", "acme"]
    assert [each.client.client_id for each in registry.superseding(3_000, limit=1)] == ["Beta"]
    assert registry.superseding(1_999) == []
    with registry.change() as change:
        assert len(change.superseding(9_999)) == 3
