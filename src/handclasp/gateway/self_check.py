"""The gateway asks itself, through its own listener, what it serves: what a proxy was told may not be what it does.

It has a key and a self-signed certificate that exist in this process only. The table has an entry for that
certificate which answers one question, GET /.well-known/handclasp/gateway, with the version of the table Envoy
decides by, and nothing else; it is never forwarded, and nobody without the key gets it.

With refusal = "handshake" no untrusted certificate reaches HTTP. There the answer is the TLS handshake's: that the
listener serves, and with which certificate; the table's version is Envoy's own word (its statistics). The handshake
is left before the gateway's certificate would be sent, so that it is no refusal either.
"""

import json
import socket
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from handclasp.atomic_file import make_private_folder, write_atomically
from handclasp.pki.keys import KeyAlgorithm, generate, seal
from handclasp.pki.naming import fingerprint
from handclasp.pki.pem import certificate_pem

QUESTION = "/.well-known/handclasp/gateway"
#: A listener that does not answer by then does not serve.
_ANSWER_SECONDS = 2.0
_MAX_ANSWER = 4096
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - looked up, not bound


@dataclass(frozen=True, slots=True)
class Answered:
    """The server certificate (DER) that was presented, and the table's version; None where HTTP is not reached."""

    certificate: bytes
    table: int | None


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """`address` is where the gateway listens."""

    gateway_id: str
    fingerprint: str
    address: tuple[str, int]
    reaches_http: bool
    _context: ssl.SSLContext = field(repr=False)

    def answer(self, table: str) -> str:
        """What the table of that version says to the question."""
        return json.dumps({"gateway": self.gateway_id, "table": int(table)})

    def ask(self) -> Answered | None:
        """None when the listener does not answer, or not as this gateway would."""
        host, port = self.address
        try:
            with socket.create_connection((_LOOPBACK.get(host, host), port), timeout=_ANSWER_SECONDS) as plain:
                if self.reaches_http:
                    return self._ask(plain)
                return Answered(_presented(self._context, plain), None)
        except (OSError, HTTPException, ValueError, KeyError, TypeError):
            return None

    def _ask(self, plain: socket.socket) -> Answered | None:
        with self._context.wrap_socket(plain) as tls:
            connection = HTTPConnection("gateway")
            connection.sock = tls
            connection.request("GET", QUESTION)
            response = connection.getresponse()
            body = json.loads(response.read(_MAX_ANSWER))
            if response.status != 200 or body["gateway"] != self.gateway_id:  # noqa: PLR2004
                return None
            return Answered(tls.getpeercert(binary_form=True) or b"", int(body["table"]))


def self_check(folder: Path, gateway_id: str, address: tuple[str, int], *, reaches_http: bool) -> SelfCheck:
    """With a new key. It is in `folder` (0600) for the moment it takes to read it."""
    key = generate(KeyAlgorithm.P256)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway self check")])
    now = datetime.now(UTC)
    # It lives as long as this process; its validity is looked at by nobody.
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .sign(key, SHA256())
    )
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # The certificate presented is compared with the one Envoy was given, which is more than a valid path.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    make_private_folder(folder)
    file = folder / "self-check.pem"
    try:
        write_atomically(file, bytes(seal(key)) + certificate_pem(certificate))
        context.load_cert_chain(file)
    finally:
        file.unlink(missing_ok=True)
    return SelfCheck(gateway_id, fingerprint(certificate), address, reaches_http, context)


def _presented(context: ssl.SSLContext, plain: socket.socket) -> bytes:
    """The server's certificate, proven to be its own (RFC 8446 4.4.3); our last flight is not sent."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing)
    while True:
        try:
            tls.do_handshake()
            return tls.getpeercert(binary_form=True) or b""
        except ssl.SSLWantReadError:
            plain.sendall(outgoing.read())
            more = plain.recv(65_536)
            if not more:
                raise ConnectionError("the listener hung up") from None
            incoming.write(more)
