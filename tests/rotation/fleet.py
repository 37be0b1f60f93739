"""Gateways as the registry knows them, in a world whose clock the test sets."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from handclasp.authority.enrol import renew
from handclasp.authority.issuers import signing_by
from handclasp.authority.operations.operation import Run, Step
from handclasp.authority.operations.taking import begin
from handclasp.authority.probe import Probe
from handclasp.authority.rotation.gateway_evidence import Answer, Evidence
from handclasp.authority.rotation.new_issuer import new_intermediate
from handclasp.pki.extensions import NO_URLS
from handclasp.registry.fleet import Gateway, Sighting
from handclasp.registry.port import Registry
from handclasp.registry.records import Certificate
from handclasp.registry.sqlite import SqliteRegistry
from tests.authority.conftest import PASSPHRASE, Authority, enrolment, on_disk
from tests.making import NOW

_STEPS = (Step("only", "the step in question", lambda _: None),)


@dataclass
class Fleet:
    """An authority on disk and gateways that report while time goes by. `asked` is who was asked with what."""

    folder: Path
    now: float = NOW.timestamp()
    authority: Authority = field(init=False)
    live: set[str] = field(default_factory=set)
    #: the issuers whose certificates each gateway lets in
    trusts: dict[str, set[str]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    slept: float = 0.0

    def __post_init__(self) -> None:
        (self.folder / "state").mkdir(mode=0o700)
        self.authority = on_disk(self.folder / "state")
        self.authority.registry.close()
        self.authority.registry = SqliteRegistry(self.folder / "state" / "registry.db", clock=lambda: self.now)
        self.authority.establish()

    @property
    def registry(self) -> Registry:
        return self.authority.registry

    @property
    def issuer(self) -> str:
        return self.registry.issuers()[-1].issuer_id

    def clock(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)

    def add_issuer(self) -> None:
        """Another intermediate, which is `issuer` from now on; the one before is there still."""
        custody = self.authority.custody
        made = new_intermediate(self.registry, custody, lambda: PASSPHRASE, NO_URLS, days=None, now=self.clock()).made
        with self.registry.change() as change:
            for each in made:
                change.add_issuer(each)

    def certify(self, name: str, issuer_id: str) -> Certificate:
        """Another certificate of that client, delivered."""
        authority = self.authority
        signing = signing_by(issuer_id, self.registry, authority.custody, NO_URLS)
        made = renew(
            enrolment(name),
            registry=self.registry,
            custody=authority.custody,
            practice=authority.practice,
            actor="tester",
            now=self.clock(),
            signing=signing,
        ).certificate
        with self.registry.change() as change:
            change.set_delivered(made.issuer_id, made.serial_number, int(self.now))
        return made

    def report(
        self,
        gateway_id: str,
        *,
        server_issuer: str = "",
        environments: tuple[str, ...] | None = None,
        awake_since: int = 0,
    ) -> None:
        """One gateway's report; from now on it goes on reporting while time passes."""
        self.live.add(gateway_id)
        self.trusts.setdefault(gateway_id, set())
        report = Gateway(
            gateway_id, f"{gateway_id}:8443", "localhost", environments, 1, "", server_issuer, "", awake_since
        )
        with self.registry.change() as change:
            change.report_gateway(report)

    def pass_time(self, seconds: float) -> bool:
        """What a run sleeps by."""
        self.now += seconds
        self.slept += seconds
        for each in self.registry.gateways():
            if each.gateway_id in self.live:
                with self.registry.change() as change:
                    change.report_gateway(each)
        return False

    def see(self, certificate: Certificate, ago: int = 0) -> None:
        with self.registry.change() as change:
            change.add_sightings([Sighting(certificate.fingerprint, int(self.now) - ago, 1)])

    def run(self) -> Run:
        operation = begin("try", {}, _STEPS, registry=self.registry, actor="tester")
        return Run(self.registry, operation, "tester", self.pass_time, self._note)

    def evidence(self, patience: float = 60.0) -> Evidence:
        return Evidence(self.authority.custody, self.authority.practice, self._ask, patience)

    def _ask(self, gateway: Gateway, probe: Probe) -> Answer:
        self.asked.append((gateway.gateway_id, probe.certificate.issuer_id))
        let_in = probe.certificate.issuer_id in self.trusts[gateway.gateway_id]
        return Answer(let_in, "HTTP 200" if let_in else "HTTP 403")

    def _note(self, event: dict[str, object]) -> None:
        if event["event"] == "note":
            self.told.append(str(event["message"]))
