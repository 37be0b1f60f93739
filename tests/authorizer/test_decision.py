"""The decision: allow when everything agrees, deny with one reason for whatever does not."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handclasp.authorizer.decision import Decision, Policy, Presented, Reason, Registered, decide

NOW = 1_800_000_000
FINGERPRINT = "ab" * 32
PRESENTED = Presented(FINGERPRINT, path_valid=True, allows_client_auth=True, not_before=NOW - 10, not_after=NOW + 10)
REGISTERED = Registered(FINGERPRINT, "acme", "prod", "active", "active")
ALL = Policy()


def test_everything_agrees_and_it_is_allowed() -> None:
    assert decide(PRESENTED, REGISTERED, ALL, NOW) == Decision(allow=True, reason=Reason.ALLOWED, client_id="acme")


@pytest.mark.parametrize(
    ("presented", "registered", "policy", "reason"),
    [
        (None, REGISTERED, ALL, Reason.NO_CERTIFICATE),
        (None, None, ALL, Reason.NO_CERTIFICATE),
        (PRESENTED, None, ALL, Reason.UNREGISTERED),
        (replace(PRESENTED, path_valid=False), None, ALL, Reason.PATH_INVALID),
        (PRESENTED, replace(REGISTERED, fingerprint="cd" * 32), ALL, Reason.FINGERPRINT_MISMATCH),
        (PRESENTED, replace(REGISTERED, certificate_status="revoked"), ALL, Reason.CERTIFICATE_REVOKED),
        (PRESENTED, replace(REGISTERED, certificate_status="no such status"), ALL, Reason.CERTIFICATE_REVOKED),
        (PRESENTED, replace(REGISTERED, client_status="suspended"), ALL, Reason.CLIENT_SUSPENDED),
        (PRESENTED, replace(REGISTERED, client_status="revoked"), ALL, Reason.CLIENT_REVOKED),
        (PRESENTED, replace(REGISTERED, client_status="no such status"), ALL, Reason.CLIENT_REVOKED),
        (replace(PRESENTED, not_before=NOW + 1), REGISTERED, ALL, Reason.NOT_YET_VALID),
        (replace(PRESENTED, not_after=NOW - 1), REGISTERED, ALL, Reason.EXPIRED),
        (replace(PRESENTED, path_valid=False), REGISTERED, ALL, Reason.PATH_INVALID),
        (replace(PRESENTED, allows_client_auth=False), REGISTERED, ALL, Reason.WRONG_USAGE),
        (PRESENTED, REGISTERED, Policy(frozenset({"staging"})), Reason.ENVIRONMENT_NOT_ADMITTED),
        (PRESENTED, REGISTERED, Policy(frozenset()), Reason.ENVIRONMENT_NOT_ADMITTED),
    ],
)
def test_each_thing_that_is_wrong_has_its_reason(
    presented: Presented | None, registered: Registered | None, policy: Policy, reason: Reason
) -> None:
    decision = decide(presented, registered, policy, NOW)
    assert (decision.allow, decision.reason) == (False, reason)


def test_both_ends_of_the_validity_count_in() -> None:
    assert decide(PRESENTED, REGISTERED, ALL, PRESENTED.not_before).allow
    assert decide(PRESENTED, REGISTERED, ALL, PRESENTED.not_after).allow


digests = st.sampled_from(["ab" * 32, "cd" * 32])
presenteds = st.builds(
    Presented,
    digests,
    path_valid=st.booleans(),
    allows_client_auth=st.booleans(),
    not_before=st.integers(NOW - 2, NOW + 2),
    not_after=st.integers(NOW - 2, NOW + 2),
)
registereds = st.builds(
    Registered,
    digests,
    st.just("acme"),
    st.sampled_from(["prod", "staging"]),
    st.sampled_from(["active", "revoked", "odd"]),
    st.sampled_from(["active", "suspended", "revoked", "odd"]),
)
policies = st.builds(Policy, st.none() | st.frozensets(st.sampled_from(["prod", "staging"])))


@given(st.none() | presenteds, st.none() | registereds, policies)
def test_it_allows_exactly_when_every_condition_holds(
    presented: Presented | None, registered: Registered | None, policy: Policy
) -> None:
    expected = (
        presented is not None
        and registered is not None
        and presented.path_valid
        and presented.allows_client_auth
        and presented.not_before <= NOW <= presented.not_after
        and presented.fingerprint == registered.fingerprint
        and registered.certificate_status == "active"
        and registered.client_status == "active"
        and (policy.environments is None or registered.environment in policy.environments)
    )
    decision = decide(presented, registered, policy, NOW)
    assert decision.allow == expected
    assert (decision.reason is Reason.ALLOWED) == expected
