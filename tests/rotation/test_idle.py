"""The old issuer is retired on evidence: nobody seen with its certificates for so long, by gateways that were awake."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from handclasp.authority.operations.operation import NotYet, Run
from handclasp.authority.revoke import revoke_certificate
from handclasp.authority.rotation.idle import REPORT_SECONDS, wait_until_idle
from handclasp.registry.records import Certificate, RevocationReason
from tests.rotation.fleet import Fleet

HOUR = 3600
DAY = 24 * HOUR


class Waiting:
    """One client that holds a certificate of the old issuer, and the wait for it to stop using that."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.old = fleet.authority.enrol("acme").certificate
        self.old_issuer = fleet.issuer
        fleet.add_issuer()
        self.began = fleet.now
        self.again: list[str] = []
        self.replace(self.old)

    def replace(self, certificate: Certificate) -> None:
        new = self.fleet.certify(certificate.client_id or "", self.fleet.issuer)
        at = int(self.fleet.now)
        with self.fleet.registry.change() as change:
            change.set_delivered(certificate.issuer_id, certificate.serial_number, at)
            change.set_replaced(certificate, replaced_by=new.fingerprint, supersede_at=at + 7 * DAY)

    def until_idle(
        self,
        run: Run,
        idle_for: timedelta,
        *,
        deadline: int = 7 * DAY,
        lock_out: int | None = None,
        again: Callable[[str], None] | None = None,
    ) -> None:
        wait_until_idle(
            run,
            {self.old_issuer},
            idle_for=idle_for,
            deadline=int(self.began) + deadline,
            lock_out=lock_out,
            again=again or self.again.append,
            clock=self.fleet.clock,
        )

    def wait(self, *, idle_for: int = DAY, deadline: int = 7 * DAY, lock_out: int | None = None) -> float:
        """How long it waited."""
        self.until_idle(self.fleet.run(), timedelta(seconds=idle_for), deadline=deadline, lock_out=lock_out)
        return self.fleet.now - self.began


@pytest.fixture
def waiting(fleet: Fleet) -> Waiting:
    return Waiting(fleet)


def test_nobody_seen_for_so_long_is_enough(waiting: Waiting) -> None:
    assert waiting.wait(idle_for=2 * HOUR) == pytest.approx(2 * HOUR, abs=60)


def test_with_gateways_their_last_reports_are_waited_for(waiting: Waiting) -> None:
    waiting.fleet.report("edge-1", server_issuer="new")
    assert waiting.wait(idle_for=2) == pytest.approx(2 + REPORT_SECONDS, abs=2)


def test_it_counts_from_the_last_sighting(waiting: Waiting) -> None:
    waiting.fleet.report("edge-1", server_issuer="new")
    seen = 0

    def see(seconds: float) -> bool:
        nonlocal seen
        if waiting.fleet.now - waiting.began < 3 * HOUR:
            waiting.fleet.see(waiting.old)
            seen += 1
        return waiting.fleet.pass_time(seconds)

    run = waiting.fleet.run()
    run.wait = see
    waiting.until_idle(run, timedelta(hours=2))
    assert seen > 10
    assert waiting.fleet.now - waiting.began == pytest.approx(5 * HOUR, abs=120)
    assert any("1 client still uses an old certificate: acme" in line for line in waiting.fleet.told)


def test_a_gateway_whose_own_certificate_is_of_the_old_issuer_is_waited_for(waiting: Waiting) -> None:
    waiting.fleet.report("edge-1", server_issuer=waiting.old_issuer)

    def renew(seconds: float) -> bool:
        if waiting.fleet.now - waiting.began > 10 * HOUR:
            waiting.fleet.report("edge-1", server_issuer="new")
        return waiting.fleet.pass_time(seconds)

    run = waiting.fleet.run()
    run.wait = renew
    waiting.until_idle(run, timedelta(hours=1), deadline=HOUR)
    assert waiting.fleet.now - waiting.began == pytest.approx(10 * HOUR, abs=120)


def test_what_the_old_issuer_signed_at_the_last_moment_is_reissued(waiting: Waiting) -> None:
    late = waiting.fleet.authority.enrol("late").certificate
    with waiting.fleet.registry.change() as change:
        change.set_delivered(late.issuer_id, late.serial_number, int(waiting.fleet.now))

    def again(issuer_id: str) -> None:
        waiting.again.append(issuer_id)
        waiting.replace(late)

    waiting.until_idle(waiting.fleet.run(), timedelta(hours=1), deadline=DAY, again=again)
    assert waiting.again == [waiting.old_issuer]


def test_at_the_deadline_it_waits_for_the_operator_and_says_who_is_locked_out(waiting: Waiting) -> None:
    waiting.fleet.see(waiting.old)
    with pytest.raises(NotYet) as raised:
        waiting.wait(idle_for=30 * DAY, deadline=DAY)
    assert "1 active client: acme (last seen" in str(raised.value)
    assert "--lock-out 1" in str(raised.value)
    with pytest.raises(NotYet):
        waiting.wait(idle_for=30 * DAY, deadline=DAY, lock_out=2)
    assert waiting.wait(idle_for=30 * DAY, deadline=DAY, lock_out=1) >= DAY


def test_who_has_no_other_certificate_is_not_locked_out_for_being_silent(waiting: Waiting) -> None:
    fleet = waiting.fleet
    alone = fleet.certify("acme", waiting.old_issuer)
    for each in fleet.registry.certificates("acme"):
        if each.fingerprint != alone.fingerprint:
            ports = {"registry": fleet.registry, "actor": "tester", "now": fleet.clock()}
            revoke_certificate("acme", each.serial_number, reason=RevocationReason.UNSPECIFIED, **ports)  # type: ignore[arg-type]
    with pytest.raises(NotYet, match=r"would lock out 1 active client: acme \(never seen\).* --lock-out 1$"):
        waiting.wait(idle_for=HOUR)
    assert waiting.old_issuer in waiting.again
    waiting.wait(idle_for=HOUR, lock_out=1)


def test_a_machine_that_slept_two_days_saw_nobody_and_that_proves_nothing(waiting: Waiting) -> None:
    slept = False

    def sleep(seconds: float) -> bool:
        nonlocal slept
        if not slept and waiting.fleet.now - waiting.began > HOUR:
            slept = True
            waiting.fleet.now += 2 * DAY
        return waiting.fleet.pass_time(seconds)

    run = waiting.fleet.run()
    run.wait = sleep
    waiting.until_idle(run, timedelta(hours=24), deadline=30 * DAY)
    assert waiting.fleet.now - waiting.began == pytest.approx(3 * DAY, abs=300)


@pytest.mark.parametrize("step", [-600, 600, 3600, -3600])
def test_a_clock_that_is_set_shortens_the_wait_by_a_tick_or_two_at_most(waiting: Waiting, step: int) -> None:
    """Daylight saving is none of UTC's business; who sets a clock by an hour all the same gains nothing."""
    done = False

    def set_clock(seconds: float) -> bool:
        nonlocal done
        if not done and waiting.fleet.now - waiting.began > HOUR:
            done = True
            waiting.fleet.now += step
        return waiting.fleet.pass_time(seconds)

    run = waiting.fleet.run()
    run.wait = set_clock
    waiting.until_idle(run, timedelta(hours=6))
    assert waiting.fleet.slept == pytest.approx(6 * HOUR, abs=180)


def test_how_long_was_watched_survives_a_restart(waiting: Waiting) -> None:
    run = waiting.fleet.run()
    run.remember(observed=20 * HOUR)
    waiting.until_idle(run, timedelta(hours=24))
    assert waiting.fleet.slept == pytest.approx(4 * HOUR, abs=60)


def looked_at(waiting: Waiting, idle_for: int) -> str:
    """What a run that does not sit it out says; "" when it is done."""
    run = waiting.fleet.run()
    run.patient = False
    try:
        waiting.until_idle(run, timedelta(seconds=idle_for))
    except NotYet as waits:
        return str(waits)
    return ""


def test_looked_at_now_and_then_the_gateways_have_watched_meanwhile(waiting: Waiting) -> None:
    fleet = waiting.fleet
    fleet.report("edge-1", server_issuer="new")
    for _ in range(5):
        assert looked_at(waiting, 6 * HOUR) == "nobody is seen with an old certificate; watching"
        fleet.pass_time(HOUR)
    fleet.pass_time(HOUR + 60)
    assert looked_at(waiting, 6 * HOUR) == ""


def test_what_a_gateway_slept_through_meanwhile_is_not_counted(waiting: Waiting) -> None:
    fleet = waiting.fleet
    fleet.report("edge-1", server_issuer="new", awake_since=1_000)
    assert looked_at(waiting, 6 * HOUR) != ""
    fleet.pass_time(2 * DAY)
    fleet.report("edge-1", server_issuer="new", awake_since=1_000 + 2 * DAY - HOUR)
    assert looked_at(waiting, 6 * HOUR) != ""
    fleet.pass_time(5 * HOUR + 60)
    assert looked_at(waiting, 6 * HOUR) == ""


def test_without_gateways_only_the_time_somebody_looked_counts(waiting: Waiting) -> None:
    assert looked_at(waiting, 6 * HOUR) != ""
    waiting.fleet.pass_time(DAY)
    assert looked_at(waiting, 6 * HOUR) != ""
