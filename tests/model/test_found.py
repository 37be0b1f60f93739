"""What the model has found, each as the shortest story that shows it."""

from collections.abc import Iterator

import pytest

from handclasp.authority.rotation.rotate_issuer import ROTATE_ISSUER, ROTATE_ROOT
from handclasp.registry.operations import Operation, OperationStatus
from handclasp.registry.records import IssuerStatus, RevocationReason
from tests.model.faults import Fault, Kind
from tests.model.operating import Operating
from tests.model.passing import Passing
from tests.model.rotating import Rotating
from tests.model.world import in_memory, on_disk

_DAY = 86_400


class Story(Operating, Rotating, Passing):
    """Told by hand; everything holds after each step."""

    def rotates(self, kind: str = ROTATE_ISSUER, until: str | None = None) -> str:
        """How the newest operation stands then."""
        self.rotate_issuer(first="nothing", kind=kind, rekey=False, emergency=False, until=until, fault=None)
        self.everything_holds()
        return self.newest().status.value

    def newest(self) -> Operation:
        return self.world.seen.operations()[0]


@pytest.fixture(params=[in_memory, on_disk])
def story(request: pytest.FixtureRequest) -> Iterator[Story]:
    class Told(Story):
        open_world = staticmethod(request.param)

    told = Told()
    yield told
    told.teardown()


@pytest.mark.parametrize("awake", [set[str](), {"acme"}])
def test_the_issuer_that_was_made_last_signs_whatever_the_clock_said(story: Story, awake: set[str]) -> None:
    story.begin(has_gateway=True, awake=awake, enrolled={"acme": None})
    story.set_the_clock_back(600)
    assert story.rotates() == "done"


def test_by_a_machine_whose_clock_is_behind_it_is_rotated_all_the_same(story: Story) -> None:
    story.begin(has_gateway=True, awake={"acme"}, enrolled={"acme": None})
    story.set_the_authoritys_clock(-600)
    assert story.rotates() == "done"


def test_what_expired_by_a_clock_that_was_wrong_is_valid_again_by_the_right_one(story: Story) -> None:
    story.begin(has_gateway=True, awake={"acme"}, enrolled={"acme": None})
    newest = story.world.newest("acme") or ""
    story.pass_time(40 * _DAY)
    assert not story.world.lets_in(newest)
    story.world.pass_time(-40 * _DAY)
    story.everything_holds()
    assert story.world.lets_in(newest)


@pytest.mark.parametrize("kind", [ROTATE_ISSUER, ROTATE_ROOT])
def test_an_issuer_that_has_expired_can_be_rotated(story: Story, kind: str) -> None:
    story.begin(has_gateway=True, awake=set(), enrolled={"acme": None})
    story.pass_time(200 * _DAY)
    assert story.rotates(kind) == "done"
    assert story.world.lets_in(story.world.newest("acme") or "")


def test_who_cannot_be_given_another_certificate_is_not_cut_off_for_being_silent(story: Story) -> None:
    """Its key was compromised, by what it told of another certificate for the same key; it goes on with this one."""
    story.begin(has_gateway=True, awake=set(), enrolled={"acme": 1})
    story.renew("acme", 1, None, None)
    story.revoke_one("acme", 0, RevocationReason.KEY_COMPROMISE)
    assert story.rotates() == "waiting"
    story.take_up(fault=None, agreeing=True)
    assert story.newest().status is OperationStatus.DONE


def test_whose_new_certificate_was_revoked_is_given_another_before_the_old_one_goes(story: Story) -> None:
    story.begin(has_gateway=True, awake=set(), enrolled={"acme": None})
    assert story.rotates(until="idle") == "waiting"
    story.revoke_one("acme", 1, RevocationReason.UNSPECIFIED)
    story.take_up(fault=None, agreeing=False)
    story.everything_holds()
    assert story.newest().status is OperationStatus.DONE
    assert story.world.lets_in(story.world.newest("acme") or "")


@pytest.mark.parametrize("number", range(1, 40, 3))
def test_what_an_abandoned_rotation_could_not_withdraw_the_next_one_retires(story: Story, number: int) -> None:
    story.begin(has_gateway=False, awake=set(), enrolled={"acme": None})
    story.rotates(until="activate")
    story.abandon(fault=Fault(number, Kind.KILL))
    if story.newest().status is not OperationStatus.ABANDONED:
        story.abandon(fault=None)
    assert story.rotates(ROTATE_ROOT) == "done"
    active = [i for i in story.world.seen.issuers() if i.status is not IssuerStatus.RETIRED]
    assert len(active) == 2
