"""A backup fits together although others went on writing, and holds what an authority is."""

import threading
from contextlib import closing
from pathlib import Path

import pytest

from handclasp.authority.backup.backup import back_up, certificate_of
from handclasp.authority.issuers import issuer_path
from handclasp.authority.recording import issuer_record
from handclasp.custody.file import FileCustody
from handclasp.errors import NotEstablished, PassphraseMissing
from handclasp.pki.keys import KeyAlgorithm, generate, open_sealed
from handclasp.registry.audit_chain import broken_at
from handclasp.registry.postgresql import PostgresqlRegistry
from handclasp.registry.records import CertificateStatus, IssuerKind
from handclasp.registry.sqlite import SqliteRegistry
from tests import making
from tests.authority.conftest import Authority, on_disk
from tests.backup.conftest import Open, add, bring_back, taken
from tests.making import NOW


def test_it_holds_registry_keys_trust_store_settings_and_clients_files(original: Authority) -> None:
    archive = taken(original)
    assert sorted(archive.keys) == sorted(original.custody.sealed())
    assert archive.truststore == original.truststore.read()
    assert archive.settings == b""
    assert {name: sorted(files) for name, files in archive.clients.items()} == {
        name: ["ca.pem", "client.key", "client.pem", "fullchain.pem"] for name in ("acme", "beta")
    }
    head = original.registry.last_audit()
    assert head is not None
    assert (archive.manifest.audit_sequence, archive.manifest.audit_hash) == (head.sequence, head.hash)
    assert archive.manifest.revision == original.registry.revision()


def test_the_roots_key_is_never_opened(original: Authority) -> None:
    root = original.registry.issuers()[0]
    assert root.key_name is not None
    with pytest.raises(PassphraseMissing):
        open_sealed(taken(original).keys[root.key_name])


def test_an_archive_prints_no_key(original: Authority) -> None:
    assert "PRIVATE" not in repr(taken(original))


def test_a_key_that_is_not_here_is_named(original: Authority, tmp_path: Path) -> None:
    root = original.registry.issuers()[0]
    (tmp_path / "original" / "pki" / f"{root.key_name}.key").rename(tmp_path / "offline.key")
    made = back_up(
        registry=original.registry,
        custody=original.custody,
        truststore=original.truststore,
        delivery=original.delivery,
        settings=None,
    )
    assert made.missing_keys == (root.key_name,)


def test_of_nothing_there_is_no_backup(open_authority: Open) -> None:
    with pytest.raises(NotEstablished):
        taken(open_authority("empty"))


def rotate(authority: Authority, number: int) -> None:
    """What a rotation does to custody and registry: the key first, then the issuer."""
    name = f"intermediate-{number}"
    key = generate(KeyAlgorithm.P256)
    certificate = making.ca(f"Issuing CA {number}", of=key).certificate
    authority.custody.keep(name, key)
    parent = authority.registry.issuers()[0].issuer_id
    record = issuer_record(certificate, kind=IssuerKind.INTERMEDIATE, key_name=name, parent_id=parent, now=NOW)
    with authority.registry.change() as change:
        change.add_issuer(record)


def test_while_others_enrol_and_rotate_every_backup_fits_together(
    original: Authority, open_authority: Open, tmp_path: Path
) -> None:
    """Each delivered file's certificate and each issuer's key is in it, whatever moment it was taken at."""
    state = tmp_path / "original"
    done = threading.Event()
    failed: list[BaseException] = []

    def enrolling() -> None:
        work(lambda authority, number: add(authority, f"client-{number}"))

    def rotating() -> None:
        work(rotate)

    def work(step: object) -> None:
        authority = on_disk(state)
        try:
            number = 0
            while not done.is_set():
                number += 1
                step(authority, number)  # type: ignore[operator]
        except BaseException as error:
            failed.append(error)
        finally:
            authority.registry.close()

    threads = [threading.Thread(target=each) for each in (enrolling, rotating)]
    for each in threads:
        each.start()
    try:
        archives = [taken(original) for _ in range(12)]
    finally:
        done.set()
        for each in threads:
            each.join(60)
    assert failed == []
    sizes = [len(archive.tables()["certificate"]) for archive in archives]
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0], "nobody enrolled meanwhile"
    for archive in archives:
        tables = archive.tables()
        known = {row["fingerprint"] for row in tables["certificate"]}
        assert {certificate_of(files) for files in archive.clients.values()} <= known
        assert {row["key_name"] for row in tables["issuer"]} <= set(archive.keys)
        assert broken_at(tables.entries()) is None
    new = open_authority("new")
    bring_back(archives[-1], new)
    assert all(issuer_path(new.registry.issuers(), each.issuer_id) for each in new.registry.issuers())


def test_it_moves_an_authority_from_sqlite_to_postgresql_and_back(
    original: Authority, open_authority: Open, postgresql_url: str
) -> None:
    archive = taken(original)
    with closing(PostgresqlRegistry(postgresql_url)) as registry:
        moved = open_authority("moved")
        moved.registry.close()
        moved.registry = registry
        bring_back(archive, moved)
        add(moved, "gamma")
        there = taken(moved)
        with pytest.raises(Exception, match="append-only"):
            registry._run("DELETE FROM audit")
        revoked = moved.registry.certificates("gamma")[0]
        with registry.change() as change:
            change.set_certificate_status(revoked, CertificateStatus.REVOKED, at=1, reason=None)
        bring_back(there, moved, "run-2")
        assert moved.registry.certificates("gamma")[0].status is CertificateStatus.REVOKED
        add(moved, "delta")
    back = open_authority("back")
    bring_back(there, back)
    assert isinstance(back.registry, SqliteRegistry)
    assert isinstance(back.custody, FileCustody)
    assert [s.client.client_id for s in back.registry.summaries()] == ["acme", "beta", "gamma"]
    assert broken_at(back.registry.audit()) is None
    add(back, "delta")
