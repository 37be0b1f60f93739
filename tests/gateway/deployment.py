"""A deployment on loopback: an authority of its own, callers of every kind, and a gateway that really serves."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography import x509

from handclasp import __file__ as package
from handclasp import bootstrap
from handclasp.authority.enrol import Enrolment, Issued, enrol, renew
from handclasp.authority.establish import HierarchyPlan, establish, make_intermediate, make_root
from handclasp.authority.issuers import Signing, signing_issuer
from handclasp.authority.publish import publish
from handclasp.authority.recording import certificate_record
from handclasp.errors import HandclaspError
from handclasp.gateway.addresses import gateway_id
from handclasp.gateway.run import serve
from handclasp.gateway.serving import Serving
from handclasp.gateway.state_lock import hold
from handclasp.gateway.stop import Stop
from handclasp.pki.identity import ClientId, client_id, subject
from handclasp.pki.issuance import issue, prepare
from handclasp.pki.keys import KeyAlgorithm, PrivateKey, generate
from handclasp.pki.naming import fingerprint, serial_text
from handclasp.pki.pem import certificate_pem
from handclasp.pki.profile import CLIENT, Profile
from handclasp.pki.request import for_key
from handclasp.registry.fleet import Gateway
from handclasp.registry.port import Registry
from handclasp.registry.records import Client, ClientStatus
from handclasp.settings import GatewaySettings, Settings
from tests.gateway.callers import Caller, Http1, Http2
from tests.making import pkcs8

ACTOR = "tester@here"
_DEADLINE = 15.0


def now() -> datetime:
    return datetime.now(UTC)


def until(check: Callable[[], bool], what: str, seconds: float = _DEADLINE) -> None:
    """Ask again until it is so. Fails with `what` when the time is over."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.005)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


class Deployment:
    """State folder, authority and settings. Its ports belong to the thread that made it."""

    def __init__(self, folder: Path, upstream: str, *, registry: str = "sqlite:///registry.db", **gateway: Any) -> None:
        self.folder = folder
        self.settings = Settings(
            state=folder / "state",
            registry=registry,
            gateway=replace(
                GatewaySettings(listen=f"127.0.0.1:{free_port()}", upstream=upstream, concurrency=1), **gateway
            ),
        )
        self.settings.state.mkdir(mode=0o700, parents=True)
        self.registry = bootstrap.open_registry(self.settings, create=True)
        self.custody = bootstrap.open_custody(self.settings)
        self.truststore = bootstrap.open_truststore(self.settings)
        self.practice = bootstrap.practice(self.settings)
        # Two days old, so that a certificate of it can have expired.
        begun = now() - timedelta(days=2)
        root = make_root(HierarchyPlan(), begun)
        assert root.key is not None
        self.root = root.certificate
        establish(
            root,
            make_intermediate(HierarchyPlan(), root.certificate, root.key, begun),
            registry=self.registry,
            custody=self.custody,
            passphrase=b"correct horse",
            actor=ACTOR,
            now=begun,
        )
        self.publish()
        self.anchors = folder / "ca.pem"
        self.anchors.write_bytes(certificate_pem(self.root))
        self.nobody = Caller("nobody", None, self.anchors)

    @property
    def state(self) -> Path:
        return self.settings.state

    @property
    def port(self) -> int:
        return int(self.settings.gateway.listen.rpartition(":")[2])

    @property
    def ports(self) -> dict[str, Any]:
        """What every use case that issues takes."""
        return {"registry": self.registry, "custody": self.custody, "practice": self.practice, **self.recorded}

    @property
    def recorded(self) -> dict[str, Any]:
        return {"actor": ACTOR, "now": now()}

    def publish(self) -> None:
        publish(registry=self.registry, truststore=self.truststore, **self.recorded)

    def enrol(self, name: str, environment: str = "prod", application: str = "shop", **more: Any) -> Caller:
        enrolment = Enrolment(client_id(name), environment, application, **more)
        return self._issued(name, enrol(enrolment, **self.ports))

    def renew(self, name: str) -> Caller:
        """Another certificate of the same client."""
        known = self.registry.client(name)
        enrolment = Enrolment(ClientId(known.client_id), known.environment, known.application)
        return self._issued(f"{name}-again", renew(enrolment, **self.ports))

    def registered(self, name: str, validity: tuple[datetime, datetime]) -> Caller:
        """A client whose certificate is valid for exactly this long."""
        path, key = self.issue(name, validity=validity)
        self.register(name, path[0])
        return self.caller(name, path, key)

    def register(self, name: str, certificate: x509.Certificate) -> None:
        """A new client, with a certificate that was issued already."""
        record = certificate_record(
            certificate, issuer=self.signing().record.issuer_id, client_id=name, profile="client", now=now()
        )
        with self.registry.change() as change:
            change.add_client(Client(name, "prod", "shop", None, None, ClientStatus.ACTIVE, record.created_at))
            change.add_certificate(record)

    def crowd(self, size: int) -> None:
        """So many clients with a certificate each, whose keys nobody has."""
        signing, moment = self.signing(), now()
        request = for_key(generate(KeyAlgorithm.P256))
        with self.registry.change() as change:
            for number in range(size):
                name = f"crowd-{number}"
                prepared = prepare(request, CLIENT, signing.authority, subject=subject(name), now=moment)
                made = issue(prepared, signing.authority)
                record = certificate_record(
                    made, issuer=signing.record.issuer_id, client_id=name, profile="client", now=moment
                )
                change.add_client(Client(name, "prod", "shop", None, None, ClientStatus.ACTIVE, record.created_at))
                change.add_certificate(record)

    def issue(
        self, name: str, profile: Profile = CLIENT, validity: tuple[datetime, datetime] | None = None
    ) -> tuple[tuple[x509.Certificate, ...], PrivateKey]:
        """Signed by our intermediate, and not in the registry."""
        signing = self.signing()
        key = generate(KeyAlgorithm.P256)
        prepared = prepare(
            for_key(key), profile, signing.authority, subject=subject(name), now=now(), validity=validity
        )
        certificate = issue(prepared, signing.authority)
        return (certificate, *signing.path), key

    def signing(self) -> Signing:
        return signing_issuer(self.registry, self.custody, self.practice.urls)

    def caller(self, name: str, path: tuple[x509.Certificate, ...], key: PrivateKey) -> Caller:
        file = self.folder / f"{name}.pem"
        file.write_bytes(pkcs8(key) + certificate_pem(*path))
        return Caller(name, file, self.anchors, fingerprint(path[0]), serial_text(path[0].serial_number))

    def http1(self, caller: Caller) -> Http1:
        return Http1(self.port, caller)

    def http2(self, caller: Caller) -> Http2:
        return Http2(self.port, caller)

    def status(self, caller: Caller) -> int:
        """The status of one request on a connection of its own."""
        with self.http1(caller) as connection:
            return connection.ask().status

    def let_in(self, *callers: Caller) -> None:
        """Wait until new connections of all of them pass."""
        for caller in callers:
            until(lambda caller=caller: self.status(caller) == 200, f"{caller.name} is let in")  # type: ignore[misc]

    def reported(self) -> Gateway | None:
        """This gateway's last report."""
        known = {each.gateway_id: each for each in self.registry.gateways()}
        return known.get(gateway_id(self.settings.gateway))

    def log(self) -> list[dict[str, Any]]:
        file = self.state / self.settings.gateway.access_log
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def beside(self, folder: Path) -> "Deployment":
        """The same authority and registry, copied, for a second gateway. The registry by SQLite: see howtocorrupt."""
        copied = copy(self)
        shutil.copytree(self.state, folder / "state", ignore=shutil.ignore_patterns("gateway", "registry.db*"))
        with sqlite3.connect(self.state / "registry.db") as source, sqlite3.connect(folder / "state/registry.db") as to:
            source.backup(to)
        source.close()
        to.close()
        gateway = replace(self.settings.gateway, listen=f"127.0.0.1:{free_port()}")
        copied.settings = replace(self.settings, state=folder / "state", gateway=gateway)
        return copied

    def elsewhere(self, folder: Path) -> "Deployment":
        """The same authority, registry and trust store, for a gateway on another machine."""
        other = copy(self)
        other.settings = replace(
            self.settings,
            state=folder / "state",
            custody=f"file:{self.state / 'pki'}",
            truststore=f"file:{self.state / 'truststore.pem'}",
            gateway=replace(self.settings.gateway, listen=f"127.0.0.1:{free_port()}"),
        )
        other.settings.state.mkdir(mode=0o700, parents=True)
        return other

    def close(self) -> None:
        self.registry.close()

    def _issued(self, name: str, issued: Issued) -> Caller:
        assert issued.key is not None
        return self.caller(name, issued.path, issued.key)


@dataclass
class Running:
    """The gateway of a deployment, in a thread with ports of its own. `error` is what ended it, if not `stop`."""

    deployment: Deployment
    said: list[str] = field(default_factory=list)
    error: HandclaspError | None = None
    stop_at_once: bool = False
    #: what stands between the gateway and each registry it opens
    between: Callable[[Registry], Registry] = lambda registry: registry

    def __enter__(self) -> Self:
        self._stop = Stop()
        if self.stop_at_once:
            self._stop.set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        until(lambda: self.is_ready or not self._thread.is_alive(), "the gateway serves or says why not", 60)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def is_ready(self) -> bool:
        return self._ready.is_set()

    @property
    def envoy_pid(self) -> int:
        pid: int = json.loads((self.deployment.state / "gateway" / "status.json").read_text())["envoy_pid"]
        return pid

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def ended(self) -> HandclaspError:
        """What ended it by itself."""
        until(lambda: self.error is not None, "the gateway gives up")
        self._thread.join(30)
        assert self.error is not None
        return self.error

    def _serve(self) -> None:
        settings = self.deployment.settings
        registry = self.between(bootstrap.open_registry(settings))
        serving = Serving(
            settings=settings,
            registry=registry,
            open_registry=lambda: self.between(bootstrap.open_registry(settings)),
            truststore=bootstrap.open_truststore(settings),
            custody=bootstrap.open_custody(settings),
            practice=bootstrap.practice(settings),
            actor=ACTOR,
            say=self.said.append,
        )
        try:
            with hold(serving.lock):
                serve(serving, self._stop, self._ready.set)
        except HandclaspError as error:
            self.error = error
        finally:
            registry.close()


def handclasp(state: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line, as a user runs it, to its end."""
    return subprocess.run(
        command(state, *arguments),
        capture_output=True,
        text=True,
        env=environ(**environment),
        timeout=60,
        check=False,
    )


def environ(**more: str) -> dict[str, str]:
    """Ours, from whatever folder the command runs in."""
    return {**os.environ, "PYTHONPATH": str(Path(package).parent.parent), **more}


def command(state: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "handclasp", "--state", str(state), *arguments]
