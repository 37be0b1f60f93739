"""A refusal by 403 is the same answer for everybody, and says nothing about why or by what."""

import pytest

from handclasp.authority.revoke import suspend_client
from tests.gateway.callers import Answer, Caller
from tests.gateway.conftest import Guarded
from tests.gateway.deployment import Deployment, until

_HEADERS = {"content-length": "23", "content-type": "application/json"}


def _suspended(at: Deployment) -> Caller:
    caller = at.enrol("silent")
    at.let_in(caller)
    suspend_client("silent", registry=at.registry, **at.recorded)
    until(lambda: at.status(caller) == 403, "suspended")
    return caller


@pytest.fixture(scope="module")
def refused(guarded: Guarded) -> dict[str, Caller]:
    """Refused by the kill list, by the table, and by not being in it."""
    at = guarded.deployment
    path, key = at.issue("unheard-of")
    return {
        "killed": _suspended(at),
        "in the table": at.enrol("elsewhere", "staging"),
        "unregistered": at.caller("unheard-of", path, key),
        "without certificate": at.nobody,
    }


@pytest.mark.parametrize("who", ["killed", "in the table", "unregistered", "without certificate"])
def test_it_is_forbidden_and_no_more(who: str, refused: dict[str, Caller], guarded: Guarded) -> None:
    at = guarded.deployment
    with at.http1(refused[who]) as one, at.http2(refused[who]) as two:
        for answer in (one.ask(), two.ask()):
            assert answer.status == 403
            assert answer.body == b'{"message":"Forbidden"}'
            assert _without_date(answer) == _HEADERS


def _without_date(answer: Answer) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers if name.lower() not in {"date", ":status"}}


def test_a_head_request_gets_the_same_without_the_body(guarded: Guarded) -> None:
    with guarded.deployment.http1(guarded.deployment.nobody) as connection:
        answer = connection.ask(b"HEAD / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert (answer.status, answer.body) == (403, b"")
        assert connection.ask().status == 403


def test_a_service_s_own_403_is_passed_on_as_it_is(guarded: Guarded) -> None:
    """The body that replaces ours is for answers of the gateway alone."""
    guarded.service.answer = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 4\r\nx-why: mine\r\n\r\nmine"
    try:
        with guarded.deployment.http1(guarded.friend) as connection:
            answer = connection.ask()
    finally:
        guarded.service.answer = type(guarded.service).answer
    assert (answer.status, answer.body, answer.header("x-why")) == (403, b"mine", ["mine"])
