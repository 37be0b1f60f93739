"""Settings -> adapters: the only place that turns URLs into backends, and imports one only when it is named.

A new backend is one file, and one line in a table here.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from handclasp.errors import InvalidInput, NotEstablished
from handclasp.settings import Settings

if TYPE_CHECKING:  # ports are needed by the type checker only, and some lead to cryptography
    from handclasp.authority.practice import Practice
    from handclasp.custody.port import Custody
    from handclasp.delivery.file import FolderDelivery
    from handclasp.delivery.port import Delivery
    from handclasp.registry.port import Registry
    from handclasp.truststore.port import Truststore


def open_registry(settings: Settings, *, create: bool = False) -> "Registry":
    """The registry. Raises NotEstablished if there is none yet and `create` is false."""
    scheme, rest = _split(settings.registry, "registry", _REGISTRIES)
    return _REGISTRIES[scheme](settings, rest, create)


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

    # sqlite:///name is a path in the state folder, sqlite:////name an absolute one
    path = settings.state / rest.removeprefix("///")
    if not create and not path.exists():
        raise NotEstablished(f"there is no authority in {settings.state}", hint="run: handclasp init")
    return SqliteRegistry(path)


def _file_custody(settings: Settings, rest: str) -> "Custody":
    from handclasp.custody.file import FileCustody  # noqa: PLC0415

    return FileCustody(settings.state / rest)


def _file_truststore(settings: Settings, rest: str) -> "Truststore":
    from handclasp.truststore.file import FileTruststore  # noqa: PLC0415

    return FileTruststore(settings.state / rest)


def _file_delivery(settings: Settings, rest: str) -> "Delivery":
    from handclasp.delivery.file import FileDelivery  # noqa: PLC0415

    return FileDelivery(settings.state / rest)


_REGISTRIES: dict[str, Callable[[Settings, str, bool], "Registry"]] = {"sqlite": _sqlite}
_CUSTODIES: dict[str, Callable[[Settings, str], "Custody"]] = {"file": _file_custody}
_TRUSTSTORES: dict[str, Callable[[Settings, str], "Truststore"]] = {"file": _file_truststore}
_DELIVERIES: dict[str, Callable[[Settings, str], "Delivery"]] = {"file": _file_delivery}


def _split(url: str, setting: str, known: Mapping[str, Callable[..., object]]) -> tuple[str, str]:
    scheme, _, rest = url.partition(":")
    if scheme not in known:
        raise InvalidInput(
            f"setting {setting} names an unknown backend: {url!r}", hint=f"known: {', '.join(sorted(known))}"
        )
    if not rest.strip("/") or Path(rest).name in {"", ".", ".."}:
        raise InvalidInput(f"setting {setting} names no place: {url!r}")
    return scheme, rest
