"""Certification path building and validation (RFC 5280 section 6.1), for clients and servers of our kind.

The signature and name chaining of each step is `cryptography`'s; which certificates may stand where is decided
here, because hierarchies made by hand with OpenSSL are adopted too and they rarely carry the extensions that
web verifiers insist on. What is checked is listed, clause by clause, in `_check`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from handclasp.errors import PathInvalid
from handclasp.pki.keys import public_key_faults

#: API Gateway's limit on a chain is four CAs; five certificates is that and the end entity.
MAX_CERTIFICATES = 5
#: Each signature check costs: a bundle of look-alikes may not buy more of them than this.
MAX_SIGNATURE_CHECKS = 64

_T = TypeVar("_T", bound=x509.ExtensionType)

CLIENT_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER_AUTH = ExtendedKeyUsageOID.SERVER_AUTH

_PROCESSED = frozenset(
    {
        x509.BasicConstraints.oid,
        x509.KeyUsage.oid,
        x509.ExtendedKeyUsage.oid,
        x509.SubjectAlternativeName.oid,
        # Policies are not required by us, so a critical anyPolicy or own policy changes nothing (6.1.5 (g)).
        x509.CertificatePolicies.oid,
    }
)


class Fault(StrEnum):
    """Which rule a path broke."""

    NO_ISSUER = "no_issuer"
    SIGNATURE = "signature"
    WEAK_SIGNATURE = "weak_signature"
    WEAK_KEY = "weak_key"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    NOT_A_CA = "not_a_ca"
    PATH_TOO_LONG = "path_too_long"
    USAGE = "usage"
    UNKNOWN_CRITICAL = "unknown_critical"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class CertificationPath:
    """A path that was verified: end entity first, trust anchor last."""

    certificates: tuple[x509.Certificate, ...]

    @property
    def end_entity(self) -> x509.Certificate:
        return self.certificates[0]

    @property
    def anchor(self) -> x509.Certificate:
        return self.certificates[-1]


def verify_path(
    end_entity: x509.Certificate,
    intermediates: Iterable[x509.Certificate],
    anchors: Iterable[x509.Certificate],
    *,
    now: datetime,
    usage: x509.ObjectIdentifier = CLIENT_AUTH,
    as_ca: bool = False,
) -> CertificationPath:
    """The path from `end_entity` to one of `anchors`, valid at `now` for `usage`.

    With `as_ca` the first certificate is itself an issuer and is checked as one.

    Raises PathInvalid with the fault of the most promising path: one that reaches an anchor but breaks a rule
    says more than one that never gets there.
    """
    if not _is_named(end_entity):
        raise _fault(Fault.MALFORMED, end_entity, "has a name that cannot be parsed")
    found = _Search(tuple(filter(_is_named, intermediates)), tuple(filter(_is_named, anchors)))
    faults: list[PathInvalid] = []
    for candidate in found.paths((end_entity,)):
        try:
            _check(candidate, now, usage, as_ca=as_ca)
        except PathInvalid as fault:
            faults.append(fault)
        else:
            return CertificationPath(candidate)
    if faults:
        raise faults[0]
    raise found.dead_end(end_entity)


class _Search:
    """Depth first from the end entity upwards, matching issuer names, then signatures; anchors before others."""

    def __init__(self, intermediates: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate]) -> None:
        self._anchors = anchors
        self._intermediates = intermediates
        self._checks = 0
        self._weak_signature: x509.Certificate | None = None
        self._bad_signature: x509.Certificate | None = None
        self._too_long = False

    def paths(self, path: tuple[x509.Certificate, ...]) -> Iterable[tuple[x509.Certificate, ...]]:
        last = path[-1]
        if last in self._anchors:
            yield path
            return
        if len(path) >= MAX_CERTIFICATES:
            self._too_long = True
            return
        for issuer in (*self._anchors, *self._intermediates):
            if issuer not in path and issuer.subject == last.issuer and self._signed(last, issuer):
                yield from self.paths((*path, issuer))

    def _signed(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        self._checks += 1
        if self._checks > MAX_SIGNATURE_CHECKS:
            self._too_long = True
            return False
        if isinstance(signature_hash_of(certificate), (hashes.MD5, hashes.SHA1)):
            self._weak_signature = certificate
            return False
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            self._bad_signature = certificate
            return False
        return True

    def dead_end(self, end_entity: x509.Certificate) -> PathInvalid:
        if self._too_long:
            return _fault(Fault.PATH_TOO_LONG, end_entity, f"has no path of at most {MAX_CERTIFICATES} certificates")
        if self._weak_signature is not None:
            return _fault(Fault.WEAK_SIGNATURE, self._weak_signature, "is signed with a broken hash (MD5 or SHA-1)")
        if self._bad_signature is not None:
            return _fault(
                Fault.SIGNATURE,
                self._bad_signature,
                "names an issuer we know, but that issuer's key did not sign it",
            )
        if end_entity.issuer == end_entity.subject:
            return _fault(Fault.NO_ISSUER, end_entity, "is self-signed and not a trust anchor")
        issuer = end_entity.issuer.rfc4514_string()
        return _fault(Fault.NO_ISSUER, end_entity, f"has no path to a trust anchor: its issuer is {issuer}")


def _check(path: tuple[x509.Certificate, ...], now: datetime, usage: x509.ObjectIdentifier, *, as_ca: bool) -> None:
    # From the anchor down, as 6.1 walks. 6.1.1 (d): a trust anchor is a name and a key; its own extensions
    # do not limit the path, but an expired anchor is refused as every TLS library does.
    for depth in range(len(path) - 1, -1, -1):
        certificate = path[depth]
        # 6.1.3 (a)(2): valid at this moment
        if now > certificate.not_valid_after_utc:
            raise _fault(Fault.EXPIRED, certificate, f"expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC")
        if now < certificate.not_valid_before_utc:
            raise _fault(
                Fault.NOT_YET_VALID,
                certificate,
                f"is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
            )
        _check_key(certificate)
        extensions = _extensions(certificate)
        # 6.1.4 (o), 6.1.5 (f): a critical extension that is not processed refuses the path
        for extension in extensions:
            if extension.critical and extension.oid not in _PROCESSED:
                raise _fault(
                    Fault.UNKNOWN_CRITICAL,
                    certificate,
                    f"has a critical extension we do not process: {extension.oid.dotted_string}",
                )
        if depth > 0 or as_ca:
            # An issuer at the start of the path will have end entities below it, so it counts like the others.
            below = path[0 if as_ca else 1 : depth]
            _check_ca(certificate, extensions, below=below, is_anchor=depth == len(path) - 1)
        _check_usage(certificate, extensions, usage, is_end_entity=depth == 0 and not as_ca)


def _check_ca(
    certificate: x509.Certificate,
    extensions: x509.Extensions,
    *,
    below: Sequence[x509.Certificate],
    is_anchor: bool,
) -> None:
    constraints = _value(extensions, x509.BasicConstraints)
    # 6.1.4 (k): cA is true. A version 1 root says nothing; only an anchor may.
    if constraints is None:
        if not is_anchor:
            raise _fault(Fault.NOT_A_CA, certificate, "is not a CA certificate but has issued one")
    elif not constraints.ca:
        raise _fault(Fault.NOT_A_CA, certificate, "is not a CA certificate but has issued one")
    # 6.1.4 (l), (m): pathLen counts the intermediates below that are not self-issued
    elif constraints.path_length is not None:
        length = sum(1 for c in below if c.subject != c.issuer)
        if length > constraints.path_length:
            raise _fault(
                Fault.PATH_TOO_LONG,
                certificate,
                f"allows {constraints.path_length} CA certificates below it, the path has {length}",
            )
    # 6.1.4 (n): keyCertSign
    key_usage = _value(extensions, x509.KeyUsage)
    if key_usage is not None and not key_usage.key_cert_sign:
        raise _fault(Fault.NOT_A_CA, certificate, "may not sign certificates: its key usage lacks keyCertSign")


def _check_usage(
    certificate: x509.Certificate,
    extensions: x509.Extensions,
    usage: x509.ObjectIdentifier,
    *,
    is_end_entity: bool,
) -> None:
    # 4.2.1.12: every certificate that names purposes must name this one, the CAs too, as TLS libraries read it.
    # One that names none allows all, so certificates made with plain OpenSSL pass; our own always name one.
    purposes = _value(extensions, x509.ExtendedKeyUsage)
    if purposes is not None and usage not in purposes and ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE not in purposes:
        raise _fault(Fault.USAGE, certificate, f"may not be used for {usage._name}: its extended key usage lacks it")
    if not is_end_entity:
        return
    key_usage = _value(extensions, x509.KeyUsage)
    if key_usage is not None and not key_usage.digital_signature:
        raise _fault(Fault.USAGE, certificate, "cannot sign a TLS handshake: its key usage lacks digitalSignature")


def _check_key(certificate: x509.Certificate) -> None:
    try:
        faults = public_key_faults(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm):
        faults = ["its public key is of an unknown kind"]
    if faults:
        raise _fault(Fault.WEAK_KEY, certificate, "has a key that is refused: " + "; ".join(faults))


def signature_hash_of(certificate: x509.Certificate) -> hashes.HashAlgorithm | None:
    """The hash of the certificate's signature; None for Ed25519 and for algorithms unknown to the library."""
    try:
        return certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None


def _extensions(certificate: x509.Certificate) -> x509.Extensions:
    try:
        return certificate.extensions
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise _fault(Fault.MALFORMED, certificate, "has extensions that cannot be parsed") from None


def _value(extensions: x509.Extensions, kind: type[_T]) -> _T | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _is_named(certificate: x509.Certificate) -> bool:
    """Names are parsed when they are first asked for; one that cannot be parsed chains to nothing."""
    try:
        _ = certificate.subject, certificate.issuer
    except ValueError:
        return False
    return True


def _fault(fault: Fault, certificate: x509.Certificate, what: str) -> PathInvalid:
    try:
        subject = certificate.subject.rfc4514_string() or f"serial number {certificate.serial_number:x}"
    except ValueError:
        subject = f"serial number {certificate.serial_number:x}"
    return PathInvalid(fault.value, subject, f"certificate {subject} {what}")
