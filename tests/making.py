"""Real certificates, made while the tests run: keys, hierarchies, and odd ones that no profile would give."""

import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from handclasp.pki.identity import subject
from handclasp.pki.issuance import IssuingAuthority, issue, prepare, self_signed
from handclasp.pki.keys import KeyAlgorithm, PrivateKey, generate
from handclasp.pki.profile import INTERMEDIATE
from handclasp.pki.request import for_key

#: The moment all pure tests happen at.
NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)

SHA256 = hashes.SHA256()

DIGITAL_SIGNATURE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
CERT_SIGN = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
UNKNOWN_EXTENSION = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")


@cache
def key(algorithm: KeyAlgorithm = KeyAlgorithm.P256, number: int = 0) -> PrivateKey:
    """Key `number` of its algorithm: made once, because RSA keys are slow to make."""
    return generate(algorithm)


@dataclass(frozen=True)
class Ca:
    """An issuer of any shape: a certificate and its key."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)

    @property
    def authority(self) -> IssuingAuthority:
        return IssuingAuthority(self.certificate, self.key)


@cache
def root(algorithm: KeyAlgorithm = KeyAlgorithm.P256) -> Ca:
    return Ca(self_signed(key(algorithm, 1), subject=subject("Test Root", "Test"), now=NOW), key(algorithm, 1))


@cache
def intermediate(algorithm: KeyAlgorithm = KeyAlgorithm.P256) -> Ca:
    made = key(algorithm, 2)
    authority = root(algorithm).authority
    name = subject("Test Issuing CA", "Test")
    prepared = prepare(for_key(made), INTERMEDIATE, authority, subject=name, now=NOW)
    return Ca(issue(prepared, authority), made)


def certificate(
    name: str,
    issuer: Ca | None = None,
    *,
    of: PrivateKey | None = None,
    not_before: datetime = NOW - timedelta(days=1),
    not_after: datetime = NOW + timedelta(days=30),
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    issuer_name: x509.Name | None = None,
) -> x509.Certificate:
    """A certificate with any content, self-signed without an issuer, through the library's documented builder."""
    made = of or key()
    own = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) if name else x509.Name([])
    signer = issuer.key if issuer else made
    builder = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(issuer_name or (issuer.certificate.subject if issuer else own))
        .public_key(made.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    return builder.sign(signer, None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256())


def ca(
    name: str,
    issuer: Ca | None = None,
    *,
    of: PrivateKey | None = None,
    path_length: int | None = None,
    also: Sequence[tuple[x509.ExtensionType, bool]] = (),
    not_before: datetime = NOW - timedelta(days=1),
    not_after: datetime = NOW + timedelta(days=60),
) -> Ca:
    """A CA certificate of the plain kind."""
    made = of or generate(KeyAlgorithm.P256)
    extensions = [(x509.BasicConstraints(ca=True, path_length=path_length), True), (CERT_SIGN, True), *also]
    return Ca(
        certificate(name, issuer, of=made, extensions=extensions, not_before=not_before, not_after=not_after), made
    )


def purpose(*oids: x509.ObjectIdentifier) -> tuple[x509.ExtensionType, bool]:
    return x509.ExtendedKeyUsage(oids), False


def mangled(
    made: x509.Certificate, old: bytes, new: bytes, signer: PrivateKey, *, digest: hashes.HashAlgorithm = SHA256
) -> x509.Certificate:
    """`made` with `old` replaced by as many bytes everywhere, and signed again: what no library would make."""
    der = mangled_der(made.public_bytes(Encoding.DER), made.signature, old, new, signer, digest=digest)
    return x509.load_der_x509_certificate(der)


def mangled_der(
    der: bytes, signature: bytes, old: bytes, new: bytes, signer: PrivateKey, *, digest: hashes.HashAlgorithm = SHA256
) -> bytes:
    """A signed structure (certificate, CSR) changed inside and signed again by an EC or RSA key."""
    assert len(old) == len(new)
    assert der.endswith(signature)
    offset, _ = _header(der, 0)
    start, length = _header(der, offset)
    end = start + length
    signed = der[offset:end]
    assert old in signed
    signed = signed.replace(old, new)
    algorithm = der[end : -len(signature)].replace(old, new)
    if isinstance(signer, ec.EllipticCurvePrivateKey):
        again = signer.sign(signed, ec.ECDSA(digest))
        while len(again) != len(signature):  # r and s lose leading zeros: sign until the length is the old one
            again = signer.sign(signed, ec.ECDSA(digest))
    else:
        assert isinstance(signer, rsa.RSAPrivateKey)
        again = signer.sign(signed, padding.PKCS1v15(), digest)
    return der[:offset] + signed + algorithm + again


def openssl(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """OpenSSL's command line, the second opinion on everything here."""
    return subprocess.run(["openssl", *map(str, arguments)], input=stdin, capture_output=True, check=False)


def write_pem(path: Path, certificates: Iterable[x509.Certificate]) -> Path:
    path.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in certificates))
    return path


def pkcs8(private: PrivateKey) -> bytes:
    return private.private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _header(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the DER element at `at` begins, and its length."""
    if der[at + 1] < 0x80:
        return at + 2, der[at + 1]
    size = der[at + 1] & 0x7F
    return at + 2 + size, int.from_bytes(der[at + 2 : at + 2 + size], "big")
