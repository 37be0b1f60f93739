"""As much DER (X.690) as it takes to read a field out of a certificate of ours, or to put one together.

A certificate is taken apart here only after a real parser has accepted it once; nothing of this judges bytes that
somebody sent. Finding a field this way costs a tenth of parsing the certificate, and bulk work reads thousands.
"""

_SEQUENCE = 0x30
#: Lengths below it are written as they are; with this bit the octet counts those of the length (X.690 8.1.3.5).
_LONG = 0x80
_VERSION = 0xA0


def content(der: bytes, at: int = 0) -> tuple[int, int]:
    """Where the content of the element at `at` starts and ends (X.690 8.1.3)."""
    start, length = at + 2, der[at + 1]
    if length & _LONG:
        octets = length - _LONG
        length = int.from_bytes(der[start : start + octets])
        start += octets
    return start, start + length


def element(tag: int, value: bytes) -> bytes:
    """One element with its length in the shortest form (X.690 10.1)."""
    size = len(value)
    if size < _LONG:
        return bytes((tag, size)) + value
    octets = (size.bit_length() + 7) // 8
    return bytes((tag, _LONG | octets)) + size.to_bytes(octets) + value


def sequence(value: bytes) -> bytes:
    return element(_SEQUENCE, value)


def parts(der: bytes) -> list[bytes]:
    """The elements inside an element, each whole. Raises ValueError when they do not fill it."""
    at, end = content(der)
    found = []
    while at < end:
        _, following = content(der, at)
        found.append(der[at:following])
        at = following
    if at != end or end != len(der):
        raise ValueError("the DER is damaged")
    return found


def subject_and_key(certificate: bytes) -> tuple[bytes, bytes]:
    """A certificate's subject and SubjectPublicKeyInfo, each as its DER (RFC 5280 4.1).

    Raises ValueError for what is no certificate.
    """
    try:
        at, _ = content(certificate)  # Certificate
        at, _ = content(certificate, at)  # TBSCertificate
        if certificate[at] == _VERSION:
            _, at = content(certificate, at)
        for _ in range(4):  # serialNumber, signature, issuer, validity
            _, at = content(certificate, at)
        _, middle = content(certificate, at)
        _, end = content(certificate, middle)
    except IndexError:
        raise ValueError("the certificate is damaged") from None
    if end > len(certificate):
        raise ValueError("the certificate is damaged")
    return certificate[at:middle], certificate[middle:end]
