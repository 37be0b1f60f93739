"""What may happen to a client: one table, tried whole; and the commands that walk it."""

import json
from itertools import product

import pytest

from handclasp.authority.lifecycle import CLIENT_TRANSITIONS, Event, next_client_status
from handclasp.authority.revoke import resume_client, revoke_certificate, revoke_client, suspend_client
from handclasp.errors import NotRegistered, TransitionRefused
from handclasp.registry.records import CertificateStatus, ClientStatus, RevocationReason
from tests.authority.conftest import Authority
from tests.making import NOW

ACTIVE, SUSPENDED, REVOKED = ClientStatus.ACTIVE, ClientStatus.SUSPENDED, ClientStatus.REVOKED
#: Written out a second time, on purpose: None is a refusal.
EXPECTED = {
    (ACTIVE, Event.SUSPEND): SUSPENDED,
    (ACTIVE, Event.RESUME): ACTIVE,
    (ACTIVE, Event.REVOKE): REVOKED,
    (SUSPENDED, Event.SUSPEND): SUSPENDED,
    (SUSPENDED, Event.RESUME): ACTIVE,
    (SUSPENDED, Event.REVOKE): REVOKED,
    (REVOKED, Event.SUSPEND): None,
    (REVOKED, Event.RESUME): None,
    (REVOKED, Event.REVOKE): REVOKED,
}


def suspend(authority: Authority) -> None:
    suspend_client("acme", registry=authority.registry, actor="tester", now=NOW)


def resume(authority: Authority) -> None:
    resume_client("acme", registry=authority.registry, actor="tester", now=NOW)


def revoke(authority: Authority) -> None:
    revoke_client("acme", registry=authority.registry, reason=RevocationReason.SUPERSEDED, actor="tester", now=NOW)


COMMANDS = {Event.SUSPEND: suspend, Event.RESUME: resume, Event.REVOKE: revoke}
WAYS = {ACTIVE: [], SUSPENDED: [suspend], REVOKED: [revoke]}


def test_the_table_says_what_is_expected_of_every_status_and_event() -> None:
    assert set(EXPECTED) == set(product(ClientStatus, Event))
    assert {key: value for key, value in EXPECTED.items() if value} == CLIENT_TRANSITIONS


@pytest.mark.parametrize(("status", "event"), EXPECTED)
def test_a_command_does_what_the_table_says_and_refuses_the_rest(
    authority: Authority, status: ClientStatus, event: Event
) -> None:
    authority.enrol()
    for step in WAYS[status]:
        step(authority)
    revision, entries = authority.registry.revision(), len(authority.actions())
    expected = EXPECTED[status, event]
    if expected is None:
        with pytest.raises(TransitionRefused, match="client acme is revoked: it cannot be") as refused:
            COMMANDS[event](authority)
        assert refused.value.hint is not None
    else:
        COMMANDS[event](authority)
    assert authority.registry.client("acme").status is (expected or status)
    changed = expected not in {None, status}
    assert (authority.registry.revision() > revision) is changed, "the revision grows when a decision may change"
    assert (len(authority.actions()) > entries) is changed, "what changes nothing is not recorded"


def test_the_refusal_names_what_was_tried() -> None:
    for event, verb in ((Event.SUSPEND, "suspended"), (Event.RESUME, "resumed")):
        with pytest.raises(TransitionRefused, match=f"it cannot be {verb}"):
            next_client_status("acme", REVOKED, event)


def test_revoking_a_client_revokes_every_certificate_it_has_with_the_reason(authority: Authority) -> None:
    authority.enrol()
    authority.renew()
    revoked = revoke_client(
        "ACME", registry=authority.registry, reason=RevocationReason.KEY_COMPROMISE, actor="me", now=NOW
    )
    assert len(revoked) == 2
    for certificate in authority.registry.certificates("acme"):
        assert certificate.status is CertificateStatus.REVOKED
        assert certificate.revocation_reason is RevocationReason.KEY_COMPROMISE
        assert certificate.revoked_at == int(NOW.timestamp())
    assert authority.actions()[-3:] == ["certificate.revoke", "certificate.revoke", "client.revoke"]
    last = list(authority.registry.audit())[-1]
    assert (last.actor, last.subject) == ("me", "acme")
    assert json.loads(last.details) == {"before": "active", "after": "revoked", "reason": "keyCompromise"}


def test_one_certificate_is_revoked_and_the_client_goes_on_with_its_others(authority: Authority) -> None:
    first = authority.enrol().certificate
    second = authority.renew().certificate

    def again() -> list[str]:
        revoked = revoke_certificate(
            "acme",
            first.serial_number,
            registry=authority.registry,
            reason=RevocationReason.SUPERSEDED,
            actor="tester",
            now=NOW,
        )
        return [certificate.serial_number for certificate in revoked]

    assert again() == [first.serial_number]
    assert again() == [], "it was revoked before: nothing is done, and it is no error"
    assert authority.registry.client("acme").status is ACTIVE
    statuses = [c.status for c in authority.registry.certificates("acme")]
    assert statuses == [CertificateStatus.REVOKED, CertificateStatus.ACTIVE]
    assert second.serial_number != first.serial_number


def test_a_serial_number_of_another_client_is_not_revoked(authority: Authority) -> None:
    authority.enrol("acme")
    other = authority.enrol("beta").certificate
    with pytest.raises(NotRegistered, match="client acme has no certificate with serial number") as refused:
        revoke_certificate(
            "acme",
            other.serial_number,
            registry=authority.registry,
            reason=RevocationReason.SUPERSEDED,
            actor="tester",
            now=NOW,
        )
    assert refused.value.hint == "handclasp client show acme lists them"
    assert authority.registry.certificates("beta")[0].status is CertificateStatus.ACTIVE


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_client_that_is_not_registered_is_said(authority: Authority, command: object) -> None:
    assert callable(command)
    with pytest.raises(NotRegistered):
        command(authority)
