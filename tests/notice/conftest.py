"""A real HTTP server and a real SMTP relay that keep what they are sent, with and without TLS."""

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from handclasp.notice.port import Notice
from handclasp.pki.keys import KeyAlgorithm, generate
from tests.making import Ca, ca, certificate, pkcs8, purpose, write_pem
from tests.notice.relay import Relay


def notice(subject: str = "acme", *, message: str | None = None, **more: object) -> Notice:
    given: dict[str, object] = {
        "kind": "client-certificate",
        "threshold": "7d",
        "message": message or f"client {subject}: certificate 0A01 ends in 6 days",
        "facts": {"environment": "prod"},
        "ends_at": 1_780_000_000,
        **more,
    }
    return Notice(subject, **given)  # type: ignore[arg-type]


#: This machine, twice; the second is no loopback address by its name.
_HERE = ("127.0.0.1", "0.0.0.0")  # noqa: S104 - to connect to


class Receiver(ThreadingHTTPServer):
    """Answers every POST with `status` and remembers it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.location: str | None = None
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.scheme = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}/hook/s3cret?token=t0ken"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers.items()), body))
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def authority() -> Ca:
    now = datetime.now(UTC)
    return ca("Notices CA", not_before=now - timedelta(days=1), not_after=now + timedelta(days=2))


@pytest.fixture(scope="session")
def server_pem(authority: Ca, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's key and certificate."""
    key = generate(KeyAlgorithm.P256)
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(a)) for a in _HERE])
    made = certificate(
        "server",
        authority,
        of=key,
        not_before=now - timedelta(hours=1),
        not_after=now + timedelta(days=1),
        extensions=[(names, False), purpose(ExtendedKeyUsageOID.SERVER_AUTH)],
    )
    path = write_pem(tmp_path_factory.mktemp("server") / "server.pem", [made])
    path.write_bytes(path.read_bytes() + pkcs8(key))
    return path


@pytest.fixture
def trusting(authority: Ca, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process trusts the servers' CA, as it would a public one."""
    monkeypatch.setenv("SSL_CERT_FILE", str(write_pem(tmp_path / "ca.pem", [authority.certificate])))


def server_context(pem: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


@pytest.fixture
def tls_receiver(receiver: Receiver, server_pem: Path) -> Receiver:
    receiver.socket = server_context(server_pem).wrap_socket(receiver.socket, server_side=True)
    receiver.scheme = "https"
    return receiver


@pytest.fixture
def relay() -> Iterator[Relay]:
    with Relay() as server:
        yield server


@pytest.fixture
def tls_relay(server_pem: Path) -> Iterator[Relay]:
    """Offers STARTTLS."""
    with Relay(starttls=server_context(server_pem)) as server:
        yield server


@pytest.fixture
def smtps_relay(server_pem: Path) -> Iterator[Relay]:
    with Relay(smtps=server_context(server_pem)) as server:
        yield server
