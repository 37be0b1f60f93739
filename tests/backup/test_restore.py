"""A backup brought back: everything into an empty place; over a living one, never a revocation less."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from handclasp.authority.audit.audit_trail import verify_trail
from handclasp.authority.audit.checkpoint import audit_public_key, checkpoint_now
from handclasp.authority.backup.restore import compare, refuse_while_gateways_run
from handclasp.authority.handover import hand_over
from handclasp.authority.publish import trust_bundle
from handclasp.authority.revoke import revoke_certificate, revoke_client, suspend_client
from handclasp.errors import AlreadyEstablished, KeyUnavailable, LeaseLost, NotRegistered, RegistryDamaged, StateInUse
from handclasp.pki.keys import KeyAlgorithm, generate, open_sealed
from handclasp.registry.audit_chain import broken_at
from handclasp.registry.fleet import Gateway
from handclasp.registry.operations import Operation, OperationStatus
from handclasp.registry.port import Row
from handclasp.registry.records import (
    AuditCheckpoint,
    CertificateStatus,
    ClientStatus,
    IssuerStatus,
    RevocationReason,
)
from tests.authority.conftest import Authority
from tests.backup.conftest import Open, add, bring_back, taken
from tests.making import NOW

_COMPROMISED = RevocationReason.KEY_COMPROMISE


def rows(authority: Authority, *but: str) -> list[Row]:
    return [row for row in authority.registry.snapshot() if row[0] not in but]


def revoke(authority: Authority, name: str) -> None:
    revoke_client(name, registry=authority.registry, reason=_COMPROMISED, actor="tester", now=NOW)


def test_into_an_empty_place_comes_everything_and_issuance_goes_on(original: Authority, open_authority: Open) -> None:
    revoke(original, "beta")
    archive = taken(original)
    new = open_authority("new")
    done = bring_back(archive, new)
    assert (done.clients, done.certificates, done.delivered, done.left) == (2, 2, 1, ("beta",))
    changed = ("audit", "revision", "operation")
    assert rows(new, *changed) == rows(original, *changed)
    assert new.custody.sealed() == original.custody.sealed()
    assert new.truststore.read() == trust_bundle(original.registry)
    assert new.delivery.collect("acme") == original.delivery.collect("acme")
    issued = new.enrol("gamma")
    assert issued.certificate.issuer_id == original.registry.certificates("acme")[0].issuer_id


def test_the_chain_goes_on_over_the_restore_which_is_told(original: Authority, open_authority: Open) -> None:
    archive = taken(original)
    before = list(original.registry.audit())
    new = open_authority("new")
    bring_back(archive, new)
    entries = list(new.registry.audit())
    assert broken_at(entries) is None
    assert entries[: len(before)] == before
    told = next(entry for entry in entries if entry.action == "registry.restore")
    assert (told.sequence, told.actor, told.subject) == (len(before) + 1, "tester", archive.manifest.backup)
    facts = json.loads(told.details)
    assert (facts["backup_entries"], facts["kept_entries"], facts["trail_cut"]) == (len(before), len(before), True)


def test_what_was_withdrawn_since_stays_withdrawn(original: Authority) -> None:
    add(original, "gone")
    other = original.renew("acme").certificate.serial_number
    archive = taken(original)
    revoke(original, "beta")
    suspend_client("gone", registry=original.registry, actor="tester", now=NOW)
    revoke_certificate("acme", other, registry=original.registry, reason=_COMPROMISED, actor="tester", now=NOW)
    done = bring_back(archive, original)
    assert {(kind, status) for kind, _, status in done.difference.withdrawn} == {
        ("certificate", "revoked"),
        ("client", "revoked"),
        ("client", "suspended"),
    }
    assert original.registry.client("beta").status is ClientStatus.REVOKED
    assert original.registry.client("gone").status is ClientStatus.SUSPENDED
    statuses = {c.serial_number: (c.status, c.revocation_reason) for c in original.registry.certificates("acme")}
    assert statuses[other] == (CertificateStatus.REVOKED, _COMPROMISED)
    assert list(statuses.values()).count((CertificateStatus.ACTIVE, None)) == 1


def test_what_was_issued_since_is_forgotten_and_named(original: Authority) -> None:
    archive = taken(original)
    renewed = original.renew("acme").certificate.serial_number
    new = add(original, "gamma")
    done = bring_back(archive, original)
    assert done.difference.clients == ("gamma",)
    assert sorted(done.difference.issued) == [("acme", renewed), ("gamma", new)]
    with pytest.raises(NotRegistered):
        original.registry.client("gamma")
    assert [c.serial_number for c in original.registry.certificates("acme")] != [renewed]


def test_what_was_issued_and_revoked_since_is_still_known_to_be_revoked(original: Authority) -> None:
    """Forgotten, it could be adopted again, and its compromised key certified."""
    archive = taken(original)
    serial = add(original, "gamma")
    revoke(original, "gamma")
    done = bring_back(archive, original)
    assert done.difference.issued == ()
    kept = original.registry.certificates("gamma")
    assert [(c.serial_number, c.status, c.revocation_reason) for c in kept] == [
        (serial, CertificateStatus.REVOKED, _COMPROMISED)
    ]
    assert original.registry.client("gamma").status is ClientStatus.REVOKED


def test_an_issuer_retired_since_stays_out_of_the_trust_store(original: Authority) -> None:
    archive = taken(original)
    intermediate = original.registry.issuers()[1]
    with original.registry.change() as change:
        change.set_issuer_status(intermediate.issuer_id, IssuerStatus.RETIRED)
    done = bring_back(archive, original)
    assert done.difference.withdrawn == (("issuer", intermediate.subject, "retired"),)
    assert original.registry.issuers()[1].status is IssuerStatus.RETIRED
    published = x509.load_pem_x509_certificates(original.truststore.read() or b"")
    assert len(published) == 1


def test_an_issuer_made_since_is_kept_for_what_it_revoked_and_never_trusted(original: Authority) -> None:
    archive = taken(original)
    with original.registry.change() as change:
        old = change.issuers()[1]
        for number in (1, 2):
            change.add_issuer(
                replace(old, issuer_id=f"made-since-{number}", fingerprint=f"{number}", serial_number=f"{number}")
            )
        certificate = replace(
            change.certificates("acme")[0], issuer_id="made-since-1", fingerprint="new", serial_number="77"
        )
        change.add_certificate(certificate)
        change.set_certificate_status(certificate, CertificateStatus.REVOKED, at=1, reason=_COMPROMISED)
    bring_back(archive, original)
    statuses = {issuer.issuer_id: issuer.status for issuer in original.registry.issuers()}
    assert statuses["made-since-1"] is IssuerStatus.RETIRED
    assert "made-since-2" not in statuses
    assert original.registry.certificate("made-since-1", "77").status is CertificateStatus.REVOKED


def test_no_audit_entry_and_no_checkpoint_is_lost_by_a_restore_over_the_same_trail(original: Authority) -> None:
    archive = taken(original)
    revoke(original, "beta")
    noted = checkpoint_now(original.registry, original.custody, actor="tester")
    assert noted is not None
    before = list(original.registry.audit())
    bring_back(archive, original)
    entries = list(original.registry.audit())
    assert entries[: len(before)] == before
    assert json.loads(entries[len(before)].details)["trail_cut"] is False
    assert faults(original, noted) == ()


def test_a_checkpoint_of_what_a_restore_gave_up_is_explained_and_not_excused(
    original: Authority, open_authority: Open
) -> None:
    checkpoint_now(original.registry, original.custody, actor="tester")
    archive = taken(original)
    revoke(original, "beta")
    noted = checkpoint_now(original.registry, original.custody, actor="tester")
    assert noted is not None
    new = open_authority("new")
    bring_back(archive, new)
    assert faults(new) == ()
    trail = verify_trail(new.registry, public_key=audit_public_key(new.custody), noted=[noted])
    assert len(trail.faults) == 1
    assert len(trail.explanations) == 1
    kept = archive.manifest.audit_sequence
    assert f"tester restored a backup and gave up what came after entry {kept}" in trail.explanations[0]


def faults(authority: Authority, *noted: AuditCheckpoint) -> tuple[str, ...]:
    return verify_trail(authority.registry, public_key=audit_public_key(authority.custody), noted=noted).faults


def test_a_trail_that_went_another_way_is_given_up_and_the_loss_is_told(
    original: Authority, open_authority: Open
) -> None:
    archive = taken(original)
    twin = open_authority("twin")
    bring_back(archive, twin)
    revoke(original, "beta")
    later = taken(original)
    revoke(twin, "acme")
    done = bring_back(later, twin, "run-2")
    assert done.difference.lost_entries > 0
    assert done.difference.trail_cut
    assert broken_at(twin.registry.audit()) is None
    assert {twin.registry.client(name).status for name in ("acme", "beta")} == {ClientStatus.REVOKED}


def test_a_newer_backup_over_an_older_state_loses_nothing(original: Authority, open_authority: Open) -> None:
    older = taken(original)
    twin = open_authority("twin")
    twin.registry.load(older.tables().all())
    add(original, "gamma")
    done = bring_back(taken(original), twin)
    assert (done.difference.lost_entries, done.difference.trail_cut) == (0, False)
    assert twin.registry.client("gamma").status is ClientStatus.ACTIVE


def test_another_authoritys_backup_is_refused(original: Authority, open_authority: Open) -> None:
    other = open_authority("other")
    other.establish()
    before = rows(other)
    with pytest.raises(AlreadyEstablished, match="another authority"):
        compare(taken(original), registry=other.registry, custody=other.custody)
    with pytest.raises(AlreadyEstablished, match="another authority"):
        bring_back(taken(original), other)
    assert rows(other) == before


def test_another_key_under_a_keys_name_is_refused_before_anything_is_written(
    original: Authority, open_authority: Open
) -> None:
    archive = taken(original)
    new = open_authority("new")
    name = min(archive.keys)
    new.custody.keep(name, generate(KeyAlgorithm.P256))
    with pytest.raises(KeyUnavailable, match=name):
        bring_back(archive, new)
    assert new.registry.issuers() == []
    assert list(new.custody.sealed()) == [name]


def test_a_snapshot_of_another_version_is_refused_whole(original: Authority, open_authority: Open) -> None:
    archive = taken(original)
    new = open_authority("new")
    for line in (b'["weather", {"sun": 1}]\n', b'["notice", {"sun": 1}]\n', b"garbage\n"):
        with pytest.raises(RegistryDamaged):
            bring_back(replace(archive, registry=archive.registry + line), new)
        assert new.registry.issuers() == []


def test_operations_come_back_held_by_nobody_and_their_old_holder_has_lost_them(original: Authority) -> None:
    held = Operation(
        operation_id="op",
        kind="rotate.clients",
        arguments="{}",
        status=OperationStatus.OPEN,
        step="issue",
        cursor="acme",
        state="{}",
        holder="host/1/1",
        lease_until=original.registry.now() + 1000,
        fence=3,
        attempts=0,
        created_at=1,
        updated_at=1,
    )
    with original.registry.change() as change:
        change.add_operation(held)
    archive = taken(original)
    still_held = replace(held, fence=7)
    with original.registry.change() as change:
        change.save_operation(still_held)
    bring_back(archive, original)
    found = original.registry.operation("op")
    assert (found.holder, found.lease_until, found.cursor, found.status) == (None, None, "acme", OperationStatus.OPEN)
    with pytest.raises(LeaseLost), original.registry.change() as change:
        change.save_operation(still_held)


def test_the_revision_never_goes_back(original: Authority) -> None:
    archive = taken(original)
    for name in ("one", "two", "three"):
        add(original, name)
    before = original.registry.revision()
    bring_back(archive, original)
    assert original.registry.revision() > before


def test_gateways_at_work_are_in_the_way_and_named(original: Authority) -> None:
    report = Gateway("edge-1", "127.0.0.1:1", "localhost", None, 1, "", "", "", 1)
    with original.registry.change() as change:
        change.report_gateway(report)
    with pytest.raises(StateInUse, match="edge-1"):
        refuse_while_gateways_run(original.registry)
    with original.registry.change() as change:
        change.forget_gateway("edge-1")
    refuse_while_gateways_run(original.registry)


def test_the_audit_trail_is_append_only_after_a_restore_as_before(original: Authority) -> None:
    bring_back(taken(original), original)
    run = original.registry._run  # type: ignore[attr-defined]
    for statement in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit"):
        with pytest.raises(Exception, match="append-only"):
            run(statement)


def test_newer_files_stay_and_a_forgotten_certificates_files_give_way(original: Authority) -> None:
    first = original.delivery.collect("acme")
    archive = taken(original)
    renewed = original.renew("acme")
    hand_over(renewed, [original.delivery], registry=original.registry, now=NOW)
    with_renewal = taken(original)
    done = bring_back(archive, original)
    assert done.delivered == 1
    assert original.delivery.collect("acme") == first
    done = bring_back(with_renewal, original, "run-2")
    assert done.left == ("acme",), "what is there is still good"
    key = open_sealed(original.delivery.collect("acme")["client.key"])
    certificate = x509.load_pem_x509_certificate(original.delivery.collect("acme")["client.pem"])
    assert key.public_key() == certificate.public_key()


def test_files_under_a_name_that_no_client_can_have_go_nowhere(
    original: Authority, open_authority: Open, tmp_path: Path
) -> None:
    archive = taken(original)
    hostile = {"../../escaped": archive.clients["acme"], "..": archive.clients["acme"]}
    new = open_authority("new")
    done = bring_back(replace(archive, clients={**archive.clients, **hostile}), new)
    assert sorted(done.left) == sorted(hostile)
    assert done.delivered == 2
    assert not list(tmp_path.rglob("escaped"))
