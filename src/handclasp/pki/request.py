"""A certificate request as it comes from outside: proof of possession, and nothing taken on trust.

RFC 2986 (PKCS#10), RFC 5280. What a CSR asks for beyond its public key is not obeyed: the profile decides the
extensions and the registry decides the subject.
"""

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

from handclasp.errors import RequestRejected
from handclasp.pki import pem
from handclasp.pki.keys import PrivateKey, PublicKey, public_key_faults, spki

_WEAK_HASHES = (hashes.MD5, hashes.SHA1)


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A public key whose private half the requester has shown to hold. `spki` is its DER."""

    public_key: PublicKey
    spki: bytes
    #: names of extensions the CSR asked for; they were not obeyed
    ignored: tuple[str, ...] = ()


def read_csr(data: bytes, what: str = "the CSR") -> CertificateRequest:
    """The request in a PKCS#10 CSR, PEM or DER.

    Raises InvalidInput when it is not a CSR, RequestRejected (with every violation) when it may not be signed:
    its signature does not verify, its key is weak or of an odd kind, its signature uses MD5 or SHA-1.
    """
    csr = pem.load_csr(data, what)
    try:
        key = csr.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise RequestRejected([f"the public key in {what} cannot be read or is of an unknown kind"]) from None
    violations = public_key_faults(key)
    try:
        if isinstance(csr.signature_hash_algorithm, _WEAK_HASHES):
            violations.append(f"it is signed with {csr.signature_hash_algorithm.name.upper()}; use SHA-256")
        elif not csr.is_signature_valid:
            violations.append("its signature does not verify: no proof that the requester holds the key")
    except (UnsupportedAlgorithm, InvalidSignature, ValueError):
        violations.append("its signature algorithm is not supported; use SHA-256")
    if violations:
        raise RequestRejected(
            violations,
            hint="make a new CSR with: openssl req -new -newkey ec "
            "-pkeyopt ec_paramgen_curve:P-256 -sha256 -nodes -keyout client.key -out client.csr",
        )
    assert isinstance(key, PublicKey)  # noqa: S101 - public_key_faults() let no other kind through
    return CertificateRequest(key, spki(key), _asked_for(csr))


def for_key(key: PrivateKey) -> CertificateRequest:
    """The request for a key we made ourselves. Raises RequestRejected for a weak one."""
    public = key.public_key()
    if faults := public_key_faults(public):
        raise RequestRejected(faults)
    return CertificateRequest(public, spki(public))


def _asked_for(csr: x509.CertificateSigningRequest) -> tuple[str, ...]:
    try:
        return tuple(extension.oid._name for extension in csr.extensions)
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return ("extensions that cannot be parsed",)
