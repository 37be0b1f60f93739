"""Run a gateway: Envoy as a child, the registry followed, the server certificate renewed, until told to stop."""

import json
import os
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from handclasp.atomic_file import make_private_folder, write_atomically
from handclasp.authority.practice import Practice
from handclasp.custody.port import Custody
from handclasp.errors import GatewayFailed, HandclaspError, RegistryError
from handclasp.gateway.addresses import parse_listen
from handclasp.gateway.envoy.bootstrap_file import ADMIN_SOCKET, bootstrap
from handclasp.gateway.envoy.locate import check_version, find_envoy
from handclasp.gateway.envoy.process import EnvoyProcess
from handclasp.gateway.envoy.proxy import EnvoyProxy
from handclasp.gateway.follow import POLL_SECONDS, Follower
from handclasp.gateway.policy import gateway_policy
from handclasp.gateway.server_credential import server_credential
from handclasp.gateway.stop import Stop
from handclasp.pki.pem import load_certificates
from handclasp.registry.port import Registry
from handclasp.settings import Settings
from handclasp.truststore.port import Truststore

#: From start to the first answered request; Envoy itself needs about 0.3 s, a large table more.
START_SECONDS = 60.0
_RENEWAL_CHECK_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Serving:
    """What the gateway needs. `say` gets a line when something happens that a person should know."""

    settings: Settings
    registry: Registry
    truststore: Truststore
    custody: Custody
    practice: Practice
    actor: str
    say: Callable[[str], None]

    @property
    def folder(self) -> Path:
        return self.settings.state.resolve() / "gateway"

    @property
    def lock(self) -> Path:
        return self.folder / "lock"

    @property
    def log(self) -> Path:
        return self.settings.state.resolve() / self.settings.gateway.access_log


def serve(serving: Serving, stop: Stop, on_ready: Callable[[], None]) -> None:
    """Serve until `stop` is set; `on_ready` is called once, when the listener has answered. The caller holds the lock.

    Raises GatewayFailed when Envoy cannot serve. Whatever happens, Envoy is stopped before this returns: a gateway
    that cannot follow its registry does not let anybody in.
    """
    gateway = _Gateway(serving)
    try:
        gateway.start(stop)
        if not stop.is_set():
            on_ready()
        while not stop.wait(POLL_SECONDS):
            gateway.step()
    finally:
        gateway.stop()


class _Gateway:
    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        settings = serving.settings.gateway
        binary = find_envoy(settings.envoy)
        self._version = check_version(binary)
        self._address = parse_listen(settings.listen)
        envoy = serving.folder / "envoy"
        self._proxy = EnvoyProxy(envoy, settings)
        make_private_folder(serving.log.parent)
        configuration = bootstrap(settings, envoy, str(serving.log))
        write_atomically(envoy / "bootstrap.json", json.dumps(configuration, indent=1).encode())
        self._process = EnvoyProcess(
            binary, envoy / "bootstrap.json", serving.folder / "envoy.log", serving.say, settings.concurrency
        )
        self._follower = Follower(serving.registry, serving.truststore, self._proxy, gateway_policy(settings))
        self._server_checked = 0.0
        self._server_pem: bytes | None = None
        self._pid: int | None = None

    def start(self, stop: Stop) -> None:
        self._check_port_is_free()
        self._check_trust_is_published()
        self._follower.step()
        self._renew_server_certificate()
        # The files are written; this Envoy starts with all of them.
        self._proxy.kill({})
        self._process.start()
        self._pid = self._process.pid
        deadline = time.monotonic() + START_SECONDS
        while not (self._proxy.in_force() and self._answers()):
            if self._process.pid is None:
                raise GatewayFailed(f"Envoy did not start: {self._process.last_words()}")
            if time.monotonic() > deadline:
                raise GatewayFailed(f"Envoy did not serve within {START_SECONDS:.0f} s: {self._process.last_words()}")
            if stop.wait(POLL_SECONDS):
                return
        self._write_status()

    def step(self) -> None:
        restarted = self._process.watch() and self._process.pid != self._pid
        if restarted:
            self._pid = self._process.pid
            self._proxy.restarted()
        if self._follower.step() or restarted:
            self._write_status()
        now = datetime.now(UTC).timestamp()
        if now - self._server_checked > _RENEWAL_CHECK_SECONDS:
            self._try_to_renew_server_certificate(now)

    def stop(self) -> None:
        self._process.stop()
        (self._serving.folder / "status.json").unlink(missing_ok=True)
        (self._serving.folder / "envoy" / ADMIN_SOCKET).unlink(missing_ok=True)

    def _try_to_renew_server_certificate(self, now: float) -> None:
        """What cannot be renewed yet still serves for a third of its life. Raises RegistryError: nothing else does."""
        try:
            self._renew_server_certificate()
        except RegistryError:
            raise
        except HandclaspError as error:
            self._server_checked = now
            again = f"trying again in {_RENEWAL_CHECK_SECONDS / 60:.0f} minutes"
            self._serving.say(f"warning: the server certificate cannot be renewed: {error}; {again}")

    def _renew_server_certificate(self) -> None:
        serving = self._serving
        now = datetime.now(UTC)
        anchors = load_certificates(serving.truststore.read() or b"", "the trust store")
        pem = server_credential(
            serving.folder / "server.pem",
            serving.settings.gateway.server_names,
            registry=serving.registry,
            custody=serving.custody,
            practice=serving.practice,
            anchors=[c for c in anchors if c.subject == c.issuer],
            actor=serving.actor,
            now=now,
        )
        self._server_checked = now.timestamp()
        if pem.chain != self._server_pem:
            self._proxy.server(pem.chain, bytes(pem.key))
            self._server_pem = pem.chain

    def _check_port_is_free(self) -> None:
        """Envoy's listener shares its port (SO_REUSEPORT): a second one would take half the connections, unseen."""
        host, port = self._address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise GatewayFailed(
                    f"cannot listen on {host}:{port}: {error.strerror}",
                    hint="stop what listens there, or pass --listen",
                ) from None

    def _check_trust_is_published(self) -> None:
        if not self._serving.truststore.read():
            raise GatewayFailed(
                f"the trust store {self._serving.truststore.location()} is empty: nobody could be let in",
                hint="run: handclasp truststore publish",
            )

    def _answers(self) -> bool:
        """A TLS connection through the listener: a stranger's, so that it proves serving and lets nobody in."""
        host, port = self._address
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
        context = ssl.create_default_context()
        # Nothing is sent or believed: the question is only whether the listener speaks TLS.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        try:
            with socket.create_connection((host, port), timeout=5) as plain, context.wrap_socket(plain):
                return True
        except ssl.SSLError:
            return self._serving.settings.gateway.refusal == "handshake"
        except OSError:
            return False

    def _write_status(self) -> None:
        status: dict[str, object] = {
            "pid": os.getpid(),
            "envoy_pid": self._pid,
            "envoy_version": self._version,
            "listen": self._serving.settings.gateway.listen,
            "upstream": self._serving.settings.gateway.upstream,
            "revision": self._follower.revision,
            "allowed": self._follower.allowed,
        }
        write_atomically(self._serving.folder / "status.json", json.dumps(status).encode())
