"""Gateways on loopback, right and wrong: real TLS by pyOpenSSL, which can let in what Python's `ssl` cannot.

A gateway is what it overlooks (OpenSSL's verification errors) and whom it decides to admit, request by request.
"""

import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from cryptography import x509
from OpenSSL import SSL, crypto

from handclasp.pki.naming import fingerprint
from handclasp.registry.port import Registry
from handclasp.registry.records import CertificateStatus, ClientStatus
from handclasp.verify.credential import Credential
from handclasp.verify.spoofing import IDENTITY_HEADERS

#: openssl/x509_vfy.h
NOT_YET_VALID, EXPIRED, SELF_SIGNED, INVALID_PURPOSE = 9, 10, 18, 26
EVERYTHING = frozenset(range(1, 200))

Admits = Callable[[x509.Certificate | None, bool], bool]


def anybody(certificate: x509.Certificate | None, validated: bool) -> bool:
    return True


def nobody(certificate: x509.Certificate | None, validated: bool) -> bool:
    return False


def validated_only(certificate: x509.Certificate | None, validated: bool) -> bool:
    return certificate is not None and validated


def by_registry(registry: Registry) -> Admits:
    """The right decision: validated, and exactly this certificate registered and active."""

    def admits(certificate: x509.Certificate | None, validated: bool) -> bool:
        if certificate is None or not validated:
            return False
        allowed = {
            standing.certificate.fingerprint
            for standing in registry.standings()
            if standing.certificate.status is CertificateStatus.ACTIVE and standing.client.status is ClientStatus.ACTIVE
        }
        return fingerprint(certificate) in allowed

    return admits


@dataclass(frozen=True)
class Behaviour:
    """`overlooks`: verification errors that are let pass, in the handshake. `cut`: refuse by closing, not by 403.

    `requires`: no handshake without a certificate. `once`: decide when a connection opens and never again.
    """

    admits: Admits
    overlooks: frozenset[int] = frozenset()
    requires: bool = True
    cut: bool = True
    once: bool = False
    strips: bool = True
    echoes: bool = True
    keeps_open: bool = True
    oldest: int = SSL.TLS1_2_VERSION
    newest: int = SSL.TLS1_3_VERSION


@dataclass
class Gateway:
    """Serves until the block is left. `served` counts requests that reached the service."""

    server: Credential
    trusted: tuple[x509.Certificate, ...]
    behaviour: Behaviour
    served: int = 0
    presented: list[x509.Certificate] = field(default_factory=list)
    port: int = 0

    def __enter__(self) -> Self:
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        assert not any(thread.is_alive() for thread in self._threads)

    def _start(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.append(raw)
            self._start(lambda raw=raw: self._connection(raw))  # type: ignore[misc]

    def _connection(self, raw: socket.socket) -> None:
        with raw, suppress(SSL.Error, OSError):
            verified = [True]
            tls = SSL.Connection(self._context(verified), raw)
            tls.set_accept_state()
            tls.do_handshake()
            peer = tls.get_peer_certificate()
            certificate = peer.to_cryptography() if peer else None
            if certificate is not None:
                self.presented.append(certificate)
            decision = self.behaviour.admits(certificate, verified[0])
            while (headers := _request(tls)) is not None:
                if not self.behaviour.once:
                    decision = self.behaviour.admits(certificate, verified[0])
                if not decision and self.behaviour.cut:
                    return
                tls.sendall(self._answer(decision, headers))
                if not self.behaviour.keeps_open:
                    return

    def _answer(self, admitted: bool, headers: list[tuple[str, str]]) -> bytes:
        if not admitted:
            return _http("403 Forbidden", b'{"message":"Forbidden"}', keep=self.behaviour.keeps_open)
        self.served += 1
        if self.behaviour.strips:
            headers = [(n, v) for n, v in headers if n.lower().replace("_", "-") not in IDENTITY_HEADERS]
        body = json.dumps({"headers": dict(headers)}).encode() if self.behaviour.echoes else b"hello"
        return _http("200 OK", body, keep=self.behaviour.keeps_open)

    def _context(self, verified: list[bool]) -> SSL.Context:
        def check(_: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int) -> bool:
            if ok:
                return True
            if error not in self.behaviour.overlooks:
                verified[0] = False
            return error in self.behaviour.overlooks or not self.behaviour.cut

        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(self.behaviour.oldest)
        context.set_max_proto_version(self.behaviour.newest)
        context.set_options(SSL.OP_NO_TICKET)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.use_certificate(self.server.chain[0])
        for above in self.server.chain[1:]:
            context.add_extra_chain_cert(above)
        context.use_privatekey(self.server.key)
        store = context.get_cert_store()
        assert store is not None
        for anchor in self.trusted:
            store.add_cert(crypto.X509.from_cryptography(anchor))
        mode = SSL.VERIFY_PEER | (SSL.VERIFY_FAIL_IF_NO_PEER_CERT if self.behaviour.requires else 0)
        context.set_verify(mode, check)
        return context


def _request(tls: SSL.Connection) -> list[tuple[str, str]] | None:
    """The headers of the next request; None when the client has gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        try:
            data += tls.recv(65_536)
        except SSL.ZeroReturnError:
            return None
    lines = data.decode("latin-1").split("\r\n")[1:-2]
    return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]


def _http(status: str, body: bytes, *, keep: bool) -> bytes:
    close = "" if keep else "Connection: close\r\n"
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{close}\r\n"
    return head.encode() + body
