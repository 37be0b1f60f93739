"""How certificates and issuers are told apart: by issuer and serial number, confirmed by the SHA-256."""

import re
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from handclasp.pki.keys import spki

_HEX = re.compile(r"[0-9A-Fa-f]+")


def fingerprint(certificate: x509.Certificate) -> str:
    return der_fingerprint(certificate.public_bytes(Encoding.DER))


def der_fingerprint(certificate: bytes) -> str:
    """SHA-256 of the DER, 64 lower-case hex digits, as Envoy writes it."""
    return sha256(certificate).hexdigest()


def issuer_id(certificate: x509.Certificate) -> str:
    """An issuer is its name and its key: a cross-signed or renewed certificate is the same issuer. 32 hex digits."""
    return sha256(certificate.subject.public_bytes() + spki(certificate.public_key())).hexdigest()[:32]


def public_key_id(subject_public_key_info: bytes) -> str:
    """SHA-256 of the SubjectPublicKeyInfo, 64 hex digits: equal for equal keys only."""
    return sha256(subject_public_key_info).hexdigest()


def serial_text(serial_number: int) -> str:
    """Lower-case hex without leading zeros or separators: the one canonical spelling, as Envoy writes it."""
    return f"{serial_number:x}"


def parse_serial(text: str) -> str:
    """The canonical spelling of a serial number given as hex, with or without colons, 0x, leading zeros.

    Digits alone are read as hex, as OpenSSL and this program print them. Raises ValueError.
    """
    digits = text.strip().replace(":", "").removeprefix("0x").removeprefix("0X")
    if not _HEX.fullmatch(digits):  # int() takes signs, underscores and foreign digits too
        raise ValueError(f"{text!a} is not a serial number in hex")
    return serial_text(int(digits, 16))
