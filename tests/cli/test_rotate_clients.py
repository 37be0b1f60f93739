"""`handclasp rotate clients`, as it is typed."""

import json
from contextlib import closing

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from handclasp.pki.identity import subject
from handclasp.registry.fleet import Sighting
from handclasp.registry.records import CertificateStatus
from handclasp.registry.sqlite import SqliteRegistry
from tests.cli.terminal import Outcome, Terminal, one_error_line
from tests.making import key


@pytest.fixture
def two(established: Terminal) -> Terminal:
    """Clients acme and beta."""
    for name in ("acme", "beta"):
        assert established.add(name).code == 0
    return established


def certificates(terminal: Terminal, name: str) -> list[dict[str, object]]:
    found = terminal(f"client show {name} --json").json["certificates"]
    assert isinstance(found, list)
    return found


def events(outcome: Outcome) -> list[dict[str, object]]:
    return [json.loads(line) for line in outcome.out.splitlines()]


def test_each_client_has_two_certificates_meanwhile(two: Terminal) -> None:
    before = (two.state / "clients" / "acme" / "client.key").read_bytes()
    done = two("rotate clients --all")
    assert (done.code, done.out) == (0, ""), done.err
    assert "operation" in done.err
    assert "2 old certificates stay until their clients have gone over" in done.err
    assert [each["status"] for each in certificates(two, "acme")] == ["active", "active"]
    assert (two.state / "clients" / "acme" / "client.key").read_bytes() != before


def test_with_the_same_key_the_key_file_stays(two: Terminal) -> None:
    folder = two.state / "clients" / "acme"
    key, certificate = ((folder / name).read_bytes() for name in ("client.key", "client.pem"))
    assert two("rotate clients --client ACME --same-key").code == 0
    assert (folder / "client.key").read_bytes() == key
    assert (folder / "client.pem").read_bytes() != certificate
    assert len(certificates(two, "beta")) == 1


def test_json_is_an_event_a_line(two: Terminal) -> None:
    told = events(two("rotate clients --all --json"))
    assert [each["event"] for each in told] == ["step", "progress", "step", "note", "done"]
    assert {"event": "progress", "done": 2, "total": 2}.items() <= told[1].items()
    assert len({each["operation"] for each in told}) == 1


def test_a_dry_run_says_to_whom_and_writes_nothing(two: Terminal) -> None:
    two.write("own.csr", csr())
    assert two.add("own", "--csr", "own.csr").code == 0
    before = two.snapshot()
    done = two("rotate clients --all --dry-run")
    assert [(row[0], row[3]) for row in done.rows] == [
        ("acme", "new key"),
        ("beta", "new key"),
        ("own", "left alone"),
    ]
    assert "2 certificates would be issued and delivered" in done.err
    planned = two("rotate clients --all --dry-run --json").json
    assert (planned["certificates"], planned["arguments"]["overlap"]) == (2, 86_400)
    assert planned["clients"][2]["why"] == "it made its own key: renewal due, it brings a new CSR"
    assert two.snapshot() == before


def test_a_client_that_was_never_given_its_certificate_is_named(two: Terminal) -> None:
    (two.state / "clients" / "gamma").parent.mkdir(exist_ok=True)
    (two.state / "clients" / "gamma").write_text("in the way")
    assert two.add("gamma").code == 1
    done = two("rotate clients --client gamma")
    assert done.code == 0
    assert "client gamma is left alone: its newest certificate was never delivered" in done.err


def test_a_plan_counts_the_time_that_rsa_keys_take(two: Terminal) -> None:
    (two.state / "handclasp.toml").write_text('[authority]\nkey_algorithm = "rsa2048"\n')
    slow, quick = (two(f"rotate clients --all --dry-run --json {key}").json for key in ("--rekey", "--same-key"))
    assert quick["certificates"] == slow["certificates"] == 2
    assert slow["seconds"] >= quick["seconds"]


def test_what_is_past_its_overlap_and_kept_is_named(two: Terminal) -> None:
    assert two("rotate clients --client acme --overlap 0s").code == 0
    with closing(SqliteRegistry(two.state / "registry.db")) as registry, registry.change() as change:
        old, new = change.certificates("acme")
        change.set_certificate_status(old, CertificateStatus.ACTIVE, at=0, reason=None)
        change.add_sightings([Sighting(old.fingerprint, change.now(), 1)])
        assert new.status is CertificateStatus.ACTIVE
    done = two("rotate clients --due")
    assert "client acme is past its overlap: it has not been seen with its new certificate" in done.err


def test_nothing_due_begins_no_operation(two: Terminal) -> None:
    done = two("rotate clients --due")
    assert (done.code, done.err) == (0, "no certificate is to be replaced; 0 old ones are superseded\n")
    assert two("operation list --json").json == []
    assert events(two("rotate clients --due --json")) == [{"event": "nothing to do", "superseded": 0, "waiting": 0}]


def test_with_no_overlap_what_nobody_uses_is_superseded_at_once(two: Terminal) -> None:
    done = two("rotate clients --client acme --overlap 0s")
    assert "1 old certificates are superseded" in done.err
    old, new = certificates(two, "acme")
    assert (old["status"], old["revocation_reason"], new["status"]) == ("revoked", "superseded", "active")


def test_the_operation_is_resumed_from_what_it_recorded(two: Terminal) -> None:
    folder = two.state / "clients" / "beta"
    (folder / "..data" / "client.pem").write_text("written over")
    stopped = two("rotate clients --all --same-key")
    assert stopped.code == 1
    assert "1 certificates could not be delivered" in stopped.err
    [operation] = two("operation list --unfinished --json").json
    assert f"handclasp operation resume {operation['operation']}" in stopped.err
    folder.rename(two.folder / "away")
    resumed = two(f"operation resume {operation['operation']}")
    assert resumed.code == 0, resumed.err
    assert len(certificates(two, "acme")) == len(certificates(two, "beta")) == 2


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("rotate clients", 2, "pass one of --due, --client NAME and --all"),
        ("rotate clients --all --due", 2, "pass one of --due, --client NAME and --all"),
        ("rotate clients --client acme --all", 2, "pass one of --due, --client NAME and --all"),
        ("rotate clients --client nobody", 1, "no client nobody is registered"),
        ("rotate clients --client ../x", 2, "client name '../x' is not allowed"),
        ("rotate clients --all --overlap soon", 2, "--overlap is a duration such as 90s, 15m, 24h or 7d, not 'soon'"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is(two: Terminal, line: str, code: int, says: str) -> None:
    before = two.snapshot()
    assert says in one_error_line(two(line), code)
    assert two.snapshot() == before


def test_a_revoked_client_is_not_rotated(two: Terminal) -> None:
    two("client revoke acme")
    assert one_error_line(two("rotate clients --client acme"), 1) == (
        "client acme is revoked: no certificate is issued to it"
    )


def csr() -> bytes:
    builder = x509.CertificateSigningRequestBuilder(subject("own"))
    return builder.sign(key(), SHA256()).public_bytes(Encoding.PEM)
