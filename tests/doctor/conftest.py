"""A small PKI, and servers on 127.0.0.1 that misbehave on purpose."""

import ssl
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from socket import SHUT_WR, SO_LINGER, SOL_SOCKET, create_server, socket
from struct import pack
from subprocess import DEVNULL, PIPE, Popen

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from handclasp.pki.identity import subject
from handclasp.pki.issuance import IssuingAuthority, issue, prepare, self_signed
from handclasp.pki.keys import KeyAlgorithm, PrivateKey, generate, seal
from handclasp.pki.pem import certificate_pem
from handclasp.pki.profile import CLIENT, INTERMEDIATE, SERVER, Profile
from handclasp.pki.request import for_key
from handclasp.verify.doctor import Code, Finding, diagnose

NOW = datetime.now(UTC)
LOCAL = (x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1")))
FORBIDDEN = b'{"message":"Forbidden"}'


@dataclass(frozen=True)
class Pair:
    """A certificate, its key, and the CAs above it."""

    certificate: x509.Certificate
    private: PrivateKey
    above: tuple[x509.Certificate, ...] = ()

    @property
    def cert(self) -> bytes:
        return certificate_pem(self.certificate)

    @property
    def chain(self) -> bytes:
        return certificate_pem(self.certificate, *self.above)

    @property
    def key(self) -> bytes:
        return bytes(seal(self.private))


@dataclass(frozen=True)
class Ca:
    authority: IssuingAuthority
    above: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> bytes:
        return certificate_pem(self.authority.certificate)

    def issue(
        self,
        name: str,
        profile: Profile = CLIENT,
        *,
        names: Sequence[x509.GeneralName] = (),
        at: datetime = NOW,
        lifetime: timedelta | None = None,
    ) -> Pair:
        key = generate(KeyAlgorithm.P256)
        request = for_key(key)
        prepared = prepare(
            request,
            profile,
            self.authority,
            subject=subject(name),
            now=at,
            names=names,
            lifetime=lifetime,
        )
        return Pair(issue(prepared, self.authority), key, (self.authority.certificate, *self.above))

    def below(self, name: str, profile: Profile = INTERMEDIATE) -> "Ca":
        pair = self.issue(name, profile)
        return Ca(IssuingAuthority(pair.certificate, pair.private), pair.above)


def root(name: str, algorithm: KeyAlgorithm = KeyAlgorithm.P256) -> Ca:
    key = generate(algorithm)
    # Made long ago, so that certificates can be issued in the past.
    made = NOW - timedelta(days=1000)
    return Ca(IssuingAuthority(self_signed(key, subject=subject(name), now=made), key))


@dataclass(frozen=True)
class Pki:
    """One root with an intermediate; a client and a server below it; and a stranger's root."""

    root: Ca
    intermediate: Ca
    client: Pair
    server: Pair
    stranger: Ca


@pytest.fixture(scope="session")
def pki() -> Pki:
    top = root("Test Root")
    middle = top.below("Test Intermediate")
    client = middle.issue("Prod-Acme-Client")
    server = middle.issue("localhost", SERVER, names=LOCAL)
    return Pki(top, middle, client, server, root("Stranger Root"))


@pytest.fixture(scope="session")
def weak_client(pki: Pki) -> Pair:
    """RSA-1024: our own issuance refuses it, so it is built by hand."""
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - the point of it
    issuer = pki.root.authority
    builder = x509.CertificateBuilder(
        issuer.name,
        subject("Weak-Client"),
        key.public_key(),
        x509.random_serial_number(),
        NOW - timedelta(hours=1),
        NOW + timedelta(days=30),
    ).add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    return Pair(builder.sign(issuer.key, hashes.SHA256()), key, (issuer.certificate,))


def answer(status: str = "200 OK", body: bytes = b"ok", *, date: datetime | None = None, headers: str = "") -> bytes:
    when = f"Date: {date:%a, %d %b %Y %H:%M:%S} GMT\r\n" if date else ""
    head = f"HTTP/1.1 {status}\r\n{when}{headers}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@dataclass
class Listener:
    """One thread that takes connections and hands each to `serve`; closed with the test."""

    serve: Callable[[socket], None]
    listening: socket = field(default_factory=lambda: create_server(("127.0.0.1", 0)))

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    @property
    def port(self) -> int:
        port = self.listening.getsockname()[1]
        assert isinstance(port, int)
        return port

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/health"

    def close(self) -> None:
        # shutdown, unlike close, wakes a blocked accept
        self.listening.shutdown(2)
        self._thread.join(5)
        self.listening.close()
        assert not self._thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            connection.settimeout(5)
            # What the client thinks of a failure is the test.
            with connection, suppress(OSError):
                self.serve(connection)


@dataclass(frozen=True)
class Servers:
    """Starts servers and remembers to stop them."""

    stack: ExitStack
    folder: Path

    def raw(self, serve: Callable[[socket], None]) -> Listener:
        return self.stack.enter_context(closing(Listener(serve)))

    def says(self, data: bytes) -> Listener:
        """Reads one packet, says one thing, without TLS."""

        def serve(connection: socket) -> None:
            connection.recv(65_536)
            connection.sendall(data)

        return self.raw(serve)

    def tls(
        self,
        pair: Pair,
        *,
        chain: bytes | None = None,
        asks: ssl.VerifyMode = ssl.CERT_NONE,
        trusts: bytes | None = None,
        response: bytes = answer(),
        version: ssl.TLSVersion | None = None,
        newest: ssl.TLSVersion | None = None,
        crl: bytes | None = None,
        hang_up: str = "",
    ) -> Listener:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        file = self.folder / f"server-{pair.certificate.serial_number:x}.pem"
        file.write_bytes((chain or pair.chain) + pair.key)
        context.load_cert_chain(file)
        context.verify_mode = asks
        if trusts:
            context.load_verify_locations(cadata=trusts.decode())
        if crl:
            crl_file = self.folder / "crl.pem"
            crl_file.write_bytes(crl)
            context.load_verify_locations(crl_file)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # old versions are the point of some tests
            if version:
                context.minimum_version = context.maximum_version = version
            if newest:
                context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
                context.maximum_version = newest

        def serve(connection: socket) -> None:
            with context.wrap_socket(connection, server_side=True) as tls:
                if hang_up == "reset":
                    tls.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))
                    return
                if hang_up == "eof":
                    tls.recv(65_536)
                    tls.shutdown(SHUT_WR)
                    return
                tls.recv(65_536)
                tls.sendall(response)

        return self.raw(serve)

    def naming_its_cas(self, pair: Pair, trusts: bytes, version: str) -> str:
        """The URL of an `openssl s_server`, because a server in Python asks for a certificate of any CA."""
        files = {"server.pem": pair.chain + pair.key, "cas.pem": trusts}
        for name, content in files.items():
            (self.folder / name).write_bytes(content)
        command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-www", version, "-verify_return_error"]
        command += ["-cert", "server.pem", "-cert_chain", "server.pem", "-Verify", "3", "-CAfile", "cas.pem"]
        process = self.stack.enter_context(Popen(command, cwd=self.folder, stdout=PIPE, stderr=DEVNULL, stdin=DEVNULL))
        self.stack.callback(process.kill)
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(b"ACCEPT"):
                return f"https://localhost:{int(line.rpartition(b':')[2])}/"
        raise AssertionError("openssl s_server did not start")


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(stack, tmp_path)


def examine(
    pair: Pair | None = None,
    *,
    cert: bytes | None = None,
    key: bytes | None = None,
    ca: bytes | None = None,
    url: str | None = None,
    now: datetime | None = None,
    passphrase: bytes | None = None,
    timeout: float = 5.0,
) -> dict[Code, Finding]:
    """diagnose(), by code. A pair brings its chain without the root, as clients present it."""
    if pair is not None:
        cert = cert if cert is not None else certificate_pem(pair.certificate, *pair.above[:1])
        key = key if key is not None else pair.key
    found = diagnose(
        cert=cert,
        key=key,
        cacert=ca,
        url=url,
        now=now or datetime.now(UTC),
        key_passphrase=passphrase,
        timeout=timeout,
    )
    for finding in found:
        assert finding.severity == "ok" or finding.fix, f"no way out of: {finding.message}"
    return {finding.code: finding for finding in found}


def problems(found: dict[Code, Finding]) -> set[Code]:
    return {code for code, finding in found.items() if finding.severity == "problem"}
