"""The service behind the gateway: it answers everything and keeps every octet it was sent."""

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

_ANSWER = b"HTTP/1.1 200 OK\r\nserver: service\r\ncontent-type: text/plain\r\ncontent-length: 6\r\n\r\nhello\n"


@dataclass
class Service:
    """`requests` are whole: head and body as they came. `connections` counts who connected."""

    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    answer: bytes = _ANSWER
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def last(self) -> bytes:
        return self.requests[-1]

    def __enter__(self) -> Self:
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._accepting.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError, EOFError):
            data = b""
            while True:
                request, data = _request(connection, data)
                self.requests.append(request)
                connection.sendall(self.answer)


def headers(request: bytes) -> list[tuple[str, str]]:
    """The header fields of a recorded request, in order, names as they were spelled."""
    lines = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]


def header(request: bytes, name: str) -> list[str]:
    """Every value of one header field."""
    return [value for known, value in headers(request) if known.lower() == name]


def _request(connection: socket.socket, data: bytes) -> tuple[bytes, bytes]:
    """One request, and what was read of the next. Raises EOFError at the end."""
    data = _until(connection, data, b"\r\n\r\n")
    end = data.index(b"\r\n\r\n") + 4
    length = header(data[:end], "content-length")
    if header(data[:end], "transfer-encoding"):
        data = _until(connection, data, b"\r\n\r\n", end - 2 if data[end:].startswith(b"0") else end)
        end = data.index(b"\r\n\r\n", end) + 4
    while length and len(data) < end + int(length[0]):
        data += _more(connection)
    end += int(length[0]) if length else 0
    return data[:end], data[end:]


def _until(connection: socket.socket, data: bytes, mark: bytes, start: int = 0) -> bytes:
    while mark not in data[start:]:
        data += _more(connection)
    return data


def _more(connection: socket.socket) -> bytes:
    if not (more := connection.recv(65_536)):
        raise EOFError
    return more
