"""What `delivery/port.py` promises, held against every adapter."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from handclasp.delivery.file import FileDelivery, FolderDelivery
from handclasp.delivery.memory import MemoryDelivery
from handclasp.delivery.port import Credential, Delivery
from handclasp.pki.keys import seal, spki
from handclasp.pki.pem import certificate_pem, first_der
from tests import making


@pytest.fixture(params=["file", "folder", "memory"])
def delivery(request: pytest.FixtureRequest, tmp_path: Path) -> Delivery:
    adapters: dict[str, Delivery] = {
        "file": FileDelivery(tmp_path / "state" / "clients"),
        "folder": FolderDelivery(tmp_path / "out"),
        "memory": MemoryDelivery(),
    }
    return adapters[request.param]


def credential(content: bytes = b"1", *, client_id: str = "acme", own_csr: bool = False) -> Credential:
    return Credential(
        client_id=client_id,
        certificate=b"certificate " + content,
        full_chain=b"chain " + content,
        trust_anchor=b"anchor",
        key=None if own_csr else seal(making.key()),
        pkcs12=None if own_csr else b"archive " + content,
    )


def test_nothing_is_there_before_the_first_delivery(delivery: Delivery) -> None:
    assert delivery.collect("acme") == {}


def test_what_was_delivered_is_collected_under_the_names_scripts_rely_on(delivery: Delivery) -> None:
    assert delivery.deliver(credential())
    files = delivery.collect("acme")
    assert files == credential().files()
    assert set(files) == {"client.key", "client.pem", "fullchain.pem", "ca.pem", "client.p12"}
    assert files["client.key"].startswith(b"-----BEGIN PRIVATE KEY-----")


def test_the_newest_delivery_replaces_the_one_before_it(delivery: Delivery) -> None:
    for content in (b"1", b"2", b"3"):
        delivery.deliver(credential(content))
    assert delivery.collect("acme") == credential(b"3").files()


def test_no_old_key_stays_beside_the_certificate_of_a_new_csr(delivery: Delivery) -> None:
    delivery.deliver(credential(b"1"))
    delivery.deliver(credential(b"2", own_csr=True))
    assert set(delivery.collect("acme")) == {"client.pem", "fullchain.pem", "ca.pem"}


def certified(number: int, *, key_number: int = 0, anchor: bytes = b"anchor") -> Credential:
    """Another certificate for key `key_number`, which stays with whoever has it."""
    certificate = making.certificate(f"number {number}", making.intermediate(), of=making.key(number=key_number))
    pem = certificate_pem(certificate)
    return Credential(
        client_id="acme",
        certificate=pem,
        full_chain=pem + b"chain",
        trust_anchor=anchor,
        keep_key=True,
        keep_archive=True,
        public_key=spki(certificate.public_key()),
    )


def with_key(credential: Credential, key_number: int = 0, pkcs12: bytes | None = None) -> Credential:
    return replace(credential, keep_key=False, key=seal(making.key(number=key_number)), pkcs12=pkcs12)


def test_a_key_that_is_kept_stays_beside_its_new_certificate(delivery: Delivery) -> None:
    first = with_key(certified(1))
    delivery.deliver(first)
    second = certified(2)
    delivery.deliver(second)
    assert delivery.collect("acme") == second.files() | {"client.key": first.files()["client.key"]}


def test_an_archive_that_is_kept_stays_as_it_was(delivery: Delivery) -> None:
    delivery.deliver(with_key(certified(1), pkcs12=b"archive"))
    delivery.deliver(certified(2))
    assert delivery.collect("acme")["client.p12"] == b"archive"
    delivery.deliver(replace(certified(3), keep_archive=False))
    assert "client.p12" not in delivery.collect("acme")


def test_where_no_key_is_kept_there_is_none_afterwards(delivery: Delivery) -> None:
    delivery.deliver(certified(1))
    delivery.deliver(certified(2))
    assert set(delivery.collect("acme")) == {"client.pem", "fullchain.pem", "ca.pem"}


def test_a_certificate_for_another_key_goes_beside_and_never_next_to_the_key(delivery: Delivery) -> None:
    newest = with_key(certified(1, key_number=1), 1)
    delivery.deliver(newest)
    other = certified(2, key_number=2)
    place = delivery.deliver(other)
    assert delivery.collect("acme") == newest.files()
    assert f"other-keys/{sha256(other.public_key).hexdigest()[:16]}" in place
    assert delivery.deliver(certified(3, key_number=2)) == place


def test_what_is_staged_is_seen_by_nobody_before_it_is_committed(delivery: Delivery) -> None:
    delivery.deliver(with_key(certified(1)))
    before = delivery.collect("acme")
    staged = delivery.stage(certified(2))
    delivery.flush()
    assert delivery.collect("acme") == before
    assert staged.commit()
    delivery.flush()
    assert delivery.collect("acme") == before | certified_files(delivery)


def certified_files(delivery: Delivery) -> dict[str, bytes]:
    found = delivery.collect("acme")
    assert b"number 2" in first_der(found["client.pem"])
    return {name: found[name] for name in ("client.pem", "fullchain.pem")}


def test_a_delivery_that_came_in_between_does_not_harm_what_was_staged(delivery: Delivery) -> None:
    delivery.deliver(with_key(certified(1)))
    staged = delivery.stage(certified(2))
    new_key = with_key(certified(3, key_number=1), 1)
    delivery.deliver(new_key)
    place = staged.commit()
    assert delivery.collect("acme") == new_key.files(), "the older key's certificate is beside, not instead"
    assert "other-keys" in place


def test_a_key_does_not_show_in_the_repr_of_a_credential() -> None:
    assert "PRIVATE" not in repr(credential())
