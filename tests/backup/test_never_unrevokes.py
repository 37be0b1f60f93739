"""Whatever happened before a backup and after it: nothing that was taken away comes back, and nothing is invented."""

import tempfile
from contextlib import closing
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from handclasp.errors import NotRegistered
from handclasp.registry.audit_chain import broken_at
from handclasp.registry.merge import merged
from handclasp.registry.port import Change
from handclasp.registry.records import CertificateStatus, ClientStatus, IssuerStatus, RevocationReason
from handclasp.registry.snapshot_tables import Tables
from handclasp.registry.sqlite import SqliteRegistry
from tests.registry import rows

_NAMES = ("acme", "beta", "gamma")

#: One change: what, whose, which certificate.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["enrol", "issue", "revoke certificate", "revoke client", "suspend", "resume", "retire"]),
        st.sampled_from(_NAMES),
        st.integers(0, 3),
    ),
    max_size=12,
)


def play(registry: SqliteRegistry, steps: list[tuple[str, str, int]]) -> None:
    for what, name, number in steps:
        with registry.change() as change:
            _step(change, what, name, number)
            change.record(at=1_000, actor="tester", action=what, subject=name, details="{}")


def _step(change: Change, what: str, name: str, number: int) -> None:
    known = {each: change.certificates(each) for each in _NAMES}
    try:
        client = change.client(name)
    except NotRegistered:
        if what == "enrol":
            change.add_client(rows.client(name))
        return
    if what == "issue" and client.status is ClientStatus.ACTIVE:
        serial = sum(len(each) for each in known.values()) + 1
        change.add_certificate(rows.certificate(serial, name))
    elif what == "revoke certificate" and number < len(known[name]):
        _revoke(change, name, number)
    elif what == "revoke client" and client.status is not ClientStatus.REVOKED:
        change.set_client_status(name, ClientStatus.REVOKED)
        for index in range(len(known[name])):
            _revoke(change, name, index)
    elif what == "suspend" and client.status is ClientStatus.ACTIVE:
        change.set_client_status(name, ClientStatus.SUSPENDED)
    elif what == "resume" and client.status is ClientStatus.SUSPENDED:
        change.set_client_status(name, ClientStatus.ACTIVE)
    elif what == "retire" and number == 0:
        change.set_issuer_status("issuer-2", IssuerStatus.RETIRED)


def _revoke(change: Change, name: str, number: int) -> None:
    certificate = change.certificates(name)[number]
    if certificate.status is CertificateStatus.ACTIVE:
        change.set_certificate_status(
            certificate, CertificateStatus.REVOKED, at=2_000, reason=RevocationReason.KEY_COMPROMISE
        )


def withdrawn(registry: SqliteRegistry) -> set[tuple[str, ...]]:
    """Everything that is not to be let in, as it is told apart."""
    standings = list(registry.standings())
    found: set[tuple[str, ...]] = {
        ("certificate", each.certificate.fingerprint)
        for each in standings
        if each.certificate.status is CertificateStatus.REVOKED
    }
    found |= {
        ("client", s.client.client_id, s.client.status) for s in registry.summaries() if s.client.status != "active"
    }
    return found | {("issuer", i.issuer_id) for i in registry.issuers() if i.status is IssuerStatus.RETIRED}


def let_in(registry: SqliteRegistry) -> set[str]:
    return {
        each.certificate.fingerprint
        for each in registry.standings()
        if each.certificate.status is CertificateStatus.ACTIVE and each.client.status is ClientStatus.ACTIVE
    }


@settings(max_examples=150)
@given(STEPS, STEPS)
def test_a_restore_takes_no_withdrawal_back_and_lets_nobody_in_who_was_not_in_both(
    before: list[tuple[str, str, int]], after: list[tuple[str, str, int]]
) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(SqliteRegistry(Path(folder) / "registry.db")) as registry:
        with registry.change() as change:
            change.add_issuer(rows.issuer(1))
            change.add_issuer(rows.issuer(2, parent="issuer-1"))
        play(registry, before)
        backup = Tables.of(registry.snapshot())
        old, could = withdrawn(registry), let_in(registry)
        entries = list(registry.audit())
        play(registry, after)
        new = withdrawn(registry)
        trail, revision = list(registry.audit()), registry.revision()
        registry.replace(lambda current: merged(backup, Tables.of(current)).tables.all())
        now = withdrawn(registry)
        # A client may be suspended on one side and revoked on the other: revoked it is.
        assert {each[:2] for each in old | new} == {each[:2] for each in now}
        assert {each for each in old | new if each[0] == "client" and each[2] == "revoked"} <= now
        assert not let_in(registry) & {each[1] for each in new if each[0] == "certificate"}
        assert let_in(registry) <= could
        assert list(registry.audit())[: len(entries)] == entries
        assert list(registry.audit()) == trail
        assert broken_at(registry.audit()) is None
        assert registry.revision() > revision


@settings(max_examples=60)
@given(STEPS, STEPS)
def test_a_restore_done_again_changes_nothing_more(
    before: list[tuple[str, str, int]], after: list[tuple[str, str, int]]
) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(SqliteRegistry(Path(folder) / "registry.db")) as registry:
        with registry.change() as change:
            change.add_issuer(rows.issuer(1))
            change.add_issuer(rows.issuer(2, parent="issuer-1"))
        play(registry, before)
        backup = Tables.of(registry.snapshot())
        play(registry, after)
        states = []
        for _ in range(2):
            registry.replace(lambda current: merged(backup, Tables.of(current)).tables.all())
            states.append((withdrawn(registry), let_in(registry), list(registry.audit()), registry.issuers()))
        assert states[0] == states[1]
