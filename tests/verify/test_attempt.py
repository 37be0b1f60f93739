"""Each face of a refusal, and of trouble that is none, by its name."""

import socket
import ssl
from collections.abc import Callable
from dataclasses import replace

import pytest

from handclasp.verify.attempt import Conversation, Kind, Outcome, attempt
from handclasp.verify.endpoint import Offer, client_context
from handclasp.verify.target import Target
from tests.verify.conftest import Deployment, deploy
from tests.verify.listener import answering, closing, listening, over_tls, reset, server_context, silent


def _http(status: str, body: bytes = b"") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status.encode(), len(body), body)


NGINX = b"<center>No required SSL certificate was sent</center>"

#: What the server does with a request inside TLS: the kind of outcome, and whether it is accepted or refused.
INSIDE: dict[str, tuple[Callable[[socket.socket], None], Kind, bool, bool]] = {
    "200": (answering(_http("200 OK", b"hi")), Kind.ANSWERED, True, False),
    "204": (answering(b"HTTP/1.1 204 No Content\r\n\r\n"), Kind.ANSWERED, True, False),
    "302": (answering(_http("302 Found")), Kind.ANSWERED, True, False),
    "404": (answering(_http("404 Not Found")), Kind.ANSWERED, True, False),
    "400": (answering(_http("400 Bad Request", NGINX)), Kind.ANSWERED, False, True),
    "401": (answering(_http("401 Unauthorized")), Kind.ANSWERED, False, True),
    "403": (answering(_http("403 Forbidden", b'{"message":"Forbidden"}')), Kind.ANSWERED, False, True),
    "495": (answering(_http("495 SSL Certificate Error")), Kind.ANSWERED, False, True),
    "496": (answering(_http("496 SSL Certificate Required")), Kind.ANSWERED, False, True),
    "503, let through to a dead service": (answering(_http("503 Unavailable")), Kind.ANSWERED, False, False),
    "half an answer": (
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf"),
        Kind.ANSWERED,
        True,
        False,
    ),
    "half a chunk": (
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf"),
        Kind.ANSWERED,
        True,
        False,
    ),
    "endless headers": (answering(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000), Kind.NOT_HTTP, False, False),
    "not HTTP": (answering(b"SSH-2.0-OpenSSH\r\n\r\n"), Kind.NOT_HTTP, False, False),
    "closed": (closing, Kind.CLOSED, False, True),
    "silence": (silent, Kind.TIMED_OUT, False, False),
}


@pytest.fixture(scope="module")
def deployed() -> Deployment:
    return deploy()


def _attempt(deployed: Deployment, port: int, offer: Offer = Offer()) -> Outcome:  # noqa: B008 - frozen
    endpoint = replace(deployed.endpoint(port), timeout=0.3)
    return attempt(endpoint, deployed.client, offer=offer)


@pytest.mark.parametrize(("serve", "kind", "accepted", "refused"), INSIDE.values(), ids=INSIDE)
def test_what_a_server_does_with_a_request_has_a_name(
    deployed: Deployment, serve: Callable[[socket.socket], None], kind: Kind, accepted: bool, refused: bool
) -> None:
    with listening(over_tls(server_context(deployed.server), serve)) as port:
        outcome = _attempt(deployed, port)
    assert (outcome.kind, outcome.accepted, outcome.refused, outcome.shaken) == (kind, accepted, refused, True)
    assert outcome.words.isprintable()


@pytest.mark.parametrize(
    ("serve", "kind", "refused"),
    [
        (reset, Kind.RESET, True),
        (closing, Kind.CLOSED, True),
        (silent, Kind.TIMED_OUT, False),
        (answering(_http("400 Bad Request")), Kind.TLS_FAILED, False),
    ],
    ids=["reset", "closed", "silence", "plain HTTP"],
)
def test_a_handshake_that_ends_early_has_a_name(
    deployed: Deployment, serve: Callable[[socket.socket], None], kind: Kind, refused: bool
) -> None:
    with listening(serve) as port:
        outcome = _attempt(deployed, port)
    assert (outcome.kind, outcome.accepted, outcome.refused, outcome.shaken) == (kind, False, refused, False)


@pytest.mark.parametrize(
    ("newest", "alerts"),
    [
        (ssl.TLSVersion.TLSv1_2, {"handshake_failure"}),
        (ssl.TLSVersion.TLSv1_3, {"certificate_required", "after the handshake"}),
    ],
)
def test_a_strict_server_refuses_with_an_alert_or_by_closing(
    deployed: Deployment, newest: ssl.TLSVersion, alerts: set[str]
) -> None:
    context = server_context(deployed.server, newest)
    context.verify_mode = ssl.CERT_REQUIRED
    with listening(over_tls(context, silent)) as port:
        outcome = attempt(deployed.endpoint(port), None)
    assert outcome.refused
    assert outcome.detail in alerts


def test_an_unverified_server_is_not_told_anything(deployed: Deployment) -> None:
    stranger = deploy("Strange Root")
    seen: list[object] = []
    context = server_context(stranger.server)

    def shaken(raw: socket.socket) -> None:
        with context.wrap_socket(raw, server_side=True) as tls:
            seen.append(tls.getpeercert(binary_form=True))

    with listening(shaken) as port:
        outcome = _attempt(deployed, port)
    assert outcome.kind is Kind.SERVER_NOT_VERIFIED
    assert seen == []


def test_a_server_of_another_name_is_not_verified() -> None:
    elsewhere = deploy(server_names=("elsewhere.internal",))
    with listening(over_tls(server_context(elsewhere.server), silent)) as port:
        outcome = _attempt(elsewhere, port)
    assert outcome.kind is Kind.SERVER_NOT_VERIFIED
    assert "localhost" in outcome.words


@pytest.mark.parametrize(
    ("host", "said"), [("127.0.0.1", "connection refused"), ("name.invalid", "the name does not resolve")]
)
def test_an_endpoint_that_is_not_there_is_unreachable(deployed: Deployment, host: str, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    outcome = attempt(replace(deployed.endpoint(port), target=Target("https", host, port, "/")), None)
    assert outcome.kind is Kind.UNREACHABLE
    assert said in outcome.words


def test_one_connection_is_asked_again_and_again(deployed: Deployment) -> None:
    def serve(tls: ssl.SSLSocket) -> None:
        while tls.recv(65_536):
            tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    with listening(over_tls(server_context(deployed.server), serve)) as port:
        endpoint = deployed.endpoint(port)
        with Conversation(endpoint.target, client_context(endpoint, None), endpoint.timeout) as conversation:
            assert conversation.open() is None
            assert [conversation.ask().keeps_open for _ in range(3)] == [True, True, True]


def test_a_connection_that_was_closed_is_not_opened_again(deployed: Deployment) -> None:
    serve = answering(_http("200 OK", b"hi"))
    with listening(over_tls(server_context(deployed.server), serve)) as port:
        endpoint = deployed.endpoint(port)
        with Conversation(endpoint.target, client_context(endpoint, None), endpoint.timeout) as conversation:
            assert conversation.open() is None
            first, second = conversation.ask(), conversation.ask()
    assert (first.accepted, first.keeps_open) == (True, False)
    assert (second.kind, second.detail) == (Kind.CLOSED, "before the request")


def test_what_the_library_cannot_offer_is_no_refusal(deployed: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object) -> None:
        raise ValueError("Unsupported protocol version 0x301")

    monkeypatch.setattr("handclasp.verify.endpoint._only", unsupported)
    outcome = _attempt(deployed, 1, Offer(ssl.TLSVersion.TLSv1))
    assert (outcome.kind, outcome.refused) == (Kind.NOT_OFFERED, False)


def test_an_answer_cannot_steer_the_terminal(deployed: Deployment) -> None:
    with listening(over_tls(server_context(deployed.server), answering(_http("403 No", b"\x1b[2J\r\nok")))) as port:
        assert "\x1b" not in _attempt(deployed, port).words
