"""The gateway's own question is answered to nobody else, reaches nobody else, and is nobody's request."""

import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from handclasp.gateway import run
from handclasp.gateway.self_check import QUESTION, SelfCheck, self_check
from tests.gateway.callers import Answer, Caller, Closed, Http1
from tests.gateway.conftest import Guarded, running_gateway
from tests.gateway.deployment import until

_QUESTION = f"GET {QUESTION} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()


@dataclass(frozen=True)
class Asked:
    guarded: Guarded
    check: SelfCheck

    def raw(self, request: bytes) -> Answer:
        """With the gateway's own key, which no test could have otherwise."""
        with Http1(self.guarded.deployment.port, self.guarded.friend, self.check._context) as connection:
            return connection.ask(request)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    made: list[SelfCheck] = []

    def kept(*arguments: Any, **named: Any) -> SelfCheck:
        made.append(self_check(*arguments, **named))
        return made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "self_check", kept)
        with running_gateway(tmp_path_factory.mktemp("asked")) as guarded:
            yield Asked(guarded, made[-1])


def test_it_says_who_it_is_and_by_which_table_it_decides(asked: Asked) -> None:
    answer = asked.raw(_QUESTION)
    assert answer.status == 200
    found = json.loads(answer.body)
    assert found.keys() == {"gateway", "table"}
    assert found["gateway"] == asked.check.gateway_id
    at = asked.guarded.deployment
    at.let_in(at.enrol("somebody-new"))
    assert json.loads(asked.raw(_QUESTION).body)["table"] > found["table"]


@pytest.mark.parametrize(
    "request_line",
    [
        "GET / HTTP/1.1",
        "GET /orders/1 HTTP/1.1",
        f"GET {QUESTION}/ HTTP/1.1",
        f"GET {QUESTION}x HTTP/1.1",
        f"GET {QUESTION.upper()} HTTP/1.1",
        f"GET /x/..{QUESTION}/../secret HTTP/1.1",
        f"POST {QUESTION} HTTP/1.1",
        f"PUT {QUESTION} HTTP/1.1",
        f"DELETE {QUESTION} HTTP/1.1",
        f"OPTIONS {QUESTION} HTTP/1.1",
    ],
)
def test_its_key_gets_nothing_else_and_nothing_is_forwarded(request_line: str, asked: Asked) -> None:
    before = len(asked.guarded.service.requests)
    answer = asked.raw(f"{request_line}\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n".encode())
    assert answer.status == 403
    assert answer.body == b'{"message":"Forbidden"}'
    assert len(asked.guarded.service.requests) == before


def test_nobody_else_is_answered(asked: Asked) -> None:
    at = asked.guarded.deployment
    path, key = at.issue("unheard-of-here")
    for caller in (at.nobody, at.caller("unheard-of-here", path, key)):
        with at.http1(caller) as one, at.http2(caller) as two:
            assert [one.ask(_QUESTION).status, two.ask(path=QUESTION).status] == [403, 403]


def test_who_may_pass_reaches_the_service_under_that_path_too(asked: Asked) -> None:
    """It is the service's path for everybody else: nothing is taken from it."""
    with asked.guarded.deployment.http1(asked.guarded.friend) as connection:
        assert connection.ask(_QUESTION).body == b"hello\n"


def test_it_is_never_logged_counted_or_let_in(asked: Asked) -> None:
    at = asked.guarded.deployment
    for _ in range(5):
        asked.raw(_QUESTION)
    before = len(at.log())
    assert at.status(at.nobody) == 403  # what comes after it is in the log
    until(lambda: len(at.log()) > before, "flushed")
    questions = [line for line in at.log() if line["path"] == QUESTION]
    assert all(line["status"] == 403 or line["client_id"] == "friend" for line in questions)
    assert at.registry.sighting(asked.check.fingerprint) is None
    assert asked.check.fingerprint not in {each.fingerprint for each in at.registry.refusals()}
    status = json.loads((at.state / "gateway" / "status.json").read_text())
    assert status["allowed"] == sum(1 for _ in at.registry.standings())


def test_its_key_is_in_no_file(asked: Asked) -> None:
    folder = asked.guarded.deployment.state / "gateway"
    assert not (folder / "self-check.pem").exists()
    keys = [each for each in folder.rglob("*") if each.is_file() and b"PRIVATE KEY" in each.read_bytes()]
    assert {each.name for each in keys} == {"server.pem", "key.pem"}
    assert "context" not in repr(asked.check)


def test_a_certificate_of_the_same_name_with_another_key_is_a_stranger_s(asked: Asked, tmp_path: Path) -> None:
    other = self_check(tmp_path, asked.check.gateway_id, asked.check.address, reaches_http=True)
    assert other.ask() is None
    assert asked.check.ask() is not None


def test_an_answer_of_another_gateway_on_the_port_is_none(asked: Asked) -> None:
    other = SelfCheck("another:1", asked.check.fingerprint, asked.check.address, True, asked.check._context)
    assert other.ask() is None


def test_a_listener_that_is_not_there_does_not_answer(tmp_path: Path) -> None:
    for reaches_http in (True, False):
        assert self_check(tmp_path, "gone", ("127.0.0.1", 1), reaches_http=reaches_http).ask() is None


def test_with_refused_handshakes_the_question_does_not_get_that_far(strict: Guarded, tmp_path: Path) -> None:
    at = strict.deployment
    check = self_check(tmp_path, "x", ("127.0.0.1", at.port), reaches_http=False)
    answered = check.ask()
    assert answered is not None
    assert answered.table is None
    with at.http1(strict.friend) as connection:
        assert connection.tls.getpeercert(binary_form=True) == answered.certificate
    with pytest.raises((Closed, ssl.SSLError)), Http1(at.port, Caller("x", None, at.anchors), check._context) as one:
        one.ask(_QUESTION)
