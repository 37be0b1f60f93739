"""One look at an endpoint: connect, shake hands without judging, ask one question, note everything.

The probe believes anything the server shows, at any strength and version, because it wants to see; whether an
honest client would have stopped is asked separately (`verdict`). A TLS 1.3 server refuses a certificate only
after the client's handshake is done, with an alert, an end of file or a reset, by race: all three are noted as
a refusal, and the silent ones are asked again under TLS 1.2, where the refusal is an alert.

What `ssl` hides (the chain as sent, the CAs asked for, the alert's number) is read from the messages
themselves through CPython's `SSLContext._msg_callback`. It is private: without it `messages_seen` is false and
nothing is concluded from silence.
"""

import socket
import ssl
import time
from dataclasses import dataclass, replace
from enum import StrEnum

from handclasp.verify import tls_messages
from handclasp.verify.credential import ANY_STRENGTH, Credential
from handclasp.verify.probe_http import Response, ask, read_answer, response_of
from handclasp.verify.target import Target
from handclasp.verify.tls_messages import CertificateRequest

_ALERT, _HANDSHAKE = 21, 22  # RFC 8446 5.1, ContentType
_CERTIFICATE, _CERTIFICATE_REQUEST = 11, 13  # RFC 8446 4, HandshakeType
_NOT_REFUSALS = frozenset({0, 90, 100})  # close_notify, user_canceled, no_renegotiation


class Ending(StrEnum):
    """How far it came."""

    UNRESOLVED = "unresolved"
    PORT_CLOSED = "port_closed"
    UNREACHABLE = "unreachable"
    CONNECT_TIMED_OUT = "connect_timed_out"
    HANDSHAKE_TIMED_OUT = "handshake_timed_out"
    HANDSHAKE_CUT = "handshake_cut"
    PLAIN_HTTP = "plain_http"
    NOT_TLS = "not_tls"
    TLS_FAILED = "tls_failed"
    ALERT = "alert"
    CLOSED_SILENTLY = "closed_silently"
    ANSWER_TIMED_OUT = "answer_timed_out"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything one connection showed."""

    ending: Ending
    detail: str = ""
    version: str | None = None
    chain: tuple[bytes, ...] = ()
    request: CertificateRequest | None = None
    messages_seen: bool = False
    alert: int | None = None
    answer: bytes = b""
    response: Response | None = None
    #: time.monotonic() when the answer was complete
    answered_at: float = 0.0


class _Tap:
    """Collects the handshake messages and alerts that the server sends."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.chain: tuple[bytes, ...] = ()
        self.request: CertificateRequest | None = None
        self.alert: int | None = None
        self.heard = False
        context._msg_callback = self._note  # type: ignore[attr-defined]

    def _note(self, _: object, direction: str, version: int, content_type: int, kind: int, data: bytes) -> None:
        if direction != "read":
            return
        if content_type == _ALERT:
            self.heard = True
            if data[1] not in _NOT_REFUSALS:
                self.alert = data[1]
        elif content_type == _HANDSHAKE:
            self.heard = True
            if kind == _CERTIFICATE:
                self.chain = tls_messages.certificates(data, version)
            elif kind == _CERTIFICATE_REQUEST:
                self.request = tls_messages.certificate_request(data, version)


def observe(target: Target, credential: Credential | None, timeout: float) -> Observation:
    """Shake hands presenting `credential`, GET the target, and note what happened. Never raises for the network."""
    seen = _observe(target, credential, timeout, ssl.TLSVersion.MAXIMUM_SUPPORTED)
    if seen.ending is Ending.CLOSED_SILENTLY and seen.version == "TLSv1.3":
        again = _observe(target, credential, timeout, ssl.TLSVersion.TLSv1_2)
        if again.ending is Ending.ALERT and again.messages_seen and again.chain:
            return replace(again, version=seen.version)
    return seen


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why OpenSSL, at this machine's default security level, refuses the server's certificate."""

    code: int
    words: str


def verdict(target: Target, anchors: str | None, timeout: float) -> Verdict | None:
    """An honest client's judgement of the server: None when it has no objection (or could not connect).

    `anchors` is PEM; None means the CAs that this machine trusts.
    """
    context = ssl.create_default_context(cadata=anchors)
    # OpenSSL's own default, whatever this Python adds to it (3.13 does): most clients judge by that.
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST
    try:
        with (
            socket.create_connection((target.host, target.port), timeout) as raw,
            context.wrap_socket(raw, server_hostname=target.host),
        ):
            return None
    except ssl.SSLCertVerificationError as error:
        return Verdict(error.verify_code, error.verify_message)
    except OSError:
        # Anything else comes after the server's certificate was accepted, and `observe` has seen it as well.
        return None


def _observe(target: Target, credential: Credential | None, timeout: float, newest: ssl.TLSVersion) -> Observation:
    try:
        raw = socket.create_connection((target.host, target.port), timeout)
    except socket.gaierror as error:
        return Observation(Ending.UNRESOLVED, error.strerror or "")
    except ConnectionRefusedError:
        return Observation(Ending.PORT_CLOSED)
    except TimeoutError:
        return Observation(Ending.CONNECT_TIMED_OUT)
    except OSError as error:
        return Observation(Ending.UNREACHABLE, error.strerror or str(error))
    with raw:
        context = _unjudging(newest)
        tap = _Tap(context)
        if credential is not None:
            credential.load_into(context)
        try:
            tls = context.wrap_socket(raw, server_hostname=target.host)
        except OSError as error:
            return _with(tap, _failed_handshake(error, tap, target, timeout))
        with tls:
            return _with(tap, _conversation(tls, tap, target, timeout))


def _unjudging(newest: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = newest
    context.set_ciphers(ANY_STRENGTH)
    context.set_alpn_protocols(["http/1.1"])
    # Some servers ask for the certificate only once they know the path (Apache, IIS).
    context.post_handshake_auth = True
    return context


def _with(tap: _Tap, observation: Observation) -> Observation:
    return replace(
        observation,
        chain=tap.chain or observation.chain,
        request=tap.request,
        messages_seen=tap.heard,
        alert=tap.alert,
    )


def _failed_handshake(error: OSError, tap: _Tap, target: Target, timeout: float) -> Observation:
    if tap.alert is not None:
        return Observation(Ending.ALERT)
    if not tap.heard and (plain := _plain_answer(target, timeout)):
        return Observation(Ending.PLAIN_HTTP, plain)
    if isinstance(error, TimeoutError):
        return Observation(Ending.HANDSHAKE_TIMED_OUT)
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionError):
        return Observation(Ending.HANDSHAKE_CUT)
    reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    # OpenSSL's word for a first record that is no TLS record at all
    not_tls = reason in {"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG"} and not tap.heard
    return Observation(Ending.NOT_TLS if not_tls else Ending.TLS_FAILED, reason or "")


def _plain_answer(target: Target, timeout: float) -> str:
    """The first line of the answer to the same question without TLS, if it is HTTP."""
    try:
        with socket.create_connection((target.host, target.port), timeout) as raw:
            answer, _ = read_answer(raw, ask(target), time.monotonic() + timeout)
    except OSError:
        return ""
    first = answer.split(b"\r\n", 1)[0][:80].decode("latin-1")
    return first if first.startswith("HTTP/") else ""


def _conversation(tls: ssl.SSLSocket, tap: _Tap, target: Target, timeout: float) -> Observation:
    # Both are gone once the server has broken off.
    version, end_entity = tls.version(), tls.getpeercert(binary_form=True)
    answer, timed_out = read_answer(tls, ask(target), time.monotonic() + timeout)
    answered_at = time.monotonic()
    if answer:
        ending = Ending.ANSWERED
    elif tap.alert is not None:
        ending = Ending.ALERT
    else:
        ending = Ending.ANSWER_TIMED_OUT if timed_out else Ending.CLOSED_SILENTLY
    return Observation(
        ending,
        version=version,
        chain=(end_entity,) if end_entity else (),
        answer=answer,
        response=response_of(answer),
        answered_at=answered_at,
    )
