"""Everything an authority is, at one moment, while others go on enrolling and rotating.

The order makes what is taken fit together without stopping anybody:
1. Clients' files. A certificate is registered before it is delivered, so each that is found here is in
2. the registry's snapshot, which is one moment. Then
3. the keys: an issuer's key is kept before the issuer is registered, and no key is ever deleted, so the key of each
   issuer in the snapshot is there by now.
A client enrolled between 1 and 2 is looked up once more; its files are taken if the snapshot knows their certificate.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509

from handclasp.authority.backup.backup_archive import Archive, Manifest
from handclasp.authority.recording import details
from handclasp.custody.port import Custody
from handclasp.delivery.port import Delivery
from handclasp.errors import NotEstablished
from handclasp.pki.naming import fingerprint
from handclasp.registry.audit_chain import GENESIS
from handclasp.registry.port import Registry
from handclasp.registry.snapshot_tables import Tables
from handclasp.registry.snapshot_text import snapshot_lines
from handclasp.truststore.port import Truststore

_CERTIFICATE = "client.pem"


@dataclass(frozen=True, slots=True)
class Backup:
    """`missing_keys`: issuers' keys by name that custody did not give: a root that is offline, a key in a module."""

    archive: Archive
    clients: int
    certificates: int
    missing_keys: tuple[str, ...]


def back_up(
    *, registry: Registry, custody: Custody, truststore: Truststore, delivery: Delivery, settings: bytes | None
) -> Backup:
    """Take it, in memory. `settings` is the configuration file's text. Raises NotEstablished, and what ports raise."""
    early = [summary.client.client_id for summary in registry.summaries()]
    delivered: dict[str, Mapping[str, bytes]] = {name: delivery.collect(name) for name in early}
    tables = Tables.of(registry.snapshot())
    if not tables["issuer"]:
        raise NotEstablished("there is no authority here yet", hint="run: handclasp init")
    known = {row["fingerprint"] for row in tables["certificate"]}
    for row in tables["client"]:
        if not delivered.get(row["client_id"]):
            late = delivery.collect(row["client_id"])
            delivered[row["client_id"]] = late if certificate_of(late) in known else {}
    keys = custody.sealed()
    trail = tables["audit"]
    archive = Archive(
        manifest=Manifest(
            backup=secrets.token_hex(8),
            created_at=registry.now(),
            revision=tables.revision(),
            audit_sequence=trail[-1]["sequence"] if trail else 0,
            audit_hash=trail[-1]["hash"] if trail else GENESIS,
        ),
        registry=b"".join(snapshot_lines(tables.all())),
        keys=keys,
        clients={name: files for name, files in delivered.items() if files},
        truststore=truststore.read(),
        settings=settings,
    )
    needed = [row["key_name"] for row in tables["issuer"] if row["key_name"]]
    return Backup(
        archive=archive,
        clients=len(tables["client"]),
        certificates=len(tables["certificate"]),
        missing_keys=tuple(name for name in needed if name not in keys),
    )


def record_backup(backup: Backup, place: str, *, registry: Registry, actor: str) -> None:
    """That a copy of every key exists is for the audit trail; call it once the file is durable."""
    manifest = backup.archive.manifest
    with registry.change() as change:
        change.record(
            at=change.now(),
            actor=actor,
            action="registry.backup",
            subject=place,
            details=details(
                backup=manifest.backup, audit_sequence=manifest.audit_sequence, keys=sorted(backup.archive.keys)
            ),
        )


def certificate_of(files: Mapping[str, bytes]) -> str | None:
    """The fingerprint of the certificate among a client's files; None if there is none that can be read."""
    try:
        return fingerprint(x509.load_pem_x509_certificate(files[_CERTIFICATE]))
    except (KeyError, ValueError):
        return None
