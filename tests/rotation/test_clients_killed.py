"""Rotate clients, killed with -9 before any write and taken up: the same end as a run that nothing disturbed."""

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from handclasp.authority.rotation import reissue
from handclasp.pki.naming import fingerprint
from handclasp.pki.pem import load_certificates
from handclasp.registry.audit_chain import broken_at
from handclasp.registry.operations import OperationStatus
from handclasp.registry.records import CertificateStatus
from tests.authority.conftest import request
from tests.killing import killed_at
from tests.making import NOW, key
from tests.rotation.clients import Office, on_disk, opened, pair_of

CLIENTS = ("acme", "beta", "gamma", "own")


@dataclass(frozen=True)
class Story:
    """A state folder and a rotation on it. With no overlap the old certificates are superseded at its end."""

    folder: Path
    rekey: bool
    overlap: int

    def prepare(self) -> None:
        office = on_disk(self.folder)
        for name in CLIENTS[:-1]:
            office.enrol(name)
        office.enrol("own", request=request(key()))
        office.authority.registry.close()

    def open(self) -> Office:
        return opened(self.folder, [NOW.timestamp()])

    def rotate(self) -> None:
        """Nothing when it is done already: the same command again would begin another."""
        office = self.open()
        if [each.status for each in office.authority.registry.operations()] != [OperationStatus.DONE]:
            office.rotate(rekey=self.rekey, overlap=self.overlap)
        office.authority.registry.close()

    def check(self) -> None:
        """What holds at any moment, whoever was killed."""
        office = self.open()
        registry = office.authority.registry
        assert broken_at(registry.audit()) is None
        known = {each.fingerprint for name in CLIENTS for each in registry.certificates(name)}
        for name in CLIENTS:
            delivered = pair_of(office.files(name))
            assert delivered in {each.fingerprint for each in office.held(name)}, f"{name} would be refused"
        for path in self.folder.glob("clients/*/..*/client.pem"):
            assert fingerprint(load_certificates(path.read_bytes())[0]) in known
        registry.close()

    def end(self) -> object:
        """What a run has come to, but for serial numbers, fingerprints and times."""
        office = self.open()
        registry = office.authority.registry
        known = {name: [c for c in registry.certificates(name) if c.delivered_at is not None] for name in CLIENTS}
        shown = {
            name: [(c.status, c.revocation_reason, c.replaced_by is None, c.supersede_at, c.own_csr) for c in held]
            for name, held in known.items()
        }
        keys = {name: len({c.public_key_id for c in held}) for name, held in known.items()}
        newest = {name: pair_of(office.files(name)) == held[-1].fingerprint for name, held in known.items()}
        lost = [
            c.status
            for name in CLIENTS
            for c in registry.certificates(name)
            if c.delivered_at is None and c.status is not CertificateStatus.REVOKED
        ]
        actions = Counter(
            entry.action for entry in registry.audit() if entry.action in {"certificate.supersede", "operation.done"}
        )
        operation = [(each.status, each.step, each.holder) for each in registry.operations()]
        undelivered = [each.state.count('"undelivered": {}') for each in registry.operations()]
        registry.close()
        folders = sorted(
            (path.parent.name, path.name)
            for path in self.folder.glob("clients/*/*")
            if not path.name.startswith("..") or path.name == "..data"
        )
        return shown, keys, newest, lost, actions, operation, undelivered, folders


@pytest.mark.parametrize(
    ("rekey", "overlap"),
    [
        pytest.param(True, 0, id="new keys, superseded at once", marks=pytest.mark.slow),
        pytest.param(False, 0, id="same keys, superseded at once", marks=pytest.mark.slow),
        pytest.param(True, 3_600, id="new keys, overlapping", marks=pytest.mark.slow),
        pytest.param(False, 3_600, id="same keys, overlapping", marks=pytest.mark.slow),
    ],
)
def test_killed_at_every_write_it_comes_to_the_same_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rekey: bool, overlap: int
) -> None:
    monkeypatch.setattr(reissue, "PAGE", 2)
    prepared = Story(tmp_path / "prepared", rekey, overlap)
    prepared.folder.mkdir(mode=0o700)
    prepared.prepare()
    undisturbed = copy_of(prepared, tmp_path / "undisturbed")
    undisturbed.rotate()
    undisturbed.check()
    kills = 0
    for number in range(1, 1_000):
        story = copy_of(prepared, tmp_path / str(number))
        if not killed_at(number, story.rotate):
            break
        kills += 1
        story.check()
        # Killed a second time, where it is taken up.
        if killed_at(1 + number % 37, story.rotate):
            story.check()
        story.rotate()
        story.check()
        assert story.end() == undisturbed.end(), f"killed at write {number}"
        shutil.rmtree(story.folder)
    else:
        pytest.fail("the rotation never came to its end")
    assert kills > 50


def copy_of(story: Story, folder: Path) -> Story:
    shutil.copytree(story.folder, folder, symlinks=True)
    folder.chmod(0o700)
    return Story(folder, story.rekey, story.overlap)
