"""How a file is written, and what kind of file it is."""

import base64
from collections.abc import Callable
from datetime import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handclasp.pki.identity import subject
from handclasp.pki.keys import KeyAlgorithm, generate, seal
from handclasp.verify.doctor import Code, diagnose

from .conftest import NOW, Pki, examine, problems


def test_a_good_pair_with_its_ca_file_has_nothing_wrong(pki: Pki) -> None:
    found = examine(pki.client, ca=pki.root.pem)
    assert set(found) == {Code.KEY_MATCHES, Code.PATH_VALID, Code.VALIDITY}


HURT: dict[Code, Callable[[bytes], bytes]] = {
    Code.FILE_LINE_ENDS: lambda pem: pem.replace(b"\n", b"\r\n"),
    Code.FILE_ENCODING: lambda pem: b"\xef\xbb\xbf" + pem,
    Code.FILE_TEXT_AROUND: lambda pem: b"Certificate:\n    Data:\n        Version: 3 (0x2)\n" + pem,
    Code.FILE_LITERAL_NEWLINES: lambda pem: b'"' + pem.replace(b"\n", b"\\n") + b'"',
    Code.FILE_ONE_LINE: lambda pem: pem.replace(b"\n", b" "),
    Code.FILE_BASE64_TWICE: base64.b64encode,
}


@pytest.mark.parametrize("code", HURT)
def test_a_hurt_file_is_named_and_still_read(code: Code, pki: Pki) -> None:
    found = examine(cert=HURT[code](pki.client.cert), key=HURT[code](pki.client.key))
    assert code in found
    assert Code.KEY_MATCHES in found


def test_powershells_utf16_is_named_and_still_read(pki: Pki) -> None:
    found = examine(pki.client, cert=pki.client.cert.decode().encode("utf-16"))
    assert "UTF-16" in found[Code.FILE_ENCODING].message
    assert Code.KEY_MATCHES in found


def test_literal_newlines_with_carriage_returns_are_mended_too(pki: Pki) -> None:
    found = examine(pki.client, key=pki.client.key.replace(b"\n", b"\\r\\n"))
    assert problems(found) == {Code.FILE_LITERAL_NEWLINES}


def test_certificate_and_key_swapped_is_one_finding_and_the_rest_goes_on(pki: Pki) -> None:
    found = examine(cert=pki.client.key, key=pki.client.cert)
    assert problems(found) == {Code.FILES_SWAPPED}
    assert Code.KEY_MATCHES in found


def test_a_csr_is_not_a_certificate(pki: Pki) -> None:
    builder = x509.CertificateSigningRequestBuilder(subject("x"))
    csr = builder.sign(pki.client.private, hashes.SHA256()).public_bytes(Encoding.PEM)
    found = examine(pki.client, cert=csr)
    assert "certificate signing request" in found[Code.FILE_WRONG_KIND].message
    assert "send it to the CA" in str(found[Code.FILE_WRONG_KIND].fix)


def test_pkcs12_is_named_with_the_command_that_opens_it(pki: Pki) -> None:
    store = pkcs12.serialize_key_and_certificates(
        b"client", pki.client.private, pki.client.certificate, None, NoEncryption()
    )
    found = examine(cert=store, key=store)
    assert "PKCS#12" in found[Code.FILE_WRONG_KIND].message
    assert "openssl pkcs12" in str(found[Code.FILE_WRONG_KIND].fix)


def test_der_is_named_and_still_read(pki: Pki) -> None:
    found = examine(
        cert=pki.client.certificate.public_bytes(Encoding.DER),
        key=pki.client.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
    )
    assert problems(found) == {Code.FILE_IS_DER}
    assert Code.KEY_MATCHES in found


def test_an_openssh_key_is_not_a_tls_key(pki: Pki) -> None:
    ssh = pki.client.private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    assert "OpenSSH" in examine(pki.client, key=ssh)[Code.FILE_WRONG_KIND].message


def test_a_key_that_is_not_this_certificates_is_a_mismatch(pki: Pki) -> None:
    found = examine(pki.client, key=pki.server.key)
    assert problems(found) == {Code.KEY_MISMATCH}
    assert "Prod-Acme-Client" in found[Code.KEY_MISMATCH].message


def test_an_encrypted_key_needs_its_passphrase(pki: Pki) -> None:
    assert Code.KEY_ENCRYPTED in examine(pki.client, key=bytes(seal(pki.client.private, b"secret")))


def test_an_encrypted_key_opens_with_its_passphrase(pki: Pki) -> None:
    sealed = bytes(seal(pki.client.private, b"secret"))
    assert Code.KEY_MATCHES in examine(pki.client, key=sealed, passphrase=b"secret")


def test_a_wrong_passphrase_is_not_called_a_damaged_key(pki: Pki) -> None:
    sealed = bytes(seal(pki.client.private, b"secret"))
    assert problems(examine(pki.client, key=sealed, passphrase=b"wrong")) == {Code.KEY_PASSPHRASE_WRONG}


def test_a_certificate_without_key_cannot_be_presented(pki: Pki) -> None:
    assert Code.KEY_MISSING in examine(cert=pki.client.cert)


def test_a_key_without_certificate_has_nothing_to_present(pki: Pki) -> None:
    assert Code.CERTIFICATE_MISSING in examine(key=pki.client.key)


def test_a_private_key_in_the_ca_file_is_warned_about(pki: Pki) -> None:
    found = examine(pki.client, ca=pki.root.pem + pki.client.key)
    assert found[Code.CA_FILE_HOLDS_KEY].severity == "warning"


def test_a_truncated_certificate_is_damaged(pki: Pki) -> None:
    assert Code.FILE_DAMAGED in examine(pki.client, cert=pki.client.cert[:300])


def test_a_truncated_key_is_damaged(pki: Pki) -> None:
    assert Code.FILE_DAMAGED in examine(pki.client, key=pki.client.key[:100])


def test_an_empty_file_is_said_to_be_empty(pki: Pki) -> None:
    assert problems(examine(pki.client, cert=b" \n")) == {Code.FILE_EMPTY}


def test_ten_megabytes_are_not_read(pki: Pki) -> None:
    assert Code.FILE_TOO_LARGE in examine(pki.client, cert=b"x" * 10_000_000)


def test_ten_thousand_blocks_are_not_read(pki: Pki) -> None:
    assert Code.FILE_TOO_LARGE in examine(pki.client, cert=b"-----BEGIN CERTIFICATE-----\n" * 10_000)


def test_no_finding_ever_holds_key_material() -> None:
    key = bytes(seal(generate(KeyAlgorithm.P256)))
    secret = key.splitlines()[1]
    found = examine(cert=key, key=key, ca=key)
    assert all(secret.decode() not in f"{f.message} {f.fix}" for f in found.values())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.data(),
    junk=st.one_of(st.binary(max_size=300), st.sampled_from([b"\xff\xfe", b"\xef\xbb\xbf", b"LS0tLS1CRUdJTi", b"\\n"])),
)
def test_no_input_whatever_raises(pki: Pki, data: st.DataObject, junk: bytes) -> None:
    good = pki.client.chain + pki.client.key
    cut = data.draw(st.integers(0, len(good)))
    hurt = data.draw(st.sampled_from([junk, good[:cut], good[:cut] + junk + good[cut:], junk + good[cut:]]))
    now: datetime = NOW
    for finding in diagnose(cert=hurt, key=hurt, cacert=hurt, url=None, now=now):
        assert finding.message
