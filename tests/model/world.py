"""An authority, its gateway, the clients that call it and the time, in one process."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from handclasp.authority.establish import HierarchyPlan
from handclasp.authority.practice import Practice
from handclasp.authority.publish import publish
from handclasp.authorizer.decision import Policy
from handclasp.custody.memory import MemoryCustody
from handclasp.delivery.file import FileDelivery
from handclasp.delivery.memory import MemoryDelivery
from handclasp.gateway.follow import Follower
from handclasp.pki.naming import der_fingerprint
from handclasp.pki.pem import certificate_pem, first_der, load_certificates
from handclasp.pki.profile import CLIENT
from handclasp.registry.fleet import Gateway, Refusals, Sighting
from handclasp.registry.memory import MemoryRegistry
from handclasp.registry.port import Registry
from handclasp.registry.records import IssuerStatus
from handclasp.registry.sqlite import SqliteRegistry
from handclasp.truststore.file import FileTruststore
from handclasp.truststore.memory import MemoryTruststore
from tests.authority.conftest import Authority
from tests.gateway.fakes import FakeProxy
from tests.making import NOW
from tests.model.faults import Fault, Kind, struck_by

ADMITTED = {"prod"}
#: Shorter than usual, so that a story of a few steps sees clients and issuers expire.
PRACTICE = Practice("handclasp.internal", client=CLIENT.configured(days=30))
PLAN = HierarchyPlan(intermediate_days=150)
_SOUND = Fault(0, Kind.ERROR)


@dataclass
class World:
    """`seen` is another connection to the registry: what is committed, and what everybody but the authority sees.

    `ahead` is how many seconds the authority's own clock is ahead of the registry's. `awake` are the clients that
    call whenever time passes in an operation; `at_each_wait` is called there too. `agreed` are the clients that an
    operator has agreed to lock out.
    """

    sound: Authority
    seen: Registry
    close: Callable[[], None]
    has_gateway: bool
    now: float = NOW.timestamp()
    ahead: int = 0
    elapsed: float = 0.0
    awake: set[str] = field(default_factory=set)
    agreed: set[str] = field(default_factory=set)
    at_each_wait: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.sound.now = self.machine_time()
        self.sound.establish(PLAN)
        publish(registry=self.sound.registry, truststore=self.sound.truststore, actor="tester", now=self.sound.now)
        self.start_gateway()

    def machine_time(self) -> datetime:
        """By the clock of the machine that the authority runs on."""
        return datetime.fromtimestamp(self.now + self.ahead, UTC)

    def authority(self, fault: Fault | None) -> Authority:
        """Its ports, as a process finds them that begins now."""
        self.sound.now = self.machine_time()
        return struck_by(fault, self.sound) if fault else self.sound

    def start_gateway(self) -> None:
        self.proxy = FakeProxy()
        self.gateway = Follower(
            self.seen,
            self.sound.truststore,
            self.proxy,
            Policy(frozenset(ADMITTED)),
            lambda: datetime.fromtimestamp(self.now, UTC),
            lambda: self.elapsed,
        )
        self._looked_at = self.elapsed
        self.look()

    def look(self) -> None:
        """The gateway takes in all there is, and it acts."""
        if self.elapsed - self._looked_at < 5:
            # A trust store that was replaced is seen when its time has come: here, at once.
            self.gateway.source.trust_checked = 0
        self._looked_at = self.elapsed
        for _ in range(10):
            self.proxy.begin_to_act()
            if not self.gateway.step() and self.proxy.written is None:
                break
        else:
            raise AssertionError("the gateway does not come to rest")
        if self.has_gateway:
            self._report()

    def lets_in(self, fingerprint: str) -> bool:
        return fingerprint in self.proxy.lets_in()

    def pass_time(self, seconds: float) -> None:
        """`seconds` may be negative: the clock was set. Time itself has passed all the same."""
        self.now += seconds
        self.elapsed += max(seconds, 10.0) if seconds < 0 else seconds
        self.look()

    def wait(self, seconds: float, fault: Fault | None) -> bool:
        """What an operation sleeps by."""
        if fault is not None and fault.is_interrupted():
            return True
        if seconds:
            self.pass_time(seconds)
            for name in sorted(self.awake):
                self.call(self.newest(name))
            self.at_each_wait()
        return False

    def newest(self, name: str) -> str | None:
        """The fingerprint of the certificate that the client finds where its files are."""
        file = self.sound.delivery.collect(name).get("client.pem")
        return der_fingerprint(first_der(file)) if file else None

    def call(self, fingerprint: str | None) -> None:
        """A request of that client's, and what the gateway tells the registry of it."""
        if fingerprint is None or not self.has_gateway:
            return
        at = int(self.now)
        with self.seen.change() as change:
            if self.lets_in(fingerprint):
                change.add_sightings([Sighting(fingerprint, at, 1)])
            else:
                change.add_sightings([], [Refusals(fingerprint, "refused", 1, at)])

    def bundle(self) -> list[bytes]:
        """The DER of what is published."""
        published = self.sound.truststore.read()
        return [first_der(certificate_pem(c)) for c in load_certificates(published)] if published else []

    def _report(self) -> None:
        issuers = [i for i in self.seen.issuers() if i.parent_id and i.status is IssuerStatus.ACTIVE]
        server_issuer = issuers[-1].issuer_id if issuers else ""
        source = self.gateway
        report = Gateway(
            "edge", "edge:8443", "localhost", ("prod",), source.revision, source.trust, server_issuer, "", 0
        )
        with self.seen.change() as change:
            change.report_gateway(report)


def in_memory(*, has_gateway: bool) -> World:
    clock = _Clock()
    registry = MemoryRegistry(clock)
    sound = Authority(registry, MemoryCustody(), MemoryTruststore(), MemoryDelivery(), PRACTICE)
    return clock.told_by(World(sound, registry, lambda: None, has_gateway))


def on_disk(*, has_gateway: bool) -> World:
    """The registry, the clients' files and the trust store as they are by default; keys in memory, to be quick."""
    folder = tempfile.TemporaryDirectory()
    state, clock = Path(folder.name), _Clock()
    state.chmod(0o700)
    registry = SqliteRegistry(state / "registry.db", clock)
    seen = SqliteRegistry(state / "registry.db", clock)

    def close() -> None:
        registry.close()
        seen.close()
        folder.cleanup()

    sound = Authority(
        registry,
        MemoryCustody(),
        FileTruststore(state / "truststore.pem"),
        FileDelivery(state / "clients"),
        PRACTICE,
    )
    return clock.told_by(World(sound, seen, close, has_gateway))


class _Clock:
    """The registry's. It is made before the world whose time it tells."""

    def __init__(self) -> None:
        self._world: World | None = None

    def __call__(self) -> float:
        return self._world.now if self._world else NOW.timestamp()

    def told_by(self, world: World) -> World:
        self._world = world
        return world
