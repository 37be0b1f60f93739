"""What `registry/port.py` promises, held against every adapter."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from handclasp.errors import AlreadyRegistered, NotRegistered, RegistryError
from handclasp.registry.port import Change, Registry
from handclasp.registry.records import CertificateStatus, ClientStatus, ClientSummary, IssuerStatus, RevocationReason
from tests.registry import rows

Write = Callable[[Change], None]


def test_an_empty_registry_has_nothing_and_says_so(registry: Registry) -> None:
    assert registry.issuers() == []
    assert registry.certificates("acme") == []
    assert registry.public_key_owner("key") is None
    assert [*registry.summaries(), *registry.standings(), *registry.audit()] == []
    assert registry.revision() == 0
    with pytest.raises(NotRegistered, match="no client acme is registered"):
        registry.client("acme")
    with pytest.raises(NotRegistered, match="no certificate 1f of issuer issuer-1 is registered"):
        registry.certificate("issuer-1", "1f")


def test_what_was_written_is_read_back_unchanged(registry: Registry) -> None:
    rows.fill(registry, "acme")
    revoked = replace(
        rows.certificate(2),
        status=CertificateStatus.REVOKED,
        revoked_at=5,
        revocation_reason=RevocationReason.SUPERSEDED,
        delivered_at=4,
    )
    with registry.change() as change:
        change.add_certificate(revoked)
    assert registry.client("acme") == rows.client()
    assert registry.certificate("issuer-1", "1") == rows.certificate(1)
    assert registry.certificates("acme") == [rows.certificate(1), revoked]
    assert registry.issuers() == [rows.issuer()]


def test_a_transaction_reads_its_own_writes(registry: Registry) -> None:
    with registry.change() as change:
        change.add_issuer(rows.issuer())
        change.add_client(rows.client())
        change.add_certificate(rows.certificate(1))
        assert change.client("acme") == rows.client()
        assert change.issuers() == [rows.issuer()]
        assert change.certificates("acme") == [rows.certificate(1)]
        assert change.certificate("issuer-1", "1") == rows.certificate(1)
        assert change.public_key_owner("key-1") == "acme"


def test_names_are_unique_and_found_without_regard_to_case(registry: Registry) -> None:
    rows.fill(registry, "Acme")
    with pytest.raises(AlreadyRegistered, match="a client of that name"), registry.change() as change:
        change.add_client(rows.client("aCME"))
    for spelling in ("acme", "ACME", "Acme"):
        assert registry.client(spelling).client_id == "Acme"
        assert registry.certificates(spelling) == [rows.certificate(1, "Acme")]
    with registry.change() as change:
        change.set_client_status("ACME", ClientStatus.SUSPENDED)
        change.add_certificate(rows.certificate(2, "acme"))
    assert registry.client("acme").status is ClientStatus.SUSPENDED
    assert {each.client.client_id for each in registry.standings()} == {"Acme"}
    assert len(list(registry.standings())) == 2


@pytest.mark.parametrize("error", [ValueError("ours"), OSError("disk of the caller"), KeyboardInterrupt()])
def test_an_exception_rolls_everything_back_and_comes_out_as_it_was(registry: Registry, error: BaseException) -> None:
    rows.fill(registry, "acme")
    before = registry.revision()
    with pytest.raises(type(error)) as raised, registry.change() as change:  # noqa: PT012 - the block is the transaction
        change.add_client(rows.client("other"))
        change.set_client_status("acme", ClientStatus.REVOKED)
        change.set_delivered("issuer-1", "1", 7)
        change.record(at=1, actor="a", action="b", subject="c", details="{}")
        raise error
    assert raised.value is error
    assert registry.client("acme").status is ClientStatus.ACTIVE
    assert registry.certificate("issuer-1", "1").delivered_at is None
    assert list(registry.audit()) == []
    assert registry.revision() == before
    with pytest.raises(NotRegistered):
        registry.client("other")
    rows.note(registry)
    assert len(list(registry.audit())) == 1


def test_a_refused_write_rolls_back_what_came_before_it(registry: Registry) -> None:
    rows.fill(registry, "acme")
    with pytest.raises(AlreadyRegistered), registry.change() as change:  # noqa: PT012 - the block is the transaction
        change.add_client(rows.client("other"))
        change.add_client(rows.client("acme"))
    with pytest.raises(NotRegistered):
        registry.client("other")


def test_a_change_within_a_change_is_refused(registry: Registry) -> None:
    """The writer is alone: an inner commit would be lost, or would commit half of the outer one."""
    with pytest.raises(RegistryError), registry.change() as outer:  # noqa: PT012 - the block is the transaction
        outer.add_client(rows.client())
        with registry.change():
            pass
    assert list(registry.summaries()) == []
    rows.fill(registry, "acme")


def test_what_is_taken_cannot_be_taken_again(registry: Registry) -> None:
    rows.fill(registry, "acme")
    taken: list[tuple[Write, str]] = [
        (lambda c: c.add_issuer(rows.issuer()), "that issuer"),
        (lambda c: c.add_certificate(replace(rows.certificate(1), fingerprint="another")), "that serial number"),
        (lambda c: c.add_certificate(replace(rows.certificate(2), fingerprint="fingerprint-1")), "that certificate"),
        (lambda c: c.add_issuer(replace(rows.issuer(2), fingerprint="issuer-fingerprint-1")), "that issuer"),
    ]
    for write, what in taken:
        with pytest.raises(AlreadyRegistered, match=what), registry.change() as change:
            write(change)


def test_a_certificate_needs_its_issuer_and_its_client(registry: Registry) -> None:
    rows.fill(registry, "acme")
    for orphan in (rows.certificate(2, "nobody"), replace(rows.certificate(2), issuer_id="unknown")):
        with pytest.raises(RegistryError, match="the registry refuses the change"), registry.change() as change:
            change.add_certificate(orphan)


def test_changing_what_is_not_there_is_refused(registry: Registry) -> None:
    writes: list[Write] = [
        lambda c: c.set_client_status("ghost", ClientStatus.REVOKED),
        lambda c: c.set_certificate_status(rows.certificate(9), CertificateStatus.REVOKED, at=1, reason=None),
        lambda c: c.set_delivered("issuer-1", "9", 1),
        lambda c: c.set_issuer_status("ghost", IssuerStatus.RETIRED),
    ]
    for write in writes:
        with pytest.raises(NotRegistered), registry.change() as change:
            write(change)
    assert registry.revision() == 0


def test_the_revision_grows_by_one_with_each_change_of_a_decision_and_no_other(registry: Registry) -> None:
    rows.fill(registry, "acme", "beta")
    assert registry.revision() == 1
    decisive: list[Write] = [
        lambda c: c.add_client(rows.client("gamma")),
        lambda c: c.add_certificate(rows.certificate(7)),
        lambda c: c.set_client_status("acme", ClientStatus.SUSPENDED),
        lambda c: c.set_certificate_status(rows.certificate(1), CertificateStatus.REVOKED, at=1, reason=None),
        lambda c: c.add_issuer(rows.issuer(2, parent="issuer-1")),
        lambda c: c.set_issuer_status("issuer-2", IssuerStatus.RETIRED),
    ]
    for expected, write in enumerate(decisive, start=2):
        with registry.change() as change:
            write(change)
        assert registry.revision() == expected
    with registry.change() as change:
        change.set_delivered("issuer-1", "1", 9)
        change.record(at=1, actor="a", action="b", subject="c", details="{}")
    with registry.change():
        pass
    assert registry.revision() == 7


def test_standings_since_a_revision_are_those_whose_decision_may_have_changed(registry: Registry) -> None:
    rows.fill(registry, "acme", "beta", "gamma")
    with registry.change() as change:
        change.add_certificate(rows.certificate(10, None))  # nobody's: a server's
        change.add_certificate(rows.certificate(11, "acme"))

    def since(revision: int) -> list[tuple[str, str]]:
        return sorted((s.client.client_id, s.certificate.serial_number) for s in registry.standings(since=revision))

    assert since(0) == [("acme", "1"), ("acme", "b"), ("beta", "2"), ("gamma", "3")]
    assert since(1) == [("acme", "b")]
    assert since(2) == []
    with registry.change() as change:
        change.set_client_status("acme", ClientStatus.SUSPENDED)  # both of its certificates
    assert since(2) == [("acme", "1"), ("acme", "b")]
    with registry.change() as change:
        change.set_certificate_status(
            rows.certificate(2), CertificateStatus.REVOKED, at=5, reason=RevocationReason.KEY_COMPROMISE
        )
    assert since(3) == [("beta", "2")]
    assert since(2) == [("acme", "1"), ("acme", "b"), ("beta", "2")]
    standing = next(iter(registry.standings(since=3)))
    assert standing.client == rows.client("beta")
    assert standing.certificate.revocation_reason is RevocationReason.KEY_COMPROMISE
    assert standing.certificate.revoked_at == 5


def test_summaries_count_active_certificates_and_say_when_the_last_ends(registry: Registry) -> None:
    rows.fill(registry, "beta", "Acme")
    with registry.change() as change:
        change.add_client(rows.client("empty"))
        change.add_certificate(rows.certificate(5, "beta"))
        change.add_certificate(rows.certificate(6, "beta"))
        change.set_certificate_status(
            rows.certificate(6, "beta"), CertificateStatus.REVOKED, at=1, reason=RevocationReason.SUPERSEDED
        )
    assert list(registry.summaries()) == [
        ClientSummary(rows.client("Acme"), 1, 0, 9_002),
        ClientSummary(rows.client("beta"), 2, 0, 9_005),
        ClientSummary(rows.client("empty"), 0, None, None),
    ]


def test_certificates_and_issuers_come_oldest_first(registry: Registry) -> None:
    rows.fill(registry, "acme")
    with registry.change() as change:
        change.add_certificate(rows.certificate(3, created_at=3_000))
        change.add_certificate(rows.certificate(2, created_at=2_000))
        change.add_issuer(replace(rows.issuer(3, "issuer-1"), created_at=3_000))
        change.add_issuer(replace(rows.issuer(2, "issuer-1"), created_at=2_000))
    assert [c.serial_number for c in registry.certificates("acme")] == ["1", "2", "3"]
    assert [i.issuer_id for i in registry.issuers()] == ["issuer-1", "issuer-2", "issuer-3"]


def test_a_public_key_belongs_to_a_client_to_nobody_or_is_unknown(registry: Registry) -> None:
    rows.fill(registry, "acme")
    with registry.change() as change:
        change.add_certificate(rows.certificate(2, None, key="servers"))
    assert registry.public_key_owner("key-1") == "acme"
    assert registry.public_key_owner("servers") == ""
    assert registry.public_key_owner("unseen") is None


def test_an_issuer_can_be_retired(registry: Registry) -> None:
    rows.fill(registry)
    with registry.change() as change:
        change.set_issuer_status("issuer-1", IssuerStatus.RETIRED)
    assert registry.issuers()[0].status is IssuerStatus.RETIRED


def test_has_changed_is_true_once_after_each_commit(registry: Registry) -> None:
    assert registry.has_changed()
    assert not registry.has_changed()
    rows.fill(registry, "acme")
    assert registry.has_changed()
    assert not registry.has_changed()
    with pytest.raises(ValueError, match="undone"), registry.change() as change:  # noqa: PT012 - the block is the transaction
        change.set_client_status("acme", ClientStatus.REVOKED)
        raise ValueError("undone")
    assert not registry.has_changed()


def test_the_audit_trail_can_be_read_from_any_entry_on(registry: Registry) -> None:
    for name in ("a", "b", "c"):
        rows.note(registry, name)
    assert [(e.sequence, e.subject) for e in registry.audit()] == [(1, "a"), (2, "b"), (3, "c")]
    assert [e.sequence for e in registry.audit(after=2)] == [3]
    assert list(registry.audit(after=3)) == []


def test_a_reader_in_the_middle_of_a_list_keeps_nobody_from_writing(registry: Registry) -> None:
    rows.fill(registry, "acme", "beta", "gamma")
    names, standings, audit = registry.summaries(), registry.standings(), registry.audit()
    assert next(names).client.client_id == "acme"
    next(standings)
    rows.note(registry)
    with registry.change() as change:
        change.add_client(rows.client("omega"))
    assert [each.client.client_id for each in names][:2] == ["beta", "gamma"]
    assert len(list(standings)) == 2
    assert len(list(audit)) == 1


def test_text_of_any_kind_is_kept_as_it_is(registry: Registry) -> None:
    rows.fill(registry)
    nasty = "'; DROP TABLE client; -- \n 🤝 \" \\ %s ?1"
    with registry.change() as change:
        change.add_client(replace(rows.client(), owner=nasty, contact=None))
    assert registry.client("acme").owner == nasty
    assert registry.client("acme").contact is None


def test_a_nul_in_a_text_is_kept_or_refused_and_never_cut_off(registry: Registry) -> None:
    """PostgreSQL has no such text; what came before the NUL would be another one."""
    rows.fill(registry)
    with suppress(RegistryError), registry.change() as change:
        change.add_client(replace(rows.client(), owner="Team\0A"))
    assert [each.client.owner for each in registry.summaries()] in ([], ["Team\0A"])
