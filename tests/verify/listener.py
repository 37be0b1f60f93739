"""A TCP server for one behaviour: each connection is handed to a function, in a thread of its own."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from handclasp.verify.credential import Credential


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port. Errors of `serve` are the client's doing (it goes when it has seen enough) and end the connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_sockets: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def one(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            serve(connection)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            open_sockets.append(connection)
            threads.append(threading.Thread(target=one, args=(connection,), daemon=True))
            threads[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(5)
        for each in open_sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)


def server_context(server: Credential, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = newest
    server.load_into(context)
    return context


def over_tls(context: ssl.SSLContext, serve: Callable[[ssl.SSLSocket], None]) -> Callable[[socket.socket], None]:
    def shaken(raw: socket.socket) -> None:
        with context.wrap_socket(raw, server_side=True) as tls:
            serve(tls)

    return shaken


def answering(answer: bytes) -> Callable[[socket.socket], None]:
    """Read a request, send `answer`, close."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(answer)

    return serve


def silent(connection: socket.socket) -> None:
    """Read until the client goes, and never say a word."""
    while connection.recv(65_536):
        pass


def reset(connection: socket.socket) -> None:
    """Close with RST: SO_LINGER on, zero seconds."""
    connection.recv(65_536)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def closing(connection: socket.socket) -> None:
    """Close at once, without a word."""
    connection.recv(65_536)
