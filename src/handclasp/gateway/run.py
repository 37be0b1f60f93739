"""Run a gateway: Envoy as a child, the registry followed and told what is served, until told to stop."""

import json
import time
from collections.abc import Callable
from contextlib import suppress

from cryptography.hazmat.primitives.serialization import Encoding

from handclasp.atomic_file import make_private_folder, write_atomically
from handclasp.errors import GatewayFailed
from handclasp.gateway.access_log_tail import AccessLogTail
from handclasp.gateway.addresses import advertised, gateway_id, server_name
from handclasp.gateway.envoy.bootstrap_file import ADMIN_SOCKET, bootstrap
from handclasp.gateway.envoy.locate import check_version, find_envoy
from handclasp.gateway.envoy.process import EnvoyProcess
from handclasp.gateway.envoy.proxy import EnvoyProxy
from handclasp.gateway.follow import POLL_SECONDS, Follower
from handclasp.gateway.paperwork import Paperwork
from handclasp.gateway.policy import gateway_policy
from handclasp.gateway.report import Described, Reporter, Served
from handclasp.gateway.self_check import self_check
from handclasp.gateway.server_credential import ServerPem
from handclasp.gateway.server_renewal import ServerRenewal
from handclasp.gateway.serving import Serving
from handclasp.gateway.status_file import STATUS_FILE, contact_line, write_status
from handclasp.gateway.stop import Stop

#: From start to the first answered request; Envoy itself needs about 0.3 s, a large table more.
START_SECONDS = 60.0


def serve(serving: Serving, stop: Stop, on_ready: Callable[[], None]) -> None:
    """Serve until `stop` is set; `on_ready` is called once, when the listener has answered. The caller holds the lock.

    Raises GatewayFailed when Envoy cannot serve. Whatever happens, Envoy is stopped before this returns: a gateway
    that cannot follow its registry does not let anybody in.
    """
    gateway = _Gateway(serving)
    was_asked = False
    try:
        gateway.start(stop)
        if not stop.is_set():
            on_ready()
        while not stop.wait(POLL_SECONDS):
            gateway.step()
        was_asked = True
    finally:
        gateway.stop(says_goodbye=was_asked)


class _Gateway:
    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        settings = serving.settings.gateway
        binary = find_envoy(settings.envoy)
        self._version = check_version(binary)
        self._id = gateway_id(settings)
        self._self_check = self_check(
            serving.folder, self._id, serving.address, reaches_http=settings.refusal == "forbidden"
        )
        envoy = serving.folder / "envoy"
        self._proxy = EnvoyProxy(envoy, settings, self._self_check)
        make_private_folder(serving.log.parent)
        configuration = bootstrap(settings, envoy, str(serving.log))
        write_atomically(envoy / "bootstrap.json", json.dumps(configuration, indent=1).encode())
        self._process = EnvoyProcess(
            binary, envoy / "bootstrap.json", serving.folder / "envoy.log", serving.say, settings.concurrency
        )
        self._follower = Follower(
            serving.registry,
            serving.truststore,
            self._proxy,
            gateway_policy(settings),
            grace=settings.registry_grace.total_seconds(),
        )
        self._contact = self._follower.contact
        self._renewal = ServerRenewal(serving)
        self._presented: ServerPem | None = None
        self._leaf = b""
        self._reporter = self._make_reporter()
        self._paperwork = Paperwork(serving.open_registry, self._reporter, self._renewal, serving.say)
        self._pid: int | None = None

    def _make_reporter(self) -> Reporter:
        """Goes on in the access log where the last report of this gateway ended, if it never said goodbye."""
        registry, settings = self._serving.registry, self._serving.settings.gateway
        described = Described(self._id, advertised(settings), server_name(settings), settings.environments)
        reported = {gateway.gateway_id: gateway.log_position for gateway in registry.gateways()}
        with suppress(OSError):  # Envoy will say what is wrong with the place
            # Known by its inode from the first line on, even if it is renamed in the same second.
            self._serving.log.touch(0o600)
        return Reporter(described, self._self_check, AccessLogTail(self._serving.log, reported.get(self._id)))

    def start(self, stop: Stop) -> None:
        self._serving.check()
        self._follower.step()
        self._renewal.renew(self._serving.registry)
        self._present()
        # The files are written; this Envoy starts with all of them.
        self._proxy.kill({})
        self._process.start()
        self._pid = self._process.pid
        deadline = time.monotonic() + START_SECONDS
        while not (self._proxy.in_force() and self._self_check.ask()):
            if self._process.pid is None:
                raise GatewayFailed(f"Envoy did not start: {self._process.last_words()}")
            if time.monotonic() > deadline:
                raise GatewayFailed(f"Envoy did not serve within {START_SECONDS:.0f} s: {self._process.last_words()}")
            if stop.wait(POLL_SECONDS):
                return
        self._write_status()
        self._paperwork.start()

    def step(self) -> None:
        restarted = self._process.watch() and self._process.pid != self._pid
        if restarted:
            self._pid = self._process.pid
            self._proxy.restarted()
        told = self._follower.step()
        if self._follower.contact is not self._contact:
            self._contact = self._follower.contact
            self._serving.say(contact_line(self._follower))
            told = True
        self._present()
        self._tell_what_is_served()
        if told or restarted:
            self._write_status()

    def stop(self, *, says_goodbye: bool) -> None:
        self._process.stop()
        # Envoy has written the last line of its log by now.
        self._paperwork.finish(says_goodbye=says_goodbye)
        (self._serving.folder / STATUS_FILE).unlink(missing_ok=True)
        (self._serving.folder / "envoy" / ADMIN_SOCKET).unlink(missing_ok=True)

    def _present(self) -> None:
        """Hand another server certificate to Envoy: open connections stay, new ones see it."""
        pem = self._renewal.current
        if pem is not None and pem is not self._presented:
            self._proxy.server(pem.chain, bytes(pem.key))
            self._presented = pem
            self._leaf = pem.certificates[0].public_bytes(Encoding.DER)

    def _tell_what_is_served(self) -> None:
        """For the reporter, who asks the listener whether it is so: what acts by Envoy's own word."""
        if self._presented is not None and self._follower.settled and self._proxy.in_force():
            self._reporter.served = Served(
                self._follower.revision,
                self._follower.trust,
                self._proxy.table_version,
                self._presented.issuer_id,
                self._leaf,
            )

    def _write_status(self) -> None:
        write_status(
            self._serving.folder,
            gateway_id=self._id,
            envoy_pid=self._pid,
            envoy_version=self._version,
            settings=self._serving.settings.gateway,
            follower=self._follower,
        )
