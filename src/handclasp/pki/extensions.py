"""From a profile to X.509 extensions (RFC 5280 4.2), and the key identifier they share."""

from dataclasses import dataclass
from hashlib import sha256

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from handclasp.pki.keys import PublicKey, spki
from handclasp.pki.profile import Profile

AnyExtension = x509.Extension[x509.ExtensionType]

_NO_USAGE = {
    "digital_signature": False,
    "content_commitment": False,
    "key_encipherment": False,
    "data_encipherment": False,
    "key_agreement": False,
    "key_cert_sign": False,
    "crl_sign": False,
    "encipher_only": False,
    "decipher_only": False,
}


@dataclass(frozen=True, slots=True)
class IssuerUrls:
    """Where relying parties find the issuer's certificate and CRL: http URLs, or None to leave them out."""

    ca_issuers: str | None = None
    crl: str | None = None


NO_URLS = IssuerUrls()


def extension(value: x509.ExtensionType, *, critical: bool = False) -> AnyExtension:
    return x509.Extension(value.oid, critical, value)


def profile_extensions(profile: Profile, *, is_rsa: bool) -> list[AnyExtension]:
    """What every certificate of this profile says, whoever signs it."""
    found = [extension(_key_usage(profile, is_rsa=is_rsa), critical=True)]
    if profile.ca:
        found.insert(0, extension(x509.BasicConstraints(ca=True, path_length=profile.path_length), critical=True))
    if profile.extended_key_usage:
        found.append(extension(x509.ExtendedKeyUsage(profile.extended_key_usage)))
    if profile.policies:
        policies = [x509.PolicyInformation(policy, None) for policy in profile.policies]
        found.append(extension(x509.CertificatePolicies(policies)))
    if profile.ocsp_no_check:
        # RFC 6960 4.2.2.2.1: nobody asks the responder about the responder.
        found.append(extension(x509.OCSPNoCheck()))
    return found


def pointers(urls: IssuerUrls) -> list[AnyExtension]:
    """AIA caIssuers and CRL distribution point, for the URLs that are configured."""
    found = []
    if urls.ca_issuers:
        location = x509.UniformResourceIdentifier(urls.ca_issuers)
        access = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, location)
        found.append(extension(x509.AuthorityInformationAccess([access])))
    if urls.crl:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(urls.crl)], None, None, None)
        found.append(extension(x509.CRLDistributionPoints([point])))
    return found


def encoded(found: AnyExtension) -> AnyExtension:
    """The same extension as its DER, which the builder copies instead of encoding it for every certificate."""
    value = x509.UnrecognizedExtension(found.oid, found.value.public_bytes())
    return x509.Extension(found.oid, found.critical, value)


def key_identifier(key: PublicKey) -> bytes:
    return spki_key_identifier(spki(key))


def spki_key_identifier(subject_public_key_info: bytes) -> bytes:
    """RFC 7093 section 2 method 1: the first 160 bits of SHA-256 over the subjectPublicKey BIT STRING.

    SubjectPublicKeyInfo ::= SEQUENCE { algorithm SEQUENCE, subjectPublicKey BIT STRING } (RFC 5280 4.1); the
    first octet of a BIT STRING counts its unused bits. Finding it in the DER costs a tenth of encoding the key again.
    """
    algorithm, _ = _content(subject_public_key_info, 0)
    _, public_key = _content(subject_public_key_info, algorithm)
    start, end = _content(subject_public_key_info, public_key)
    return sha256(subject_public_key_info[start + 1 : end]).digest()[:20]


def _content(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the DER element at `at` starts and ends (X.690 8.1.3)."""
    start, length = at + 2, der[at + 1]
    if length & 0x80:
        octets = length & 0x7F
        length = int.from_bytes(der[start : start + octets])
        start += octets
    return start, start + length


def _key_usage(profile: Profile, *, is_rsa: bool) -> x509.KeyUsage:
    """CAs sign certificates and CRLs; others sign, and RSA clients and servers may also unwrap a TLS 1.2 key."""
    if profile.ca:
        return x509.KeyUsage(**{**_NO_USAGE, "key_cert_sign": True, "crl_sign": True})
    unwraps = is_rsa and not profile.ocsp_no_check
    return x509.KeyUsage(**{**_NO_USAGE, "digital_signature": True, "key_encipherment": unwraps})
