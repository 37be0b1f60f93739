"""How certificates and issuers are told apart."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from handclasp.pki.identity import subject
from handclasp.pki.issuance import self_signed
from handclasp.pki.keys import spki
from handclasp.pki.naming import fingerprint, issuer_id, parse_serial, public_key_id, serial_text
from tests import making
from tests.making import NOW

ROOT = making.root().certificate


def test_a_fingerprint_is_the_sha256_that_openssl_prints() -> None:
    shown = making.openssl("x509", "-noout", "-fingerprint", "-sha256", stdin=ROOT.public_bytes(Encoding.PEM))
    assert fingerprint(ROOT) == shown.stdout.decode().strip().split("=")[1].replace(":", "").lower()
    assert fingerprint(ROOT) == ROOT.fingerprint(hashes.SHA256()).hex()


def test_an_issuer_is_its_name_and_its_key() -> None:
    again = self_signed(making.root().key, subject=ROOT.subject, now=NOW)
    other_name = self_signed(making.root().key, subject=subject("Other"), now=NOW)
    other_key = self_signed(making.key(number=9), subject=ROOT.subject, now=NOW)
    assert issuer_id(again) == issuer_id(ROOT)
    assert len({issuer_id(ROOT), issuer_id(other_name), issuer_id(other_key)}) == 3
    assert len(issuer_id(ROOT)) == 32


def test_equal_keys_and_only_they_have_the_same_id() -> None:
    keys = [making.key(number=number).public_key() for number in (0, 0, 1)]
    assert len({public_key_id(spki(key)) for key in keys}) == 2


@given(st.integers(min_value=0, max_value=1 << 160))
def test_every_spelling_of_a_serial_number_has_one_canonical_form(number: int) -> None:
    text = f"{number:x}"
    padded = text.zfill(len(text) + len(text) % 2)
    colons = ":".join(padded[at : at + 2] for at in range(0, len(padded), 2))
    for spelling in (text, text.upper(), padded, colons, colons.upper(), f"0x{text}", f"0X{text}", f" {text}\n"):
        assert parse_serial(spelling) == serial_text(number) == text


@pytest.mark.parametrize("text", ["", "xyz", "0x", "12 34", "-5", "+5", "1_000", "١٢"])
def test_what_is_no_hex_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a serial number in hex"):
        parse_serial(text)
