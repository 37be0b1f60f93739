"""Trust is used when every gateway that lives has shown it; one that is silent is named and not waited for."""

import pytest

from handclasp.authority.revoke import revoke_client
from handclasp.authority.rotation.gateway_evidence import SILENT_SECONDS, confirm, issue_canaries, still_serving_with
from handclasp.errors import GatewayFailed
from handclasp.registry.records import RevocationReason
from tests.rotation.fleet import Fleet


def test_a_canary_is_a_registered_certificate_of_that_issuer_for_each_environment(fleet: Fleet) -> None:
    fleet.report("edge-1")
    fleet.report("edge-2", environments=("prod", "stage"))
    fleet.report("edge-3", environments=("prod",))
    canaries = issue_canaries(fleet.run(), fleet.evidence(), fleet.issuer, fleet.clock())
    assert sorted(canaries) == ["prod", "verify"]
    for environment, canary in canaries.items():
        assert canary.certificate.issuer_id == fleet.issuer
        assert fleet.registry.client(canary.certificate.client_id or "").environment == environment


def test_every_live_gateway_is_asked_until_it_lets_the_canary_in(fleet: Fleet) -> None:
    fleet.report("edge-1")
    fleet.report("edge-2")
    fleet.trusts["edge-1"].add(fleet.issuer)
    run, evidence = fleet.run(), fleet.evidence()
    canaries = issue_canaries(run, evidence, fleet.issuer, fleet.clock())

    def later(seconds: float) -> bool:
        if fleet.slept > 2:
            fleet.trusts["edge-2"].add(fleet.issuer)
        return fleet.pass_time(seconds)

    run.wait = later
    assert confirm(run, evidence, canaries, let_in=True) == ["edge-1", "edge-2"]
    assert [gateway for gateway, _ in fleet.asked].count("edge-1") == 1
    assert [gateway for gateway, _ in fleet.asked].count("edge-2") > 5
    assert fleet.told == ["gateway edge-1 lets the canary in", "gateway edge-2 lets the canary in"]


def test_one_that_lives_and_does_not_let_it_in_stops_the_rotation(fleet: Fleet) -> None:
    fleet.report("edge-1")
    run, evidence = fleet.run(), fleet.evidence(patience=5)
    canaries = issue_canaries(run, evidence, fleet.issuer, fleet.clock())
    with pytest.raises(GatewayFailed, match="gateway edge-1 does not let a certificate of the new issuer in after 5 s"):
        confirm(run, evidence, canaries, let_in=True)


def test_one_that_has_gone_silent_is_named_and_not_waited_for(fleet: Fleet) -> None:
    fleet.report("edge-1")
    fleet.report("edge-2")
    fleet.trusts["edge-1"].add(fleet.issuer)
    run, evidence = fleet.run(), fleet.evidence()
    canaries = issue_canaries(run, evidence, fleet.issuer, fleet.clock())
    fleet.live.remove("edge-2")
    assert confirm(run, evidence, canaries, let_in=True) == ["edge-1"]
    assert fleet.slept == pytest.approx(SILENT_SECONDS, abs=1)
    assert any(line.startswith("gateway edge-2 is silent for") for line in fleet.told)


def test_without_gateways_there_is_nothing_to_wait_for(fleet: Fleet) -> None:
    run, evidence = fleet.run(), fleet.evidence()
    canaries = issue_canaries(run, evidence, fleet.issuer, fleet.clock())
    assert canaries == {}
    assert confirm(run, evidence, canaries, let_in=True) == []


def test_it_is_waited_until_each_refuses_too(fleet: Fleet) -> None:
    fleet.report("edge-1")
    fleet.trusts["edge-1"].add(fleet.issuer)
    run, evidence = fleet.run(), fleet.evidence(patience=1)
    canaries = issue_canaries(run, evidence, fleet.issuer, fleet.clock())
    with pytest.raises(GatewayFailed, match="does not refuse the old issuer"):
        confirm(run, evidence, canaries, let_in=False)
    fleet.trusts["edge-1"].clear()
    assert confirm(run, evidence, canaries, let_in=False) == ["edge-1"]


def test_a_reserved_client_that_was_revoked_is_an_error_and_no_silence(fleet: Fleet) -> None:
    fleet.report("edge-1")
    run, evidence = fleet.run(), fleet.evidence()
    canaries = issue_canaries(run, evidence, fleet.issuer, fleet.clock())
    name = canaries["verify"].certificate.client_id or ""
    revoke_client(name, registry=fleet.registry, reason=RevocationReason.UNSPECIFIED, actor="tester", now=fleet.clock())
    with pytest.raises(GatewayFailed, match="HTTP 403"):
        confirm(run, fleet.evidence(patience=1), canaries, let_in=True)


def test_gateways_that_serve_with_the_old_issuers_certificate_are_known(fleet: Fleet) -> None:
    fleet.report("edge-1", server_issuer="old")
    fleet.report("edge-2", server_issuer="new")
    fleet.report("edge-3", server_issuer="old")
    fleet.live.remove("edge-3")
    fleet.pass_time(SILENT_SECONDS + 1)
    assert still_serving_with(fleet.registry, {"old"}) == ["edge-1"]
