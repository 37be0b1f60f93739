"""A deployment in memory: an authority of its own, a server certificate and the client `demo`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from cryptography import x509

from handclasp.authority.enrol import Enrolment, enrol
from handclasp.authority.establish import HierarchyPlan, establish, make_intermediate, make_root
from handclasp.authority.practice import Practice
from handclasp.authority.server_certificate import issue_server_certificate
from handclasp.custody.memory import MemoryCustody
from handclasp.custody.port import Custody
from handclasp.pki.identity import client_id
from handclasp.registry.memory import MemoryRegistry
from handclasp.registry.port import Registry
from handclasp.verify.acceptance import run_acceptance
from handclasp.verify.credential import Credential
from handclasp.verify.endpoint import Endpoint
from handclasp.verify.own_authority import OwnAuthority
from handclasp.verify.result import Result, Verdict
from handclasp.verify.target import Target
from tests.verify.gateway import Behaviour, Gateway

PRACTICE = Practice(trust_domain="example.org")


def now() -> datetime:
    """These tests shake hands for real, so their time is the TLS libraries'."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Deployment:
    registry: Registry
    custody: Custody
    root: x509.Certificate
    intermediate: x509.Certificate
    server: Credential = field(repr=False)
    client: Credential = field(repr=False)

    @property
    def own(self) -> OwnAuthority:
        return OwnAuthority(self.registry, self.custody, PRACTICE, "tester")

    def endpoint(self, port: int) -> Endpoint:
        return Endpoint(Target("https", "localhost", port, "/"), self.client, (self.root,), timeout=2.0)

    def gateway(self, behaviour: Behaviour) -> Gateway:
        return Gateway(self.server, (self.root, self.intermediate), behaviour)

    @contextmanager
    def serving(self, behaviour: Behaviour) -> Iterator[Endpoint]:
        with self.gateway(behaviour) as gateway:
            yield self.endpoint(gateway.port)

    def results(self, behaviour: Behaviour) -> dict[str, Result]:
        with self.serving(behaviour) as endpoint:
            return self.verify(endpoint)

    def verify(self, endpoint: Endpoint) -> dict[str, Result]:
        return {result.check: result for result in run_acceptance(endpoint, self.own, now)}


def deploy(
    name: str = "Test Root",
    server_names: tuple[str, ...] = ("localhost", "127.0.0.1"),
    ports: tuple[Registry, Custody] | None = None,
) -> Deployment:
    registry, custody = ports or (MemoryRegistry(), MemoryCustody())
    at = now()
    plan = HierarchyPlan(root_name=name)
    root = make_root(plan, at)
    assert root.key is not None
    intermediate = make_intermediate(plan, root.certificate, root.key, at)
    establish(root, intermediate, registry=registry, custody=custody, passphrase=b"test", actor="tester", now=at)
    server = issue_server_certificate(
        server_names, registry=registry, custody=custody, practice=PRACTICE, actor="tester", now=at
    )
    enrolment = Enrolment(client_id("demo"), "prod", "nextjs")
    demo = enrol(enrolment, registry=registry, custody=custody, practice=PRACTICE, actor="tester", now=at)
    assert demo.key is not None
    return Deployment(
        registry,
        custody,
        root.certificate,
        intermediate.certificate,
        Credential(server.chain, server.key),
        Credential(demo.path[:2], demo.key),
    )


@pytest.fixture
def deployment() -> Deployment:
    return deploy()


def named(results: dict[str, Result], verdict: Verdict) -> set[str]:
    return {result.check for result in results.values() if result.verdict is verdict}
