"""What `delivery/port.py` promises, held against every adapter."""

from pathlib import Path

import pytest

from handclasp.delivery.file import FileDelivery, FolderDelivery
from handclasp.delivery.memory import MemoryDelivery
from handclasp.delivery.port import Credential, Delivery
from handclasp.pki.keys import seal
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


def test_a_key_does_not_show_in_the_repr_of_a_credential() -> None:
    assert "PRIVATE" not in repr(credential())
