"""One attempt: connect, shake hands, ask, and name what came of it.

A refusal has many faces. TLS 1.2 refuses inside the handshake, with an alert or by closing. In TLS 1.3 the client's
handshake is over before the server has looked at the certificate, so the refusal shows on the first write or read,
as an alert, an end of file or a reset, by race. Gateways that decide in HTTP answer 403 (API Gateway, Envoy), 400
(nginx), 401, 495 or 496. All of them count; which one it was is told.
"""

import re
import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from http.client import BadStatusLine, HTTPConnection, HTTPException, IncompleteRead, RemoteDisconnected
from types import TracebackType
from typing import Self

from handclasp.verify.credential import Credential
from handclasp.verify.endpoint import ANY, Endpoint, Offer, client_context
from handclasp.verify.finding import printable
from handclasp.verify.target import Target

Headers = Iterable[tuple[str, str]]

#: Statuses by which gateways refuse a certificate. 5xx is none: it is what a gateway says that let the request
#: through to a service that is down.
REFUSING = frozenset({400, 401, 403, 495, 496})
_BROKEN = 500
#: Enough for every error page and for the sample service's echo.
MAX_BODY = 65_536
#: OpenSSL's reason for an alert that came from the other side, such as TLSV13_ALERT_CERTIFICATE_REQUIRED.
_ALERT = re.compile(r"(?:TLSV1|TLSV13|SSLV3)_ALERT_(\w+)")
#: Its other spellings of a peer's alert (openssl/sslerr.h).
_OTHER_ALERTS = frozenset({"TLSV1_UNRECOGNIZED_NAME", "TLSV1_UNSUPPORTED_EXTENSION"})
#: The library at hand was built, or is configured, without what was to be offered.
_NOT_OFFERED = frozenset({"NO_PROTOCOLS_AVAILABLE", "NO_CIPHERS_AVAILABLE"})


class Kind(StrEnum):
    """How an attempt ended."""

    ANSWERED = "answered"
    ALERT = "alert"
    CLOSED = "closed"
    RESET = "reset"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed_out"
    SERVER_NOT_VERIFIED = "server_not_verified"
    TLS_FAILED = "tls_failed"
    NOT_HTTP = "not_http"
    NOT_OFFERED = "not_offered"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was seen. `detail` names the alert or the fault; `shaken` says whether the handshake was completed.

    `keeps_open`: the server lets the connection be used again.
    """

    kind: Kind
    detail: str = ""
    shaken: bool = False
    version: str | None = None
    status: int | None = None
    body: bytes = field(default=b"", repr=False)
    keeps_open: bool = False

    @property
    def accepted(self) -> bool:
        """The request went through to something that answered it."""
        return self.status is not None and self.status not in REFUSING and self.status < _BROKEN

    @property
    def refused(self) -> bool:
        return self.kind in {Kind.ALERT, Kind.CLOSED, Kind.RESET} or self.status in REFUSING

    @property
    def words(self) -> str:
        """For people: "TLS alert unknown_ca", "HTTP 403 (TLSv1.3)"."""
        if self.kind is Kind.ANSWERED:
            said = self.body[:80].decode("utf-8", "replace").strip()
            what = f"HTTP {self.status} {said}" if self.status in REFUSING and said else f"HTTP {self.status}"
            return printable(what) + (f" ({self.version})" if self.version else "")
        return _WORDS[self.kind].format(detail=printable(self.detail))


_WORDS = {
    Kind.ALERT: "TLS alert {detail}",
    Kind.CLOSED: "connection closed {detail}",
    Kind.RESET: "connection reset {detail}",
    Kind.UNREACHABLE: "not reachable: {detail}",
    Kind.TIMED_OUT: "no answer in time {detail}",
    Kind.SERVER_NOT_VERIFIED: "the server's certificate is not verified by --cacert: {detail}",
    Kind.TLS_FAILED: "the TLS handshake failed: {detail}",
    Kind.NOT_HTTP: "the answer is not HTTP/1.1: {detail}",
    Kind.NOT_OFFERED: "the TLS library here cannot offer that: {detail}",
}


class Conversation:
    """One TCP connection, with TLS when `context` is given, that is asked once or more. Never reconnects by itself.

    It goes to `address` where that is another one than the target's own: one of several behind a name.
    """

    def __init__(
        self,
        target: Target,
        context: ssl.SSLContext | None,
        timeout: float,
        address: tuple[str, int] | None = None,
    ) -> None:
        self._target = target
        self._address = address or (target.host, target.port)
        self._context = context
        self._timeout = timeout
        self._raw: socket.socket | None = None
        self._http: HTTPConnection | None = None
        self.version: str | None = None

    def open(self) -> Outcome | None:
        """Connect and shake hands. None when that went well, else how it ended."""
        try:
            raw = self._raw = socket.create_connection(self._address, self._timeout)
        except OSError as error:
            return Outcome(Kind.UNREACHABLE, _unreachable(error))
        # Nagle's algorithm would hold back the second request of a connection for the first one's acknowledgement.
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            try:
                tls = self._raw = self._context.wrap_socket(raw, server_hostname=self._target.host)
            except OSError as error:
                return _ended(error, shaken=False)
            self.version = tls.version()
        self._http = HTTPConnection(self._target.host, self._target.port, timeout=self._timeout)
        self._http.auto_open = 0
        self._http.sock = self._raw
        return None

    def ask(self, headers: Headers = ()) -> Outcome:
        """One GET on the open connection."""
        if self._http is None or self._http.sock is None:
            return Outcome(Kind.CLOSED, "before the request", shaken=True, version=self.version)
        try:
            self._send(self._http, headers)
        except OSError:
            # The server may have refused and gone: what it said on leaving still waits to be read.
            pass
        except HTTPException as error:
            return Outcome(Kind.NOT_HTTP, str(error), shaken=True, version=self.version)
        try:
            answer = self._http.getresponse()
            try:
                body = answer.read(MAX_BODY)
            except IncompleteRead as cut:
                body = cut.partial
            keeps_open = answer.isclosed() and self._http.sock is not None
        except (OSError, HTTPException) as error:
            return _ended(error, shaken=True, version=self.version)
        return Outcome(
            Kind.ANSWERED,
            shaken=True,
            version=self.version,
            status=answer.status,
            body=body,
            keeps_open=keeps_open,
        )

    def _send(self, http: HTTPConnection, headers: Headers) -> None:
        http.putrequest("GET", self._target.path, skip_host=True, skip_accept_encoding=True)
        for name, value in (("Host", self._target.authority), ("User-Agent", "handclasp-verify"), *headers):
            http.putheader(name, value)
        http.endheaders()

    def close(self) -> None:
        if self._http is not None:
            self._http.close()
        if self._raw is not None:
            with suppress(OSError):
                self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def attempt(endpoint: Endpoint, credential: Credential | None, *, offer: Offer = ANY, headers: Headers = ()) -> Outcome:
    """One request to the endpoint with that credential, on a connection of its own."""
    try:
        context = client_context(endpoint, credential, offer)
    except (ssl.SSLError, ValueError) as error:
        return Outcome(Kind.NOT_OFFERED, str(getattr(error, "reason", None) or error))
    with Conversation(endpoint.target, context, endpoint.timeout) as conversation:
        return conversation.open() or conversation.ask(headers)


def _unreachable(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"the name does not resolve ({error.strerror})"
    return "timed out" if isinstance(error, TimeoutError) else (error.strerror or str(error)).lower()


def _ended(error: OSError | HTTPException, *, shaken: bool, version: str | None = None) -> Outcome:
    """From the libraries' exceptions to our words; the order matters, most are each other's subclasses."""
    when = "after the handshake" if shaken else "in the handshake"

    def outcome(kind: Kind, detail: str) -> Outcome:
        return Outcome(kind, detail, shaken=shaken, version=version)

    if isinstance(error, ssl.SSLCertVerificationError):
        return outcome(Kind.SERVER_NOT_VERIFIED, error.verify_message)
    if isinstance(error, RemoteDisconnected | ssl.SSLEOFError | ssl.SSLZeroReturnError | IncompleteRead):
        return outcome(Kind.CLOSED, when)
    if isinstance(error, ssl.SSLError):
        reason = error.reason or str(error)
        if alert := _ALERT.match(reason):
            return outcome(Kind.ALERT, alert[1].lower())
        if reason in _OTHER_ALERTS:
            return outcome(Kind.ALERT, reason.removeprefix("TLSV1_").lower())
        return outcome(Kind.NOT_OFFERED if reason in _NOT_OFFERED else Kind.TLS_FAILED, reason)
    if isinstance(error, TimeoutError):
        return outcome(Kind.TIMED_OUT, when)
    if isinstance(error, BadStatusLine | HTTPException):
        return outcome(Kind.NOT_HTTP, str(error) or type(error).__name__)
    return outcome(Kind.RESET, when)
