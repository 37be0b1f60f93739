"""A webhook takes one JSON document a round, over verified HTTPS, and its URL is never told."""

import json
import socket
from base64 import b64encode

import pytest

from handclasp.errors import InvalidInput, NoticeFailed
from handclasp.notice import port, post
from handclasp.notice.slack import slack
from handclasp.notice.webhook import MOST_NOTICES, webhook
from tests.notice.conftest import Receiver, notice


def test_every_notice_is_in_one_document(receiver: Receiver) -> None:
    webhook(receiver.url).send([notice("acme"), notice("beta")])
    [(path, headers, body)] = receiver.requests
    assert path == "/hook/s3cret?token=t0ken"
    assert headers["Content-Type"] == "application/json"
    document = json.loads(body)
    assert document["source"] == "handclasp"
    assert document["total"] == 2
    assert document["text"] == "2 notices: 2 client-certificate"
    assert document["notices"][0] == {
        "environment": "prod",
        "kind": "client-certificate",
        "subject": "acme",
        "threshold": "7d",
        "message": "client acme: certificate 0A01 ends in 6 days",
        "ends_at": 1_780_000_000,
    }


def test_ten_thousand_are_one_document_of_a_size_receivers_take_the_most_urgent_first(receiver: Receiver) -> None:
    webhook(receiver.url).send([notice(f"client-{n}", ends_at=2_000_000_000 - n) for n in range(10_000)])
    [(_, _, body)] = receiver.requests
    document = json.loads(body)
    assert document["total"] == 10_000
    assert len(document["notices"]) == MOST_NOTICES
    assert document["notices"][0]["subject"] == "client-9999"
    assert len(body) < 1_000_000


def test_slack_gets_text_in_which_nobody_can_be_called(receiver: Receiver) -> None:
    slack(receiver.url).send([notice(message="trust store member CN=<!channel> & co ends in 2 days")])
    [(_, _, body)] = receiver.requests
    assert json.loads(body) == {"text": "trust store member CN=&lt;!channel&gt; &amp; co ends in 2 days"}


def test_slack_gets_a_digest_of_many(receiver: Receiver) -> None:
    slack(receiver.url).send([notice(f"client-{n}") for n in range(1_000)])
    [(_, _, body)] = receiver.requests
    lines = json.loads(body)["text"].splitlines()
    assert lines[0] == "1000 notices: 1000 client-certificate"
    assert len(lines) == 22
    assert "980 more" in lines[-1]


@pytest.mark.parametrize("status", [301, 307, 400, 403, 429, 500, 503])
def test_any_other_answer_than_success_is_a_failure_that_names_the_host_only(receiver: Receiver, status: int) -> None:
    receiver.status = status
    receiver.location = "http://127.0.0.1:9/elsewhere"
    with pytest.raises(NoticeFailed) as failed:
        webhook(receiver.url).send([notice()])
    assert str(failed.value) == f"webhook (127.0.0.1) answered {status}"
    assert len(receiver.requests) == 1


def test_a_redirect_is_not_followed_even_to_the_same_host(receiver: Receiver) -> None:
    receiver.status, receiver.location = 302, receiver.url
    with pytest.raises(NoticeFailed) as failed:
        webhook(receiver.url).send([notice()])
    assert "elsewhere" in (failed.value.hint or "")
    assert len(receiver.requests) == 1


def test_a_server_whose_certificate_does_not_verify_is_told_nothing(tls_receiver: Receiver) -> None:
    with pytest.raises(NoticeFailed, match="does not verify"):
        webhook(tls_receiver.url).send([notice()])
    assert tls_receiver.requests == []


@pytest.mark.usefixtures("trusting")
def test_a_server_whose_certificate_verifies_is_told(tls_receiver: Receiver) -> None:
    webhook(tls_receiver.url).send([notice()])
    assert len(tls_receiver.requests) == 1


def test_name_and_password_go_into_a_header(receiver: Receiver) -> None:
    webhook(receiver.url.replace("http://", "http://me:p%40ss@")).send([notice()])
    [(_, headers, _)] = receiver.requests
    assert headers["Authorization"] == "Basic " + b64encode(b"me:p@ss").decode()


def test_nobody_there_is_a_failure() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/s3cret"
        with pytest.raises(NoticeFailed) as failed:
            webhook(url).send([notice()])
    assert str(failed.value) == "webhook (127.0.0.1) cannot be reached: Connection refused"


def test_silence_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post, "TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/s3cret"
        with pytest.raises(NoticeFailed, match="no answer within"):
            webhook(url).send([notice()])
    assert port.TIMEOUT_SECONDS == 10


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/s3cret",
        "ftp://hooks.example.com/s3cret",
        "file:///etc/s3cret",
        "https:///s3cret",
        "https://[::1/s3cret",
        "https://hooks.example.com:s3cret/",
        "https://hooks.example.com/s3cret\r\nX: y",
        "https://hooks.example.com/s3 cret",
        "https://hööks.example.com/s3cret",
        "s3cret",
    ],
)
@pytest.mark.parametrize("make", [webhook, slack])
def test_a_url_that_will_not_do_is_refused_without_repeating_it(make: object, url: str) -> None:
    with pytest.raises(InvalidInput, match=r"watch\.(webhook|slack)") as refused:
        make(url)  # type: ignore[operator]
    assert "s3cret" not in f"{refused.value} {refused.value.hint}"


@pytest.mark.parametrize("make", [webhook, slack])
def test_a_channel_shows_no_secret_when_it_is_printed(make: object) -> None:
    assert "s3cret" not in repr(make("https://me:s3cret@hooks.example.com/s3cret"))  # type: ignore[operator]
