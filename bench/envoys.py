"""Three Envoys: the gateway as `handclasp up` makes it, the same one bare, and the service behind both."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from bench.deployment import ACTOR, Deployment
from handclasp.authorizer.decision import Policy
from handclasp.gateway.envoy.admin import Admin
from handclasp.gateway.envoy.bootstrap_file import ADMIN_SOCKET, bootstrap
from handclasp.gateway.envoy.process import EnvoyProcess
from handclasp.gateway.envoy.proxy import EnvoyProxy
from handclasp.gateway.envoy.route_table import UPSTREAM
from handclasp.gateway.follow import Follower
from handclasp.gateway.server_credential import server_credential
from handclasp.pki.pem import load_certificates
from handclasp.settings import GatewaySettings

Json = dict[str, Any]

#: Under valgrind, with 10,000 certificates to read, Envoy needs its time.
_START_SECONDS = 240.0
_MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"


@dataclass(frozen=True, slots=True)
class Running:
    pid: int
    port: int


@contextmanager
def service(binary: Path, folder: Path) -> Iterator[str]:
    """The guarded service, cheaper than any proxy: an Envoy that answers by itself. Yields its URL."""
    port = free_port()
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "ok\n"}}}
    manager = {
        "@type": _MANAGER,
        "stat_prefix": "service",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": _ROUTER}}],
    }
    listener = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    configuration = {
        "admin": {"address": {"pipe": {"path": ADMIN_SOCKET, "mode": 0o600}}},
        "static_resources": {"listeners": [listener]},
    }
    with _serving(binary, folder, configuration, port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def guarded(binary: Path, folder: Path, made: Deployment, upstream: str, *, log: bool) -> Iterator[Running]:
    """The gateway with the full decision, every identity header and, if `log`, its access log."""
    configuration, port = _prepare(folder, made, upstream)
    if not log:
        _without_log(configuration)
    with _serving(binary, folder, configuration, port) as pid:
        yield Running(pid, port)


@contextmanager
def bare(binary: Path, folder: Path, made: Deployment, upstream: str, *, log: bool) -> Iterator[Running]:
    """The same TLS, the same limits, the same log with as many fields; a certificate is required, nothing decided."""
    configuration, port = _prepare(folder, made, upstream, refusal="handshake")
    listener = configuration["static_resources"]["listeners"][0]
    chain = listener["filter_chains"][0]
    chain["filters"] = [each for each in chain["filters"] if each["name"] == "http"]
    manager = chain["filters"][0]["typed_config"]
    del manager["rds"], manager["early_header_mutation_extensions"]
    manager["http_filters"] = [each for each in manager["http_filters"] if each["name"] == "router"]
    timeout = f"{made.session.settings.gateway.request_timeout_seconds}s"
    route = {"match": {"prefix": "/"}, "route": {"cluster": UPSTREAM, "timeout": timeout}}
    manager["route_config"] = {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]}
    manager["access_log"] = [_unconditional(manager["access_log"][0])]
    if not log:
        _without_log(configuration)
    with _serving(binary, folder, configuration, port) as pid:
        yield Running(pid, port)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _prepare(folder: Path, made: Deployment, upstream: str, **other: Any) -> tuple[Json, int]:
    """What `handclasp up` does before it starts Envoy, by the same code: the files, and the bootstrap."""
    session, port = made.session, free_port()
    settings: GatewaySettings = replace(
        session.settings.gateway, listen=f"127.0.0.1:{port}", upstream=upstream, **other
    )
    proxy = EnvoyProxy(folder, settings)
    Follower(session.registry, session.truststore, proxy, Policy(None)).step()
    pem = server_credential(
        folder / "server.pem",
        settings.server_names,
        registry=session.registry,
        custody=session.custody,
        practice=session.practice,
        anchors=[c for c in load_certificates(session.truststore.read() or b"") if c.subject == c.issuer],
        actor=ACTOR,
        now=datetime.now(UTC),
    )
    proxy.server(pem.chain, bytes(pem.key))
    proxy.kill({})
    return bootstrap(settings, folder, str(folder / "access.log")), port


def _unconditional(log: Json) -> Json:
    """The line of a request that may pass, for every request; a header everybody sends in place of the client's id."""
    written = deepcopy(log)
    del written["filter"]
    fields = written["typed_config"]["log_format"]["json_format"]
    assert fields["client_id"] == "%REQ(X-CLIENT-ID)%"
    fields["client_id"] = "%REQ(USER-AGENT)%"
    return written


def _without_log(configuration: Json) -> None:
    listener = configuration["static_resources"]["listeners"][0]
    del listener["access_log"]
    del listener["filter_chains"][0]["filters"][-1]["typed_config"]["access_log"]


@contextmanager
def _serving(binary: Path, folder: Path, configuration: Json, port: int) -> Iterator[int]:
    file = folder / "bootstrap.json"
    file.write_text(json.dumps(configuration))
    # One worker: what a request costs, not how many cores there are.
    process = EnvoyProcess(binary, file, folder / "envoy.log", print, concurrency=1)
    process.start()
    try:
        admin = Admin(folder / ADMIN_SOCKET)
        deadline = monotonic() + _START_SECONDS
        while not (admin.ready() and _listens(port)):
            if process.pid is None or monotonic() > deadline:
                raise RuntimeError(f"Envoy does not serve: {process.last_words()}")
            sleep(0.05)
        assert process.pid is not None
        yield process.pid
    finally:
        process.stop()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True
