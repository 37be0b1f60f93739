"""Rotate the issuer, killed with -9 at a write and taken up: the same end as a run that nothing disturbed."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from handclasp.authority.handover import hand_over
from handclasp.authority.operations.operation import Run, Step, perform
from handclasp.authority.operations.taking import begin
from handclasp.authority.publish import publish
from handclasp.authority.rotation.gateway_evidence import Answer, Evidence
from handclasp.authority.rotation.reissue import Reissue
from handclasp.authority.rotation.rotate_issuer import ROTATE_ISSUER, ROTATE_ROOT, Rotation, issuer_rotation_steps
from handclasp.pki.keys import open_sealed
from handclasp.pki.pem import load_certificates
from handclasp.registry.audit_chain import broken_at
from handclasp.registry.fleet import Gateway
from handclasp.registry.operations import OperationStatus
from handclasp.registry.records import CertificateStatus
from handclasp.registry.sqlite import SqliteRegistry
from tests.authority.conftest import PASSPHRASE, Authority, on_disk, request
from tests.killing import killed_at
from tests.making import NOW, key

ARGUMENTS = {"idle_for": 60, "deadline": 3_600, "days": None, "rekey": False, "emergency": False, "reason": None}


@dataclass
class Story:
    """One state folder, and a rotation on it whose gateway believes the trust store."""

    folder: Path
    kind: str = ROTATE_ISSUER
    rekey: bool = False
    now: float = NOW.timestamp()

    def open(self) -> Authority:
        authority = on_disk(self.folder)
        authority.registry.close()
        authority.registry = SqliteRegistry(self.folder / "registry.db", clock=lambda: self.now)
        return authority

    def prepare(self) -> None:
        authority = self.open()
        authority.establish()
        for name in ("acme", "beta"):
            hand_over(authority.enrol(name), [authority.delivery], registry=authority.registry, now=NOW)
        own = authority.enrol("own", request=request(key()))
        hand_over(own, [authority.delivery], registry=authority.registry, now=NOW)
        publish(registry=authority.registry, truststore=authority.truststore, actor="tester", now=NOW)
        authority.registry.close()

    def rotate(self) -> None:
        authority = self.open()
        registry = authority.registry
        if [each.status for each in registry.operations()] != [OperationStatus.DONE]:
            steps = self.steps(authority)
            arguments = ARGUMENTS | {"rekey": self.rekey}
            operation = begin(self.kind, arguments, steps, registry=registry, actor="tester")
            perform(Run(registry, operation, "tester", self._pass_time), steps)
        registry.close()

    def steps(self, authority: Authority) -> tuple[Step, ...]:
        def ask(gateway: Gateway, probe: object) -> Answer:
            return Answer(let_in=True, words="")

        rotation = Rotation(
            custody=authority.custody,
            truststore=authority.truststore,
            evidence=Evidence(authority.custody, authority.practice, ask),
            passphrase=lambda: PASSPHRASE,
            reissue=lambda issuer_id, deadline: self._reissues(authority, issuer_id, deadline),
            clock=lambda: NOW,
        )
        return issuer_rotation_steps(self.kind, rotation)

    def _reissues(self, authority: Authority, issuer_id: str, deadline: int) -> list[Reissue]:
        def work(rekey: bool, own_csr: bool | None) -> Reissue:
            return Reissue(
                issuer_id=issuer_id,
                rekey=rekey,
                select=lambda held: own_csr in {None, held.certificate.own_csr},
                supersede_at=lambda _: deadline,
                open_custody=lambda: authority.custody,
                delivery=authority.delivery,
                practice=authority.practice,
            )

        return [work(True, False), work(False, True)] if self.rekey else [work(False, None)]

    def _pass_time(self, seconds: float) -> bool:
        self.now += seconds
        return False

    def end(self) -> object:
        """What is to be the same, without serial numbers, keys and times."""
        authority = self.open()
        registry = authority.registry
        assert broken_at(registry.audit()) is None
        (operation,) = registry.operations()
        issuers = registry.issuers()
        numbered = {issuer.issuer_id: number for number, issuer in enumerate(issuers)}
        clients = {}
        for summary in registry.summaries():
            name = summary.client.client_id
            held = [c for c in registry.certificates(name) if c.delivered_at is not None]
            clients[name] = [(numbered[c.issuer_id], c.status.value, c.replaced_by is not None) for c in held]
            (active,) = [c for c in registry.certificates(name) if c.status is CertificateStatus.ACTIVE]
            self._is_delivered(authority, name, active.der)
        trusted = [c.subject for c in load_certificates(authority.truststore.read() or b"")]
        registry.close()
        return (
            (operation.status, operation.step, operation.holder),
            [(issuer.subject, issuer.status) for issuer in issuers],
            trusted,
            clients,
        )

    @staticmethod
    def _is_delivered(authority: Authority, name: str, der: bytes) -> None:
        files = authority.delivery.collect(name)
        (certificate,) = load_certificates(files["client.pem"])
        assert certificate == x509.load_der_x509_certificate(der)
        if name == "own":
            assert "client.key" not in files
        else:
            assert open_sealed(files["client.key"]).public_key() == certificate.public_key()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared") / "state"
    folder.mkdir(mode=0o700)
    Story(folder).prepare()
    return folder


def story(prepared: Path, folder: Path, **chosen: object) -> Story:
    shutil.copytree(prepared, folder, symlinks=True)
    return Story(folder, **chosen)  # type: ignore[arg-type]


KINDS = {
    "the intermediate": {"kind": ROTATE_ISSUER},
    "the intermediate with new keys": {"kind": ROTATE_ISSUER, "rekey": True},
    "the root": {"kind": ROTATE_ROOT},
}


def taken_up_after(prepared: Path, tmp_path: Path, number: int, chosen: dict[str, object]) -> tuple[bool, object]:
    """Killed at write `number`, then run again. Whether it came that far, and the end."""
    disturbed = story(prepared, tmp_path / f"state-{number}", **chosen)
    killed = killed_at(number, disturbed.rotate)
    disturbed.rotate()
    return killed, disturbed.end()


@pytest.mark.parametrize("chosen", KINDS.values(), ids=KINDS.keys())
def test_killed_here_and_there_it_comes_to_the_same_end(
    prepared: Path, tmp_path: Path, chosen: dict[str, object]
) -> None:
    undisturbed = story(prepared, tmp_path / "state", **chosen)
    undisturbed.rotate()
    end = undisturbed.end()
    number, reached = 3, 0
    while True:
        killed, same = taken_up_after(prepared, tmp_path, number, chosen)
        assert same == end, f"killed at write {number}"
        if not killed:
            break
        reached += 1
        number += 7
    assert reached > 8


@pytest.mark.slow
@pytest.mark.parametrize("chosen", KINDS.values(), ids=KINDS.keys())
def test_killed_at_every_write_it_comes_to_the_same_end(
    prepared: Path, tmp_path: Path, chosen: dict[str, object]
) -> None:
    undisturbed = story(prepared, tmp_path / "state", **chosen)
    undisturbed.rotate()
    end = undisturbed.end()
    number, killed = 1, True
    while killed:
        killed, same = taken_up_after(prepared, tmp_path, number, chosen)
        assert same == end, f"killed at write {number}"
        shutil.rmtree(tmp_path / f"state-{number}")
        number += 1
    assert number > 150
