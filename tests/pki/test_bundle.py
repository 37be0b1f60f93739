"""Certificates put together for partners: the chain in its order, and a PKCS#12 that OpenSSL opens."""

from pathlib import Path

import pytest

from handclasp.errors import InvalidInput
from handclasp.pki.bundle import full_chain, pkcs12_file
from handclasp.pki.keys import KeyAlgorithm, PrivateKey
from handclasp.pki.pem import load_certificates
from tests import making

PATH = (making.certificate("acme", making.intermediate()), making.intermediate().certificate, making.root().certificate)


def test_the_full_chain_is_the_end_entity_then_each_issuer() -> None:
    assert load_certificates(full_chain(PATH)) == list(PATH)


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.P256, KeyAlgorithm.RSA2048, KeyAlgorithm.ED25519])
def test_openssl_opens_the_pkcs12_file(algorithm: KeyAlgorithm, tmp_path: Path) -> None:
    key: PrivateKey = making.key(algorithm)
    path = (making.certificate("acme", making.intermediate(), of=key), *PATH[1:])
    archive = tmp_path / "client.p12"
    archive.write_bytes(pkcs12_file("acme", key, path, b"open sesame"))
    opened = making.openssl("pkcs12", "-in", archive, "-nodes", "-passin", "pass:open sesame")
    assert opened.returncode == 0, opened.stderr
    assert opened.stdout.count(b"BEGIN CERTIFICATE") == 3
    assert opened.stdout.count(b"BEGIN PRIVATE KEY") == 1
    assert b"friendlyName: acme" in opened.stdout
    assert making.openssl("pkcs12", "-in", archive, "-nodes", "-passin", "pass:wrong").returncode != 0


def test_a_pkcs12_file_has_a_passphrase() -> None:
    with pytest.raises(InvalidInput, match="the passphrase has 0 bytes"):
        pkcs12_file("acme", making.key(), PATH, b"")
