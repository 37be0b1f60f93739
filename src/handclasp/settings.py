"""Configuration, read once: handclasp.toml in the state folder, HANDCLASP_* variables over it, one frozen object.

Each setting is a field below; `load` walks them, so a name that is not here is an error and not a surprise.
docs/configuration.md describes every one, and a test holds the two together.
"""

import dataclasses
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from handclasp.duration import parse_duration
from handclasp.errors import InvalidInput

CONFIGURATION_FILE = "handclasp.toml"


@dataclass(frozen=True, slots=True)
class AuthoritySettings:
    """What certificates say. Table [authority], variables HANDCLASP_AUTHORITY_*."""

    trust_domain: str = "handclasp.internal"
    key_algorithm: Literal["p256", "p384", "rsa2048", "rsa3072", "rsa4096", "ed25519"] = "p256"
    client_days: int = 90
    server_days: int = 90
    organization: str | None = None
    policy_oid: str | None = None
    ca_issuers_url: str | None = None
    crl_url: str | None = None


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """How the gateway listens, refuses and forwards. Table [gateway], variables HANDCLASP_GATEWAY_*."""

    listen: str = "127.0.0.1:8443"
    upstream: str | None = None
    refusal: Literal["forbidden", "handshake"] = "forbidden"
    server_names: tuple[str, ...] = ("localhost", "127.0.0.1", "::1")
    environments: tuple[str, ...] | None = None
    minimum_tls: Literal["1.2", "1.3"] = "1.2"
    envoy: str | None = None
    concurrency: int | None = None
    max_connections: int = 10_000
    request_timeout_seconds: int = 60
    max_stream_seconds: int = 900
    trusted_proxies: int = 0
    access_log: str = "gateway/access.log"
    id: str | None = None
    advertise: str | None = None
    registry_grace: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class RotationSettings:
    """When certificates are replaced, and how long the old stay. Table [rotation], variables HANDCLASP_ROTATION_*."""

    due_percent: int = 66
    jitter_percent: int = 5
    overlap: timedelta = timedelta(hours=24)
    settle: timedelta = timedelta(minutes=1)
    rate: timedelta = timedelta(days=1)
    flexible_window: timedelta = timedelta(minutes=15)
    retries: int = 3
    maximum_age: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """What is told of before it expires, and where to. Table [watch], variables HANDCLASP_WATCH_*."""

    thresholds: tuple[str, ...] = ("30d", "14d", "7d", "1d")
    webhook: str | None = field(default=None, repr=False)
    slack: str | None = field(default=None, repr=False)
    smtp: str | None = None
    smtp_password: str | None = field(default=None, repr=False)
    smtp_password_file: str | None = None
    mail_from: str = "handclasp@localhost"
    mail_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """How often the trail's head is signed. Table [audit], variables HANDCLASP_AUDIT_*."""

    checkpoint_every: int = 100
    checkpoint_file: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things live: four URLs make a deployment. Relative paths are inside the state folder."""

    state: Path
    custody: str = "file:pki"
    registry: str = "sqlite:///registry.db"
    truststore: str = "file:truststore.pem"
    delivery: str = "file:clients"
    authority: AuthoritySettings = field(default_factory=AuthoritySettings)
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    rotation: RotationSettings = field(default_factory=RotationSettings)
    watch: WatchSettings = field(default_factory=WatchSettings)
    audit: AuditSettings = field(default_factory=AuditSettings)


def load(state: Path, environ: Mapping[str, str], file: Path | None = None) -> Settings:
    """The settings of the deployment in `state`.

    `file` is another configuration file than STATE/handclasp.toml. Raises InvalidInput, naming the setting, for
    an unknown name, a value of the wrong type, or a file that is not TOML.
    """
    written = _read(file or state / CONFIGURATION_FILE, required=file is not None)
    tables = {
        "authority": AuthoritySettings,
        "gateway": GatewaySettings,
        "rotation": RotationSettings,
        "watch": WatchSettings,
        "audit": AuditSettings,
    }
    parts = {
        name: _build(kind, _table(written.pop(name, {}), name), environ, prefix=f"{name}.")
        for name, kind in tables.items()
    }
    settings: Settings = _build(Settings, written, environ, prefix="", state=state, **parts)
    return settings


def _read(path: Path, *, required: bool) -> dict[str, Any]:
    if not required and not path.exists():
        return {}
    # Imported here: most commands of most installations have no file to parse, and start faster without.
    import tomllib  # noqa: PLC0415

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"configuration {path} cannot be read: {error.strerror}") from None
    except ValueError as error:  # TOMLDecodeError, UnicodeDecodeError, or a number of thousands of digits
        raise InvalidInput(f"configuration {path} is not TOML: {error}") from None


def _table(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput(f"setting {name} is a table: write [{name}]")
    return dict(value)


def _build(kind: type[Any], written: dict[str, Any], environ: Mapping[str, str], *, prefix: str, **fixed: Any) -> Any:
    hints = get_type_hints(kind)
    values = dict(fixed)
    for each in dataclasses.fields(kind):
        if each.name in fixed:
            continue
        variable = "HANDCLASP_" + f"{prefix}{each.name}".replace(".", "_").upper()
        if variable in environ:
            values[each.name] = _from_text(environ[variable], hints[each.name], variable)
            written.pop(each.name, None)
        elif each.name in written:
            values[each.name] = _from_toml(written.pop(each.name), hints[each.name], f"{prefix}{each.name}")
    if written:
        known = ", ".join(each.name for each in dataclasses.fields(kind) if each.name not in fixed)
        raise InvalidInput(f"unknown setting {prefix}{min(written)}", hint=f"known here: {known}")
    return kind(**values)


def _from_toml(value: object, hint: Any, name: str) -> object:
    hint = _without_none(hint)
    if get_origin(hint) is Literal:
        return _choice(value, hint, name)
    if get_origin(hint) is tuple:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise InvalidInput(f'setting {name} is a list of texts, such as ["prod"]')
    if hint is timedelta and isinstance(value, str):
        return parse_duration(value, f"setting {name}")
    # bool is an int to isinstance; no setting means to take True for 1.
    if type(value) is hint:
        return _positive(value, name)
    raise InvalidInput(f"setting {name} is {_KINDS[hint]}, not {value!r}")


_KINDS: dict[Any, str] = {
    int: "a whole number",
    str: "a text",
    timedelta: 'a duration, such as "24h"',
}


def _from_text(text: str, hint: Any, name: str) -> object:
    hint = _without_none(hint)
    if get_origin(hint) is Literal:
        return _choice(text, hint, name)
    if get_origin(hint) is tuple:
        return tuple(item.strip() for item in text.split(",") if item.strip())
    if hint is timedelta:
        return parse_duration(text, name)
    if hint is int:
        try:
            return _positive(int(text), name)
        except ValueError:
            raise InvalidInput(f"{name} is a whole number, not {text!r}") from None
    return text


def _choice(value: object, hint: Any, name: str) -> object:
    if value in get_args(hint):
        return value
    raise InvalidInput(f"setting {name} is one of {', '.join(get_args(hint))}, not {value!r}")


def _positive(value: object, name: str) -> object:
    if isinstance(value, int) and value < (0 if name.endswith(("trusted_proxies", "TRUSTED_PROXIES")) else 1):
        raise InvalidInput(f"setting {name} is a positive number, not {value}")
    return value


def _without_none(hint: Any) -> Any:
    if isinstance(hint, types.UnionType):
        return next(part for part in get_args(hint) if part is not type(None))
    return hint
