"""Many certificates that differ in four fields: cut one made with care open, and cast the others in it.

Half of what a certificate costs is building objects that are encoded a moment later. Here `prepare` and `issue` make
one certificate with every rule applied; its serial number, subject, public key, subject alternative name and key
identifier are replaced in its DER, everything else is copied. A test holds the result to be what `prepare` and
`issue` would have signed, octet by octet.
"""

from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from handclasp.pki.der import element, parts, sequence
from handclasp.pki.extensions import spki_key_identifier
from handclasp.pki.keys import PrivateKey, signature_hash

_INTEGER, _BIT_STRING, _OCTET_STRING = 0x02, 0x03, 0x04
#: GeneralName: uniformResourceIdentifier [6]; TBSCertificate: extensions [3] (RFC 5280 4.2.1.6, 4.1).
_URI, _EXTENSIONS = 0x86, 0xA3
_SAN = bytes.fromhex("0603551d11")
_SKI = bytes.fromhex("0603551d0e")
#: A subject key identifier is 20 octets (RFC 7093): all of the extension but these.
_IDENTIFIER = sequence(_SKI + element(_OCTET_STRING, element(_OCTET_STRING, bytes(20))))[:-20]


class Mould:
    """Made from a v3 certificate whose SAN is one URI and not critical, SKI after it as `prepare` puts them.

    `key` is its issuer's. Raises ValueError for a model of another shape.
    """

    def __init__(self, model: x509.Certificate, key: PrivateKey) -> None:
        self._sign = _signature_by(key)
        tbs, self._algorithm, _ = parts(model.public_bytes(Encoding.DER))
        self._version, _, *signed, _, _, extensions = parts(tbs)
        # signature, issuer and validity stand between serial number and subject.
        self._signed = b"".join(signed)
        [listed] = parts(extensions)
        *shared, names, identifier = parts(listed)
        if parts(names)[0] != _SAN or parts(identifier)[0] != _SKI or len(parts(names)) != 2:  # noqa: PLR2004
            raise ValueError("the certificate is no model for others")
        self._shared = b"".join(shared)

    def cast(self, *, subject: bytes, spki: bytes, uri: str, serial: int) -> bytes:
        """The certificate's DER. `subject` and `spki` are DER; the URI is ASCII (RFC 5280 4.2.1.6)."""
        tbs = self.to_be_signed(subject=subject, spki=spki, uri=uri, serial=serial)
        return sequence(tbs + self._algorithm + element(_BIT_STRING, b"\0" + self._sign(tbs)))

    def to_be_signed(self, *, subject: bytes, spki: bytes, uri: str, serial: int) -> bytes:
        names = element(_OCTET_STRING, sequence(element(_URI, uri.encode("ascii"))))
        identifier = _IDENTIFIER + spki_key_identifier(spki)
        extensions = sequence(self._shared + sequence(_SAN + names) + identifier)
        number = element(_INTEGER, serial.to_bytes(serial.bit_length() // 8 + 1))
        return sequence(self._version + number + self._signed + subject + spki + element(_EXTENSIONS, extensions))


def _signature_by(key: PrivateKey) -> Callable[[bytes], bytes]:
    """As `CertificateBuilder.sign` does it for each kind of key."""
    algorithm = signature_hash(key)
    if isinstance(key, ec.EllipticCurvePrivateKey) and algorithm is not None:
        ecdsa = ec.ECDSA(algorithm)
        return lambda data: key.sign(data, ecdsa)
    if isinstance(key, rsa.RSAPrivateKey) and algorithm is not None:
        pkcs1 = padding.PKCS1v15()
        return lambda data: key.sign(data, pkcs1, algorithm)
    assert isinstance(key, ed25519.Ed25519PrivateKey)  # noqa: S101 - the third kind there is
    return key.sign
