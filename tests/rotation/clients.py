"""Clients to rotate: an authority on a clock of its own, and the operation on it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from handclasp.authority.handover import hand_over
from handclasp.authority.operations.operation import Event, Run, perform
from handclasp.authority.operations.taking import begin
from handclasp.authority.rotation.rotate_clients import (
    ROTATE_CLIENTS,
    ClientRotation,
    client_rotation_arguments,
    client_rotation_steps,
)
from handclasp.authority.rotation.signing_pool import OpenCustody
from handclasp.custody.file import FileCustody
from handclasp.custody.memory import MemoryCustody
from handclasp.delivery.file import FileDelivery
from handclasp.delivery.memory import MemoryDelivery
from handclasp.delivery.port import Delivery
from handclasp.pki.naming import fingerprint
from handclasp.registry.fleet import Gateway, Sighting
from handclasp.registry.memory import MemoryRegistry
from handclasp.registry.operations import Operation
from handclasp.registry.records import Certificate, CertificateStatus
from handclasp.registry.sqlite import SqliteRegistry
from handclasp.settings import RotationSettings
from handclasp.truststore.file import FileTruststore
from handclasp.truststore.memory import MemoryTruststore
from tests.authority.conftest import Authority
from tests.making import NOW

HOUR, DAY = 3_600, 86_400


@dataclass
class Office:
    """An authority whose clock stands still until it is set."""

    authority: Authority
    clock: list[float]
    delivery: Delivery
    settle: int = 60
    events: list[Event] = field(default_factory=list)

    @property
    def now(self) -> int:
        return int(self.clock[0])

    def later(self, seconds: float) -> None:
        self.clock[0] += seconds
        self.authority.now = datetime.fromtimestamp(self.clock[0], UTC)

    def enrol(self, name: str, **more: Any) -> Certificate:
        issued = self.authority.enrol(name, **more)
        hand_over(issued, [self.delivery], registry=self.authority.registry, now=self.authority.now)
        return issued.certificate

    def renew(self, name: str, **more: Any) -> Certificate:
        issued = self.authority.renew(name, **more)
        hand_over(issued, [self.delivery], registry=self.authority.registry, now=self.authority.now)
        return issued.certificate

    def rotation(self, workers: int | None = 0, open_custody: OpenCustody | None = None) -> ClientRotation:
        return ClientRotation(
            open_custody=open_custody or (lambda: self.authority.custody),
            delivery=self.delivery,
            practice=self.authority.practice,
            due=RotationSettings(),
            settle=self.settle,
            workers=workers,
        )

    def rotate(
        self,
        *names: str,
        rekey: bool = False,
        due: bool = False,
        overlap: int = DAY,
        wait: Callable[[float], bool] | None = None,
        workers: int | None = 0,
        open_custody: OpenCustody | None = None,
    ) -> Operation:
        """As `handclasp rotate clients` does: taken up if it is unfinished."""
        arguments = client_rotation_arguments(clients=names or None, due=due, rekey=rekey, overlap_seconds=overlap)
        steps = client_rotation_steps(self.rotation(workers, open_custody), arguments)
        registry = self.authority.registry
        operation = begin(ROTATE_CLIENTS, arguments, steps, registry=registry, actor="tester")
        run = Run(registry, operation, "tester", wait or self.passes, self.events.append)
        return perform(run, steps)

    def passes(self, seconds: float) -> bool:
        self.later(seconds)
        return False

    def held(self, name: str) -> list[Certificate]:
        """The client's active certificates, oldest first."""
        return [each for each in self.authority.registry.certificates(name) if each.status is CertificateStatus.ACTIVE]

    def seen(self, certificate: Certificate, requests: int = 1, *, ago: float = 0) -> None:
        with self.authority.registry.change() as change:
            change.add_sightings([Sighting(certificate.fingerprint, int(self.clock[0] - ago), requests)])

    def gateway_reports(self) -> None:
        with self.authority.registry.change() as change:
            change.report_gateway(Gateway("gw", "127.0.0.1:8443", "localhost", None, 1, "t", "i", "0:0", self.now))

    def files(self, name: str) -> dict[str, bytes]:
        return self.delivery.collect(name)

    def told(self, word: str) -> list[str]:
        return [each["message"] for each in self.events if each["event"] == "note" and word in each["message"]]


def in_memory() -> Office:
    clock = [NOW.timestamp()]
    registry = MemoryRegistry(clock=lambda: clock[0])
    delivery = MemoryDelivery()
    return _established(Authority(registry, MemoryCustody(), MemoryTruststore(), delivery), clock, delivery)


def opened(state: Path, clock: list[float]) -> Office:
    """As `bootstrap` wires the default settings; the authority stands already, or not."""
    registry = SqliteRegistry(state / "registry.db", clock=lambda: clock[0])
    delivery = FileDelivery(state / "clients")
    custody, truststore = FileCustody(state / "pki"), FileTruststore(state / "truststore.pem")
    authority = Authority(registry, custody, truststore, delivery)
    authority.now = datetime.fromtimestamp(clock[0], UTC)
    return Office(authority, clock, delivery)


def on_disk(state: Path) -> Office:
    clock = [NOW.timestamp()]
    made = opened(state, clock)
    made.authority.establish()
    return made


def _established(authority: Authority, clock: list[float], delivery: Delivery) -> Office:
    authority.establish()
    return Office(authority, clock, delivery)


def pair_of(files: dict[str, bytes]) -> str:
    """The fingerprint of a delivered certificate, once it is sure that the key beside it is its own."""
    certificate = x509.load_pem_x509_certificate(files["client.pem"])
    if "client.key" in files:
        loaded = load_pem_private_key(files["client.key"], None)
        assert loaded.public_key() == certificate.public_key(), "a key beside another key's certificate"
    assert files["fullchain.pem"].startswith(files["client.pem"])
    return fingerprint(certificate)
