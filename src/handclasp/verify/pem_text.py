"""How a file is written, before what it says: the ways PEM gets hurt between two systems, and how each is mended.

`clean` mends what it can and says what it mended, so that one wrong line end does not hide an expired
certificate behind it. RFC 7468 is the measure, OpenSSL's reader the reason for the severities.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_private_key

from handclasp.errors import InvalidInput
from handclasp.pki.pem import check_size
from handclasp.verify.finding import Code, Finding, Severity

_BEGIN, _END, _DASHES = b"-----BEGIN ", b"-----END ", b"-----"


class Kind(StrEnum):
    """What a file holds, in words that fit after "holds"."""

    CERTIFICATE = "a certificate"
    PRIVATE_KEY = "a private key"
    DER_CERTIFICATE = "a certificate in DER"
    DER_KEY = "a private key in DER"
    CSR = "a certificate signing request (CSR)"
    PUBLIC_KEY = "a public key"
    SSH_KEY = "an OpenSSH key"
    CRL = "a certificate revocation list"
    PKCS7 = "a PKCS#7 bundle"
    PKCS12 = "a PKCS#12 store (.p12, .pfx)"
    UNKNOWN = "nothing that is PEM or DER"


_LABELS = {
    "CERTIFICATE": Kind.CERTIFICATE,
    "X509 CERTIFICATE": Kind.CERTIFICATE,
    "PRIVATE KEY": Kind.PRIVATE_KEY,
    "ENCRYPTED PRIVATE KEY": Kind.PRIVATE_KEY,
    "RSA PRIVATE KEY": Kind.PRIVATE_KEY,
    "EC PRIVATE KEY": Kind.PRIVATE_KEY,
    "CERTIFICATE REQUEST": Kind.CSR,
    "NEW CERTIFICATE REQUEST": Kind.CSR,
    "PUBLIC KEY": Kind.PUBLIC_KEY,
    "OPENSSH PRIVATE KEY": Kind.SSH_KEY,
    "X509 CRL": Kind.CRL,
    "PKCS7": Kind.PKCS7,
}
#: PKCS#12 (RFC 7292 4): version 3, then a ContentInfo of type data
_PKCS12 = re.compile(rb"\A\x30.{1,5}\x02\x01\x03\x30.{1,5}\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01", re.DOTALL)
_PKCS7 = re.compile(rb"\A\x30.{1,5}\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", re.DOTALL)
_BODY_ON_BEGIN_LINE = re.compile(rb"-----BEGIN [A-Z0-9 ]{1,40}-----[ \t]*[A-Za-z0-9+/]")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A file, mended; `label_kinds` are the kinds of its PEM blocks in order, or its one binary kind."""

    what: str
    data: bytes
    kinds: tuple[Kind, ...]

    def of(self, kind: Kind) -> bytes:
        """The PEM blocks of one kind, joined."""
        spans = _spans(self.data)
        return b"".join(self.data[a:b] + b"\n" for a, b in spans if _kind(self.data[a:b]) is kind)


@dataclass(frozen=True, slots=True)
class _Blemish:
    code: Code
    severity: Severity
    shows: Callable[[bytes], bool]
    mend: Callable[[bytes], bytes]
    message: str
    fix: str


def clean(data: bytes, what: str) -> tuple[Cleaned | None, list[Finding]]:
    """The file as it was meant, with a finding for each thing mended; None when it is empty or too large."""
    found = []
    try:
        check_size(data, what)
        for blemish in _BLEMISHES:
            if blemish.shows(data):
                found.append(Finding(blemish.code, blemish.severity, f"{what} {blemish.message}", blemish.fix))
                data = blemish.mend(data)
        check_size(data, what)
    except InvalidInput as error:
        empty = not data.strip()
        code = Code.FILE_EMPTY if empty else Code.FILE_TOO_LARGE
        fix = (
            "check the path and how the file was written: an unset variable or a failed download leaves an empty file"
            if empty
            else "pass only the certificates or the key that the client presents"
        )
        return None, [*found, Finding(code, "problem", str(error), fix)]
    kinds = tuple(_kind(data[a:b]) for a, b in _spans(data))
    return Cleaned(what, data, kinds or (_binary_kind(data),)), found


def _spans(data: bytes) -> Iterator[tuple[int, int]]:
    """Where each PEM block begins and ends; one that is cut off runs to the next, or to the end of the file."""
    begin = data.find(_BEGIN)
    while begin >= 0:
        following = data.find(_BEGIN, begin + 1)
        limit = len(data) if following < 0 else following
        end = data.find(_END, begin, limit)
        dashes = data.find(_DASHES, end + len(_END), limit) if end >= 0 else -1
        yield begin, dashes + len(_DASHES) if dashes >= 0 else limit
        begin = following


def _kind(block: bytes) -> Kind:
    label = block[len(_BEGIN) :].split(_DASHES, 1)[0].decode("ascii", "replace")
    return _LABELS.get(label, Kind.UNKNOWN)


def _binary_kind(data: bytes) -> Kind:
    if _PKCS12.match(data[:64]):
        return Kind.PKCS12
    if _PKCS7.match(data[:64]):
        return Kind.PKCS7
    if data.startswith((b"ssh-", b"ecdsa-sha2-")):
        return Kind.SSH_KEY
    for kind, load in _DER_LOADERS:
        try:
            load(data)
        except (ValueError, UnsupportedAlgorithm):
            continue
        except TypeError:  # it is encrypted
            pass
        return kind
    return Kind.UNKNOWN


_DER_LOADERS: tuple[tuple[Kind, Callable[[bytes], object]], ...] = (
    (Kind.DER_CERTIFICATE, x509.load_der_x509_certificate),
    (Kind.CSR, x509.load_der_x509_csr),
    (Kind.CRL, x509.load_der_x509_crl),
    (Kind.DER_KEY, lambda data: load_der_private_key(data, None)),
)


def _from_utf16(data: bytes) -> bytes:
    return data.decode("utf-16", "replace").encode()


def _from_base64(data: bytes) -> bytes:
    try:
        return base64.b64decode(data)
    except binascii.Error:
        return data


def _real_newlines(data: bytes) -> bytes:
    return data.replace(b"\\r", b"").replace(b"\\n", b"\n").strip(b"\"' \n") + b"\n"


def _rewrapped(data: bytes) -> bytes:
    return b"".join(_rewrapped_block(data[a:b]) for a, b in _spans(data))


def _rewrapped_block(block: bytes) -> bytes:
    begin = block.find(_DASHES, len(_BEGIN)) + len(_DASHES)
    end = block.rfind(_END)
    if end < begin:
        return block
    body = b"".join(block[begin:end].split())
    lines = [body[i : i + 64] for i in range(0, len(body), 64)]
    return b"\n".join([block[:begin], *lines, block[end:]]) + b"\n"


def _outside(data: bytes) -> bytes:
    """Everything that is in no block; nothing if a block is cut off, for then nobody knows where it ends."""
    if data.count(_BEGIN) != data.count(_END):
        return b""
    parts, last = [], 0
    for begin, end in _spans(data):
        parts.append(data[last:begin])
        last = end
    return b"".join([*parts, data[last:]]).strip() if parts else b""


def _blocks_only(data: bytes) -> bytes:
    return b"".join(data[a:b] + b"\n" for a, b in _spans(data))


_BLEMISHES = (
    _Blemish(
        Code.FILE_ENCODING,
        "problem",
        lambda data: data.startswith((b"\xff\xfe", b"\xfe\xff")),
        _from_utf16,
        "is UTF-16 text, as Windows PowerShell's > writes it; TLS libraries find no PEM in it",
        "save it as plain ASCII: Get-Content FILE | Set-Content -Encoding ascii NEWFILE",
    ),
    _Blemish(
        Code.FILE_ENCODING,
        "problem",
        lambda data: data.startswith(b"\xef\xbb\xbf"),
        lambda data: data[3:],
        "begins with a UTF-8 byte order mark: OpenSSL does not see the first PEM block behind it",
        r"remove the first three bytes: sed -i '1s/^\xEF\xBB\xBF//' FILE, or save it as UTF-8 without BOM",
    ),
    _Blemish(
        Code.FILE_BASE64_TWICE,
        "problem",
        lambda data: data.lstrip().startswith(b"LS0tLS1CRUdJTi"),
        _from_base64,
        "is base64 around PEM, as in a Kubernetes Secret",
        "decode it once: base64 -d FILE > NEWFILE",
    ),
    _Blemish(
        Code.FILE_LITERAL_NEWLINES,
        "problem",
        lambda data: _BEGIN in data and b"\\n" in data,
        _real_newlines,
        r"holds the two characters \n where line ends belong, as secret stores and .env files write them",
        r"""turn them into line ends: printf '%b' "$(cat FILE)" > NEWFILE, or .replace("\\n", "\n") in code""",
    ),
    _Blemish(
        Code.FILE_ONE_LINE,
        "problem",
        lambda data: bool(_BODY_ON_BEGIN_LINE.search(data)),
        _rewrapped,
        "has lost its line ends: the base64 stands on the BEGIN line",
        'keep the line ends: quote the shell variable (echo "$PEM", not echo $PEM)',
    ),
    _Blemish(
        Code.FILE_LINE_ENDS,
        "warning",
        lambda data: _BEGIN in data and b"\r" in data,
        lambda data: data.replace(b"\r\n", b"\n").replace(b"\r", b"\n"),
        "has Windows line ends (CRLF): TLS libraries read them, some trust stores and scripts do not",
        "convert it: sed -i 's/\\r$//' FILE",
    ),
    _Blemish(
        Code.FILE_TEXT_AROUND,
        "warning",
        lambda data: bool(_outside(data)),
        _blocks_only,
        "has text around its PEM blocks (openssl x509 -text writes such): OpenSSL skips it, Java and some "
        "trust stores do not",
        "keep only the blocks: openssl x509 -in FILE -out NEWFILE, one certificate at a time",
    ),
)
