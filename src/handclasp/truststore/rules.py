"""The rules a trust bundle must keep, so that what one gateway accepts every gateway accepts.

From API Gateway's mutual TLS documentation: the complete path from issuing CA to root, at most four CAs deep,
SHA-256 or better, RSA of 2048 bits or more, ECDSA of 256. It warns about a bad certificate only when the domain is
updated, and never says that a member has expired: so it is checked here, before a bundle is published and at any
time by `handclasp truststore check`. The count and size limits are hearsay there; they are ours.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from handclasp.errors import InvalidInput, PathInvalid
from handclasp.pki.keys import public_key_faults
from handclasp.pki.path import signature_hash_of, verify_path
from handclasp.pki.pem import block_labels, load_certificates

MAX_DEPTH = 4
MIN_HASH_BYTES = 32
EXPIRES_SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Finding:
    """An error must not be published; a warning may."""

    severity: Literal["error", "warning"]
    message: str


def check_bundle(bundle: bytes, now: datetime) -> list[Finding]:
    """Everything that is wrong with a trust bundle at `now`; an empty list is a good bundle."""
    try:
        certificates = load_certificates(bundle, "the trust store")
    except InvalidInput as error:
        return [Finding("error", str(error))]
    findings = []
    if foreign := sorted(set(block_labels(bundle)) - {"CERTIFICATE"}):
        findings.append(Finding("error", f"it holds {', '.join(foreign)}: a trust store holds certificates only"))
    if b"\r" in bundle:
        findings.append(Finding("warning", "it has Windows line ends: some gateways refuse them"))
    if len(set(certificates)) < len(certificates):
        findings.append(Finding("warning", "it holds a certificate more than once"))
    roots = [c for c in certificates if c.subject == c.issuer]
    others = [c for c in certificates if c.subject != c.issuer]
    for certificate in certificates:
        findings.extend(_check_member(certificate, roots, others, now))
    return findings


def _check_member(
    certificate: x509.Certificate, roots: list[x509.Certificate], others: list[x509.Certificate], now: datetime
) -> list[Finding]:
    name = certificate.subject.rfc4514_string() or "an empty subject"
    try:
        faults = public_key_faults(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm):
        faults = ["its public key is of an unknown kind"]
    found = [Finding("error", f"{name}: {fault}") for fault in faults]
    digest = signature_hash_of(certificate)
    if digest is not None and digest.digest_size < MIN_HASH_BYTES:
        found.append(Finding("error", f"{name}: signed with {digest.name.upper()}; SHA-256 or better is needed"))
    if now > certificate.not_valid_after_utc:
        found.append(Finding("error", f"{name}: expired on {certificate.not_valid_after_utc:%Y-%m-%d}"))
    elif now < certificate.not_valid_before_utc:
        found.append(
            Finding("error", f"{name}: not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC")
        )
    elif now > certificate.not_valid_after_utc - EXPIRES_SOON:
        found.append(Finding("warning", f"{name}: expires on {certificate.not_valid_after_utc:%Y-%m-%d}"))
    if found and found[0].severity == "error":
        return found
    return found + _check_place(certificate, roots, others, now, name)


def _check_place(
    certificate: x509.Certificate,
    roots: list[x509.Certificate],
    others: list[x509.Certificate],
    now: datetime,
    name: str,
) -> list[Finding]:
    """Is it a CA, and does its path reach a root inside this bundle, four CAs deep at most?"""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        constraints = None
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return [Finding("error", f"{name}: its extensions cannot be parsed")]
    self_issued = certificate.subject == certificate.issuer
    if (constraints is None and not self_issued) or (constraints is not None and not constraints.ca):
        return [Finding("error", f"{name}: not a CA certificate; only issuers belong into a trust store")]
    if self_issued:
        return []
    try:
        path = verify_path(certificate, others, roots, now=now, as_ca=True)
    except PathInvalid as error:
        return [Finding("error", f"{name}: its path to a root is not in the bundle ({error.fault})")]
    if len(path.certificates) > MAX_DEPTH:
        return [Finding("error", f"{name}: its path has {len(path.certificates)} CAs; gateways accept {MAX_DEPTH}")]
    return []
