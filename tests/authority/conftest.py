"""An authority in memory and one on disk: the same use cases, wired as bootstrap would."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509

from handclasp.authority.enrol import Enrolment, Issued, enrol, renew
from handclasp.authority.establish import Hierarchy, HierarchyPlan, establish, make_intermediate, make_root
from handclasp.authority.practice import Practice
from handclasp.custody.file import FileCustody
from handclasp.custody.memory import MemoryCustody
from handclasp.custody.port import Custody
from handclasp.delivery.file import FileDelivery
from handclasp.delivery.memory import MemoryDelivery
from handclasp.delivery.port import Delivery
from handclasp.pki.identity import ClientId
from handclasp.pki.keys import PrivateKey
from handclasp.pki.request import CertificateRequest, for_key
from handclasp.registry.memory import MemoryRegistry
from handclasp.registry.port import Registry
from handclasp.registry.sqlite import SqliteRegistry
from handclasp.truststore.file import FileTruststore
from handclasp.truststore.memory import MemoryTruststore
from handclasp.truststore.port import Truststore
from tests.making import NOW

PASSPHRASE = b"open sesame"


@dataclass
class Authority:
    """The ports of one deployment, and its use cases with the arguments that are always the same."""

    registry: Registry
    custody: Custody
    truststore: Truststore
    delivery: Delivery
    practice: Practice = field(default_factory=lambda: Practice("handclasp.internal"))
    now: datetime = NOW
    actor: str = "tester"

    def establish(self, plan: HierarchyPlan | None = None) -> Hierarchy:
        plan = plan or HierarchyPlan()
        root = make_root(plan, self.now)
        assert root.key is not None
        intermediate = make_intermediate(plan, root.certificate, root.key, self.now)
        return establish(
            root,
            intermediate,
            registry=self.registry,
            custody=self.custody,
            passphrase=PASSPHRASE,
            actor=self.actor,
            now=self.now,
        )

    def enrol(self, name: str = "acme", **more: object) -> Issued:
        return enrol(
            enrolment(name, **more),
            registry=self.registry,
            custody=self.custody,
            practice=self.practice,
            actor=self.actor,
            now=self.now,
        )

    def renew(self, name: str = "acme", **more: object) -> Issued:
        return renew(
            enrolment(name, **more),
            registry=self.registry,
            custody=self.custody,
            practice=self.practice,
            actor=self.actor,
            now=self.now,
        )

    def actions(self) -> list[str]:
        return [entry.action for entry in self.registry.audit()]


def enrolment(name: str = "acme", **more: object) -> Enrolment:
    settings: dict[str, object] = {"environment": "prod", "application": "nextjs", **more}
    return Enrolment(client_id=ClientId(name), **settings)  # type: ignore[arg-type]


def request(key: PrivateKey) -> CertificateRequest:
    return for_key(key)


def der(certificate: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(certificate)


def on_disk(state: Path) -> Authority:
    """As `bootstrap` wires the default settings."""
    return Authority(
        SqliteRegistry(state / "registry.db"),
        FileCustody(state / "pki"),
        FileTruststore(state / "truststore.pem"),
        FileDelivery(state / "clients"),
    )


@pytest.fixture
def empty() -> Authority:
    """Nothing established yet."""
    return Authority(MemoryRegistry(), MemoryCustody(), MemoryTruststore(), MemoryDelivery())


@pytest.fixture
def authority(empty: Authority) -> Authority:
    """A root and an intermediate, and no client yet."""
    empty.establish()
    return empty
