"""A mail relay, as small as RFC 5321 allows: it keeps the messages it is given."""

import base64
import socket
import socketserver
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Self


@dataclass
class Relay:
    starttls: ssl.SSLContext | None = None
    smtps: ssl.SSLContext | None = None
    #: Recipients it refuses, and what it says instead of its greeting.
    unknown: set[str] = field(default_factory=set)
    greeting: str = "220 relay.test ESMTP"
    passwords: dict[str, str] = field(default_factory=dict)
    #: (logged in as, through TLS, recipients, message)
    messages: list[tuple[str | None, bool, list[str], EmailMessage]] = field(default_factory=list)
    #: Every line it was sent before TLS.
    in_clear: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        relay = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError):
                    _Conversation(relay, self.request).hold()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = False

        self._server = Server(("0.0.0.0", 0), Handler)  # noqa: S104 - a test's, for a moment
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Conversation:
    def __init__(self, relay: Relay, connection: socket.socket) -> None:
        connection.settimeout(10)
        self._relay, self._tls = relay, relay.smtps is not None
        self._connection = relay.smtps.wrap_socket(connection, server_side=True) if relay.smtps else connection
        self._file = self._connection.makefile("rb")
        self._user: str | None = None
        self._recipients: list[str] = []

    def hold(self) -> None:
        try:
            self._say(self._relay.greeting)
            while line := self._file.readline():
                text = line.decode().rstrip("\r\n")
                if not self._tls:
                    self._relay.in_clear.append(text)
                if not self._answer(text):
                    return
        finally:
            self._file.close()
            self._connection.close()

    def _answer(self, text: str) -> bool:
        verb, _, rest = text.partition(" ")
        verb = verb.upper()
        if verb == "EHLO":
            extensions = ["STARTTLS"] if self._relay.starttls and not self._tls else []
            extensions += ["AUTH PLAIN"] if self._relay.passwords else []
            for extension in ["relay.test", *extensions]:
                self._say(f"250-{extension}")
            self._say("250 8BITMIME")
        elif verb == "STARTTLS" and self._relay.starttls:
            self._say("220 go on")
            self._file.close()
            self._connection = self._relay.starttls.wrap_socket(self._connection, server_side=True)
            self._file = self._connection.makefile("rb")
            self._tls = True
        elif verb == "AUTH":
            _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
            right = self._relay.passwords.get(user) == password
            self._user = user if right else None
            self._say("235 welcome" if right else "535 no")
        elif verb == "MAIL":
            self._say("250 ok")
        elif verb == "RCPT":
            recipient = rest.partition("<")[2].partition(">")[0]
            refused = recipient in self._relay.unknown
            self._recipients += [] if refused else [recipient]
            self._say("550 unknown" if refused else "250 ok")
        elif verb == "DATA":
            self._say("354 go on")
            content = b"".join(iter(self._file.readline, b".\r\n"))
            message = message_from_bytes(content, policy=policy.default)
            self._relay.messages.append((self._user, self._tls, self._recipients, message))
            self._say("250 taken")
        else:
            self._say("221 bye" if verb == "QUIT" else "250 ok")
        return verb != "QUIT"

    def _say(self, line: str) -> None:
        self._connection.sendall(line.encode() + b"\r\n")
