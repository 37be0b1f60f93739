"""Adopt what operators already have: a hierarchy made with plain OpenSSL, and the certificates it has issued."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from handclasp.authority.adopt import Adoption, adopt_client, issuer_material
from handclasp.authority.establish import IssuerMaterial, establish
from handclasp.authority.revoke import revoke_certificate, revoke_client
from handclasp.errors import AlreadyRegistered, InvalidInput, PathInvalid, RequestRejected, TransitionRefused
from handclasp.pki.keys import open_sealed
from handclasp.pki.pem import load_certificate
from handclasp.registry.records import Certificate, RevocationReason
from tests import making
from tests.authority.conftest import PASSPHRASE, Authority, request
from tests.making import NOW, Ca, ca, certificate, purpose

ROOT = ca("Operators Root")
ISSUER = ca("Operators Issuer", ROOT)
CLIENT_AUTH = purpose(ExtendedKeyUsageOID.CLIENT_AUTH)


@pytest.fixture
def adopted(empty: Authority) -> Authority:
    """The operators' own root and intermediate."""
    establish(
        IssuerMaterial(ROOT.certificate, None),
        issuer_material(ISSUER.certificate, ISSUER.key, "intermediate"),
        registry=empty.registry,
        custody=empty.custody,
        passphrase=PASSPHRASE,
        actor="tester",
        now=NOW,
    )
    return empty


def adopt(authority: Authority, made: x509.Certificate, name: str = "acme", application: str = "nextjs") -> Certificate:
    adoption = Adoption(name, "prod", application, "Team A", None)
    return adopt_client(adoption, made, registry=authority.registry, actor="tester", now=NOW)


def test_a_certificate_out_there_is_registered_as_it_is(adopted: Authority) -> None:
    made = certificate("Prod-NextJs-Client", ISSUER)
    record = adopt(adopted, made)
    assert record.der == made.public_bytes(Encoding.DER)
    (registered,) = adopted.registry.certificates("acme")
    assert registered.fingerprint == record.fingerprint
    assert registered.delivered_at == int(NOW.timestamp()), "the client has it already"
    assert adopted.registry.client("acme").owner == "Team A"
    assert adopted.actions()[-1] == "client.adopt"


def test_a_client_may_have_several_under_one_spelling_of_its_name(adopted: Authority) -> None:
    adopt(adopted, certificate("one", ISSUER, of=making.key(number=1)), "acme")
    second = adopt(adopted, certificate("two", ISSUER, of=making.key(number=2)), "ACME")
    assert second.client_id == "acme"
    assert {c.client_id for c in adopted.registry.certificates("acme")} == {"acme"}


def test_an_adopted_client_is_renewed_by_us(adopted: Authority) -> None:
    adopt(adopted, certificate("one", ISSUER))
    assert adopted.renew().path[1:] == (ISSUER.certificate, ROOT.certificate)


def test_a_certificate_straight_from_the_root_is_adopted_too(adopted: Authority) -> None:
    assert adopt(adopted, certificate("old", ROOT)).client_id == "acme"


def test_a_certificate_is_adopted_once(adopted: Authority) -> None:
    made = certificate("one", ISSUER)
    adopt(adopted, made)
    with pytest.raises(AlreadyRegistered):
        adopt(adopted, made)


def test_a_client_that_is_registered_for_something_else_is_not_changed(adopted: Authority) -> None:
    adopt(adopted, certificate("one", ISSUER))
    with pytest.raises(AlreadyRegistered, match="client acme is registered for prod, nextjs") as refused:
        adopt(adopted, certificate("two", ISSUER), application="other")
    assert refused.value.hint is not None
    assert len(adopted.registry.certificates("acme")) == 1


def test_a_revoked_client_gets_no_certificate_added(adopted: Authority) -> None:
    adopt(adopted, certificate("one", ISSUER))
    revoke_client("acme", registry=adopted.registry, reason=RevocationReason.SUPERSEDED, actor="tester", now=NOW)
    with pytest.raises(TransitionRefused, match="client acme is revoked"):
        adopt(adopted, certificate("two", ISSUER))


def test_a_key_of_another_client_is_not_adopted(adopted: Authority) -> None:
    adopted.enrol("beta", request=request(making.key()))
    with pytest.raises(RequestRejected, match="already belongs to client beta"):
        adopt(adopted, certificate("one", ISSUER))


def test_a_compromised_key_is_not_adopted(adopted: Authority) -> None:
    record = adopt(adopted, certificate("one", ISSUER))
    revoke_certificate(
        "acme",
        record.serial_number,
        registry=adopted.registry,
        reason=RevocationReason.KEY_COMPROMISE,
        actor="tester",
        now=NOW,
    )
    with pytest.raises(RequestRejected, match="compromised"):
        adopt(adopted, certificate("two", ISSUER))


@pytest.mark.parametrize("issuer", [ROOT, ISSUER], ids=["root", "intermediate"])
def test_an_issuer_is_no_client(adopted: Authority, issuer: Ca) -> None:
    with pytest.raises(InvalidInput, match="is one of the issuers, not a client certificate"):
        adopt(adopted, issuer.certificate)


@pytest.mark.parametrize(
    ("made", "fault"),
    [
        (certificate("x", ca("Stranger")), "no_issuer"),
        (certificate("x", ca("Operators Root")), "signature"),
        (certificate("x", ISSUER, not_after=NOW - timedelta(hours=1)), "expired"),
        (certificate("x", ISSUER, extensions=[purpose(ExtendedKeyUsageOID.SERVER_AUTH)]), "usage"),
    ],
    ids=["stranger", "rogue", "expired", "server"],
)
def test_what_no_gateway_would_let_in_is_not_adopted(adopted: Authority, made: x509.Certificate, fault: str) -> None:
    with pytest.raises(PathInvalid) as refused:
        adopt(adopted, made)
    assert refused.value.fault == fault
    assert list(adopted.registry.summaries()) == []


def test_an_issuer_and_its_key_are_a_pair() -> None:
    with pytest.raises(InvalidInput, match="the root's private key does not belong to its certificate"):
        issuer_material(ROOT.certificate, ISSUER.key, "root")
    assert issuer_material(ROOT.certificate, None, "root").key is None


def test_an_end_entity_is_no_issuer() -> None:
    with pytest.raises(InvalidInput, match="the intermediate CN=x is not a CA certificate"):
        issuer_material(certificate("x", ROOT), None, "intermediate")


def test_a_version_1_root_is_an_issuer() -> None:
    assert issuer_material(certificate("Old Root"), making.key(), "root").key is not None


def test_an_issuer_that_cannot_be_parsed_is_refused() -> None:
    broken = making.mangled(
        ROOT.certificate, b"\x30\x03\x01\x01\xff", b"\x30\x03\x07\x01\xff", ROOT.key
    )  # basicConstraints that hold something else than a BOOLEAN
    with pytest.raises(InvalidInput, match="the root's key or extensions cannot be parsed"):
        issuer_material(broken, None, "root")


def test_a_hierarchy_made_with_plain_openssl_is_adopted_and_issues(empty: Authority, tmp_path: Path) -> None:
    """As the how-to has it: RSA, no extension file for the client, lifetimes in days from now."""

    def run(*arguments: str) -> None:
        done = making.openssl(*(each.replace("@", f"{tmp_path}/") for each in arguments))
        assert done.returncode == 0, done.stderr

    (tmp_path / "ca.ext").write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n")
    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "@root.key", "-out", "@root.pem",
        "-days", "3650", "-sha256", "-subj", "/C=DE/O=Acme, Inc./CN=Acme Root")  # fmt: skip
    run(
        "req",
        "-new",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "@int.key",
        "-out",
        "@int.csr",
        "-subj",
        "/CN=Acme Int",
    )
    run("x509", "-req", "-in", "@int.csr", "-CA", "@root.pem", "-CAkey", "@root.key", "-CAcreateserial",
        "-days", "1825", "-sha256", "-extfile", "@ca.ext", "-out", "@int.pem")  # fmt: skip
    run("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "@c.key", "-out", "@c.csr",
        "-subj", "/CN=Prod-NextJs-Client")  # fmt: skip
    run("x509", "-req", "-in", "@c.csr", "-CA", "@int.pem", "-CAkey", "@int.key", "-CAcreateserial",
        "-days", "365", "-sha256", "-out", "@c.pem")  # fmt: skip

    def material(name: str) -> IssuerMaterial:
        key = open_sealed((tmp_path / f"{name}.key").read_bytes())
        return issuer_material(load_certificate((tmp_path / f"{name}.pem").read_bytes()), key, name)

    root = material("root")
    empty.now = root.certificate.not_valid_before_utc + timedelta(hours=1)
    establish(
        root,
        material("int"),
        registry=empty.registry,
        custody=empty.custody,
        passphrase=PASSPHRASE,
        actor="tester",
        now=empty.now,
    )
    made = load_certificate((tmp_path / "c.pem").read_bytes())
    adoption = Adoption("acme", "prod", "nextjs", None, None)
    record = adopt_client(adoption, made, registry=empty.registry, actor="tester", now=empty.now)
    assert record.subject == "CN=Prod-NextJs-Client"
    assert empty.enrol("beta").path[1].subject.rfc4514_string() == "CN=Acme Int"
