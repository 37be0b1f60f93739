"""Findings about local files: is this a private key, its certificate, the rest of the chain, and a CA file?

Reading never stops at the first fault. A file that is not what was asked for is named for what it is, with the
command that turns it into the right thing; what can be read in spite of its faults goes on to the next check.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from handclasp.errors import InvalidInput, KeyUnavailable
from handclasp.pki.keys import PrivateKey, describe, open_sealed, spki
from handclasp.verify.credential import ANY_STRENGTH, Credential, refusal
from handclasp.verify.finding import Code, Finding, name_text
from handclasp.verify.pem_text import Cleaned, Kind, clean

CERTIFICATE_FILE = "the certificate file"
KEY_FILE = "the private key file"
CA_FILE = "the CA file"

Certificates = tuple[x509.Certificate, ...]

_CERTIFICATES = frozenset({Kind.CERTIFICATE, Kind.DER_CERTIFICATE})
_KEYS = frozenset({Kind.PRIVATE_KEY, Kind.DER_KEY})

#: What to do with a file of the wrong kind, when a certificate was wanted and when a key was.
_CONVERT_TO_CERTIFICATE = {
    Kind.PKCS12: "take it out: openssl pkcs12 -in FILE -nokeys -out client.crt",
    Kind.PKCS7: "take them out: openssl pkcs7 -print_certs -in FILE -out client.crt (-inform DER if binary)",
    Kind.CSR: "a CSR only asks for a certificate: send it to the CA and use the certificate that comes back",
    Kind.PUBLIC_KEY: "pass the certificate that the CA issued for this key",
}
_CONVERT_TO_KEY = {
    Kind.PKCS12: "take it out: openssl pkcs12 -in FILE -nocerts -out client.key",
    Kind.PUBLIC_KEY: "pass the private half; it is where the key pair was made",
    Kind.SSH_KEY: "convert a copy of it: ssh-keygen -p -m PKCS8 -f COPY; better, make a key for TLS alone",
    Kind.CSR: "pass the private key that was made together with this CSR",
}
_WANT_CERTIFICATE = "pass the PEM certificate (-----BEGIN CERTIFICATE-----) that the CA issued"
_WANT_KEY = "pass the PEM private key (-----BEGIN PRIVATE KEY-----) that belongs to the certificate"


@dataclass(frozen=True, slots=True)
class Material:
    """What could be read: the client's chain (end entity first), its key, and the CA file's certificates."""

    chain: Certificates
    anchors: Certificates
    credential: Credential | None
    findings: tuple[Finding, ...]


def read_material(
    cert: bytes | None, key: bytes | None, cacert: bytes | None, key_passphrase: bytes | None
) -> Material:
    """Every finding that needs no clock and no server. Never raises for what the files hold."""
    found: list[Finding] = []
    cert_file, key_file = _cleaned(cert, CERTIFICATE_FILE, found), _cleaned(key, KEY_FILE, found)
    if _holds_only(cert_file, _KEYS) and _holds_only(key_file, _CERTIFICATES):
        message = "the certificate file holds the private key and the private key file the certificate"
        found.append(Finding(Code.FILES_SWAPPED, "problem", message, "swap the two"))
        cert_file, key_file = key_file, cert_file
    chain = _certificates(cert_file, found)
    private_key = _private_key(key_file, key_passphrase, found)
    ca_file = _cleaned(cacert, CA_FILE, found)
    if ca_file and not _KEYS.isdisjoint(ca_file.kinds):
        message = "the CA file holds a private key; whoever verifies needs only certificates"
        fix = "take the key out, and if it is a CA's that left its place, replace that CA"
        found.append(Finding(Code.CA_FILE_HOLDS_KEY, "warning", message, fix))
    anchors = _certificates(ca_file, found)
    if chain:
        chain, order = in_order(chain, private_key)
        found += order
    credential, pair = _pair(chain, private_key, given=(cert is not None, key is not None))
    return Material(chain, anchors, credential, (*found, *pair))


def in_order(chain: Certificates, key: PrivateKey | None) -> tuple[Certificates, list[Finding]]:
    """End entity first, then each one's issuer (RFC 5246 7.4.2), and a finding if they stood otherwise."""
    end_entity = _end_entity(chain, key)
    ordered = [end_entity]
    rest = [certificate for certificate in dict.fromkeys(chain) if certificate != end_entity]
    while issuer := next((c for c in rest if c.subject == ordered[-1].issuer), None):
        ordered.append(issuer)
        rest.remove(issuer)
    meant = (*ordered, *rest)
    if meant == chain:
        return chain, []
    wanted = ", then ".join(name_text(c.subject) for c in meant[:5])
    fix = f"write them into the file in this order: {wanted}"
    if chain[0] != end_entity:
        message = (
            f"the certificate file begins with {name_text(chain[0].subject)}, not with the client's own "
            "certificate: TLS libraries take the first for the client's, and find that the key does not match"
        )
        return meant, [Finding(Code.CHAIN_ORDER, "problem", message, fix)]
    message = "the certificates behind the client's own are not each followed by their issuer; strict servers refuse"
    return meant, [Finding(Code.CHAIN_ORDER, "warning", message, fix)]


def _end_entity(chain: Certificates, key: PrivateKey | None) -> x509.Certificate:
    """The certificate of this key; failing that the first that is no CA; failing that the first."""
    if key is not None:
        ours = spki(key.public_key())
        for certificate in chain:
            if spki(certificate.public_key()) == ours:
                return certificate
    return next((certificate for certificate in chain if not is_ca(certificate)), chain[0])


def is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _cleaned(data: bytes | None, what: str, found: list[Finding]) -> Cleaned | None:
    if data is None:
        return None
    cleaned, blemishes = clean(data, what)
    found += blemishes
    return cleaned


def _holds_only(file: Cleaned | None, kinds: frozenset[Kind]) -> bool:
    return file is not None and kinds.issuperset(file.kinds)


def _certificates(file: Cleaned | None, found: list[Finding]) -> Certificates:
    if file is None:
        return ()
    if _CERTIFICATES.isdisjoint(file.kinds):
        found.append(_wrong_kind(file, "a certificate", _CONVERT_TO_CERTIFICATE, _WANT_CERTIFICATE))
        return ()
    if Kind.DER_CERTIFICATE in file.kinds:
        found.append(_is_der(file, "openssl x509 -inform DER -in FILE -out client.crt"))
    try:
        read = _parsed(file)
        for certificate in read:
            _touch(certificate)
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        message = (
            f"{file.what} holds a certificate that cannot be parsed: it is damaged, cut off, or has a key of an "
            "unknown kind"
        )
        fix = "fetch it again from the CA, complete from -----BEGIN to the last dash of -----END"
        found.append(Finding(Code.FILE_DAMAGED, "problem", message, fix))
        return ()
    return read


def _parsed(file: Cleaned) -> Certificates:
    if Kind.DER_CERTIFICATE in file.kinds:
        return (x509.load_der_x509_certificate(file.data),)
    return tuple(x509.load_pem_x509_certificates(file.of(Kind.CERTIFICATE)))


def _touch(certificate: x509.Certificate) -> None:
    """Parse now what `cryptography` parses on demand, so that no later check meets a surprise."""
    _ = (certificate.subject, certificate.issuer, certificate.extensions, certificate.public_key())
    _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def readable(der: Sequence[bytes]) -> Certificates:
    """The certificates a server sent, as far as they parse."""
    read = []
    for one in der:
        try:
            certificate = x509.load_der_x509_certificate(one)
            _touch(certificate)
        except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
            break
        read.append(certificate)
    return tuple(read)


def _private_key(file: Cleaned | None, passphrase: bytes | None, found: list[Finding]) -> PrivateKey | None:
    if file is None:
        return None
    if _KEYS.isdisjoint(file.kinds):
        found.append(_wrong_kind(file, "a private key", _CONVERT_TO_KEY, _WANT_KEY))
        return None
    if Kind.DER_KEY in file.kinds:
        found.append(_is_der(file, "openssl pkey -inform DER -in FILE -out client.key"))
    data = file.data if Kind.DER_KEY in file.kinds else file.of(Kind.PRIVATE_KEY)
    try:
        return open_sealed(data, passphrase, file.what)
    except KeyUnavailable as error:
        code = Code.KEY_ENCRYPTED if passphrase is None else Code.KEY_PASSPHRASE_WRONG
        fix = "pass its passphrase, or decrypt a copy: openssl pkey -in FILE -out client.key (keep it 0600)"
        found.append(Finding(code, "problem", str(error), fix))
    except InvalidInput as error:
        if "not supported" in str(error):
            fix = "make a P-256, RSA or Ed25519 key and have it certified"
            found.append(Finding(Code.KEY_UNSUPPORTED, "problem", str(error), fix))
        else:
            message = f"{file.what} holds a private key that cannot be parsed: it is damaged or cut off"
            fix = "copy it again, complete from -----BEGIN to the last dash of -----END"
            found.append(Finding(Code.FILE_DAMAGED, "problem", message, fix))
    return None


def _wrong_kind(file: Cleaned, wanted: str, conversions: dict[Kind, str], otherwise: str) -> Finding:
    message = f"{file.what} holds {file.kinds[0]}, not {wanted}"
    return Finding(Code.FILE_WRONG_KIND, "problem", message, conversions.get(file.kinds[0], otherwise))


def _is_der(file: Cleaned, command: str) -> Finding:
    message = f"{file.what} is DER; most TLS clients want PEM"
    return Finding(Code.FILE_IS_DER, "problem", message, f"convert it: {command}")


def _pair(
    chain: Certificates, key: PrivateKey | None, *, given: tuple[bool, bool]
) -> tuple[Credential | None, list[Finding]]:
    if given == (True, False):
        message = "a certificate was given without its private key: it cannot be presented"
        return None, [Finding(Code.KEY_MISSING, "problem", message, _WANT_KEY)]
    if given == (False, True):
        message = "a private key was given without its certificate: there is nothing to present"
        return None, [Finding(Code.CERTIFICATE_MISSING, "problem", message, _WANT_CERTIFICATE)]
    if not chain or key is None:
        return None, []
    if spki(chain[0].public_key()) != spki(key.public_key()):
        message = (
            f"the private key ({describe(key.public_key())}) does not belong to the certificate "
            f"{name_text(chain[0].subject)} ({describe(chain[0].public_key())})"
        )
        fix = (
            "find the pair that was made together: openssl x509 -noout -pubkey -in client.crt and "
            "openssl pkey -pubout -in client.key print the same for a pair; after a renewal, replace both"
        )
        return None, [Finding(Code.KEY_MISMATCH, "problem", message, fix)]
    credential = Credential(chain, key)
    return _loadable(credential)


def _loadable(credential: Credential) -> tuple[Credential | None, list[Finding]]:
    """A pair that OpenSSL will not load is no use to a client, even if our own probe can still present it."""
    found = [Finding(Code.KEY_MATCHES, "ok", "the private key belongs to the certificate")]
    if reason := refusal(credential):
        message = f"OpenSSL refuses to load the certificate and key: {printable_reason(reason)}"
        fix = "have a certificate issued for a new P-256 key, signed with SHA-256"
        found.append(Finding(Code.CREDENTIAL_UNUSABLE, "problem", message, fix))
        if refusal(credential, ANY_STRENGTH):
            return None, found
    return credential, found


def printable_reason(reason: str) -> str:
    """OpenSSL's reason code as words: EE_KEY_TOO_SMALL -> "ee key too small"."""
    return reason.replace("_", " ").lower()
