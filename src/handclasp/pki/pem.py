"""Reading PEM and DER that somebody else wrote: bounded, and with an error that names the trouble.

Whatever is parsed here may be hostile, so the size and the number of blocks are limited before any parser
sees the bytes (RFC 7468 sets no limit of its own).
"""

from binascii import a2b_base64, b2a_base64

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from handclasp.errors import InvalidInput

#: API Gateway is said to accept trust stores up to 1 MB and 1,000 certificates; nothing we read is larger.
MAX_BYTES = 1_048_576
MAX_BLOCKS = 1_000

_BEGIN = b"-----BEGIN "
#: 64 columns of base64
_OCTETS = 48
#: and the end of a line
_LINE = 65


def check_size(data: bytes, what: str) -> None:
    """Raises InvalidInput if `data` is empty, over MAX_BYTES, or holds more than MAX_BLOCKS PEM blocks."""
    if not data.strip():
        raise InvalidInput(f"{what} is empty")
    if len(data) > MAX_BYTES:
        raise InvalidInput(f"{what} is {len(data):,} bytes; at most {MAX_BYTES:,} are read")
    if data.count(_BEGIN) > MAX_BLOCKS:
        raise InvalidInput(f"{what} holds {data.count(_BEGIN):,} PEM blocks; at most {MAX_BLOCKS:,} are read")


def block_labels(data: bytes) -> list[str]:
    """The labels of the PEM blocks in `data`, in order ("CERTIFICATE", "PRIVATE KEY", ...)."""
    return [
        part.split(b"-----", 1)[0].decode("ascii", "replace")
        for part in data.split(_BEGIN)[1:]
        if b"-----" in part[:64]
    ]


def load_certificates(data: bytes, what: str = "the certificate file") -> list[x509.Certificate]:
    """Every certificate in PEM text, or the one in DER, in file order. Raises InvalidInput."""
    check_size(data, what)
    try:
        if _BEGIN in data:
            certificates = x509.load_pem_x509_certificates(data)
        else:
            certificates = [x509.load_der_x509_certificate(data)]
        for certificate in certificates:
            # Names are parsed when they are first asked for: ask now, where a bad one is bad input.
            _ = certificate.subject, certificate.issuer
    except (ValueError, x509.InvalidVersion):
        raise InvalidInput(_not_that(data, what, "certificate", "CERTIFICATE")) from None
    return certificates


def load_certificate(data: bytes, what: str = "the certificate file") -> x509.Certificate:
    """The first certificate in `data`: an end entity comes first in a chain file (RFC 8446 4.4.2)."""
    return load_certificates(data, what)[0]


def load_csr(data: bytes, what: str = "the CSR") -> x509.CertificateSigningRequest:
    """The PKCS#10 request (RFC 2986) in PEM or DER. Raises InvalidInput. Its signature is not checked here."""
    check_size(data, what)
    try:
        if _BEGIN in data:
            return x509.load_pem_x509_csr(data)
        return x509.load_der_x509_csr(data)
    except (ValueError, x509.InvalidVersion):
        raise InvalidInput(_not_that(data, what, "certificate signing request", "CERTIFICATE REQUEST")) from None


def certificate_pem(*certificates: x509.Certificate) -> bytes:
    """PEM with LF line ends and 64 columns, one block after the other (RFC 7468, strict)."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def der_pem(der: bytes) -> bytes:
    """`certificate_pem` for a certificate that is there as DER: no parser, a fifth of the work."""
    lines = [b2a_base64(der[at : at + _OCTETS]) for at in range(0, len(der), _OCTETS)]
    return b"-----BEGIN CERTIFICATE-----\n" + b"".join(lines) + b"-----END CERTIFICATE-----\n"


def first_der(pem: bytes, lines: int | None = None) -> bytes:
    """The DER inside the first block of PEM text of our own making, or of so many of its lines. Raises ValueError."""
    begin, end = pem.find(b"-----\n"), pem.find(b"\n-----END ")
    if begin < 0 or end < begin:
        raise ValueError("not PEM")
    begin += 6
    return a2b_base64(pem[begin : end if lines is None else min(end, begin + lines * _LINE)])


def _not_that(data: bytes, what: str, wanted: str, label: str) -> str:
    labels = block_labels(data)
    if labels and label not in labels:
        return f"{what} holds {', '.join(sorted(set(labels[:5])))}, not a {wanted}"
    if labels:
        return f"{what} holds a {wanted} that cannot be parsed: it is damaged or truncated"
    return f"{what} is not a {wanted} in PEM or DER"
