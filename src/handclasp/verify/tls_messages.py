"""Two handshake messages as they were on the wire: Certificate and CertificateRequest.

Python's `ssl` shows a client neither the chain the server sent nor the CAs the server asked for, and they are
what a failed handshake turns on. RFC 5246 7.4.2, 7.4.4 (TLS 1.2 and before), RFC 8446 4.3.2, 4.4.2 (TLS 1.3).
The bytes come from a stranger: whatever does not parse is left out, never raised.
"""

from dataclasses import dataclass

from cryptography import x509

TLS_1_2 = 0x0303
TLS_1_3 = 0x0304
_CERTIFICATE_AUTHORITIES = 47  # RFC 8446 4.2.4
#: A trust store holds at most some hundreds of names; a longer list is only looked at so far.
_MAX_NAMES = 1_000


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """The server asked for a client certificate; an empty list of CAs means that it did not say which."""

    acceptable_cas: tuple[x509.Name, ...]


class _Reader:
    """Length-prefixed vectors (RFC 8446 3.4). Reading past the end raises ValueError."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        if self._at + count > len(self._data):
            raise ValueError("the message ends too early")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> "_Reader":
        return _Reader(self.take(self.number(size)))

    def rest(self) -> bytes:
        return self._data[self._at :]


def certificates(message: bytes, version: int) -> tuple[bytes, ...]:
    """The DER of each certificate in a Certificate message, in the order sent."""
    body = _Reader(message[4:])
    found = []
    try:
        if version >= TLS_1_3:
            body.vector(1)  # certificate_request_context
        entries = body.vector(3)
        while entries:
            found.append(entries.vector(3).rest())
            if version >= TLS_1_3:
                entries.vector(2)  # extensions of this entry
    except ValueError:
        pass
    return tuple(found)


def certificate_request(message: bytes, version: int) -> CertificateRequest:
    """The names in a CertificateRequest: certificate_authorities."""
    names: list[x509.Name] = []
    try:
        listed = _authorities(_Reader(message[4:]), version)
        while listed and len(names) < _MAX_NAMES:
            names.append(_name(listed.vector(2).rest()))
    except ValueError:
        pass
    return CertificateRequest(tuple(names))


def _authorities(body: _Reader, version: int) -> _Reader:
    body.vector(1)  # certificate_types, or in TLS 1.3 certificate_request_context
    if version < TLS_1_3:
        if version == TLS_1_2:
            body.vector(2)  # supported_signature_algorithms
        return body.vector(2)
    extensions = body.vector(2)
    while extensions:
        kind, value = extensions.number(2), extensions.vector(2)
        if kind == _CERTIFICATE_AUTHORITIES:
            return value.vector(2)
    return _Reader(b"")


def _name(der: bytes) -> x509.Name:
    """A distinguished name alone: `cryptography` reads names only inside something, so it is put into the
    smallest thing that has one, a CRL without entries whose signature nobody looks at."""
    ecdsa = bytes.fromhex("300a06082a8648ce3d040302")
    this_update = b"\x17\x0d" + b"260101000000Z"
    to_be_signed = _sequence(ecdsa + der + this_update)
    return x509.load_der_x509_crl(_sequence(to_be_signed + ecdsa + b"\x03\x02\x00\x00")).issuer


def _sequence(content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:  # noqa: PLR2004 - X.690 8.1.3.4: the short form of a length
        return bytes([0x30, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x30, 0x80 | len(length)]) + length + content
