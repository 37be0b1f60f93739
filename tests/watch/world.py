"""A registry with a clock to set, clients whose certificates end when a test says, a channel that keeps what it got."""

from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Self

from handclasp.authority.expiry.expiry import client_endings, issuer_endings
from handclasp.authority.expiry.telling import Occasion, Told, of_endings, tell
from handclasp.authority.expiry.threshold import parse_thresholds
from handclasp.notice.memory import MemoryChannel
from handclasp.registry.memory import MemoryRegistry
from handclasp.registry.port import Registry
from handclasp.registry.records import (
    Certificate,
    CertificateStatus,
    Client,
    ClientStatus,
    Issuer,
    IssuerKind,
    IssuerStatus,
)
from handclasp.registry.sqlite import SqliteRegistry

DAY, HOUR = 86_400, 3_600
#: 2026-03-08 00:00 UTC: a day on which clocks are set in some places.
START = 1_772_928_000
THRESHOLDS = ("30d", "14d", "7d", "1d")


@dataclass
class World:
    now: int = START
    channel: MemoryChannel = field(default_factory=MemoryChannel)
    thresholds: tuple[str, ...] = THRESHOLDS

    def __post_init__(self) -> None:
        self.registry: Registry = MemoryRegistry(clock=lambda: float(self.now))
        self._numbers = 0
        self.establish()

    def on_disk(self, path: Path) -> Self:
        """The same in SQLite."""
        self.registry = SqliteRegistry(path, clock=lambda: float(self.now))
        self.establish()
        return self

    def establish(self) -> None:
        with self.registry.change() as change:
            change.add_issuer(issuer("Root", self.now + 3_650 * DAY))

    def client(self, name: str, *, status: ClientStatus = ClientStatus.ACTIVE, application: str = "nextjs") -> None:
        with self.registry.change() as change:
            change.add_client(self._client(name, status, application))

    def certificate(self, name: str, life: int, *, delivered: bool = True, own_csr: bool = False) -> Certificate:
        """One that lives so many seconds from now on."""
        made = replace(self._certificate(name, life), delivered_at=self.now if delivered else None, own_csr=own_csr)
        with self.registry.change() as change:
            change.add_certificate(made)
        return made

    def many(self, clients: int, life: int) -> None:
        with self.registry.change() as change:
            for name in (f"client-{number:05}" for number in range(clients)):
                change.add_client(self._client(name))
                change.add_certificate(self._certificate(name, life))

    def _client(self, name: str, status: ClientStatus = ClientStatus.ACTIVE, application: str = "nextjs") -> Client:
        return Client(name, "prod", application, "Team A", "a@example.org", status, self.now)

    def _certificate(self, name: str, life: int) -> Certificate:
        self._numbers += 1
        return Certificate(
            issuer_id="Root",
            serial_number=f"{self._numbers:02X}",
            fingerprint=sha256(f"{name}{self._numbers}".encode()).hexdigest(),
            client_id=name,
            profile="client",
            subject=f"CN={name}",
            public_key_id=f"key-{self._numbers}",
            not_before=self.now,
            not_after=self.now + life,
            status=CertificateStatus.ACTIVE,
            created_at=self.now,
            der=b"",
            delivered_at=self.now,
        )

    def occasions(self, *more: Occasion) -> list[Occasion]:
        endings = [*client_endings(self.registry, overlap=DAY), *issuer_endings(self.registry.issuers())]
        return [*more, *of_endings(endings, parse_thresholds(self.thresholds), self.registry.now())]

    def watch(self, *more: Occasion) -> Told:
        [told] = tell(self.occasions(*more), [self.channel], self.registry)
        return told

    def crossings(self) -> list[tuple[str, str]]:
        """What was told, in order: of whom, and which threshold."""
        return [(notice.subject, notice.threshold) for notice in self.channel.sent]


def issuer(name: str, not_after: int, *, kind: IssuerKind = IssuerKind.ROOT, **more: object) -> Issuer:
    made = Issuer(
        issuer_id=name,
        kind=kind,
        subject=f"CN={name}",
        serial_number="01",
        fingerprint=f"fingerprint of {name}",
        not_before=START - DAY,
        not_after=not_after,
        status=IssuerStatus.ACTIVE,
        key_name=None,
        parent_id=None,
        created_at=START,
        der=b"",
    )
    return replace(made, **more)  # type: ignore[arg-type]
