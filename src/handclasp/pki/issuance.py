"""Public key + profile + issuer -> certificate, in two steps: what is prepared is checked, then signed.

`prepare` decides every field and refuses what may not be; `issue` only signs. What a profile and an issuer
have in common is built once and kept on the `IssuingAuthority`, because half the cost of a certificate is
building its extensions.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from handclasp.errors import PathInvalid, RequestRejected
from handclasp.pki.extensions import (
    NO_URLS,
    AnyExtension,
    IssuerUrls,
    encoded,
    extension,
    key_identifier,
    pointers,
    profile_extensions,
    spki_key_identifier,
)
from handclasp.pki.keys import PrivateKey, signature_hash
from handclasp.pki.profile import ROOT, Profile
from handclasp.pki.request import CertificateRequest, for_key

#: A certificate is valid a little before it is issued, so that a client whose clock is slow can use it at once.
BACKDATE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything but the signature."""

    profile: Profile
    subject: x509.Name
    request: CertificateRequest
    serial_number: int
    not_before: datetime
    not_after: datetime
    extensions: list[AnyExtension]


@dataclass(frozen=True)
class IssuingAuthority:
    """A CA certificate with the key that signs for it. The key may live elsewhere (a KMS): only sign() is used."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)
    urls: IssuerUrls = NO_URLS
    _shared: dict[tuple[Profile, bool], list[AnyExtension]] = field(default_factory=dict, repr=False)

    @cached_property
    def name(self) -> x509.Name:
        return self.certificate.subject

    @cached_property
    def not_before(self) -> datetime:
        return self.certificate.not_valid_before_utc

    @cached_property
    def not_after(self) -> datetime:
        return self.certificate.not_valid_after_utc

    @cached_property
    def key_identifier(self) -> bytes:
        """The issuer's own SKI, whatever method made it; RFC 7093 method 1 if it carries none."""
        try:
            found = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        except x509.ExtensionNotFound:
            return key_identifier(self.key.public_key())
        return found.value.digest

    @cached_property
    def signature_hash(self) -> hashes.SHA256 | hashes.SHA384 | None:
        return signature_hash(self.key)

    def shared_extensions(self, profile: Profile, *, is_rsa: bool) -> list[AnyExtension]:
        """The extensions that are the same in every certificate of this profile from this issuer."""
        known = self._shared.get((profile, is_rsa))
        if known is None:
            known = profile_extensions(profile, is_rsa=is_rsa)
            known.append(extension(x509.AuthorityKeyIdentifier(self.key_identifier, None, None)))
            if profile.points_to_issuer:
                known.extend(pointers(self.urls))
            known = self._shared[(profile, is_rsa)] = [encoded(each) for each in known]
        return known


def prepare(
    request: CertificateRequest,
    profile: Profile,
    issuer: IssuingAuthority,
    *,
    subject: x509.Name,
    now: datetime,
    names: Sequence[x509.GeneralName] = (),
    lifetime: timedelta | None = None,
    validity: tuple[datetime, datetime] | None = None,
) -> Prepared:
    """Every field of the certificate to be.

    notBefore = now - 10 minutes and notAfter = notBefore + lifetime - 1 s (RFC 5280 counts both ends in), each
    held within the issuer's own validity: an end entity never outlives its issuer. An explicit `validity` stands
    as it is, whole seconds, and must lie within the issuer's. Raises RequestRejected when the certificate would
    name nobody or its `validity` does not fit, PathInvalid when the issuer is not valid now.
    """
    not_before, not_after = _validity(issuer, now, lifetime or timedelta(days=profile.days))
    if validity is not None:
        not_before, not_after = _within(issuer, validity)
    is_rsa = isinstance(request.public_key, rsa.RSAPublicKey)
    extensions = list(issuer.shared_extensions(profile, is_rsa=is_rsa))
    unnamed = not len(subject)
    if names:
        # RFC 5280 4.1.2.6: with an empty subject the SAN is what names the subject, so it is critical.
        critical = unnamed or profile.name == "server"
        extensions.append(extension(x509.SubjectAlternativeName(names), critical=critical))
    elif unnamed:
        raise RequestRejected(["neither subject nor subject alternative name: it would name nobody"])
    extensions.append(extension(x509.SubjectKeyIdentifier(spki_key_identifier(request.spki))))
    return Prepared(profile, subject, request, serial_number(), not_before, not_after, extensions)


def issue(prepared: Prepared, issuer: IssuingAuthority) -> x509.Certificate:
    """Sign what was prepared. The constructor form is used because it costs 12 % less than the builder's chain."""
    return x509.CertificateBuilder(
        issuer.name,
        prepared.subject,
        prepared.request.public_key,
        prepared.serial_number,
        prepared.not_before,
        prepared.not_after,
        prepared.extensions,
    ).sign(issuer.key, issuer.signature_hash)


def self_signed(
    key: PrivateKey,
    *,
    subject: x509.Name,
    now: datetime,
    profile: Profile = ROOT,
    lifetime: timedelta | None = None,
) -> x509.Certificate:
    """A root: its own issuer, with the AKI that names itself."""
    request = for_key(key)
    identifier = spki_key_identifier(request.spki)
    not_before = now.replace(microsecond=0) - BACKDATE
    extensions = [
        *profile_extensions(profile, is_rsa=isinstance(request.public_key, rsa.RSAPublicKey)),
        extension(x509.AuthorityKeyIdentifier(identifier, None, None)),
        extension(x509.SubjectKeyIdentifier(identifier)),
    ]
    return x509.CertificateBuilder(
        subject,
        subject,
        request.public_key,
        serial_number(),
        not_before,
        not_before + (lifetime or timedelta(days=profile.days)) - timedelta(seconds=1),
        extensions,
    ).sign(key, signature_hash(key))


def serial_number() -> int:
    """158 random bits under a leading one: 20 octets, positive, unguessable (RFC 5280 4.1.2.2)."""
    return 1 << 158 | secrets.randbits(158)


def _validity(issuer: IssuingAuthority, now: datetime, lifetime: timedelta) -> tuple[datetime, datetime]:
    now = now.replace(microsecond=0)
    if not issuer.not_before <= now < issuer.not_after:
        raise _not_valid_now(issuer, now)
    not_before = max(now - BACKDATE, issuer.not_before)
    return not_before, min(not_before + lifetime - timedelta(seconds=1), issuer.not_after)


def _not_valid_now(issuer: IssuingAuthority, now: datetime) -> PathInvalid:
    subject = issuer.name.rfc4514_string()
    hint = "check this machine's clock; handclasp ca show prints the issuer's validity"
    if now < issuer.not_before:
        return PathInvalid("not_yet_valid", subject, f"issuer {subject} is not valid yet", hint=hint)
    return PathInvalid("expired", subject, f"issuer {subject} has expired: it issues nothing", hint=hint)


def _within(issuer: IssuingAuthority, validity: tuple[datetime, datetime]) -> tuple[datetime, datetime]:
    not_before, not_after = (moment.replace(microsecond=0) for moment in validity)
    if not issuer.not_before <= not_before <= not_after <= issuer.not_after:
        raise RequestRejected(
            [
                f"a validity from {not_before:%Y-%m-%d %H:%M:%S} to {not_after:%Y-%m-%d %H:%M:%S} UTC does not lie "
                f"within its issuer's, {issuer.not_before:%Y-%m-%d %H:%M:%S} to {issuer.not_after:%Y-%m-%d %H:%M:%S}"
            ]
        )
    return not_before, not_after
