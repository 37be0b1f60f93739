"""What else is told: operations given up, gateways gone silent, stragglers, and clients that keep their own key."""

from dataclasses import replace

import pytest

from handclasp.authority.expiry import event
from handclasp.registry.fleet import Sighting
from handclasp.registry.operations import OperationStatus
from handclasp.registry.records import ClientStatus
from handclasp.settings import RotationSettings
from tests.registry.rows import gateway, operation
from tests.watch.world import DAY, World

ROTATION = RotationSettings()


@pytest.mark.parametrize("status", list(OperationStatus))
def test_of_operations_only_the_failed_are_told(status: OperationStatus) -> None:
    world = World()
    with world.registry.change() as change:
        change.add_operation(replace(operation(), status=status, error="the disk is full"))
    found = list(event.failed_operations(world.registry))
    assert len(found) == (status is OperationStatus.FAILED)
    assert all("the disk is full" in each.notice.message for each in found)


def test_one_that_fails_again_after_it_was_resumed_is_told_again() -> None:
    world = World()
    failed = replace(operation(), status=OperationStatus.FAILED, error="no", fence=1)
    with world.registry.change() as change:
        change.add_operation(failed)
    world.watch(*event.failed_operations(world.registry))
    world.watch(*event.failed_operations(world.registry))
    with world.registry.change() as change:
        change.save_operation(replace(failed, fence=2))
    world.watch(*event.failed_operations(world.registry))
    assert len(world.channel.sent) == 2


def test_a_gateway_that_goes_silent_is_told_of_once_for_each_silence() -> None:
    world = World()

    def silent_for(seconds: int) -> None:
        with world.registry.change() as change:
            change.report_gateway(gateway("gw-1"))
        for _ in range(seconds // 60):
            world.now += 60
            world.watch(*event.silent_gateways(world.registry))

    silent_for(3 * 3_600)
    silent_for(3 * 3_600)
    assert [notice.subject for notice in world.channel.sent] == ["gw-1", "gw-1"]
    assert "silent for 60 seconds" in world.channel.sent[0].message


def test_a_gateway_that_reports_is_not_told_of() -> None:
    world = World()
    with world.registry.change() as change:
        change.report_gateway(gateway("gw-1"))
    world.now += 10
    assert list(event.silent_gateways(world.registry)) == []


def test_who_has_not_gone_over_after_its_overlap_is_told_of() -> None:
    world = World()
    for name in ("sticky", "asleep", "moved", "refused"):
        world.client(name)
        old = world.certificate(name, 365 * DAY)
        new = world.certificate(name, 365 * DAY)
        with world.registry.change() as change:
            change.set_replaced(old, replaced_by=new.fingerprint, supersede_at=world.now + DAY)
            last = world.now + (DAY // 2 if name == "moved" else 2 * DAY)
            change.add_sightings([Sighting(old.fingerprint, last, 1_000)])
            if name != "asleep":
                change.add_sightings([Sighting(new.fingerprint, world.now + DAY, 1_000)])
    with world.registry.change() as change:
        change.set_client_status("refused", ClientStatus.SUSPENDED)
    assert list(event.stragglers(world.registry, settle=60)) == []
    world.now += 2 * DAY
    found = {told.notice.subject: told.notice.message for told in event.stragglers(world.registry, settle=60)}
    assert sorted(found) == ["asleep", "sticky"]
    assert "has not been seen with its new certificate" in found["asleep"]
    assert "still uses the old certificate" in found["sticky"]


def test_clients_that_keep_their_own_key_are_told_when_they_are_due() -> None:
    world = World()
    for name, own_csr in (("partner", True), ("ours", False)):
        world.client(name)
        world.certificate(name, 90 * DAY, own_csr=own_csr)
    world.now += 50 * DAY
    assert list(event.renewals_due(world.registry, world.now, ROTATION)) == []
    world.now += 15 * DAY
    [due] = event.renewals_due(world.registry, world.now, ROTATION)
    assert due.notice.subject == "partner"
    assert "--csr" in due.notice.message
    world.certificate("partner", 90 * DAY, own_csr=True)
    assert list(event.renewals_due(world.registry, world.now, ROTATION)) == []
