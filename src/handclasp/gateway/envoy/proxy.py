"""Envoy as the follower sees it: kills, tables and trust go into generation folders; Envoy says what is in force."""

import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handclasp.atomic_file import make_private_folder
from handclasp.authorizer.decision import Reason
from handclasp.errors import GatewayFailed
from handclasp.gateway.envoy.admin import Admin
from handclasp.gateway.envoy.bootstrap_file import ADMIN_SOCKET, CURRENT, DYNAMIC_FILES
from handclasp.gateway.envoy.listener import KILL, RBAC_TYPE, STAT_PREFIX
from handclasp.gateway.envoy.route_table import FINGERPRINT_KEY, ROUTE_CONFIGURATION, RouteTable
from handclasp.gateway.proxy import REGISTRY_UNAVAILABLE
from handclasp.gateway.self_check import SelfCheck
from handclasp.gateway.table import Entry
from handclasp.settings import GatewaySettings

Json = dict[str, Any]

_TYPE = "type.googleapis.com/envoy"
_SECRET_TYPE = f"{_TYPE}.extensions.transport_sockets.tls.v3.Secret"
_ACTION_TYPE = f"{_TYPE}.config.rbac.v3.Action"
_INPUT_TYPE = f"{_TYPE}.extensions.matching.common_inputs.network.v3.FilterStateInput"

#: The stat that holds the version Envoy uses, for each dynamic file.
_VERSION_STATS = {
    "server": "sds.server.version_text",
    "trust": "sds.trust.version_text",
    "table": f"http.{STAT_PREFIX}.rds.{ROUTE_CONFIGURATION}.version_text",
    "kill": f"extension_config_discovery.http_filter.{KILL}.version_text",
}
#: Counters that grow when Envoy refuses a file and keeps what it had.
_REFUSALS = ("update_rejected", "config_fail", "key_rotation_failed")
_STATS_PATTERN = r"(version_text|update_rejected|config_fail|key_rotation_failed)$"
#: Envoy answers in 1 ms, or is busy with a table: waiting for it would keep the next revocation from being written.
_ANSWER_SECONDS = 0.05
#: After so long it is the machine that is slow, and an answer matters more.
_PATIENT_AFTER_SECONDS = 5.0
_PATIENT_ANSWER_SECONDS = 1.0
#: A file Envoy has not taken by then, it will not take.
_IN_FORCE_SECONDS = 60.0


class EnvoyProxy:
    """Writes below `folder`, which belongs to one Envoy. Implements `gateway.proxy.Proxy`.

    `self_check` is the gateway's own question: every table answers it with its version.
    """

    def __init__(self, folder: Path, settings: GatewaySettings, self_check: SelfCheck | None = None) -> None:
        self._folder = folder
        self._verify = settings.refusal == "handshake"
        self._routes = RouteTable(timeout_seconds=settings.request_timeout_seconds, self_check=self_check)
        self._admin = Admin(folder / ADMIN_SOCKET)
        self._generation = 0
        self._told: dict[str, str] = {}
        #: what was told and is not known to act: since when
        self._waiting: dict[str, float] = {}
        self._refused = 0
        make_private_folder(folder)
        for name in DYNAMIC_FILES:
            shutil.rmtree(folder / name, ignore_errors=True)
            make_private_folder(folder / name)

    @property
    def table_version(self) -> int:
        """The version of the table that was loaded last."""
        return int(self._told.get("table", 0))

    def kill(self, denied: Mapping[str, Reason]) -> None:
        version = self._next()
        self._publish("kill", version, {DYNAMIC_FILES["kill"]: _json(version, _kill_filter(denied))})

    def refuse_all(self) -> None:
        version = self._next()
        everybody = {"permissions": [{"any": True}], "principals": [{"any": True}]}
        rules = {"action": "DENY", "policies": {REGISTRY_UNAVAILABLE: everybody}}
        self._publish("kill", version, {DYNAMIC_FILES["kill"]: _json(version, _filter({"rules": rules}))})

    def load(self, entries: Mapping[str, Entry]) -> None:
        version = self._next()
        self._publish("table", version, {DYNAMIC_FILES["table"]: self._routes.encode(entries, version)})

    def trust(self, bundle: bytes) -> None:
        version = self._next()
        path = self._folder / "trust" / version / "trust.pem"
        context: Json = {"trusted_ca": {"filename": str(path)}}
        if not self._verify:
            # Everybody reaches HTTP and is refused there; the routes ask whether the path validated.
            context["trust_chain_verification"] = "ACCEPT_UNTRUSTED"
        secret = {"@type": _SECRET_TYPE, "name": "trust", "validation_context": context}
        self._publish("trust", version, {path.name: bundle, DYNAMIC_FILES["trust"]: _json(version, secret)})

    def server(self, chain: bytes, key: bytes) -> None:
        """The server certificate's chain and key, which the caller knows to be a pair: Envoy would only log it,
        and from then on not take trust anchors any more."""
        version = self._next()
        at = self._folder / "server" / version
        pair = {
            "certificate_chain": {"filename": str(at / "chain.pem")},
            "private_key": {"filename": str(at / "key.pem")},
        }
        secret = {"@type": _SECRET_TYPE, "name": "server", "tls_certificate": pair}
        files = {"chain.pem": chain, "key.pem": key, DYNAMIC_FILES["server"]: _json(version, secret)}
        self._publish("server", version, files)

    def table_in_force(self) -> bool:
        self._ask()
        return "table" not in self._waiting

    def in_force(self) -> bool:
        self._ask()
        return not self._waiting

    def _ask(self) -> None:
        """Cross off what acts by now. Raises GatewayFailed if Envoy refuses a file, or does not take it in a minute."""
        if not self._waiting:
            return
        waited = time.monotonic() - min(self._waiting.values())
        try:
            stats = self._admin.stats(
                _STATS_PATTERN, _PATIENT_ANSWER_SECONDS if waited > _PATIENT_AFTER_SECONDS else _ANSWER_SECONDS
            )
        except GatewayFailed:
            stats = {}
        refused = sum(int(value) for stat, value in stats.items() if stat.endswith(_REFUSALS))
        if refused > self._refused:
            self._refused = refused
            raise GatewayFailed("Envoy refuses the configuration it was given", hint="its log says why")
        for name, since in tuple(self._waiting.items()):
            if stats.get(_VERSION_STATS[name]) == self._told[name]:
                del self._waiting[name]
            elif time.monotonic() - since > _IN_FORCE_SECONDS:
                raise GatewayFailed(f"Envoy has not taken its {name} file within {_IN_FORCE_SECONDS:.0f} s")

    def restarted(self) -> None:
        """A new Envoy process reads the files that are there and counts from nothing."""
        self._refused = 0
        self._waiting = dict.fromkeys(self._told, time.monotonic())

    def _next(self) -> str:
        self._generation += 1
        return str(self._generation)

    def _publish(self, name: str, version: str, files: dict[str, bytes]) -> None:
        """A whole generation beside the current one, then the link. Derived data: nothing here needs an fsync."""
        folder = self._folder / name
        generation = folder / version
        generation.mkdir(mode=0o700)
        for file, content in files.items():
            descriptor = os.open(generation / file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(content)
        link = folder / CURRENT
        before = link.readlink().name if link.is_symlink() else None
        following = folder / ".next"
        following.symlink_to(version)
        following.replace(link)
        self._told[name] = version
        self._waiting[name] = time.monotonic()
        for old in folder.iterdir():
            # The one before may be half read.
            if old.is_dir() and not old.is_symlink() and old.name not in {version, before}:
                shutil.rmtree(old, ignore_errors=True)


def _kill_filter(denied: Mapping[str, Reason]) -> Json:
    """RBAC by an exact map, O(1); without rules when nobody is to be killed, which costs least."""
    if not denied:
        return _filter({})
    matched = {fingerprint: _rbac_action(reason.value, "DENY") for fingerprint, reason in denied.items()}
    fingerprint = {"name": "fingerprint", "typed_config": {"@type": _INPUT_TYPE, "key": FINGERPRINT_KEY}}
    matcher = {
        "matcher_tree": {"input": fingerprint, "exact_match_map": {"map": matched}},
        "on_no_match": _rbac_action("not_killed", "ALLOW"),
    }
    return _filter({"matcher": matcher})


def _filter(rbac: Json) -> Json:
    configuration = {"@type": RBAC_TYPE, **rbac}
    return {"@type": f"{_TYPE}.config.core.v3.TypedExtensionConfig", "name": KILL, "typed_config": configuration}


def _rbac_action(name: str, action: str) -> Json:
    return {"action": {"name": name, "typed_config": {"@type": _ACTION_TYPE, "name": name, "action": action}}}


def _json(version: str, resource: Json) -> bytes:
    return json.dumps({"version_info": version, "resources": [resource]}, separators=(",", ":")).encode()
