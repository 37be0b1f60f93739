"""An abandoned rotation leaves a registry that says what is so: what clients were given, and nothing of the rest."""

from pathlib import Path

import pytest

from handclasp.authority.operations.operation import Run, perform
from handclasp.authority.operations.taking import abandon, begin
from handclasp.authority.rotation.withdraw import settle_deliveries
from handclasp.pki.pem import load_certificates
from handclasp.registry.operations import OperationStatus
from handclasp.registry.records import CertificateStatus
from tests.killing import killed_at
from tests.rotation.test_issuer_killed import ARGUMENTS, Story


@pytest.mark.parametrize("rekey", [True, False], ids=["new keys", "same keys"])
def test_killed_anywhere_and_abandoned_the_delivered_certificate_is_the_newest_the_registry_knows(
    tmp_path: Path, rekey: bool
) -> None:
    number, was_settled = 30, 0
    while True:
        folder = tmp_path / f"state-{number}"
        folder.mkdir(mode=0o700)
        story = Story(folder, rekey=rekey)
        story.prepare()
        killed = killed_at(number, story.rotate)
        authority = story.open()
        registry = authority.registry
        (known,) = registry.operations()
        if known.status is not OperationStatus.DONE:
            given_up = abandon(known.operation_id, registry=registry, actor="tester")
            settled = [
                settle_deliveries(given_up, registry=registry, delivery=authority.delivery, actor="tester")
                for _ in range(2)
            ]
            assert settled[1] == 0
            was_settled += settled[0]
        for name in ("acme", "beta", "own"):
            (certificate,) = load_certificates(authority.delivery.collect(name)["client.pem"])
            active = [c for c in registry.certificates(name) if c.status is CertificateStatus.ACTIVE]
            assert all(each.delivered_at is not None for each in active)
            (newest,) = [each for each in active if each.replaced_by is None]
            assert load_certificates(newest.der) == [certificate]
        registry.close()
        if not killed:
            break
        number += 3
    assert was_settled > 0


def test_after_it_another_rotation_goes_through(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    story = Story(folder)
    story.prepare()
    authority = story.open()
    steps = story.steps(authority)
    begun = begin(story.kind, ARGUMENTS, steps, registry=authority.registry, actor="tester")
    half = perform(Run(authority.registry, begun, "tester", lambda _: False), steps, until="reissue")
    abandon(half.operation_id, registry=authority.registry, actor="tester")
    again = begin(story.kind, ARGUMENTS, steps, registry=authority.registry, actor="tester")
    assert perform(Run(authority.registry, again, "tester", story._pass_time), steps).status is OperationStatus.DONE
    authority.registry.close()
