"""An old certificate goes when its client has gone over to the new one, and not before: nobody is cut off."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handclasp.authority.revoke import revoke_certificate
from handclasp.authority.rotation.gone_over import Pair, judge
from handclasp.authority.rotation.replacement import replacement
from handclasp.authority.rotation.supersede import LISTEN_SECONDS, Superseded, supersede_due
from handclasp.registry.audit_chain import broken_at
from handclasp.registry.fleet import Sighting
from handclasp.registry.records import Certificate, CertificateStatus, RevocationReason
from tests.registry.rows import certificate, client
from tests.rotation.clients import DAY, HOUR, Office, in_memory, on_disk

SETTLE = 60


@pytest.fixture(params=["memory", "sqlite and files"])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    """Client acme, rotated a moment ago, with an overlap of a day."""
    made = in_memory() if request.param == "memory" else on_disk(tmp_path)
    made.enrol("acme")
    made.later(10 * DAY)
    made.rotate(rekey=True)
    yield made
    made.authority.registry.close()


def look(office: Office) -> Superseded:
    return supersede_due(registry=office.authority.registry, actor="tester", settle=SETTLE, wait=office.passes)


def old_and_new(office: Office) -> tuple[Certificate, Certificate]:
    old, *_, new = office.authority.registry.certificates("acme")
    return old, new


def is_superseded(office: Office) -> bool:
    old, _ = old_and_new(office)
    assert (old.status is CertificateStatus.ACTIVE) is (old.revocation_reason is None)
    return old.revocation_reason is RevocationReason.SUPERSEDED


def test_seen_with_the_new_one_the_old_one_goes_and_the_trail_says_so(office: Office) -> None:
    old, new = old_and_new(office)
    office.seen(old, 10 * 86_400, ago=1)
    office.later(HOUR)
    office.seen(new)
    assert look(office) == Superseded(1, 0, ())
    assert is_superseded(office)
    assert old_and_new(office)[1].status is CertificateStatus.ACTIVE
    entry = office.authority.registry.last_audit()
    assert entry is not None
    assert (entry.action, entry.subject) == ("certificate.supersede", "acme")
    assert broken_at(office.authority.registry.audit()) is None
    assert look(office) == Superseded(0, 0, ())


def test_a_pooled_connection_that_still_uses_the_old_one_is_not_cut(office: Office) -> None:
    old, new = old_and_new(office)
    office.seen(old, 100_000, ago=1)
    for _ in range(100):
        office.later(30)
        office.seen(old, 30)
        office.seen(new, 30)
    assert look(office) == Superseded(0, 1, ())
    office.later(2 * SETTLE)
    office.seen(new)
    look(office)
    assert is_superseded(office)


def test_a_client_that_slept_through_the_overlap_comes_back_with_the_old_one_and_is_let_in(office: Office) -> None:
    old, new = old_and_new(office)
    office.seen(old, 1_000, ago=5)
    office.later(2 * DAY)
    found = look(office)
    assert not is_superseded(office)
    [late] = found.stragglers
    assert (late.client_id, late.why) == ("acme", "it has not been seen with its new certificate")
    office.seen(old)
    office.later(10)
    assert look(office).superseded == 0
    for _ in range(3 * 180):
        office.later(HOUR / 10)
        office.seen(new, 100)
    look(office)
    assert is_superseded(office), "it has been seen with the new one, and for long not with the old"


def test_our_own_machine_that_slept_through_the_overlap_cuts_nobody_off(office: Office) -> None:
    """Two instances share the files; one has gone over. They are silent because the gateway slept, and go on."""
    old, new = old_and_new(office)
    office.gateway_reports()
    office.seen(old, 1_000_000)
    office.seen(new, 1_000_000)
    office.later(2 * DAY)
    assert look(office).superseded == 0, "nothing was seen of either: nobody listened"

    def awake(seconds: float) -> bool:
        office.later(seconds)
        office.gateway_reports()
        office.seen(old)
        return False

    office.seen(new)
    found = supersede_due(registry=office.authority.registry, actor="tester", settle=SETTLE, wait=awake)
    assert found.superseded == 0, "while it listened the old one was seen"
    assert not is_superseded(office)


def test_what_comes_in_late_about_the_old_one_speaks_for_it(office: Office) -> None:
    """Reported while it listened: requests of two minutes ago, longer ago than `settle`, and nobody knew of them."""
    old, new = old_and_new(office)
    office.seen(old, 1_000_000)
    office.later(HOUR)
    office.seen(new)
    office.gateway_reports()

    def late(seconds: float) -> bool:
        office.later(seconds)
        office.gateway_reports()
        office.seen(old, ago=2 * SETTLE)
        return False

    found = supersede_due(registry=office.authority.registry, actor="tester", settle=SETTLE, wait=late)
    assert (found, is_superseded(office)) == (Superseded(0, 1, ()), False)


def test_gateways_that_report_and_say_nothing_of_the_old_one_are_enough(office: Office) -> None:
    old, new = old_and_new(office)
    office.seen(old, 1_000_000)
    office.later(HOUR)
    office.seen(new)
    office.gateway_reports()

    def listen(seconds: float) -> bool:
        office.later(seconds)
        office.gateway_reports()
        return False

    found = supersede_due(registry=office.authority.registry, actor="tester", settle=SETTLE, wait=listen)
    assert found == Superseded(1, 0, ())


def test_a_caller_that_comes_once_a_week_and_has_gone_over_is_waited_for_no_longer_than_the_overlap(
    office: Office,
) -> None:
    old, new = old_and_new(office)
    office.seen(old, ago=3 * DAY)
    office.later(HOUR)
    office.seen(new)
    assert look(office) == Superseded(0, 1, ()), "a second instance of it may call with the old one"
    office.later(DAY)
    assert look(office) == Superseded(1, 0, ())


def test_a_gateway_that_has_not_reported_meanwhile_is_waited_for_and_a_dead_one_is_not(office: Office) -> None:
    old, new = old_and_new(office)
    office.seen(old, 1_000_000)
    office.later(HOUR)
    office.seen(new)
    office.gateway_reports()
    office.later(5)
    assert look(office) == Superseded(0, 1, ()), f"it was silent for more than {LISTEN_SECONDS} s"
    office.later(HOUR)
    office.seen(new)
    assert look(office).superseded == 1, "silent for an hour it is dead"


def test_stopped_while_it_listens_it_does_nothing(office: Office) -> None:
    old, new = old_and_new(office)
    office.seen(old, 1_000_000)
    office.later(HOUR)
    office.seen(new)
    office.gateway_reports()
    found = supersede_due(registry=office.authority.registry, actor="tester", settle=SETTLE, wait=lambda _: True)
    assert (found.superseded, is_superseded(office)) == (0, False)


def test_without_any_gateway_the_overlap_decides(office: Office) -> None:
    office.later(DAY - 1)
    assert look(office) == Superseded(0, 1, ())
    office.later(1)
    assert look(office) == Superseded(1, 0, ())


def test_a_straggler_is_kept_and_named_until_it_has_gone_over(office: Office) -> None:
    old, new = old_and_new(office)
    office.seen(new)
    for _ in range(10):
        office.later(DAY)
        office.seen(old, DAY)
        [late] = look(office).stragglers
        assert (late.client_id, late.last_seen_at) == ("acme", office.now)
    assert not is_superseded(office)


def test_a_caller_that_comes_once_an_hour_is_not_cut_between_two_calls(office: Office) -> None:
    """Two instances: the one that calls all the time has gone over, the other has not."""
    old, new = old_and_new(office)
    for _ in range(240):
        office.seen(old, 1, ago=10 * DAY)
    for _ in range(48):
        office.later(HOUR)
        office.seen(new, 100)
        office.seen(old, 1)
        office.later(HOUR / 2)
        office.seen(new, 100)
        assert look(office).superseded == 0
    assert not is_superseded(office)


def test_the_new_one_revoked_the_old_one_stays(office: Office) -> None:
    old, new = old_and_new(office)
    office.seen(old, 1_000_000)
    office.later(HOUR)
    office.seen(new)
    revoke_certificate(
        "acme",
        new.serial_number,
        registry=office.authority.registry,
        reason=RevocationReason.KEY_COMPROMISE,
        actor="tester",
        now=office.authority.now,
    )
    office.later(2 * DAY)
    assert look(office).superseded == 0
    assert not is_superseded(office)


def test_the_line_is_followed_to_the_certificate_that_lives(office: Office) -> None:
    first, second = old_and_new(office)
    office.rotate(rekey=True)
    third = office.held("acme")[-1]
    office.seen(first, 1_000_000)
    office.later(10 * DAY)
    office.seen(third)
    look(office)
    assert [each.fingerprint for each in office.held("acme")] == [third.fingerprint]
    known = office.authority.registry.certificates("acme")
    found = [replacement(office.authority.registry, each) for each in known]
    assert [each and each.fingerprint for each in found] == [third.fingerprint, third.fingerprint, None]
    assert second.fingerprint in {each.fingerprint for each in known}


def test_a_line_that_bites_its_tail_or_leads_nowhere_has_no_end_that_lives(office: Office) -> None:
    old, new = old_and_new(office)
    registry = office.authority.registry
    with registry.change() as change:
        change.set_replaced(new, replaced_by=old.fingerprint, supersede_at=office.now + DAY)
    found = replacement(registry, old_and_new(office)[0])
    assert found is not None
    assert replacement(registry, replace(old, replaced_by="unknown")) is None


def test_a_client_without_anybody_to_ask_waits_by_itself(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who passes no way to wait sleeps."""
    monkeypatch.setattr("handclasp.authority.rotation.supersede.LISTEN_SECONDS", 0.01)
    old, new = old_and_new(office)
    office.seen(old, 1_000_000)
    office.later(HOUR)
    office.seen(new)
    office.gateway_reports()
    assert supersede_due(registry=office.authority.registry, actor="tester", settle=SETTLE).superseded == 1


def test_two_passes_at_once_supersede_once(office: Office) -> None:
    old, new = old_and_new(office)
    office.seen(old, 1_000_000)
    office.later(HOUR)
    office.seen(new)
    office.gateway_reports()

    def another_pass_comes_first(seconds: float) -> bool:
        office.later(seconds)
        office.gateway_reports()
        if not is_superseded(office):
            supersede_due(registry=office.authority.registry, actor="other", settle=SETTLE, wait=lambda _: False)
        return False

    found = supersede_due(
        registry=office.authority.registry, actor="tester", settle=SETTLE, wait=another_pass_comes_first
    )
    assert found.superseded == 0
    assert office.authority.actions().count("certificate.supersede") == 1


def test_the_operation_listens_too(office: Office) -> None:
    old, new = old_and_new(office)
    office.seen(old, 1_000_000)
    office.later(HOUR)
    office.seen(new)
    office.enrol("beta")

    def listen(seconds: float) -> bool:
        office.later(seconds)
        report(office)
        return False

    report(office)
    office.rotate("beta", wait=listen)
    assert office.told("1 old certificates are superseded")
    assert is_superseded(office)


def report(office: Office) -> None:
    office.gateway_reports()
    [gateway] = office.authority.registry.gateways()
    with office.authority.registry.change() as change:
        change.report_gateway(replace(gateway, revision=office.authority.registry.revision()))


def test_the_operation_names_the_stragglers(office: Office) -> None:
    old, _ = old_and_new(office)
    office.seen(old, 1_000)
    office.later(3 * DAY)
    office.enrol("beta")
    office.rotate("beta")
    assert office.told("acme") == ["client acme: it has not been seen with its new certificate"]


def test_with_no_overlap_what_nobody_uses_goes_at_the_operations_end(office: Office) -> None:
    office.enrol("beta")
    office.rotate("beta", rekey=True, overlap=0)
    assert len(office.held("beta")) == 1


def test_where_nothing_was_replaced_nothing_is_looked_at(tmp_path: Path) -> None:
    office = on_disk(tmp_path)
    office.enrol("acme")
    assert look(office) == Superseded(0, 0, ())
    office.authority.registry.close()


NOW = 1_000_000
moments = st.integers(NOW - 100_000, NOW)
sightings = st.none() | st.builds(Sighting, st.just("x"), moments, st.integers(1, 100_000))


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    old = replace(certificate(1), delivered_at=draw(moments), supersede_at=draw(st.integers(NOW - 100, NOW + 100)))
    new = replace(
        certificate(2),
        delivered_at=draw(st.none() | moments),
        not_before=draw(st.integers(NOW - 1_000, NOW + 1)),
        not_after=draw(st.integers(NOW - 1, NOW + 1_000)),
    )
    return Pair(client(), old, new, draw(sightings), draw(sightings))


@given(pairs(), st.integers(1, 1_000))
def test_never_without_a_delivered_certificate_that_is_valid_now(pair: Pair, settle: int) -> None:
    verdict = judge(pair, NOW, settle)
    if verdict.supersede:
        assert pair.new.delivered_at is not None
        assert pair.new.not_before <= NOW <= pair.new.not_after
    else:
        assert verdict.why


@given(pairs(), st.integers(1, 1_000))
def test_never_when_it_was_seen_last_with_the_old_one_or_never_with_the_new(pair: Pair, settle: int) -> None:
    verdict = judge(pair, NOW, settle)
    if verdict.supersede and pair.old_seen is not None:
        assert pair.new_seen is not None
        assert pair.new_seen.last_seen_at - pair.old_seen.last_seen_at >= settle


@given(pairs(), st.integers(1, 1_000))
def test_before_the_overlap_is_over_only_on_evidence(pair: Pair, settle: int) -> None:
    unseen = replace(pair, new_seen=None, old=replace(pair.old, supersede_at=NOW + 1))
    assert not judge(unseen, NOW, settle).supersede


@given(pairs(), st.integers(1, 1_000), st.integers(1, 100))
def test_a_longer_settle_supersedes_nothing_more(pair: Pair, settle: int, more: int) -> None:
    if judge(pair, NOW, settle + more).supersede:
        assert judge(pair, NOW, settle).supersede
