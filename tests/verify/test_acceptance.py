"""Right gateways pass, and each wrong one fails exactly the checks that its fault breaks."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from OpenSSL import SSL

from handclasp.verify.acceptance import CHECKS
from handclasp.verify.result import Verdict, all_passed
from tests.verify.conftest import Deployment, named
from tests.verify.gateway import (
    EVERYTHING,
    EXPIRED,
    INVALID_PURPOSE,
    NOT_YET_VALID,
    SELF_SIGNED,
    Admits,
    Behaviour,
    anybody,
    by_registry,
    nobody,
    validated_only,
)

#: The refusal modes of a right gateway: in the handshake and by closing, or by 403.
RIGHT: dict[str, Callable[[Admits], Behaviour]] = {
    "refuses in TLS": Behaviour,
    "refuses by 403": lambda admits: Behaviour(admits, requires=False, cut=False),
}
#: Not run here: the local library may not offer the old versions, and no way around is named.
SITUATIONAL = {"tls_1_0", "tls_1_1", "bypass"}
#: What a gateway lets in that looks at the path only, and knows no registry.
NO_REGISTRY = {"unregistered", "revoked"}


@pytest.mark.parametrize("behave", RIGHT.values(), ids=RIGHT)
def test_a_right_gateway_passes_every_check(deployment: Deployment, behave: Callable[[Admits], Behaviour]) -> None:
    results = deployment.results(behave(by_registry(deployment.registry)))
    assert named(results, Verdict.FAILED) == set()
    assert named(results, Verdict.SKIPPED) <= SITUATIONAL
    assert list(results) == ["server", *(check.name for check in CHECKS)]
    assert all_passed(results.values())


@pytest.mark.parametrize("behave", RIGHT.values(), ids=RIGHT)
def test_revocation_is_timed_on_the_open_connection_and_on_a_new_one(
    deployment: Deployment, behave: Callable[[Admits], Behaviour]
) -> None:
    revoked = deployment.results(behave(by_registry(deployment.registry)))["revoked"]
    measured = dict(revoked.milliseconds)
    assert set(measured) == {"accepted", "open_connection", "new_connection"}
    assert max(measured["open_connection"], measured["new_connection"]) < 1000


def test_the_refusal_that_was_seen_is_named(deployment: Deployment) -> None:
    in_tls = deployment.results(Behaviour(by_registry(deployment.registry)))
    assert in_tls["no_certificate"].seen.startswith(("TLS alert", "connection closed", "connection reset"))
    by_403 = deployment.results(Behaviour(by_registry(deployment.registry), requires=False, cut=False))
    assert 'HTTP 403 {"message":"Forbidden"}' in by_403["no_certificate"].seen


def _issuer_by_name(deployment: Deployment) -> Behaviour:
    name = deployment.intermediate.subject
    return Behaviour(lambda certificate, _: certificate is not None and certificate.issuer == name, EVERYTHING)


def _registered_once(deployment: Deployment) -> Behaviour:
    return Behaviour(by_registry(deployment.registry), once=True)


def _forwards_what_clients_claim(deployment: Deployment) -> Behaviour:
    return Behaviour(by_registry(deployment.registry), strips=False)


def _refuses_everybody(_: Deployment) -> Behaviour:
    return Behaviour(nobody, requires=False, cut=False)


_FORGED = {"self_signed", "rogue_ca", "impostor"}
_FAULTY = {"expired", "not_yet_valid", "server_auth_only"}
_VALID = {"valid", "valid_http_1_1", "valid_tls_1_2", "valid_tls_1_3"}

#: The wrong gateway, and exactly the checks it must fail.
WRONG: dict[str, tuple[Callable[[Deployment], Behaviour], set[str]]] = {
    "accepts anyone": (
        lambda _: Behaviour(anybody, EVERYTHING, requires=False),
        {"no_certificate"} | _FORGED | _FAULTY | NO_REGISTRY,
    ),
    "accepts any self-signed": (
        lambda _: Behaviour(validated_only, frozenset({SELF_SIGNED})),
        {"self_signed"} | NO_REGISTRY,
    ),
    "looks at the issuer's name only": (_issuer_by_name, {"rogue_ca", "impostor"} | _FAULTY | NO_REGISTRY),
    "ignores the validity": (
        lambda _: Behaviour(validated_only, frozenset({EXPIRED, NOT_YET_VALID})),
        {"expired", "not_yet_valid"} | NO_REGISTRY,
    ),
    "ignores expiry": (lambda _: Behaviour(validated_only, frozenset({EXPIRED})), {"expired"} | NO_REGISTRY),
    "ignores the extended key usage": (
        lambda _: Behaviour(validated_only, frozenset({INVALID_PURPOSE})),
        {"server_auth_only"} | NO_REGISTRY,
    ),
    "has no registry": (lambda _: Behaviour(validated_only), NO_REGISTRY),
    "has no registry, refuses by 403": (
        lambda _: Behaviour(validated_only, requires=False, cut=False),
        NO_REGISTRY,
    ),
    "revokes on new connections only": (_registered_once, {"revoked"}),
    "forwards what clients claim": (_forwards_what_clients_claim, {"spoofed_headers"}),
    "refuses everybody": (_refuses_everybody, _VALID | {"revoked", "spoofed_headers"}),
}


@pytest.mark.parametrize(("behave", "broken"), WRONG.values(), ids=WRONG)
def test_a_wrong_gateway_fails_what_its_fault_breaks(
    deployment: Deployment,
    behave: Callable[[Deployment], Behaviour],
    broken: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("handclasp.verify.revocation.ACCEPTED_WITHIN_S", 0.2)
    monkeypatch.setattr("handclasp.verify.revocation.REFUSED_WITHIN_S", 0.5)
    results = deployment.results(behave(deployment))
    assert named(results, Verdict.FAILED) == broken
    assert not all_passed(results.values())


def test_the_open_connection_that_goes_on_is_named(deployment: Deployment) -> None:
    revoked = deployment.results(_registered_once(deployment))["revoked"]
    assert "open connection still accepted 1 s after the revocation: HTTP 200" in revoked.seen
    assert "new connection refused after" in revoked.seen


def test_a_server_that_keeps_no_connection_open_is_judged_by_new_ones(deployment: Deployment) -> None:
    revoked = deployment.results(Behaviour(by_registry(deployment.registry), keeps_open=False))["revoked"]
    assert revoked.verdict is Verdict.PASSED
    assert "keeps no connection open" in revoked.seen
    assert set(dict(revoked.milliseconds)) == {"accepted", "new_connection"}


@pytest.mark.parametrize(
    ("versions", "missing"),
    [
        ({"newest": SSL.TLS1_2_VERSION}, "valid_tls_1_3"),
        ({"oldest": SSL.TLS1_3_VERSION}, "valid_tls_1_2"),
    ],
)
def test_a_tls_version_that_is_not_offered_is_skipped(
    deployment: Deployment, versions: dict[str, int], missing: str
) -> None:
    behaviour = replace(Behaviour(by_registry(deployment.registry)), **versions)  # type: ignore[arg-type]
    results = deployment.results(behaviour)
    assert results[missing].verdict is Verdict.SKIPPED
    assert "does not offer it" in results[missing].seen
    assert named(results, Verdict.FAILED) == set()


def test_a_service_that_does_not_echo_leaves_spoofing_untested(deployment: Deployment) -> None:
    results = deployment.results(Behaviour(by_registry(deployment.registry), echoes=False))
    assert results["spoofed_headers"].verdict is Verdict.SKIPPED
