"""What is inside a backup: a gzipped tar, so that everything in it can be had without Handclasp.

    manifest.json          what it is, of when, and how far the audit trail had come
    registry.jsonl         every row of the registry
    keys/NAME              CA keys as they rest in custody (the root's still sealed with its own passphrase)
    clients/NAME/FILE      each client's newest files
    truststore.pem, handclasp.toml

Nothing is ever unpacked to a path: each member is looked at by name, and goes back through the port it came from.
"""

import gzip
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field

from handclasp import __version__
from handclasp.errors import HandclaspError, InvalidInput, RegistryDamaged
from handclasp.registry.snapshot_tables import Tables
from handclasp.registry.snapshot_text import snapshot_rows

#: Grows when an older Handclasp could not read it any more.
FORMAT = 1
_MANIFEST, _REGISTRY, _TRUSTSTORE, _SETTINGS = "manifest.json", "registry.jsonl", "truststore.pem", "handclasp.toml"


@dataclass(frozen=True, slots=True)
class Manifest:
    """`backup` names this backup; `created_at` is seconds since 1970 by the registry's clock."""

    backup: str
    created_at: int
    revision: int
    audit_sequence: int
    audit_hash: str
    handclasp: str = __version__
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Archive:
    """A backup, opened. Keys and client files hold private keys, so none of it is printed."""

    manifest: Manifest
    registry: bytes = field(repr=False)
    keys: Mapping[str, bytes] = field(repr=False)
    clients: Mapping[str, Mapping[str, bytes]] = field(repr=False)
    truststore: bytes | None = field(repr=False)
    settings: bytes | None = field(repr=False)

    def tables(self) -> Tables:
        """Raises RegistryDamaged."""
        return Tables.of(snapshot_rows(io.BytesIO(self.registry)))


def packed(archive: Archive) -> bytes:
    # The same content gives the same octets: no times, no owners.
    target = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=target, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, content in _members(archive):
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(content), 0o600, archive.manifest.created_at
            tar.addfile(member, io.BytesIO(content))
    return target.getvalue()


def unpacked(content: bytes, what: str) -> Archive:
    """Raises InvalidInput when it is no backup, HandclaspError when a newer Handclasp made it."""
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
            files = dict(_files(tar))
        return _archive(files, what)
    except (tarfile.TarError, EOFError, OSError, ValueError, KeyError, TypeError, RegistryDamaged):
        raise InvalidInput(f"{what} opens, and what is in it is not a backup of Handclasp") from None


def _members(archive: Archive) -> Iterable[tuple[str, bytes]]:
    yield _MANIFEST, json.dumps(asdict(archive.manifest), indent=2).encode() + b"\n"
    yield _REGISTRY, archive.registry
    for name, key in archive.keys.items():
        yield f"keys/{name}", key
    for client, files in archive.clients.items():
        for name, content in files.items():
            yield f"clients/{client}/{name}", content
    for name, optional in ((_TRUSTSTORE, archive.truststore), (_SETTINGS, archive.settings)):
        if optional is not None:
            yield name, optional


def _files(tar: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for member in tar:
        reader = tar.extractfile(member) if member.isfile() else None
        if reader is not None:
            yield member.name, reader.read()


def _archive(files: dict[str, bytes], what: str) -> Archive:
    manifest = json.loads(files[_MANIFEST])
    if manifest["format"] > FORMAT:
        raise HandclaspError(
            f"{what} was made by Handclasp {manifest['handclasp']}, in a format this version does not know",
            hint="upgrade Handclasp",
        )
    clients: dict[str, dict[str, bytes]] = {}
    for path, content in files.items():
        if path.startswith("clients/"):
            _, client, name = path.split("/")
            clients.setdefault(client, {})[name] = content
    return Archive(
        manifest=Manifest(**manifest),
        registry=files[_REGISTRY],
        keys={path.removeprefix("keys/"): content for path, content in files.items() if path.startswith("keys/")},
        clients=clients,
        truststore=files.get(_TRUSTSTORE),
        settings=files.get(_SETTINGS),
    )
