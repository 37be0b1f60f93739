"""Signed by several processes: the same certificates, and a process that dies is said and harms nothing."""

import os
import pickle
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from handclasp.authority.issuers import signing_issuer
from handclasp.authority.rotation.bulk_signing import Order
from handclasp.authority.rotation.signing_pool import (
    WORTH_A_POOL,
    OpenCustody,
    Task,
    begin_work,
    bulk_signing,
    sign_here,
)
from handclasp.custody.file import FileCustody
from handclasp.errors import KeyUnavailable, SigningFailed
from handclasp.pki.keys import PrivateKey
from handclasp.registry.operations import OperationStatus
from tests.authority.conftest import request
from tests.making import key
from tests.rotation.clients import Office, on_disk, pair_of


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = on_disk(tmp_path)
    yield made
    made.authority.registry.close()


class DyingCustody(FileCustody):
    """Opens in the process that made it; a worker that asks for a key dies, or is refused."""

    def __init__(self, folder: Path, home: int, *, refuses: bool) -> None:
        super().__init__(folder)
        self._home = home
        self._refuses = refuses

    def signer(self, name: str, passphrase: bytes | None = None) -> PrivateKey:
        if os.getpid() != self._home and self._refuses:
            raise KeyUnavailable("the key is not for this process")
        if os.getpid() != self._home:
            os._exit(9)
        return super().signer(name, passphrase)


def rotate(office: Office, custody: OpenCustody, *, rekey: bool = True) -> OperationStatus:
    return office.rotate(rekey=rekey, workers=2, open_custody=custody).status


@pytest.mark.parametrize("rekey", [True, False])
def test_what_workers_sign_is_recorded_and_delivered_like_the_rest(office: Office, tmp_path: Path, rekey: bool) -> None:
    names = [f"client-{number}" for number in range(12)]
    for name in names:
        office.enrol(name)
    office.enrol("own", request=request(key()))
    assert rotate(office, partial(FileCustody, tmp_path / "pki"), rekey=rekey) is OperationStatus.DONE
    for name in names:
        old, new = office.held(name)
        assert pair_of(office.files(name)) == new.fingerprint == old.replaced_by
        assert "client.key" in office.files(name)


@pytest.mark.parametrize(
    ("refuses", "says"), [(True, "the key is not for this process"), (False, "ended before its work was done")]
)
def test_a_worker_that_cannot_sign_is_said_and_the_operation_taken_up(
    office: Office, tmp_path: Path, refuses: bool, says: str
) -> None:
    office.enrol("acme")
    dying = partial(DyingCustody, tmp_path / "pki", os.getpid(), refuses=refuses)
    with pytest.raises(SigningFailed, match=says) as failed:
        rotate(office, dying)
    assert "operation resume" in str(failed.value.hint)
    assert len(office.held("acme")) == 1
    assert rotate(office, partial(FileCustody, tmp_path / "pki")) is OperationStatus.DONE
    assert len(office.held("acme")) == 2


def test_a_pool_that_is_broken_stays_so_and_says_it_again(office: Office, tmp_path: Path) -> None:
    old = office.enrol("acme")
    signing = signing_issuer(office.authority.registry, office.authority.custody, office.authority.practice.urls)
    order = Order("acme", "prod", "nextjs", old.der, old.subject, old.public_key_id, False, False)
    dying = partial(DyingCustody, tmp_path / "pki", os.getpid(), refuses=False)
    with bulk_signing(signing, dying, office.authority.practice, certificates=1, workers=1) as sign:
        for _ in range(3):
            with pytest.raises(SigningFailed, match="ended before its work was done"):
                sign([order], office.authority.now)()


def test_few_are_signed_in_this_process(office: Office, tmp_path: Path) -> None:
    """Workers would not have started before it is done: a custody that cannot be sent to them does no harm."""
    office.enrol("acme")
    assert WORTH_A_POOL > 100
    assert office.rotate(workers=None).status is OperationStatus.DONE


def test_a_practice_can_be_sent_to_a_worker(office: Office) -> None:
    assert pickle.loads(pickle.dumps(office.authority.practice)) == office.authority.practice  # noqa: S301


def test_what_a_worker_does_with_what_it_is_sent(office: Office, tmp_path: Path) -> None:
    """The two functions that a worker runs, in this process."""
    registry, practice = office.authority.registry, office.authority.practice
    old = office.enrol("acme")
    signing = signing_issuer(registry, office.authority.custody, practice.urls)
    task = Task(
        partial(FileCustody, tmp_path / "pki"),
        signing.record.issuer_id,
        signing.record.der,
        signing.record.key_name or "",
        practice,
    )
    order = Order("acme", "prod", "nextjs", old.der, old.subject, old.public_key_id, False, False)
    interrupts = signal.getsignal(signal.SIGINT)
    try:
        begin_work(task)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN, "Ctrl-C is for the one that started it"
        [signed] = sign_here([order], office.authority.now)  # type: ignore[misc]
        assert signed.certificate.public_key_id == old.public_key_id
        expired = sign_here([order], office.authority.now + timedelta(days=9_999))
        assert isinstance(expired, SigningFailed)
        begin_work(replace(task, key_name="nobody"))
        refused = sign_here([order], office.authority.now)
        assert isinstance(refused, SigningFailed)
        assert "no key at" in str(refused)
    finally:
        signal.signal(signal.SIGINT, interrupts)
