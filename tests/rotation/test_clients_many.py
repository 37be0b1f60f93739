"""Ten thousand clients in one run, while somebody else wants to write."""

import time
from collections.abc import Iterator
from functools import partial
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from handclasp.authority.enrol import Enrolment, certify
from handclasp.authority.issuers import signing_issuer
from handclasp.authority.recording import epoch
from handclasp.custody.file import FileCustody
from handclasp.pki.identity import ClientId
from handclasp.registry.operations import OperationStatus
from handclasp.registry.records import Client, ClientStatus
from handclasp.registry.sqlite import SqliteRegistry
from tests.rotation.clients import Office, on_disk, pair_of

MANY = 10_000
#: What the brief of a rotation promises to a revocation beside it, and the slack of a machine under test.
PATIENCE_S = 0.25 * 4


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Office]:
    office = on_disk(tmp_path)
    authority = office.authority
    signing = signing_issuer(authority.registry, authority.custody, authority.practice.urls)
    now = epoch(authority.now)
    with authority.registry.change() as change:
        for number in range(MANY):
            name = ClientId(f"client-{number:05}")
            client = Client(name, "prod", "nextjs", None, None, ClientStatus.ACTIVE, now)
            asked = Enrolment(name, "prod", "nextjs")
            record, _, _ = certify(client, asked, signing, authority.practice, authority.now)
            change.add_client(client)
            change.add_certificate(record)
            change.set_delivered(record.issuer_id, record.serial_number, now)
    yield office
    authority.registry.close()


def write_now_and_then(database: Path, started: Event, stop: Event, longest: "list[float]") -> None:
    registry = SqliteRegistry(database)
    started.set()
    while not stop.wait(0.05):
        before = time.monotonic()
        with registry.change() as change:
            change.record(at=0, actor="other", action="client.revoke", subject="-", details="{}")
        longest.append(time.monotonic() - before)
    registry.close()


@pytest.mark.slow
def test_ten_thousand_are_rotated_in_one_run_and_a_writer_beside_it_waits_for_moments(
    crowd: Office, tmp_path: Path
) -> None:
    context = get_context("spawn")
    with context.Manager() as manager:
        waits = manager.list()
        started, stop = context.Event(), context.Event()
        writer = context.Process(target=write_now_and_then, args=(tmp_path / "registry.db", started, stop, waits))
        writer.start()
        assert started.wait(30)
        done = crowd.rotate(open_custody=partial(FileCustody, tmp_path / "pki"), workers=2)
        stop.set()
        writer.join(30)
        found = sorted(waits)
    assert done.status is OperationStatus.DONE
    assert len(found) > 10
    assert found[len(found) * 95 // 100] < PATIENCE_S
    for number in range(0, MANY, 997):
        old, new = crowd.held(f"client-{number:05}")
        assert old.replaced_by == new.fingerprint == pair_of(crowd.files(f"client-{number:05}"))
    assert crowd.authority.registry.holders() == MANY
