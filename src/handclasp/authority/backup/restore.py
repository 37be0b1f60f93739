"""Bring a backup back: into an empty place, or over the same authority gone on since, never a revocation less.

What is compared, and what becomes of it, is decided in `registry/merge.py`, under the registry's write lock: a
revocation that comes in while the restore runs is not lost either. The order makes a crash harmless: keys first, which
nothing uses yet; then the whole registry in one transaction; then what is derived from it, the trust store and the
clients' files. Each step can be done again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from handclasp.authority.backup.backup import certificate_of
from handclasp.authority.backup.backup_archive import Archive
from handclasp.authority.publish import publish
from handclasp.authority.recording import details
from handclasp.authority.rotation.gateway_evidence import SILENT_SECONDS
from handclasp.custody.port import Custody
from handclasp.delivery.port import Credential, Delivery
from handclasp.errors import AlreadyEstablished, DeliveryFailed, InvalidInput, KeyUnavailable, StateInUse
from handclasp.pki.identity import client_id
from handclasp.pki.keys import PrivateKeyPem
from handclasp.registry.audit_chain import chained
from handclasp.registry.merge import Difference, Merge, merged
from handclasp.registry.port import Registry, Row
from handclasp.registry.records import AuditEntry, IssuerKind, IssuerStatus
from handclasp.registry.snapshot_tables import Tables
from handclasp.truststore.port import Truststore

#: Names that one audit entry holds; the command prints them all.
_NAMED = 100


@dataclass(frozen=True, slots=True)
class Restored:
    """`left`: clients whose files were not put back, because newer ones are there or the certificate is no longer
    active."""

    difference: Difference
    clients: int
    certificates: int
    delivered: int
    left: tuple[str, ...]


def compare(archive: Archive, *, registry: Registry | None, custody: Custody) -> Difference:
    """What the restore would change; nothing is changed. `registry` is None where there is none, or none readable.

    Raises AlreadyEstablished for another authority's backup, InvalidInput for one whose issuers were all retired since,
    KeyUnavailable where another key has a key's name.
    """
    difference = Difference()
    if registry is not None:
        difference = _merged(archive.tables(), Tables.of(registry.snapshot())).difference
    _refuse_other_keys(archive, custody)
    return difference


def is_living(registry: Registry) -> bool:
    """True if there is an authority in it."""
    return bool(registry.issuers()) or registry.last_audit() is not None


def refuse_while_gateways_run(registry: Registry) -> None:
    """A gateway follows changes, and a restore takes rows away. Raises StateInUse, naming it."""
    lively = [gateway.gateway_id for gateway in registry.gateways() if gateway.silent_for <= SILENT_SECONDS]
    if lively:
        raise StateInUse(
            f"gateways are running on this registry: {', '.join(lively)}",
            hint=f"stop them first; one that was killed counts as running for {SILENT_SECONDS:.0f} seconds",
        )


def restore(
    archive: Archive,
    *,
    run: str,
    registry: Registry,
    custody: Custody,
    truststore: Truststore,
    delivery: Delivery,
    actor: str,
    now: datetime,
) -> Restored:
    """Do all of it. `run` names this restore: done a second time under the same name, it goes on where it was.

    Raises what `compare` raises, RegistryDamaged for a backup that does not fit this version, and what ports raise.
    """
    _refuse_other_keys(archive, custody)
    for name, sealed in archive.keys.items():
        custody.put_back(name, sealed)
    difference, was_done = _restore_registry(archive, registry, run, actor)
    publish(registry=registry, truststore=truststore, actor=actor, now=now)
    delivered, left = _put_back_files(archive.clients, registry, delivery, again=was_done)
    tables = archive.tables()
    return Restored(difference, len(tables["client"]), len(tables["certificate"]), delivered, left)


def _restore_registry(archive: Archive, registry: Registry, run: str, actor: str) -> tuple[Difference, bool]:
    """What became of the registry, and whether this run had done it before."""
    backup = archive.tables()
    found: list[tuple[Difference, bool]] = []

    def rows(current: list[Row]) -> Iterable[Row]:
        now = Tables.of(current)
        if any(row["action"] == "registry.restore" and f'"{run}"' in row["details"] for row in now["audit"]):
            found.append((Difference(trail_cut=False), True))
            return current
        merge = _merged(backup, now)
        found.append((merge.difference, False))
        merge.tables["audit"].append(_entry(archive, merge, run, actor, registry.now()))
        return merge.tables.all()

    registry.replace(rows)
    return found[-1]


def _merged(backup: Tables, current: Tables) -> Merge:
    if current["issuer"] and not backup.roots() & current.roots():
        raise AlreadyEstablished(
            "there is another authority here, and this backup is not of it",
            hint="restore into another --state; handclasp ca list shows the one that is here",
        )
    merge = merged(backup, current)
    if _issues(backup) and _issues(current) and not _issues(merge.tables):
        raise InvalidInput(
            "every issuer that signs in this backup was retired after it was made: it would leave nothing that issues",
            hint="restore a backup made after that rotation",
        )
    return merge


def _issues(tables: Tables) -> bool:
    intermediates = (row for row in tables["issuer"] if row["kind"] == IssuerKind.INTERMEDIATE)
    return any(row["status"] == IssuerStatus.ACTIVE for row in intermediates)


def _entry(archive: Archive, merge: Merge, run: str, actor: str, at: int) -> dict[str, object]:
    trail = merge.tables["audit"]
    last = AuditEntry(**trail[-1]) if trail else None
    difference = merge.difference
    entry = chained(
        last,
        at=at,
        actor=actor,
        action="registry.restore",
        subject=archive.manifest.backup,
        details=details(
            run=run,
            backup_at=archive.manifest.created_at,
            backup_entries=archive.manifest.audit_sequence,
            kept_entries=last.sequence if last else 0,
            trail_cut=difference.trail_cut,
            lost_entries=difference.lost_entries,
            still_withdrawn=len(difference.withdrawn),
            forgotten_certificates=len(difference.issued),
            forgotten_clients=len(difference.clients),
            forgotten=[serial for _, serial in difference.issued[:_NAMED]],
            after={"revision": merge.tables.revision()},
        ),
    )
    return {name: getattr(entry, name) for name in AuditEntry.__slots__}


def _refuse_other_keys(archive: Archive, custody: Custody) -> None:
    here = custody.sealed()
    others = [name for name, sealed in archive.keys.items() if here.get(name, sealed) != sealed]
    if others:
        raise KeyUnavailable(
            f"custody has other keys than the backup under the names {', '.join(sorted(others))}",
            hint="restore into another --state, or move those keys away",
        )


def _put_back_files(
    clients: Mapping[str, Mapping[str, bytes]], registry: Registry, delivery: Delivery, *, again: bool
) -> tuple[int, tuple[str, ...]]:
    """Newer files stay as long as their certificate is still active; a certificate that is not comes from nowhere.

    `again`: this has begun before, and a delivery may have been killed half-way, so the same files are put there anew.
    """
    delivered, left = 0, []
    for name, files in clients.items():
        try:
            active = {c.fingerprint for c in registry.certificates(client_id(name)) if c.status == "active"}
            there = delivery.collect(name)
        except (InvalidInput, DeliveryFailed):
            left.append(name)
            continue
        same = dict(there) == dict(files)
        if same and not again:
            continue
        if (certificate_of(there) in active and not same) or certificate_of(files) not in active:
            left.append(name)
            continue
        delivery.deliver(_credential(name, files))
        delivered += 1
    return delivered, tuple(left)


def _credential(name: str, files: Mapping[str, bytes]) -> Credential:
    key = files.get("client.key")
    return Credential(
        client_id=name,
        certificate=files["client.pem"],
        full_chain=files.get("fullchain.pem", files["client.pem"]),
        trust_anchor=files.get("ca.pem", b""),
        key=PrivateKeyPem(key) if key is not None else None,
        pkcs12=files.get("client.p12"),
    )
