"""What is watched: what somebody depends on, and nothing else."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from handclasp.authority.expiry.expiry import crl_ending, issuer_endings, server_ending, truststore_endings
from handclasp.authority.recording import epoch, issuer_record
from handclasp.errors import InvalidInput
from handclasp.pki.pem import certificate_pem
from handclasp.registry.fleet import Sighting
from handclasp.registry.records import CertificateStatus, ClientStatus, IssuerKind, IssuerStatus, RevocationReason
from tests.making import NOW, SHA256, ca, certificate, intermediate, root
from tests.watch.world import DAY, World, issuer


def told(world: World) -> list[str]:
    """The serial numbers that end, by the notices of a watch just before the end of everything."""
    world.now += 364 * DAY
    world.watch()
    return [str(notice.facts["serial_number"]) for notice in world.channel.sent]


def test_of_a_client_that_was_renewed_only_the_new_certificate_is_told() -> None:
    world = World()
    world.client("acme")
    world.certificate("acme", 365 * DAY)
    new = world.certificate("acme", 365 * DAY)
    assert told(world) == [new.serial_number]


def test_one_that_was_never_handed_over_replaces_nothing() -> None:
    world = World()
    world.client("acme")
    old = world.certificate("acme", 365 * DAY)
    world.certificate("acme", 365 * DAY, delivered=False)
    assert told(world) == [old.serial_number]


def test_one_that_was_never_handed_over_is_told_of_where_there_is_no_other() -> None:
    world = World()
    world.client("acme")
    only = world.certificate("acme", 365 * DAY, delivered=False)
    assert told(world) == [only.serial_number]


def test_an_older_one_that_is_still_in_use_is_told_of_too() -> None:
    """Another device, or one that never took the new file: it will be refused when this one ends."""
    world = World()
    world.client("acme")
    old = world.certificate("acme", 365 * DAY)
    world.now += DAY
    new = world.certificate("acme", 365 * DAY)
    with world.registry.change() as change:
        change.add_sightings([Sighting(old.fingerprint, world.now + 3 * DAY, 1)])
    assert sorted(told(world)) == [old.serial_number, new.serial_number]
    assert "still in use" in " ".join(notice.message for notice in world.channel.sent)


def test_an_older_one_that_was_used_during_the_overlap_only_is_not() -> None:
    world = World()
    world.client("acme")
    old = world.certificate("acme", 365 * DAY)
    new = world.certificate("acme", 365 * DAY)
    with world.registry.change() as change:
        change.add_sightings([Sighting(old.fingerprint, world.now + DAY // 2, 1)])
    assert told(world) == [new.serial_number]


@pytest.mark.parametrize("status", [ClientStatus.SUSPENDED, ClientStatus.REVOKED])
def test_nobody_is_told_of_a_client_that_is_refused_anyway(status: ClientStatus) -> None:
    world = World()
    world.client("acme", status=status)
    world.certificate("acme", 365 * DAY)
    assert told(world) == []


def test_nobody_is_told_of_a_revoked_certificate_or_of_a_probe() -> None:
    world = World()
    world.client("acme")
    revoked = world.certificate("acme", 365 * DAY)
    with world.registry.change() as change:
        change.set_certificate_status(
            revoked, CertificateStatus.REVOKED, at=world.now, reason=RevocationReason.KEY_COMPROMISE
        )
    world.client("handclasp-verify-prod", application="verify")
    world.certificate("handclasp-verify-prod", 365 * DAY)
    assert told(world) == []


def test_every_page_of_many_clients_is_read() -> None:
    world = World()
    world.many(501, 365 * DAY)
    assert len(told(world)) == 501


def test_issuers_are_told_of_until_they_are_retired_with_what_another_root_signed() -> None:
    old, new = ca("Old"), ca("New")
    cross = ca("New", old, of=new.key, not_after=NOW + timedelta(days=20)).certificate
    kept = issuer_record(
        new.certificate, kind=IssuerKind.ROOT, key_name=None, parent_id=None, now=NOW, cross_certificate=cross
    )
    retired = issuer("gone", epoch(NOW), status=IssuerStatus.RETIRED)
    pending = issuer("coming", epoch(NOW), status=IssuerStatus.PENDING, kind=IssuerKind.INTERMEDIATE)
    found = list(issuer_endings([kept, retired, pending]))
    assert [each.kind for each in found] == ["issuer", "cross-certificate", "issuer"]
    assert found[1].not_after == epoch(NOW + timedelta(days=20))
    assert found[2].what == "intermediate CN=coming"


def test_members_of_the_trust_store_are_told_of_when_they_are_nobody_elses_matter() -> None:
    ours = issuer_record(root().certificate, kind=IssuerKind.ROOT, key_name=None, parent_id=None, now=NOW)
    foreign = ca("Partner Root").certificate
    bundle = certificate_pem(root().certificate, intermediate().certificate, foreign)
    found = list(truststore_endings(bundle, [ours]))
    assert [each.subject for each in found] == [intermediate().certificate.subject.rfc4514_string(), "CN=Partner Root"]
    # A retired issuer that is still published is a member like any other.
    assert len(list(truststore_endings(bundle, [replace(ours, status=IssuerStatus.RETIRED)]))) == 3
    with pytest.raises(InvalidInput, match="trust store"):
        list(truststore_endings(b"no bundle", []))


def test_the_server_certificate_is_the_first_of_its_file() -> None:
    leaf = certificate("api.example.org", intermediate())
    found = server_ending(certificate_pem(leaf, intermediate().certificate), "server.pem")
    assert found.not_after == epoch(leaf.not_valid_after_utc)
    assert found.kind == "server-certificate"


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_crl_ends_at_its_next_update(encoding: Encoding) -> None:
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(root().certificate.subject)
        .last_update(NOW)
        .next_update(NOW + timedelta(days=7))
        .sign(root().key, SHA256)
    )
    found = crl_ending(crl.public_bytes(encoding), "root.crl")
    assert (found.not_before, found.not_after) == (epoch(NOW), epoch(NOW + timedelta(days=7)))


def test_what_is_no_crl_is_said() -> None:
    with pytest.raises(InvalidInput, match=r"root\.crl is not a CRL"):
        crl_ending(b"nothing", "root.crl")


def test_a_crl_that_never_ends_is_said() -> None:
    """RFC 5280 5.1.2.5 demands nextUpdate; no library makes one without, so it is cut out of the DER."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(root().certificate.subject)
    made = builder.last_update(NOW).next_update(NOW + timedelta(days=7)).sign(root().key, SHA256)
    der = made.public_bytes(Encoding.DER)
    signed = made.tbs_certlist_bytes
    time = b"\x17\x0d" + f"{NOW + timedelta(days=7):%y%m%d%H%M%SZ}".encode()
    assert signed[1] < 0x80
    content = signed[2:].replace(time, b"")
    shorter = b"\x30" + _length(len(content)) + content
    rest = der[der.index(signed) + len(signed) :]
    with pytest.raises(InvalidInput, match="without nextUpdate"):
        crl_ending(b"\x30" + _length(len(shorter) + len(rest)) + shorter + rest, "root.crl")


def _length(size: int) -> bytes:
    return bytes([size]) if size < 0x80 else b"\x81" + bytes([size])
