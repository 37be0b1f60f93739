"""Clients are given certificates beside those they have: which, under which key, where to, and what is left alone."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from handclasp.authority.issuers import signing_issuer
from handclasp.authority.probe import VERIFY_APPLICATION, VERIFY_CLIENT
from handclasp.authority.revoke import resume_client, revoke_certificate, revoke_client, suspend_client
from handclasp.authority.rotation.bulk_signing import BulkSigner, Order
from handclasp.delivery.file import FileDelivery
from handclasp.delivery.memory import MemoryDelivery
from handclasp.delivery.port import Credential, Staged
from handclasp.errors import DeliveryFailed, Interrupted, TransitionRefused
from handclasp.pki.identity import ClientId, Identity
from handclasp.pki.keys import KeyAlgorithm
from handclasp.pki.path import CLIENT_AUTH, verify_path
from handclasp.pki.pem import load_certificates
from handclasp.registry.audit_chain import broken_at
from handclasp.registry.operations import OperationStatus
from handclasp.registry.records import CertificateStatus, RevocationReason
from tests import making
from tests.authority.conftest import der, request
from tests.making import key
from tests.rotation.clients import DAY, Office, in_memory, on_disk, pair_of


@pytest.fixture(params=["memory", "sqlite and files"])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    made = in_memory() if request.param == "memory" else on_disk(tmp_path)
    yield made
    made.authority.registry.close()


@pytest.mark.parametrize("rekey", [True, False])
def test_each_client_has_a_new_certificate_beside_the_old_and_it_is_delivered(office: Office, rekey: bool) -> None:
    before = {name: office.enrol(name) for name in ("acme", "beta", "Gamma")}
    office.later(10 * DAY)
    assert office.rotate(rekey=rekey).status is OperationStatus.DONE
    for name, old in before.items():
        kept, new = office.held(name)
        assert kept.fingerprint == old.fingerprint
        assert (kept.replaced_by, kept.supersede_at) == (new.fingerprint, office.now + DAY)
        assert (new.delivered_at, new.replaced_by) == (office.now, None)
        assert (new.public_key_id == old.public_key_id) is not rekey
        assert pair_of(office.files(name)) == new.fingerprint
        assert "client.key" in office.files(name)
        assert new.not_after > old.not_after + 9 * DAY
    assert broken_at(office.authority.registry.audit()) is None
    assert office.authority.actions().count("certificate.reissue") == 3


def test_a_new_certificate_says_what_enrolling_says(office: Office) -> None:
    old = office.enrol("acme", common_name="Grüße, Welt")
    office.rotate()
    new = office.held("acme")[-1]
    made, before = der(new.der), der(old.der)
    assert new.subject == old.subject == made.subject.rfc4514_string()
    assert made.subject == before.subject
    extensions = [[(e.oid, e.critical, e.value) for e in each.extensions] for each in (made, before)]
    assert extensions[0] == extensions[1]
    uri = Identity("handclasp.internal", "prod", "nextjs", ClientId("acme")).uri
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [uri]
    chain = load_certificates(office.files("acme")["fullchain.pem"])
    anchors = load_certificates(office.files("acme")["ca.pem"])
    path = verify_path(chain[0], chain[1:-1], anchors, now=office.authority.now, usage=CLIENT_AUTH)
    assert path.end_entity == made


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.P384, KeyAlgorithm.RSA2048, KeyAlgorithm.ED25519])
@pytest.mark.parametrize("rekey", [True, False])
def test_a_key_is_replaced_by_one_of_its_kind(office: Office, algorithm: KeyAlgorithm, rekey: bool) -> None:
    """A partner's program that knows RSA only goes on."""
    office.enrol("acme", key_algorithm=algorithm)
    office.rotate(rekey=rekey)
    old, new = (der(each.der) for each in office.held("acme"))
    assert type(new.public_key()) is type(old.public_key())
    assert getattr(new.public_key(), "key_size", 0) == getattr(old.public_key(), "key_size", 0)
    assert new.extensions.get_extension_for_class(x509.KeyUsage) == old.extensions.get_extension_for_class(
        x509.KeyUsage
    )
    pair_of(office.files("acme"))


def test_a_key_the_client_made_is_never_replaced_by_us_and_it_is_told(office: Office) -> None:
    office.enrol("own", request=request(key()))
    office.enrol("made")
    office.rotate(rekey=True)
    assert len(office.held("own")) == 1
    assert len(office.held("made")) == 2
    [told] = office.told("renewal is due")
    assert "client own made its own key" in told


def test_a_key_the_client_made_is_certified_again_and_delivered_without_one(office: Office) -> None:
    office.enrol("own", request=request(key()))
    office.rotate()
    old, new = office.held("own")
    assert new.own_csr
    assert new.public_key_id == old.public_key_id
    assert set(office.files("own")) == {"client.pem", "fullchain.pem", "ca.pem"}


def test_each_key_is_a_line_of_its_own_and_none_lies_beside_anothers_certificate(office: Office) -> None:
    first = office.enrol("acme")
    second = office.renew("acme")
    device = office.renew("acme", request=request(key()))
    office.rotate()
    held = office.held("acme")
    assert len(held) == 6
    for line in (first, second, device):
        old, new = (each for each in held if each.public_key_id == line.public_key_id)
        assert old.replaced_by == new.fingerprint
        assert new.delivered_at is not None
    assert pair_of(office.files("acme")) in {each.fingerprint for each in held if each.own_csr}


def test_a_new_key_takes_the_place_of_every_key_made_here(office: Office) -> None:
    device = office.enrol("acme", request=request(key()))
    first, second = office.renew("acme"), office.renew("acme")
    office.rotate(rekey=True)
    *_, new = office.held("acme")
    replaced = {each.fingerprint: each.replaced_by for each in office.held("acme")}
    assert replaced[first.fingerprint] == replaced[second.fingerprint] == new.fingerprint
    assert replaced[device.fingerprint] is None


def test_what_was_replaced_is_not_issued_again(office: Office) -> None:
    office.enrol("acme")
    office.rotate(rekey=True)
    office.rotate(rekey=False)
    assert len(office.held("acme")) == 3, "the first was replaced already: only the second has been"


def test_what_was_replaced_by_a_certificate_that_was_revoked_since_is_issued_again(office: Office) -> None:
    office.enrol("acme")
    office.rotate(rekey=True)
    new = office.held("acme")[-1]
    revoke(office, "acme", new.serial_number)
    office.rotate(rekey=True)
    assert len(office.held("acme")) == 2


def test_only_those_who_were_named_are_rotated_in_any_case_of_letters(office: Office) -> None:
    for name in ("acme", "beta", "gamma"):
        office.enrol(name)
    office.rotate("ACME", "gamma")
    assert {name: len(office.held(name)) for name in ("acme", "beta", "gamma")} == {"acme": 2, "beta": 1, "gamma": 2}


def test_only_what_is_due_is_rotated(office: Office) -> None:
    office.enrol("old")
    office.later(70 * DAY)
    office.enrol("young")
    office.rotate(due=True)
    assert (len(office.held("old")), len(office.held("young"))) == (2, 1)
    office.rotate(due=True)
    assert (len(office.held("old")), len(office.held("young"))) == (2, 1), "what is not due is not issued again"


@pytest.mark.parametrize("days", [1, 365])
def test_certificates_of_a_day_and_of_a_year_are_both_due_in_time(office: Office, days: int) -> None:
    """How-to: rate(90 days) on certificates of 365 days, and certificates of 24 hours."""
    office.enrol("acme", days=days)
    office.later(days * DAY * 0.55)
    office.rotate(due=True)
    assert len(office.held("acme")) == 1
    office.later(days * DAY * 0.2)
    office.rotate(due=True)
    assert len(office.held("acme")) == 2


def test_a_suspended_client_is_given_one_and_a_revoked_one_is_not(office: Office) -> None:
    for name in ("suspended", "revoked"):
        office.enrol(name)
    suspend_client("suspended", registry=office.authority.registry, actor="tester", now=office.authority.now)
    revoke_all(office, "revoked")
    office.rotate()
    assert len(office.held("suspended")) == 2
    assert len(office.authority.registry.certificates("revoked")) == 1
    resume_client("suspended", registry=office.authority.registry, actor="tester", now=office.authority.now)


def test_who_never_was_given_the_first_is_not_given_a_second(office: Office) -> None:
    office.authority.enrol("acme")
    office.rotate()
    assert len(office.held("acme")) == 1
    assert office.files("acme") == {}


def test_a_client_whose_newest_certificate_has_expired_is_let_in_again(office: Office) -> None:
    office.enrol("acme", days=1)
    office.renew("acme", days=2)
    office.later(5 * DAY)
    office.rotate(due=True)
    assert len(office.held("acme")) == 3, "its newest is issued again, and not every one that has expired"


class Meddling(MemoryDelivery):
    """Something happens while files are being written; some are refused when staged, some when committed."""

    def __init__(self) -> None:
        super().__init__()
        self.before_staging: Callable[[], None] = lambda: None
        self.refused: set[str] = set()
        self.refused_late: set[str] = set()

    def deliver(self, credential: Credential) -> str:
        if credential.client_id in self.refused_late:
            raise DeliveryFailed(f"{credential.client_id}'s disk is full")
        return super().deliver(credential)

    def stage(self, credential: Credential) -> Staged:
        happens, self.before_staging = self.before_staging, lambda: None
        happens()
        if credential.client_id in self.refused:
            raise DeliveryFailed(f"{credential.client_id}'s disk is full")
        return super().stage(credential)


@pytest.fixture
def meddling() -> Office:
    office = in_memory()
    office.delivery = office.authority.delivery = Meddling()
    return office


@pytest.mark.parametrize("rekey", [True, False])
def test_a_client_revoked_while_its_files_are_written_is_not_given_them(meddling: Office, rekey: bool) -> None:
    for name in ("acme", "beta"):
        meddling.enrol(name)
    before = meddling.files("acme")
    meddler(meddling).before_staging = lambda: revoke_all(meddling, "acme")
    meddling.rotate(rekey=rekey)
    assert meddling.held("acme") == []
    assert meddling.files("acme") == before
    assert len(meddling.held("beta")) == 2


@pytest.mark.parametrize("rekey", [True, False])
def test_a_client_revoked_while_its_certificate_is_signed_is_not_issued_it(office: Office, rekey: bool) -> None:
    office.enrol("acme")
    office.enrol("beta")

    def meddle(_: float) -> bool:
        if is_signing(office) and office.held("acme"):
            revoke_all(office, "acme")
        return False

    office.rotate(rekey=rekey, wait=meddle)
    assert len(office.authority.registry.certificates("acme")) == 1
    assert len(office.held("beta")) == 2


def is_signing(office: Office) -> bool:
    """True once the step has begun: the client was read when it was active."""
    return any(event["event"] == "step" for event in office.events)


def test_a_certificate_revoked_meanwhile_takes_the_undelivered_one_of_its_key_with_it(meddling: Office) -> None:
    old = meddling.enrol("acme")
    before = meddling.files("acme")
    meddler(meddling).before_staging = lambda: revoke(
        meddling, "acme", old.serial_number, RevocationReason.KEY_COMPROMISE
    )
    meddling.rotate()
    assert meddling.held("acme") == []
    assert meddling.authority.registry.certificates("acme")[-1].revocation_reason is RevocationReason.KEY_COMPROMISE
    assert meddling.files("acme") == before


def test_a_key_that_was_compromised_is_not_certified_again(office: Office) -> None:
    first = office.enrol("acme", request=request(key()))
    office.renew("acme", request=request(key()))
    revoke(office, "acme", first.serial_number, RevocationReason.KEY_COMPROMISE)
    office.rotate()
    assert len(office.held("acme")) == 1


@pytest.mark.parametrize("late", [True, False])
@pytest.mark.parametrize("rekey", [True, False])
def test_one_client_that_cannot_be_delivered_to_stops_nobody_else(meddling: Office, rekey: bool, late: bool) -> None:
    for name in ("acme", "beta", "gamma"):
        meddling.enrol(name)
    setattr(meddler(meddling), "refused_late" if late else "refused", {"beta"})
    with pytest.raises(
        DeliveryFailed, match="1 certificates could not be delivered; the first: beta's disk is full"
    ) as e:
        meddling.rotate(rekey=rekey)
    assert "operation resume" in str(e.value.hint)
    assert {name: len(meddling.held(name)) for name in ("acme", "gamma")} == {"acme": 2, "gamma": 2}
    assert meddling.held("beta")[0].replaced_by is None, "the old one is not touched before the new one is delivered"
    meddler(meddling).refused = meddler(meddling).refused_late = set()
    assert meddling.rotate(rekey=rekey).status is OperationStatus.DONE
    for name in ("acme", "beta", "gamma"):
        assert [each.replaced_by is None for each in meddling.held(name)] == [False, True], name
        assert pair_of(meddling.files(name)) == meddling.held(name)[-1].fingerprint


def test_a_key_compromised_while_its_certificate_is_signed_is_not_certified(office: Office) -> None:
    first = office.enrol("acme", request=request(key()))
    office.renew("acme", request=request(key()))

    def meddle(_: float) -> bool:
        if is_signing(office) and len(office.held("acme")) == 2:
            revoke(office, "acme", first.serial_number, RevocationReason.KEY_COMPROMISE)
        return False

    office.rotate(wait=meddle)
    assert len(office.held("acme")) == 1
    assert "client acme keeps its certificate" in office.told("keeps its certificate")[0]


def test_the_certificate_that_went_meanwhile_is_not_replaced(office: Office) -> None:
    """One of two keys is revoked while both are signed for: the other is given its certificate."""
    first = office.enrol("acme")
    office.renew("acme", request=request(key()))

    def meddle(_: float) -> bool:
        if is_signing(office) and len(office.held("acme")) == 2:
            revoke(office, "acme", first.serial_number)
        return False

    office.rotate(wait=meddle)
    assert [each.own_csr for each in office.held("acme")] == [True, True]


def test_probes_and_clients_of_whom_nothing_is_left_are_not_touched(office: Office) -> None:
    office.enrol(VERIFY_CLIENT, application=VERIFY_APPLICATION)
    office.authority.enrol("acme")
    office.authority.renew("acme")
    office.rotate()
    assert (len(office.held(VERIFY_CLIENT)), len(office.held("acme"))) == (1, 2)


@pytest.mark.parametrize("name", ["", " padded", "line\nend"])
def test_an_adopted_certificate_without_a_common_name_we_would_sign_gets_ours(office: Office, name: str) -> None:
    signing = signing_issuer(office.authority.registry, office.authority.custody, office.authority.practice.urls)
    signer = BulkSigner(signing.record.issuer_id, signing.authority, office.authority.practice)
    adopted = making.certificate(name, of=key())
    order = Order("acme", "prod", "shop", adopted.public_bytes(Encoding.DER), f"CN={name}", "key", True, False)
    [signed] = signer.sign([order], office.authority.now)
    assert signed.certificate.subject == "CN=Prod-Shop-Client"
    assert signed.key is None


def test_any_number_of_subjects_is_remembered_no_further_than_a_few(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handclasp.authority.rotation.bulk_signing._REMEMBERED", 2)
    for number in range(5):
        office.enrol(f"client-{number}", common_name=f"name {number}")
    office.rotate()
    assert [office.held(f"client-{number}")[-1].subject for number in range(5)] == [f"CN=name {n}" for n in range(5)]


def test_what_stays_undelivered_is_known_to_each_run_after(meddling: Office) -> None:
    for name in ("acme", "beta"):
        meddling.enrol(name)
    meddler(meddling).refused = {"acme", "beta"}
    for _ in range(3):
        with pytest.raises(DeliveryFailed, match="2 certificates could not be delivered"):
            meddling.rotate(rekey=True)
    assert [len(meddling.held(name)) for name in ("acme", "beta")] == [2, 2], "what is lost is superseded"
    meddler(meddling).refused = set()
    meddling.rotate(rekey=True)
    pair_of(meddling.files("acme"))


def test_many_failures_end_the_run_early(meddling: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handclasp.authority.rotation.reissue_writing.MOST_FAILURES", 3)
    monkeypatch.setattr("handclasp.authority.rotation.reissue.PAGE", 2)
    names = [f"client-{number}" for number in range(8)]
    for name in names:
        meddling.enrol(name)
    meddler(meddling).refused = set(names)
    with pytest.raises(DeliveryFailed, match="4 certificates could not be delivered"):
        meddling.rotate()
    meddler(meddling).refused = set()
    meddling.rotate()
    assert [len(meddling.held(name)) for name in names] == [2] * 8


def test_files_that_are_slow_to_switch_are_switched_a_few_a_transaction(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A revocation waits for one of them and not for all."""
    monkeypatch.setattr("handclasp.authority.rotation.reissue_writing.LOCKED_SECONDS", 0)
    names = [f"client-{number}" for number in range(5)]
    for name in names:
        office.enrol(name)
    before = len(office.authority.actions())
    office.rotate(rekey=True)
    assert [pair_of(office.files(name)) for name in names] == [office.held(name)[-1].fingerprint for name in names]
    assert office.authority.actions()[before:].count("certificate.reissue") == 5


def test_a_new_key_whose_files_cannot_be_looked_at_is_given_up_for_another(tmp_path: Path) -> None:
    """Whether it was delivered before the kill is not known: the client has the old one, and is given a third."""
    office = on_disk(tmp_path)
    office.enrol("acme")
    data = tmp_path / "clients" / "acme" / "..data"

    class Damaged(FileDelivery):
        def stage(self, credential: Credential) -> Staged:  # noqa: ARG002
            (data / "client.pem").write_bytes(b"damaged")
            raise DeliveryFailed("killed about here")

    whole, office.delivery = office.delivery, Damaged(tmp_path / "clients")
    with pytest.raises(DeliveryFailed):
        office.rotate(rekey=True)
    office.delivery = whole
    office.rotate(rekey=True)
    assert pair_of(office.files("acme")) == office.held("acme")[-1].fingerprint
    reasons = [each.revocation_reason for each in office.authority.registry.certificates("acme")]
    assert reasons == [None, RevocationReason.SUPERSEDED, None]
    office.authority.registry.close()


def test_interrupted_it_is_taken_up_where_it_stopped(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handclasp.authority.rotation.reissue.PAGE", 3)
    names = [f"client-{number}" for number in range(9)]
    for name in names:
        office.enrol(name)
    for _ in range(3):
        calls = iter([False, False, False, True])
        with pytest.raises(Interrupted):
            office.rotate(rekey=True, wait=lambda _, calls=calls: next(calls))  # type: ignore[misc]
    office.rotate(rekey=True)
    assert [len(office.held(name)) for name in names] == [2] * 9, "nobody twice, nobody left out"


def test_others_who_change_things_all_the_time_do_not_stop_it(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever commits between two transactions makes it look at each client again."""
    names = [f"client-{number}" for number in range(7)]
    for name in names:
        office.enrol(name)
    number = iter(range(1_000))

    def meddle(_: float) -> bool:
        office.authority.enrol(f"newcomer-{next(number)}")
        return False

    office.rotate(wait=meddle)
    assert [len(office.held(name)) for name in names] == [2] * 7


def test_another_rotation_with_other_arguments_waits_for_the_unfinished_one(meddling: Office) -> None:
    meddling.enrol("acme")
    meddler(meddling).refused = {"acme"}
    with pytest.raises(DeliveryFailed):
        meddling.rotate()
    with pytest.raises(TransitionRefused, match="is unfinished"):
        meddling.rotate(rekey=True)


def test_the_registrys_clock_counts_and_not_this_machines(office: Office) -> None:
    """A machine that is ten minutes fast would issue what is not valid yet to whose clock is right."""
    office.enrol("acme")
    office.rotate()
    new = office.held("acme")[-1]
    assert new.not_before == office.now - 600
    assert new.created_at == new.delivered_at == office.now


def meddler(office: Office) -> Meddling:
    assert isinstance(office.delivery, Meddling)
    return office.delivery


def revoke_all(office: Office, name: str) -> None:
    revoke_client(name, **common(office), reason=RevocationReason.CESSATION_OF_OPERATION)


def revoke(
    office: Office, name: str, serial: str, reason: RevocationReason = RevocationReason.PRIVILEGE_WITHDRAWN
) -> None:
    revoke_certificate(name, serial, **common(office), reason=reason)


def common(office: Office) -> dict[str, Any]:
    return {"registry": office.authority.registry, "actor": "tester", "now": office.authority.now}


def test_what_is_left_undelivered_of_a_revoked_client_is_forgotten(meddling: Office) -> None:
    meddling.enrol("acme")
    meddler(meddling).refused = {"acme"}
    with pytest.raises(DeliveryFailed):
        meddling.rotate()
    revoke_all(meddling, "acme")
    assert meddling.rotate().status is OperationStatus.DONE
    statuses = {each.status for each in meddling.authority.registry.certificates("acme")}
    assert statuses == {CertificateStatus.REVOKED}
