"""An authority on disk, as `bootstrap` wires it, and what a backup of it is brought back into."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from handclasp.authority.backup.backup import back_up
from handclasp.authority.backup.backup_archive import Archive, packed, unpacked
from handclasp.authority.backup.restore import Restored, restore
from handclasp.authority.handover import hand_over
from handclasp.authority.publish import publish
from tests.authority.conftest import Authority, on_disk
from tests.making import NOW

Open = Callable[[str], Authority]


@pytest.fixture
def open_authority(tmp_path: Path) -> Iterator[Open]:
    """The state folder of that name, opened; closed at the end."""
    opened: list[Authority] = []

    def open_at(name: str) -> Authority:
        folder = tmp_path / name
        folder.mkdir(mode=0o700, exist_ok=True)
        opened.append(on_disk(folder))
        return opened[-1]

    yield open_at
    for each in opened:
        each.registry.close()


@pytest.fixture
def original(open_authority: Open) -> Authority:
    """Two clients with their files delivered."""
    made = open_authority("original")
    made.establish()
    publish(registry=made.registry, truststore=made.truststore, actor="tester", now=NOW)
    for name in ("acme", "beta"):
        add(made, name)
    return made


def add(authority: Authority, name: str) -> str:
    """Enrol a client and deliver to it; the certificate's serial number."""
    issued = authority.enrol(name)
    hand_over(issued, [authority.delivery], registry=authority.registry, now=NOW)
    return issued.certificate.serial_number


def taken(authority: Authority) -> Archive:
    """A backup, through its packed form and back."""
    made = back_up(
        registry=authority.registry,
        custody=authority.custody,
        truststore=authority.truststore,
        delivery=authority.delivery,
        settings=b"",
    )
    return unpacked(packed(made.archive), "the backup")


def bring_back(archive: Archive, into: Authority, run: str = "run-1") -> Restored:
    return restore(
        archive,
        run=run,
        registry=into.registry,
        custody=into.custody,
        truststore=into.truststore,
        delivery=into.delivery,
        actor="tester",
        now=NOW,
    )
