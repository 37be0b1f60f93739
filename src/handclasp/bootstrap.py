"""Settings -> adapters: the only place that turns URLs into backends, and imports one only when it is named.

A new backend is one file, and one line in a table here.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from handclasp.errors import ExtraMissing, InvalidInput, NotEstablished
from handclasp.settings import Settings

if TYPE_CHECKING:  # ports are needed by the type checker only, and some lead to cryptography
    from handclasp.authority.practice import Practice
    from handclasp.custody.port import Custody
    from handclasp.delivery.file import FolderDelivery
    from handclasp.delivery.port import Delivery
    from handclasp.notice.port import Channel
    from handclasp.registry.port import Registry
    from handclasp.truststore.port import Truststore


def open_registry(settings: Settings, *, create: bool = False) -> "Registry":
    """The registry. Raises NotEstablished if there is none yet and `create` is false."""
    scheme, rest = _split(settings.registry, "registry", _REGISTRIES)
    return _REGISTRIES[scheme](settings, rest, create)


def set_aside_registry(settings: Settings, label: str) -> Path | None:
    """Put a damaged registry out of the way, under another name; where it is now. None where that is not ours to do."""
    scheme, rest = _split(settings.registry, "registry", _REGISTRIES)
    if scheme != "sqlite":
        return None
    from handclasp.registry.sqlite_aside import set_aside  # noqa: PLC0415

    return set_aside(_sqlite_path(settings, rest), label)


def open_custody(settings: Settings) -> "Custody":
    scheme, rest = _split(settings.custody, "custody", _CUSTODIES)
    return _CUSTODIES[scheme](settings, rest)


def open_truststore(settings: Settings) -> "Truststore":
    scheme, rest = _split(settings.truststore, "truststore", _TRUSTSTORES)
    return _TRUSTSTORES[scheme](settings, rest)


def open_delivery(settings: Settings) -> "Delivery":
    scheme, rest = _split(settings.delivery, "delivery", _DELIVERIES)
    return _DELIVERIES[scheme](settings, rest)


def open_folder(folder: Path) -> "FolderDelivery":
    """One folder of the caller's choice, for one client: what `--out DIR` asks for."""
    from handclasp.delivery.file import FolderDelivery  # noqa: PLC0415

    return FolderDelivery(folder)


def open_channels(settings: Settings, say: Callable[[str], None]) -> list["Channel"]:
    """Where notices go: the log (`say`), and whatever [watch] names. Raises InvalidInput for what names no place."""
    from handclasp.notice.log import LogChannel  # noqa: PLC0415

    return [
        LogChannel(say),
        *(open_it(settings) for name, open_it in _CHANNELS.items() if getattr(settings.watch, name)),
    ]


def practice(settings: Settings) -> "Practice":
    """What this authority's certificates say. Raises InvalidInput for a setting no certificate may have."""
    from handclasp.authority.practice import Practice  # noqa: PLC0415
    from handclasp.pki.extensions import IssuerUrls  # noqa: PLC0415
    from handclasp.pki.identity import subject_text, trust_domain  # noqa: PLC0415
    from handclasp.pki.keys import KeyAlgorithm  # noqa: PLC0415
    from handclasp.pki.profile import CLIENT, SERVER  # noqa: PLC0415

    chosen = settings.authority
    return Practice(
        trust_domain=trust_domain(chosen.trust_domain),
        key_algorithm=KeyAlgorithm(chosen.key_algorithm),
        organization=chosen.organization and subject_text(chosen.organization, "setting authority.organization"),
        urls=IssuerUrls(ca_issuers=chosen.ca_issuers_url, crl=chosen.crl_url),
        client=CLIENT.configured(days=chosen.client_days, policy=chosen.policy_oid),
        server=SERVER.configured(days=chosen.server_days, policy=chosen.policy_oid),
    )


def _sqlite(settings: Settings, rest: str, create: bool) -> "Registry":
    from handclasp.registry.sqlite import SqliteRegistry  # noqa: PLC0415

    path = _sqlite_path(settings, rest)
    if not create and not path.exists():
        raise NotEstablished(f"there is no authority in {settings.state}", hint="run: handclasp init")
    return SqliteRegistry(path)


def _postgresql(settings: Settings, _rest: str, create: bool) -> "Registry":
    try:
        from handclasp.registry.postgresql import PostgresqlRegistry  # noqa: PLC0415
    except ImportError:  # no psycopg, or one without libpq
        raise ExtraMissing(
            "a registry in PostgreSQL needs psycopg, and it is not here", hint="pip install 'handclasp[postgresql]'"
        ) from None
    return PostgresqlRegistry(settings.registry, create=create)


def _sqlite_path(settings: Settings, rest: str) -> Path:
    # sqlite:///name is a path in the state folder, sqlite:////name an absolute one
    return settings.state / rest.removeprefix("///")


def _file_custody(settings: Settings, rest: str) -> "Custody":
    from handclasp.custody.file import FileCustody  # noqa: PLC0415

    return FileCustody(settings.state / rest)


def _file_truststore(settings: Settings, rest: str) -> "Truststore":
    from handclasp.truststore.file import FileTruststore  # noqa: PLC0415

    return FileTruststore(settings.state / rest)


def _file_delivery(settings: Settings, rest: str) -> "Delivery":
    from handclasp.delivery.file import FileDelivery  # noqa: PLC0415

    return FileDelivery(settings.state / rest)


def _webhook(settings: Settings) -> "Channel":
    from handclasp.notice.webhook import webhook  # noqa: PLC0415

    return webhook(settings.watch.webhook or "")


def _slack(settings: Settings) -> "Channel":
    from handclasp.notice.slack import slack  # noqa: PLC0415

    return slack(settings.watch.slack or "")


def _smtp(settings: Settings) -> "Channel":
    from handclasp.notice.password import mail_password  # noqa: PLC0415
    from handclasp.notice.smtp import smtp  # noqa: PLC0415

    watch = settings.watch
    password = mail_password(watch.smtp_password, watch.smtp_password_file, settings.state)
    return smtp(watch.smtp or "", password=password, sender=watch.mail_from, recipients=watch.mail_to)


_REGISTRIES: dict[str, Callable[[Settings, str, bool], "Registry"]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
    "postgres": _postgresql,
}
_CUSTODIES: dict[str, Callable[[Settings, str], "Custody"]] = {"file": _file_custody}
_TRUSTSTORES: dict[str, Callable[[Settings, str], "Truststore"]] = {"file": _file_truststore}
_DELIVERIES: dict[str, Callable[[Settings, str], "Delivery"]] = {"file": _file_delivery}
_CHANNELS: dict[str, Callable[[Settings], "Channel"]] = {"webhook": _webhook, "slack": _slack, "smtp": _smtp}


def _split(url: str, setting: str, known: Mapping[str, Callable[..., object]]) -> tuple[str, str]:
    scheme, _, rest = url.partition(":")
    if scheme not in known:
        raise InvalidInput(
            f"setting {setting} names an unknown backend: {_shown(url)}", hint=f"known: {', '.join(sorted(known))}"
        )
    if not rest.strip("/") or Path(rest).name in {"", ".", ".."}:
        raise InvalidInput(f"setting {setting} names no place: {_shown(url)}")
    return scheme, rest


def _shown(url: str) -> str:
    """The URL without what may be a password: what is before the last @, and what is after a question mark."""
    _, secret, place = url.rpartition("@")
    return repr(("...@" if secret else "") + place.partition("?")[0])
