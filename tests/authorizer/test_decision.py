"""The decision: every reason, which one comes first, and that only the whole list of conditions allows."""

from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handclasp.authorizer.decision import Policy, Presented, Reason, Registered, decide

NOW = 1_000
PRESENTED = Presented("f" * 64, path_valid=True, allows_client_auth=True, not_before=900, not_after=1_100)
REGISTERED = Registered("f" * 64, "acme", "prod", "active", "active")
ANY = Policy()

#: reason -> what is presented, what is registered, the policy
CASES: dict[Reason, tuple[Presented | None, Registered | None, Policy]] = {
    Reason.ALLOWED: (PRESENTED, REGISTERED, ANY),
    Reason.NO_CERTIFICATE: (None, REGISTERED, ANY),
    Reason.PATH_INVALID: (replace(PRESENTED, path_valid=False), REGISTERED, ANY),
    Reason.NOT_YET_VALID: (replace(PRESENTED, not_before=NOW + 1), REGISTERED, ANY),
    Reason.EXPIRED: (replace(PRESENTED, not_after=NOW - 1), REGISTERED, ANY),
    Reason.WRONG_USAGE: (replace(PRESENTED, allows_client_auth=False), REGISTERED, ANY),
    Reason.UNREGISTERED: (PRESENTED, None, ANY),
    Reason.FINGERPRINT_MISMATCH: (PRESENTED, replace(REGISTERED, fingerprint="0" * 64), ANY),
    Reason.CERTIFICATE_REVOKED: (PRESENTED, replace(REGISTERED, certificate_status="revoked"), ANY),
    Reason.CLIENT_REVOKED: (PRESENTED, replace(REGISTERED, client_status="revoked"), ANY),
    Reason.CLIENT_SUSPENDED: (PRESENTED, replace(REGISTERED, client_status="suspended"), ANY),
    Reason.ENVIRONMENT_NOT_ADMITTED: (PRESENTED, REGISTERED, Policy(frozenset({"test"}))),
}


@pytest.mark.parametrize("reason", CASES)
def test_each_condition_that_fails_alone_denies_with_its_reason(reason: Reason) -> None:
    decision = decide(*CASES[reason], NOW)
    assert decision.reason is reason
    assert decision.allow is (reason is Reason.ALLOWED)


def test_every_reason_has_a_case_but_the_one_for_errors_outside() -> None:
    assert set(CASES) == set(Reason) - {Reason.ERROR}


def test_a_denial_names_the_client_as_soon_as_the_registry_knows_it() -> None:
    for reason, case in CASES.items():
        known = reason not in {Reason.NO_CERTIFICATE, Reason.UNREGISTERED}
        assert decide(*case, NOW).client_id == ("acme" if known else None)


def test_without_a_certificate_nothing_else_is_looked_at() -> None:
    assert decide(None, None, Policy(frozenset()), NOW).reason is Reason.NO_CERTIFICATE


def test_an_unknown_certificate_with_a_broken_path_is_called_that() -> None:
    assert decide(replace(PRESENTED, path_valid=False), None, ANY, NOW).reason is Reason.PATH_INVALID


def test_both_ends_of_the_validity_period_are_inside_it() -> None:
    for now in (PRESENTED.not_before, PRESENTED.not_after):
        assert decide(PRESENTED, REGISTERED, ANY, now).allow


@pytest.mark.parametrize(
    ("environments", "allowed"),
    [(None, True), ({"prod"}, True), ({"prod", "test"}, True), ({"Prod"}, False), (set(), False)],
)
def test_no_policy_admits_all_and_an_empty_one_nobody(environments: set[str] | None, allowed: bool) -> None:
    assert decide(PRESENTED, REGISTERED, Policy(environments), NOW).allow is allowed


@pytest.mark.parametrize("status", ["", "Active", "ACTIVE", " active", "activ", "unknown", "\0"])
def test_a_status_that_is_not_exactly_active_denies(status: str) -> None:
    assert not decide(PRESENTED, replace(REGISTERED, client_status=status), ANY, NOW).allow
    assert not decide(PRESENTED, replace(REGISTERED, certificate_status=status), ANY, NOW).allow


def test_a_revoked_certificate_is_called_that_before_anything_that_may_pass() -> None:
    """Who reads the log of an expired and revoked certificate should learn of the revocation."""
    bad = replace(PRESENTED, not_after=NOW - 1, path_valid=False, allows_client_auth=False)
    revoked = replace(REGISTERED, certificate_status="revoked", client_status="revoked")
    assert decide(bad, revoked, Policy(frozenset()), NOW).reason is Reason.CERTIFICATE_REVOKED


_TEXT = st.sampled_from(["active", "suspended", "revoked", "prod", "test", "", "é", "f" * 64]) | st.text()
_TIME = st.sampled_from([NOW - 1, NOW, NOW + 1]) | st.integers()
_PRESENTED = st.none() | st.builds(Presented, st.just("f" * 64) | _TEXT, st.booleans(), st.booleans(), _TIME, _TIME)
_REGISTERED = st.none() | st.builds(
    Registered, st.just("f" * 64) | _TEXT, _TEXT, _TEXT, st.just("active") | _TEXT, st.just("active") | _TEXT
)
_POLICY = st.builds(Policy, st.none() | st.frozensets(_TEXT))


@settings(max_examples=200)
@given(_PRESENTED, _REGISTERED, _POLICY, _TIME)
def test_it_allows_if_and_only_if_every_condition_holds_and_never_raises(
    presented: Presented | None, registered: Registered | None, policy: Policy, now: int
) -> None:
    decision = decide(presented, registered, policy, now)
    assert decision.allow is (
        presented is not None
        and registered is not None
        and presented.path_valid
        and presented.allows_client_auth
        and presented.not_before <= now <= presented.not_after
        and presented.fingerprint == registered.fingerprint
        and registered.certificate_status == "active"
        and registered.client_status == "active"
        and (policy.environments is None or registered.environment in policy.environments)
    )
    assert decision.allow is (decision.reason is Reason.ALLOWED)
    assert decision == decide(presented, registered, policy, now)


@given(st.lists(st.sampled_from([field.name for field in fields(Presented)]), min_size=1), st.data())
def test_no_single_fact_undone_still_allows(names: list[str], data: st.DataObject) -> None:
    """Allow rests on each fact: take any away from a good request, and it is denied."""
    undone = {
        "fingerprint": "0" * 64,
        "path_valid": False,
        "allows_client_auth": False,
        "not_before": data.draw(st.integers(min_value=NOW + 1)),
        "not_after": data.draw(st.integers(max_value=NOW - 1)),
    }
    bad = replace(PRESENTED, **{name: undone[name] for name in names})  # type: ignore[arg-type]
    assert not decide(bad, REGISTERED, ANY, NOW).allow
