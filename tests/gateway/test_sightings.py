"""What the access log's lines come to, and that no line, whoever chose what is in it, comes to anything else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handclasp.authorizer.decision import Reason
from handclasp.gateway import sightings
from handclasp.gateway.sightings import Tally
from handclasp.registry.fleet import Refusals, Sighting

ACME, BETA = "ab" * 32, "cd" * 32
#: 2026-01-01T00:00:00Z
BEGIN = 1_767_225_600


def _line(**fields: Any) -> bytes:
    second = fields.pop("second", 0)
    return json.dumps({"time": f"2026-01-01T00:00:{second:02}.250Z", **fields}).encode()


def _allowed(fingerprint: str = ACME, second: int = 0) -> bytes:
    return _line(decision="allow", reason="allowed", fingerprint=fingerprint, client_id="acme", second=second)


def _denied(reason: object, fingerprint: object = ACME, second: int = 0) -> bytes:
    return _line(decision="deny", reason=reason, fingerprint=fingerprint, second=second)


def _tally(*lines: bytes) -> Tally:
    tally = Tally()
    tally.add(lines)
    return tally


def test_requests_are_counted_by_certificate_with_the_latest_time() -> None:
    tally = _tally(_allowed(second=5), _allowed(second=9), _allowed(BETA, second=7), _allowed(second=1))
    assert tally.sightings(BEGIN + 60, BEGIN + 60) == [Sighting(ACME, BEGIN + 9, 3), Sighting(BETA, BEGIN + 7, 1)]
    assert tally.refusals(BEGIN, BEGIN) == []


def test_refusals_are_counted_by_certificate_and_reason() -> None:
    tally = _tally(_denied("expired"), _denied("expired", second=2), _denied("client_suspended"))
    assert set(tally.refusals(BEGIN + 2, BEGIN + 2)) == {
        Refusals(ACME, "expired", 2, BEGIN + 2),
        Refusals(ACME, "client_suspended", 1, BEGIN),
    }


@pytest.mark.parametrize("skew", [-600, 0, 600])
def test_times_are_told_by_the_registry_s_clock_whatever_the_gateway_s_says(skew: int) -> None:
    tally = _tally(_allowed(second=9))
    assert tally.sightings(BEGIN + 10, BEGIN + 10 + skew) == [Sighting(ACME, BEGIN + 9 + skew, 1)]


def test_a_time_is_never_in_the_future_nor_before_the_beginning() -> None:
    tally = _tally(_allowed(second=59))
    assert tally.sightings(BEGIN, BEGIN + 7)[0].last_seen_at == BEGIN + 7
    assert tally.sightings(BEGIN * 3, 5)[0].last_seen_at == 0


@pytest.mark.parametrize("reason", ["no_certificate", "unregistered", "handshake"])
def test_who_is_not_ours_is_not_told_apart(reason: str) -> None:
    assert _tally(_denied(reason)).refusals(BEGIN, BEGIN) == [Refusals("", reason, 1, BEGIN)]


@pytest.mark.parametrize("reason", ["allowed", "", "-", "x" * 1000, None, 5, ["expired"], {"a": 1}])
def test_an_unknown_reason_is_counted_as_error(reason: object) -> None:
    assert _tally(_denied(reason)).refusals(BEGIN, BEGIN) == [Refusals(ACME, "error", 1, BEGIN)]


@pytest.mark.parametrize(
    "fingerprint", ["", "-", "AB" * 32, "ab" * 31, "ab" * 33, None, 5, ["ab" * 32], "ab" * 32 + "\n"]
)
def test_what_is_no_fingerprint_is_nobody_s(fingerprint: object) -> None:
    tally = _tally(_denied("expired", fingerprint), _line(decision="allow", fingerprint=fingerprint))
    assert tally.refusals(BEGIN, BEGIN) == [Refusals("", "expired", 1, BEGIN)]
    assert not tally.allowed


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b'"allow"',
        b"{}",
        b"\xff\xfe\x00",
        b'{"decision":"allow"',
        b"[" * 100_000,
        b'{"decision":"allow","fingerprint":"' + ACME.encode() + b'","time":' + b"9" * 5000 + b"}",
        _line(decision="maybe", fingerprint=ACME),
        _line(decision=["deny"], reason="expired"),
        json.dumps({"decision": "deny", "reason": "expired", "time": "yesterday"}).encode(),
        json.dumps({"decision": "deny", "reason": "expired", "time": 5}).encode(),
    ],
)
def test_a_line_the_gateway_would_not_write_is_not_counted(line: bytes) -> None:
    assert not _tally(line)


def test_a_path_that_is_no_utf8_does_not_hide_a_request() -> None:
    line = _allowed().replace(b'"acme"', b'"\xff\xfe"')
    assert _tally(line).allowed[ACME][0] == 1


def test_a_flood_of_strangers_certificates_takes_no_more_room_than_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sightings, "MAX_REFUSED", 10)
    tally = _tally(*(_denied("path_invalid", f"{number:064x}") for number in range(100)))
    assert len(tally.refused) == 11
    assert tally.refused["", "path_invalid"][0] == 90


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)
_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "time": st.sampled_from(["2026-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00+14:00"])
        | _JSON,
        "decision": st.sampled_from(["allow", "deny"]) | _JSON,
        "reason": st.sampled_from([*(reason.value for reason in Reason), "handshake"]) | _JSON,
        "fingerprint": st.sampled_from([ACME, BETA]) | _JSON,
        "path": _JSON,
    },
)


@given(lines=st.lists(st.binary(max_size=60) | _FIELDS.map(lambda fields: json.dumps(fields).encode()), max_size=20))
def test_whatever_a_line_holds_what_it_comes_to_can_be_told(lines: list[bytes]) -> None:
    tally = _tally(*lines)
    reasons = {reason.value for reason in Reason} - {"allowed"} | {"handshake", "registry_unavailable"}
    for seen in tally.sightings(BEGIN, BEGIN):
        assert seen.fingerprint in {ACME, BETA}
        assert 0 <= seen.last_seen_at <= BEGIN
        assert seen.requests >= 1
    for refused in tally.refusals(BEGIN, BEGIN):
        assert refused.fingerprint in {"", ACME, BETA}
        assert refused.reason in reasons
        assert 0 <= refused.last_at <= BEGIN
    assert sum(r.requests for r in tally.refusals(0, 0)) + sum(s.requests for s in tally.sightings(0, 0)) <= len(lines)
