"""Keep-alive requests over mutual TLS: plain sockets, because the caller must not cost more than the gateway."""

import socket
import ssl
import time
from collections.abc import Sequence
from pathlib import Path

_REQUEST = b"GET /orders/1 HTTP/1.1\r\nhost: localhost\r\nuser-agent: handclasp-bench\r\naccept: */*\r\n\r\n"
_TIMEOUT_SECONDS = 60


class Connection:
    """One open HTTP/1.1 connection of one caller."""

    def __init__(self, port: int, pem: Path, trust_anchor: Path) -> None:
        context = ssl.create_default_context(cafile=str(trust_anchor))
        context.load_cert_chain(pem)
        plain = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(plain, server_hostname="localhost")

    def send(self) -> None:
        self._socket.sendall(_REQUEST)

    def receive(self) -> int:
        """The status of the response, its body read to the end. Raises ConnectionError if there is none."""
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, body = received.partition(b"\r\n\r\n")
        lengths = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        while len(body) < (int(lengths[0]) if lengths else 0):
            body += self._more()
        return int(head[9:12])

    def request(self) -> int:
        self.send()
        return self.receive()

    def close(self) -> None:
        self._socket.close()

    def _more(self) -> bytes:
        received = self._socket.recv(65_536)
        if not received:
            raise ConnectionError("the gateway closed the connection")
        return received


def requests(connections: Sequence[Connection], count: int) -> None:
    """`count` requests, one after the other, each connection in its turn. Raises ConnectionError if one fails."""
    for number in range(count):
        _succeeded(connections[number % len(connections)].request())


def requests_for(connections: Sequence[Connection], seconds: float) -> int:
    """How many requests succeed within about `seconds`, one in flight on every connection all the time."""
    done = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for connection in connections:
            connection.send()
        for connection in connections:
            _succeeded(connection.receive())
        done += len(connections)
    return done


def _succeeded(status: int) -> None:
    if status != 200:
        raise ConnectionError(f"a request was answered with {status}")
