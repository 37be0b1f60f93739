"""The rules of a trust bundle, each broken once."""

from collections.abc import Callable
from datetime import timedelta
from time import monotonic

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from handclasp.pki.keys import KeyAlgorithm
from handclasp.pki.pem import certificate_pem
from handclasp.truststore.rules import Finding, check_bundle
from tests import making
from tests.making import NOW, Ca, ca, certificate

ROOT = ca("Root", not_after=NOW + timedelta(days=1000))
ISSUER = ca("Issuer", ROOT, not_after=NOW + timedelta(days=900))
SHA256_WITH_RSA = bytes.fromhex("06092a864886f70d01010b")
SHA1_WITH_RSA = bytes.fromhex("06092a864886f70d010105")


def check(*members: x509.Certificate | Ca, after: bytes = b"") -> list[Finding]:
    certificates = [member.certificate if isinstance(member, Ca) else member for member in members]
    return check_bundle(certificate_pem(*certificates) + after, NOW)


def long_lived(name: str, issuer: Ca | None = None) -> Ca:
    return ca(name, issuer, not_after=NOW + timedelta(days=800))


def deep(count: int) -> list[Ca]:
    chain = [ROOT]
    while len(chain) < count:
        chain.append(long_lived(f"Deep {len(chain)}", chain[-1]))
    return chain


def sha1_root() -> x509.Certificate:
    root = making.root(KeyAlgorithm.RSA2048)
    return making.mangled(root.certificate, SHA256_WITH_RSA, SHA1_WITH_RSA, root.key, digest=hashes.SHA1())  # noqa: S303 - made to be refused


def with_unknown_key() -> x509.Certificate:
    p256, unknown = bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a8648ce3d03017f")
    return making.mangled(ROOT.certificate, p256, unknown, ROOT.key)


def with_extension_twice() -> x509.Certificate:
    oids = (x509.ObjectIdentifier("1.2.3.4"), x509.ObjectIdentifier("1.2.3.5"))
    twice: list[tuple[x509.ExtensionType, bool]] = [
        (x509.UnrecognizedExtension(oid, b"\x05\x00"), False) for oid in oids
    ]
    made = ca("Twice", also=twice, not_after=NOW + timedelta(days=800))
    return making.mangled(made.certificate, b"\x06\x03\x2a\x03\x05", b"\x06\x03\x2a\x03\x04", made.key)


def test_a_complete_bundle_has_no_findings() -> None:
    assert check(ROOT, ISSUER) == []
    assert check(making.root(), making.intermediate()) == []
    assert check(*deep(4)) == []


BROKEN: dict[str, tuple[Callable[[], list[Finding]], str, str]] = {
    "empty": (lambda: check_bundle(b"", NOW), "error", "the trust store is empty"),
    "garbage": (lambda: check_bundle(b"garbage", NOW), "error", "is not a certificate in PEM or DER"),
    "too many blocks": (
        lambda: check_bundle(b"-----BEGIN CERTIFICATE-----\n" * 1_001, NOW),
        "error",
        "holds 1,001 PEM blocks",
    ),
    "a private key": (
        lambda: check(ROOT, after=making.pkcs8(making.key())),
        "error",
        "it holds PRIVATE KEY: a trust store holds certificates only",
    ),
    "Windows line ends": (
        lambda: check_bundle(certificate_pem(ROOT.certificate).replace(b"\n", b"\r\n"), NOW),
        "warning",
        "it has Windows line ends",
    ),
    "twice the same": (lambda: check(ROOT, ROOT), "warning", "it holds a certificate more than once"),
    "a weak key": (
        lambda: check(ca("Weak", of=making.key(KeyAlgorithm.P256)), certificate("x", of=_p521())),
        "error",
        "CN=x: EC keys are accepted on P-256 and P-384, not on secp521r1",
    ),
    "a key of unknown kind": (lambda: check(with_unknown_key()), "error", "CN=Root: its public key is of an unknown"),
    "SHA-1": (lambda: check(sha1_root()), "error", "signed with SHA1; SHA-256 or better is needed"),
    "expired": (
        lambda: check(ca("Old", not_after=NOW - timedelta(hours=12))),
        "error",
        "CN=Old: expired on 2026-06-01",
    ),
    "not valid yet": (
        lambda: check(ca("New", not_before=NOW + timedelta(hours=1))),
        "error",
        "CN=New: not valid before 2026-06-01 13:00 UTC",
    ),
    "expires soon": (
        lambda: check(ca("Late", not_after=NOW + timedelta(days=29))),
        "warning",
        "CN=Late: expires on 2026-06-30",
    ),
    "an end entity": (lambda: check(ROOT, _end_entity()), "error", "CN=acme: not a CA certificate"),
    "says it is no CA": (
        lambda: check(certificate("No", extensions=[(x509.BasicConstraints(ca=False, path_length=None), True)])),
        "error",
        "CN=No: not a CA certificate",
    ),
    "unparsable extensions": (
        lambda: check(with_extension_twice()),
        "error",
        "CN=Twice: its extensions cannot be parsed",
    ),
    "an intermediate without its root": (
        lambda: check(ISSUER),
        "error",
        "CN=Issuer: its path to a root is not in the bundle (no_issuer)",
    ),
    "a root with a rogue's key": (
        lambda: check(long_lived("Root"), ISSUER),
        "error",
        "CN=Issuer: its path to a root is not in the bundle (signature)",
    ),
    "five CAs deep": (
        lambda: check(*deep(5)),
        "error",
        "CN=Deep 4: its path has 5 CAs; gateways accept 4",
    ),
    "six CAs deep": (
        lambda: check(*deep(6)),
        "error",
        "CN=Deep 5: its path to a root is not in the bundle (path_too_long)",
    ),
}  # fmt: skip


def _p521() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP521R1())


def _end_entity() -> x509.Certificate:
    return certificate("acme", ROOT, not_after=NOW + timedelta(days=100))


@pytest.mark.parametrize(("broken", "severity", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_found(broken: Callable[[], list[Finding]], severity: str, message: str) -> None:
    found = broken()
    assert any(each.severity == severity and message in each.message for each in found), found
    assert all("\n" not in each.message for each in found)


def test_a_plain_version_1_root_is_accepted_as_operators_have_it() -> None:
    assert check(certificate("Plain Root", not_after=NOW + timedelta(days=100))) == []


def test_everything_that_is_wrong_is_said_at_once() -> None:
    found = check(ca("Old", not_after=NOW - timedelta(hours=1)), _end_entity(), after=making.pkcs8(making.key()))
    assert len(found) == 3


def test_a_bundle_at_its_limit_is_checked_in_time() -> None:
    """A thousand look-alike intermediates below one root: what a hostile operator could put there."""
    key = making.key()
    many = [ca("Issuer", ROOT, of=key, not_after=NOW + timedelta(days=40 + n)) for n in range(999)]
    started = monotonic()
    assert check(ROOT, *many) == []
    assert monotonic() - started < 10
