"""PEM and DER that somebody else wrote: bounded, and with an error that names the trouble."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import example, given
from hypothesis import strategies as st

from handclasp.errors import InvalidInput, KeyUnavailable
from handclasp.pki.keys import KeyAlgorithm, open_sealed
from handclasp.pki.pem import (
    MAX_BLOCKS,
    MAX_BYTES,
    block_labels,
    certificate_pem,
    der_pem,
    first_der,
    load_certificate,
    load_certificates,
    load_csr,
)
from tests import making

ROOT, MIDDLE = making.root().certificate, making.intermediate().certificate
PEM = certificate_pem(ROOT)


def test_certificates_are_read_in_file_order_with_text_and_windows_line_ends() -> None:
    text = b"subject=Test\r\n" + certificate_pem(MIDDLE, ROOT).replace(b"\n", b"\r\n") + b"the end"
    assert load_certificates(text) == [MIDDLE, ROOT]
    assert load_certificate(text) == MIDDLE
    assert load_certificates(ROOT.public_bytes(Encoding.DER)) == [ROOT]


def test_other_blocks_are_passed_over_and_can_be_listed() -> None:
    mixed = making.pkcs8(making.key()) + PEM
    assert load_certificates(mixed) == [ROOT]
    assert block_labels(mixed) == ["PRIVATE KEY", "CERTIFICATE"]
    assert block_labels(b"-----BEGIN " + b"x" * 100) == []


def test_what_we_write_has_lf_line_ends_and_64_columns() -> None:
    lines = PEM.split(b"\n")
    assert b"\r" not in PEM
    assert max(map(len, lines)) == 64
    assert lines[-1] == b""


NOT_CERTIFICATES = {
    "empty": (b"", "is empty"),
    "white space": (b"\n\n ", "is empty"),
    "binary": (bytes(range(256)), "is not a certificate in PEM or DER"),
    "truncated": (PEM[:-60], "damaged or truncated"),
    "garbled": (PEM.replace(b"M", b"?"), "damaged or truncated"),
    "a key": (making.pkcs8(making.key()), "holds PRIVATE KEY, not a certificate"),
    "10 MB": (PEM * 15_000, "at most 1,048,576 are read"),
    "bomb": (b"-----BEGIN CERTIFICATE-----\n" * 10_000, "holds 10,000 PEM blocks; at most 1,000 are read"),
}


@pytest.mark.parametrize(("data", "why"), NOT_CERTIFICATES.values(), ids=NOT_CERTIFICATES)
def test_what_is_no_certificate_is_called_by_its_name(data: bytes, why: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        load_certificates(data, "root.pem")
    assert str(refused.value).startswith("root.pem")
    assert why in str(refused.value)


def test_the_limits_themselves_are_read() -> None:
    small = b"-----BEGIN X-----\nAAAA\n-----END X-----\n" * (MAX_BLOCKS - 1)
    assert load_certificates(small + PEM) == [ROOT]
    padded = PEM + b"\n" * (MAX_BYTES - len(PEM))
    assert load_certificates(padded) == [ROOT]
    with pytest.raises(InvalidInput):
        load_certificates(padded + b"\n")


def test_a_certificate_of_an_unknown_version_is_refused() -> None:
    key = making.root().key
    der = making.mangled_der(
        ROOT.public_bytes(Encoding.DER), ROOT.signature, b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05", key
    )
    with pytest.raises(InvalidInput, match="not a certificate"):
        load_certificates(der)


def test_a_certificate_whose_name_is_not_text_is_refused() -> None:
    bad = making.mangled(ROOT, b"Test Root", b"Test \xff\xfe\xff\xff", making.root().key)
    with pytest.raises(InvalidInput, match="damaged or truncated"):
        load_certificates(bad.public_bytes(Encoding.PEM))


@given(st.binary(max_size=300), st.booleans())
@example(b"ENCRYPTED", False)
def test_no_bytes_at_all_make_a_parser_fail_in_its_own_words(data: bytes, armoured: bool) -> None:
    hostile = b"-----BEGIN CERTIFICATE-----\n" + data if armoured else data
    for read in (load_certificates, load_csr, open_sealed):
        with pytest.raises((InvalidInput, KeyUnavailable)):
            read(hostile)


# What RFC 5280 forbids but the library still reads (a negative serial number, a country of three letters) it warns of.
@pytest.mark.filterwarnings("ignore::UserWarning")
@given(st.integers(min_value=0), st.binary(min_size=1, max_size=4))
def test_no_damage_to_a_certificate_makes_a_parser_fail_in_its_own_words(at: int, damage: bytes) -> None:
    der = MIDDLE.public_bytes(Encoding.DER)
    at %= len(der)
    hostile = der[:at] + damage + der[at + len(damage) :]
    try:
        read = load_certificates(hostile)
    except InvalidInput:
        return
    assert isinstance(read[0], x509.Certificate)


def test_pem_is_the_same_as_the_parsers() -> None:
    for certificate in (making.root().certificate, making.intermediate(KeyAlgorithm.RSA2048).certificate):
        der = certificate.public_bytes(Encoding.DER)
        assert der_pem(der) == certificate_pem(certificate)
        assert first_der(certificate_pem(certificate, making.root().certificate)) == der
    for length in (47, 48, 49):
        assert first_der(der_pem(bytes(length))) == bytes(length)
    with pytest.raises(ValueError, match="not PEM"):
        first_der(b"no PEM at all")
