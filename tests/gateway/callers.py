"""Who calls, and how: certificates in files, and clients that send exactly the octets they are told to.

HTTP libraries are too polite for this: they would not send a header twice, fold it, or say something in a trailer.
"""

import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import h2.config
import h2.connection
import h2.events

GET = b"GET /orders/1 HTTP/1.1\r\nhost: localhost\r\n\r\n"
_TIMEOUT = 10


class Closed(Exception):
    """The gateway ended the connection instead of answering."""


@dataclass(frozen=True)
class Caller:
    """A certificate with its key in one PEM file, or nothing to present; `anchors` verifies the gateway."""

    name: str
    pem: Path | None
    anchors: Path
    fingerprint: str = ""
    serial: str = ""

    def context(self, *protocols: str, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.anchors)
        context.maximum_version = newest
        if self.pem is not None:
            context.load_cert_chain(self.pem)
        context.set_alpn_protocols(list(protocols))
        return context


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known.lower() == name]


class Http1:
    """One keep-alive HTTP/1.1 connection. Raises Closed when the gateway hangs up, or refuses the handshake."""

    def __init__(
        self,
        port: int,
        caller: Caller,
        context: ssl.SSLContext | None = None,
        session: ssl.SSLSession | None = None,
    ) -> None:
        self._data = b""
        self.tls = _connect(port, context or caller.context("http/1.1"), session)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.tls.close()

    def ask(self, request: bytes = GET) -> Answer:
        self.send(request)
        return self.answer(b"HEAD" if request.startswith(b"HEAD") else b"GET")

    def send(self, data: bytes) -> None:
        try:
            self.tls.sendall(data)
        except OSError as error:
            raise Closed(str(error)) from error

    def answer(self, method: bytes = b"GET") -> Answer:
        while b"\r\n\r\n" not in self._data:
            self._read()
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]
        answer = Answer(int(lines[0].split()[1]), headers, b"")
        length = int((answer.header("content-length") or ["0"])[0]) if method != b"HEAD" else 0
        while len(self._data) < length:
            self._read()
        body, self._data = self._data[:length], self._data[length:]
        return Answer(answer.status, headers, body)

    def closed_by_gateway(self) -> bool:
        """True when the next thing that comes is the end."""
        try:
            self._read()
        except Closed:
            return True
        return False

    def _read(self) -> None:
        self._data += _more(self.tls)


@dataclass
class _Stream:
    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    ended: bool = False


class Http2:
    """One HTTP/2 connection, one request at a time. Raises Closed also when the gateway resets the stream."""

    def __init__(self, port: int, caller: Caller, context: ssl.SSLContext | None = None) -> None:
        self.tls = _connect(port, context or caller.context("h2"))
        # What a library would refuse to send is what we want to send.
        config = h2.config.H2Configuration(
            header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self._h2 = h2.connection.H2Connection(config)
        self._h2.initiate_connection()  # sent with the first request

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.tls.close()

    def ask(
        self,
        *extra: tuple[str, str],
        method: str = "GET",
        path: str = "/orders/1",
        body: bytes = b"",
        trailers: list[tuple[str, str]] | None = None,
    ) -> Answer:
        number = self._h2.get_next_available_stream_id()
        pseudo = [(":method", method), (":path", path), (":scheme", "https"), (":authority", "localhost")]
        self._h2.send_headers(number, pseudo + list(extra), end_stream=not body)
        if body:
            self._h2.send_data(number, body, end_stream=not trailers)
        if trailers:
            self._h2.send_headers(number, trailers, end_stream=True)
        self._flush()
        stream = _Stream()
        while not stream.ended:
            for event in self._h2.receive_data(_more(self.tls)):
                self._take(event, stream)
            self._flush()
        return Answer(stream.status, stream.headers, stream.body)

    def reset(self, *extra: tuple[str, str]) -> bool:
        """True when the gateway will not have a request with these headers."""
        try:
            return self.ask(*extra).status == 400
        except Closed:
            return True

    def _take(self, event: h2.events.Event, stream: _Stream) -> None:
        if isinstance(event, h2.events.ResponseReceived):
            stream.headers = [(str(name), str(value)) for name, value in event.headers]
            stream.status = int(dict(stream.headers)[":status"])
        elif isinstance(event, h2.events.DataReceived):
            stream.body += event.data
            self._h2.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
        elif isinstance(event, h2.events.StreamEnded):
            stream.ended = True
        elif isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
            raise Closed(type(event).__name__)

    def _flush(self) -> None:
        try:
            self.tls.sendall(self._h2.data_to_send())
        except OSError as error:
            raise Closed(str(error)) from error


def _connect(port: int, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        return context.wrap_socket(plain, server_hostname="localhost", session=session)
    except OSError as error:
        plain.close()
        raise Closed(str(error)) from error


def _more(tls: ssl.SSLSocket) -> bytes:
    try:
        more = tls.recv(65_536)
    except TimeoutError:
        raise
    except OSError as error:
        raise Closed(str(error)) from error
    if not more:
        raise Closed("end of data")
    return more
