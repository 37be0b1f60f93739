"""A CSR from outside: its signature proves that the requester holds the key, and nothing else in it counts."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from handclasp.errors import InvalidInput, RequestRejected
from handclasp.pki.identity import subject
from handclasp.pki.issuance import issue, prepare
from handclasp.pki.keys import KeyAlgorithm, PrivateKey, spki
from handclasp.pki.pem import MAX_BYTES
from handclasp.pki.profile import CLIENT
from handclasp.pki.request import CertificateRequest, for_key, read_csr
from tests import making
from tests.making import NOW


def csr(
    key: PrivateKey | dsa.DSAPrivateKey,
    digest: hashes.SHA256 | hashes.SHA224 | None = None,
    extensions: Sequence[x509.ExtensionType] = (),
    encoding: Encoding = Encoding.PEM,
) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject("somebody else"))
    for each in extensions:
        builder = builder.add_extension(each, critical=True)
    by_key = None if "Ed25519" in type(key).__name__ else hashes.SHA256()
    return builder.sign(key, digest or by_key).public_bytes(encoding)


def openssl_csr(*key: str, digest: str = "-sha256") -> bytes:
    made = making.openssl("req", "-new", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=x", digest, *key)
    assert made.returncode == 0, made.stderr
    return made.stdout


def weak_rsa(exponent: int) -> rsa.RSAPrivateKey:
    """RSA with a small exponent, computed by hand: the library makes none."""
    numbers = making.openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_pubexp:{exponent}").stdout
    loaded = serialization.load_pem_private_key(numbers, None)
    assert isinstance(loaded, rsa.RSAPrivateKey)
    return loaded


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize("algorithm", [a for a in KeyAlgorithm if a is not KeyAlgorithm.RSA4096])
def test_a_good_csr_gives_its_public_key(algorithm: KeyAlgorithm, encoding: Encoding) -> None:
    key = making.key(algorithm)
    assert read_csr(csr(key, encoding=encoding)) == CertificateRequest(key.public_key(), spki(key.public_key()))


@pytest.mark.parametrize(
    "change",
    [
        lambda pem: pem.replace(b"\n", b"\r\n"),
        lambda pem: b"Here is our request, regards\n\n" + pem + b"\n--\nAcme\n",
        lambda pem: b"\xef\xbb\xbf" + pem,
        lambda pem: pem.replace(b"CERTIFICATE REQUEST", b"NEW CERTIFICATE REQUEST"),
    ],
    ids=["Windows line ends", "text around it", "byte order mark", "the older label"],
)
def test_spellings_that_mail_programs_and_windows_make_are_read(change: Callable[[bytes], bytes]) -> None:
    assert read_csr(change(csr(making.key()))).public_key == making.key().public_key()


def test_requested_extensions_are_named_and_not_obeyed() -> None:
    wanted: list[x509.ExtensionType] = [
        x509.BasicConstraints(ca=True, path_length=None),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
        x509.SubjectAlternativeName(
            [x509.DNSName("bank.example"), x509.UniformResourceIdentifier("spiffe://d/e/admin")]
        ),
        making.CERT_SIGN,
        making.UNKNOWN_EXTENSION,
    ]
    request = read_csr(csr(making.key(), extensions=wanted))
    assert request.ignored == ("basicConstraints", "extendedKeyUsage", "subjectAltName", "keyUsage", "Unknown OID")
    authority = making.intermediate().authority
    obeyed = issue(prepare(request, CLIENT, authority, subject=subject("acme"), now=NOW), authority)
    plain = issue(prepare(for_key(making.key()), CLIENT, authority, subject=subject("acme"), now=NOW), authority)
    assert list(obeyed.extensions) == list(plain.extensions)
    assert obeyed.subject == subject("acme")
    assert ExtensionOID.BASIC_CONSTRAINTS not in {e.oid for e in obeyed.extensions}


def test_requested_extensions_that_cannot_be_parsed_are_no_trouble() -> None:
    key = making.key()
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    san = x509.SubjectAlternativeName([x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x05\x00")])
    good = x509.load_der_x509_csr(csr(key, extensions=[san], encoding=Encoding.DER))
    other_name = san.public_bytes()[2:]
    for broken in (b"\xa3" + other_name[1:], b"\xa5" + other_name[1:]):  # x400Address, ediPartyName: not supported
        der = making.mangled_der(good.public_bytes(Encoding.DER), good.signature, other_name, broken, key)
        assert read_csr(der).ignored == ("extensions that cannot be parsed",)


def test_explicit_parameters_of_p256_are_certified_under_the_name_of_the_curve() -> None:
    explicit = openssl_csr("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:explicit")
    assert len(read_csr(explicit).spki) == len(spki(making.key().public_key()))


SHA256_WITH_RSA = bytes.fromhex("06092a864886f70d01010b")
MD4_WITH_RSA = bytes.fromhex("06092a864886f70d010103")
REFUSED = {
    "RSA-1024": (lambda: openssl_csr("-newkey", "rsa:1024"), "RSA keys have 2048 to 8192 bits, this one 1024"),
    "exponent 3": (lambda: csr(weak_rsa(3)), "public exponent is 3"),
    "SHA-1": (lambda: openssl_csr("-newkey", "rsa:2048", digest="-sha1"), "signed with SHA1; use SHA-256"),
    "MD5": (lambda: openssl_csr("-newkey", "rsa:2048", digest="-md5"), "signed with MD5; use SHA-256"),
    "P-521": (lambda: csr(ec.generate_private_key(ec.SECP521R1())), "not on secp521r1"),
    "secp256k1": (lambda: csr(ec.generate_private_key(ec.SECP256K1())), "not on secp256k1"),
    "brainpool": (lambda: csr(ec.generate_private_key(ec.BrainpoolP256R1())), "not on brainpoolP256r1"),
    "an odd curve": (
        lambda: openssl_csr("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime239v3"),
        "cannot be read or is of an unknown kind",
    ),
    "DSA": (lambda: csr(dsa.generate_private_key(2048)), "neither EC, RSA nor Ed25519"),
    "Ed448": (lambda: openssl_csr("-newkey", "ed448"), "neither EC, RSA nor Ed25519"),
    "MD4": (
        lambda: csr(making.key(KeyAlgorithm.RSA2048), encoding=Encoding.DER).replace(SHA256_WITH_RSA, MD4_WITH_RSA),
        "not supported; use SHA-256",
    ),
}


@pytest.mark.parametrize(("make", "why"), REFUSED.values(), ids=REFUSED)
def test_a_weak_or_odd_request_is_refused_with_the_reason(make: Callable[[], bytes], why: str) -> None:
    with pytest.raises(RequestRejected) as refused:
        read_csr(make())
    assert any(why in violation for violation in refused.value.violations), refused.value.violations


def test_an_exponent_of_1_is_refused() -> None:
    """With exponent 1 every message is its own signature; no tool makes such a key, so it is spliced in."""
    key = making.key(KeyAlgorithm.RSA2048)
    good = x509.load_der_x509_csr(csr(key, encoding=Encoding.DER))
    der = making.mangled_der(
        good.public_bytes(Encoding.DER), good.signature, b"\x02\x03\x01\x00\x01", b"\x02\x03\x00\x00\x01", key
    )
    one = b"\x02\x03\x01\x00\x01", b"\x02\x03\x01\x00\x00"
    even = making.mangled_der(good.public_bytes(Encoding.DER), good.signature, *one, key)
    for bad in (der, even):
        with pytest.raises(InvalidInput):
            read_csr(bad)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    weak = openssl_csr("-newkey", "rsa:1024", "-pkeyopt", "rsa_keygen_pubexp:3", digest="-sha1")
    with pytest.raises(RequestRejected) as refused:
        read_csr(weak)
    assert len(refused.value.violations) == 3
    assert refused.value.hint is not None


def test_a_signature_that_does_not_verify_proves_nothing() -> None:
    good = csr(making.key(), encoding=Encoding.DER)
    stolen = spki(making.key(number=7).public_key())
    forged = good.replace(spki(making.key().public_key()), stolen)
    with pytest.raises(RequestRejected, match="no proof that the requester holds the key"):
        read_csr(forged)
    flipped = good[:-1] + bytes([good[-1] ^ 1])
    with pytest.raises(RequestRejected, match="does not verify"):
        read_csr(flipped)


PEM = csr(making.key())
NOT_A_CSR = {
    "nothing": (b"", "is empty"),
    "blank": (b" \r\n\t\n", "is empty"),
    "binary": (bytes(range(256)) * 10, "is not a certificate signing request in PEM or DER"),
    "text": (b"hello, here is my CSR", "is not a certificate signing request in PEM or DER"),
    "truncated PEM": (PEM[:200], "damaged or truncated"),
    "cut line": (PEM.replace(PEM[60:80], b""), "damaged or truncated"),
    "truncated DER": (csr(making.key(), encoding=Encoding.DER)[:-5], "is not a certificate signing request"),
    "a certificate": (
        making.root().certificate.public_bytes(Encoding.PEM),
        "holds CERTIFICATE, not a certificate sign",
    ),
    "a key": (making.pkcs8(making.key()), "holds PRIVATE KEY, not a certificate signing request"),
    "10 MB": (b"-----BEGIN CERTIFICATE REQUEST-----\n" + b"A" * 10_000_000, f"at most {MAX_BYTES:,} are read"),
    "10,000 blocks": (b"-----BEGIN X-----\n" * 10_000, "holds 10,000 PEM blocks; at most 1,000"),
}


@pytest.mark.parametrize(("data", "why"), NOT_A_CSR.values(), ids=NOT_A_CSR)
def test_what_is_no_csr_is_called_by_its_name(data: bytes, why: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_csr(data, "acme.csr")
    assert why in str(refused.value)
    assert str(refused.value).startswith("acme.csr")
    assert "\n" not in str(refused.value)


def test_a_csr_of_another_version_is_refused() -> None:
    key = making.key()
    good = x509.load_der_x509_csr(csr(key, encoding=Encoding.DER))
    der = making.mangled_der(
        good.public_bytes(Encoding.DER), good.signature, b"\x02\x01\x00\x30", b"\x02\x01\x07\x30", key
    )
    with pytest.raises(InvalidInput, match="not a certificate signing request"):
        read_csr(der)


def test_a_weak_key_of_our_own_is_refused_too() -> None:
    with pytest.raises(RequestRejected, match="public exponent is 3"):
        for_key(weak_rsa(3))
    assert not isinstance(x25519.X25519PrivateKey.generate(), PrivateKey)


def test_a_csr_made_as_the_hint_says_is_accepted(tmp_path: Path) -> None:
    with pytest.raises(RequestRejected) as refused:
        read_csr(csr(ec.generate_private_key(ec.SECP521R1())))
    command = str(refused.value.hint).split(": ", 1)[1]
    line = [*command.split(), "-subj", "/CN=x"]
    subprocess.run(line, cwd=tmp_path, check=True, capture_output=True)
    assert read_csr((tmp_path / "client.csr").read_bytes()).ignored == ()
