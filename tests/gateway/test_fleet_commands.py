"""What `status`, `gateway list`, `client list` and `client show` say of gateways and of what they have seen."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from handclasp.authority.revoke import suspend_client
from handclasp.registry.fleet import Gateway
from tests.gateway.conftest import Guarded
from tests.gateway.deployment import Deployment, handclasp, now, until

_EDGE = Gateway("edge-1", "edge-1.internal:8443", "api.internal", ("prod",), 1, "ab" * 32, "cd" * 16, "", 1_767_225_600)


def _json(at: Deployment, *words: str) -> Any:
    done = handclasp(at.state, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _rows(at: Deployment, *words: str) -> list[list[str]]:
    done = handclasp(at.state, *words)
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def _reported(at: Deployment, *gateways: Gateway) -> None:
    with at.registry.change() as change:
        for each in gateways:
            change.report_gateway(each)


def test_status_names_every_gateway_and_how_far_behind_it_is(deployment: Deployment) -> None:
    at = deployment
    revision = at.registry.revision()
    _reported(at, _EDGE, replace(_EDGE, gateway_id="edge-2", revision=revision))
    behind, current = _json(at, "status")["gateways"]
    assert (behind["id"], behind["lag"], behind["silent"]) == ("edge-1", revision - 1, False)
    assert (current["id"], current["lag"], current["silent"]) == ("edge-2", 0, False)
    shown = handclasp(at.state, "status").stdout
    line = next(line for line in shown.splitlines() if line.startswith("gateway edge-2"))
    assert line.endswith(f"edge-1.internal:8443, revision {revision}, up to date")


@pytest.mark.parametrize(("lag", "words"), [(1, "1 revision behind"), (2, "2 revisions behind")])
def test_status_counts_in_words(lag: int, words: str, deployment: Deployment) -> None:
    deployment.enrol("somebody")
    _reported(deployment, replace(_EDGE, revision=deployment.registry.revision() - lag))
    assert words in handclasp(deployment.state, "status").stdout


def test_a_gateway_that_has_not_reported_for_long_is_silent(deployment: Deployment) -> None:
    at = deployment
    _reported(at, _EDGE)
    at.registry._run("UPDATE gateway SET reported_at = reported_at - 42")  # type: ignore[attr-defined]
    (found,) = _json(at, "gateway", "list")
    assert found["silent"]
    assert 42 <= found["silent_for"] < 60
    assert "silent for 4" in handclasp(at.state, "status").stdout


def test_the_list_has_a_line_for_each(deployment: Deployment) -> None:
    at = deployment
    assert _rows(at, "gateway", "list") == []
    assert _json(at, "gateway", "list") == []
    _reported(at, _EDGE)
    (row,) = _rows(at, "gateway", "list")
    lag = str(at.registry.revision() - 1)
    assert row[:4] == ["edge-1", "edge-1.internal:8443", "1", lag]
    assert row[5:] == ["prod", "cd" * 16, "2026-01-01T00:00:00Z"]


def test_before_there_is_an_authority_status_still_answers(deployment: Deployment) -> None:
    found = _json(deployment.elsewhere(deployment.folder / "empty"), "status")
    assert not found["established"]


def test_a_gateway_that_serves_is_listed_with_what_it_serves(own: Guarded) -> None:
    at = own.deployment
    until(lambda: at.reported() is not None, "reports")
    (found,) = _json(at, "gateway", "list")
    assert found["address"] == at.settings.gateway.listen
    assert found["lag"] == 0
    local = _json(at, "status")["gateway"]
    assert local["running"]
    assert (local["id"], local["registry"]) == (found["id"], "followed")


def test_clients_are_listed_with_when_they_were_seen_and_when_they_are_due(own: Guarded) -> None:
    at = own.deployment
    never = at.enrol("never")
    assert at.status(own.friend) == 200
    until(lambda: at.registry.sighting(own.friend.fingerprint) is not None, "told")
    friend, other = _rows(at, "client", "list")
    assert friend[:7] == ["friend", "prod", "shop", "active", "1", friend[5], "-"]
    assert friend[7].endswith("Z")
    assert other[0] == never.name
    assert other[7] == "-"
    listed = {each["name"]: each for each in _json(at, "client", "list")}
    assert listed["friend"]["requests"] == 1
    assert listed["friend"]["last_seen_at"] == friend[7]
    assert listed["never"]["last_seen_at"] is None
    assert not listed["friend"]["renewal_due"]
    assert friend[5] > friend[8] == listed["friend"]["renewal_due_at"]


def test_a_client_whose_renewal_is_due_is_listed_so(deployment: Deployment) -> None:
    deployment.registered("old", (now() - timedelta(hours=40), now() + timedelta(hours=8)))
    (found,) = _json(deployment, "client", "list")
    assert found["renewal_due"]


def test_a_client_is_shown_with_what_was_seen_of_each_certificate(own: Guarded) -> None:
    at = own.deployment
    again = at.renew("friend")
    at.let_in(again)
    suspend_client("friend", registry=at.registry, **at.recorded)
    until(lambda: at.status(again) == 403, "suspended")
    until(lambda: any(each.fingerprint == again.fingerprint for each in at.registry.refusals()), "told")
    first, second = _json(at, "client", "show", "friend")["certificates"]
    assert (first["last_seen_at"], first["requests"], first["refusals"]) == (None, 0, {})
    assert second["requests"] >= 1
    assert second["refusals"].keys() <= {"client_suspended", "unregistered", "path_invalid"}
    assert second["refusals"]["client_suspended"] >= 1
    assert first["renewal_due_at"] < first["not_after"]
    shown = handclasp(at.state, "client", "show", "friend").stdout
    assert "client_suspended" in shown


def test_a_revoked_certificate_is_never_due(deployment: Deployment) -> None:
    deployment.enrol("gone")
    assert handclasp(deployment.state, "client", "revoke", "gone").returncode == 0
    (found,) = _json(deployment, "client", "show", "gone")["certificates"]
    assert found["renewal_due_at"] is None
    (listed,) = _json(deployment, "client", "list")
    assert listed["renewal_due_at"] is None
