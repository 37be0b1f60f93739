"""`handclasp rotate issuer` and `operation`, as scripts call them: words, exit codes, what is said and what is not."""

import json
import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handclasp.authority.operations.lease import LEASE_SECONDS
from handclasp.registry.fleet import Sighting
from handclasp.registry.sqlite import SqliteRegistry
from tests.cli.terminal import PASSPHRASE, Terminal

ROTATE = "rotate issuer --root-passphrase-file root.pass --idle-for 0s"


def events(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def issuers(terminal: Terminal) -> dict[str, str]:
    return {each["subject"]: each["status"] for each in terminal("ca list --json").json}


@pytest.fixture
def in_use(established: Terminal) -> Terminal:
    """With two clients, one of which brought its own CSR."""
    established.add("acme")
    key = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    subprocess.run(
        [*key, "-keyout", "own.key", "-out", "own.csr", "-subj", "/CN=own"],
        cwd=established.folder,
        capture_output=True,
        check=True,
    )
    assert established("client add own --environment prod --application shop --csr own.csr").code == 0
    return established


def test_the_intermediate_is_replaced_and_clients_keep_their_keys(in_use: Terminal) -> None:
    files = in_use.state / "clients" / "acme"
    key, before = (files / "client.key").read_bytes(), (files / "client.pem").read_bytes()
    done = in_use(ROTATE)
    assert (done.code, done.out) == (0, "")
    steps = [line.split(":")[0] for line in done.err.splitlines() if not line.startswith(" ")]
    assert steps[:-1] == ["create", "publish", "confirm", "activate", "reissue", "idle", "supersede", "retire"]
    assert steps[-1].endswith("is done")
    assert issuers(in_use) == {
        "CN=Handclasp Root CA": "active",
        "CN=Handclasp Issuing CA 1": "retired",
        "CN=Handclasp Issuing CA 2": "active",
    }
    assert (files / "client.key").read_bytes() == key
    assert (files / "client.pem").read_bytes() != before
    assert not (in_use.state / "clients" / "own" / "client.key").exists()
    assert in_use("ca verify").code == 0
    assert in_use("truststore check").code == 0
    assert in_use("audit verify").code == 0
    assert len(in_use("truststore show --json").json["certificates"]) == 2


def test_with_rekey_only_the_client_that_made_its_own_key_keeps_it(in_use: Terminal) -> None:
    def keys() -> dict[str, str]:
        return {name: key_of(in_use, name) for name in ("acme", "own")}

    before = keys()
    assert in_use(f"{ROTATE} --rekey").code == 0
    after = keys()
    assert after["acme"] != before["acme"]
    assert after["own"] == before["own"]


def key_of(terminal: Terminal, name: str) -> str:
    pem = terminal.state / "clients" / name / "client.pem"
    line = ["openssl", "x509", "-in", str(pem), "-noout", "-pubkey"]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout


def test_until_reissued_it_ends_and_is_resumed_without_the_passphrase(in_use: Terminal) -> None:
    half = in_use(f"{ROTATE} --until re-issued --json")
    last = events(half.out)[-1]
    assert (half.code, last["event"]) == (0, "waiting")
    assert issuers(in_use)["CN=Handclasp Issuing CA 1"] == "active"
    (shown,) = in_use("operation list --unfinished --json").json
    assert (shown["kind"], shown["step"], shown["holder"]) == ("rotate-issuer", "idle", None)
    (in_use.folder / "root.pass").unlink()
    resumed = in_use(f"operation resume {last['operation']} --json")
    assert (resumed.code, events(resumed.out)[-1]["event"]) == (0, "done")
    assert issuers(in_use)["CN=Handclasp Issuing CA 1"] == "retired"
    again = in_use(f"operation resume {last['operation']}")
    assert (again.code, "is done already" in again.err) == (0, True)


def test_dry_run_changes_nothing_and_says_what_would_be_done(in_use: Terminal) -> None:
    audit = in_use("audit list").out
    plan = in_use("rotate issuer --dry-run --json").json
    assert plan["replaces"] == ["CN=Handclasp Issuing CA 1"]
    assert plan["clients"] == ["acme", "own"]
    assert (plan["certificates"], plan["of_clients_with_their_own_csr"]) == (2, 1)
    assert plan["seconds_to_reissue"] >= 1
    assert "certificates" in in_use("rotate issuer --dry-run").out
    assert in_use("rotate root --dry-run --json").json["replaces"][0] == "CN=Handclasp Root CA"
    assert in_use("audit list").out == audit


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("rotate issuer", "no root passphrase was given"),
        ("rotate issuer --root-passphrase-file missing.pass", "missing.pass"),
        (f"{ROTATE} --idle-for soon", "--idle-for is a duration"),
        (f"{ROTATE} --deadline 1y", "--deadline is a duration"),
        (f"{ROTATE} --days 0", "allows 1 to"),
        (f"{ROTATE} --emergency", "--emergency needs a --reason"),
        (f"{ROTATE} --yes", "--yes goes with --emergency"),
        (f"{ROTATE} --until tomorrow", "--until"),
        ("rotate", None),
        ("operation resume", "ID"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(in_use: Terminal, line: str, says: str | None) -> None:
    done = in_use(line)
    assert done.code == 2
    if says is not None:
        assert says in done.err.splitlines()[0]
    assert in_use("operation list").out == ""


def test_a_wrong_passphrase_begins_nothing(in_use: Terminal) -> None:
    (in_use.folder / "root.pass").write_text("wrong\n")
    done = in_use(ROTATE)
    assert (done.code, "does not open" in done.err) == (1, True)
    assert in_use("operation list").out == ""


def test_an_operation_that_is_not_there_is_said(in_use: Terminal) -> None:
    for verb in ("show", "resume", "abandon"):
        done = in_use(f"operation {verb} 0123456789ab")
        assert (done.code, "no operation 0123456789ab" in done.err) == (1, True)


def test_somebody_elses_lease_is_exit_code_3(in_use: Terminal) -> None:
    assert in_use(f"{ROTATE} --until re-issued").code == 0
    registry = SqliteRegistry(in_use.state / "registry.db")
    (known,) = registry.operations(unfinished=True)
    held = replace(known, holder="elsewhere/17/1", lease_until=registry.now() + LEASE_SECONDS, fence=known.fence + 1)
    with registry.change() as change:
        change.save_operation(held)
    registry.close()
    for line in (ROTATE, f"operation resume {known.operation_id}", f"operation abandon {known.operation_id}"):
        done = in_use(line)
        assert (done.code, "process 17 on elsewhere" in done.err) == (3, True)


def test_interrupted_is_exit_code_4_and_says_how_to_resume(in_use: Terminal) -> None:
    words, environ = in_use.command("rotate issuer --root-passphrase-file root.pass --json")
    pipe = subprocess.PIPE
    process = subprocess.Popen(words, env=environ, cwd=in_use.folder, stdout=pipe, stderr=pipe, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line).get("step") == "idle":
            process.send_signal(signal.SIGTERM)
            break
    _, said = process.communicate(timeout=30)
    (known,) = in_use("operation list --unfinished --json").json
    assert process.returncode == 4
    assert f"hint: resume with: handclasp operation resume {known['operation']}" in said
    assert (known["status"], known["holder"]) == ("open", None)


def test_abandoned_before_it_issues_the_new_issuer_is_withdrawn(in_use: Terminal, tmp_path: Path) -> None:
    # The trust store's folder is made unwritable, so that the step after the creation fails.
    store = in_use.state / "truststore.pem"
    store.unlink()
    store.mkdir()
    failed = in_use(ROTATE)
    assert failed.code == 1
    (known,) = in_use("operation list --json").json
    assert f"operation resume {known['operation']}" in failed.err
    assert (known["step"], known["attempts"]) == ("publish", 1)
    store.rmdir()
    done = in_use(f"operation abandon {known['operation']} --json")
    assert (done.code, done.json["status"], len(done.json["withdrawn"])) == (0, "abandoned", 1)
    again = in_use(f"operation abandon {known['operation']} --json")
    assert (again.code, again.json["withdrawn"]) == (0, [])
    assert issuers(in_use)["CN=Handclasp Issuing CA 2"] == "retired"
    assert issuers(in_use)["CN=Handclasp Issuing CA 1"] == "active"
    assert in_use("ca verify").code == 0
    assert in_use(ROTATE).code == 0
    assert issuers(in_use)["CN=Handclasp Issuing CA 3"] == "active"


def test_an_emergency_lists_who_is_cut_off_asks_and_distrusts_at_once(in_use: Terminal) -> None:
    old = in_use("client show acme --json").json["certificates"][0]
    registry = SqliteRegistry(in_use.state / "registry.db")
    with registry.change() as change:
        change.add_sightings([Sighting(old["fingerprint"], registry.now() - 60, 5)])
    registry.close()
    line = "rotate issuer --root-passphrase-file root.pass --emergency --reason keyCompromise"
    asked = in_use(line)
    assert asked.code == 4
    assert "acme: it still uses the old certificate, last seen" in asked.err
    assert "own:" not in asked.err
    assert issuers(in_use)["CN=Handclasp Issuing CA 1"] == "active"
    done = in_use(f"{line} --yes")
    assert done.code == 0, done.err
    assert issuers(in_use)["CN=Handclasp Issuing CA 1"] == "retired"
    shown = in_use("client show acme --json").json["certificates"]
    assert [(each["status"], each["revocation_reason"]) for each in shown] == [
        ("revoked", "cACompromise"),
        ("active", None),
    ]


def test_at_the_deadline_the_number_of_locked_out_clients_must_be_named(in_use: Terminal) -> None:
    line = "rotate issuer --root-passphrase-file root.pass --deadline 0s"
    registry = SqliteRegistry(in_use.state / "registry.db")
    old = registry.certificates("acme")[0].fingerprint
    with registry.change() as change:
        change.add_sightings([Sighting(old, registry.now(), 5)])
    registry.close()
    waiting = in_use(line)
    assert waiting.code == 4
    assert "1 active client: acme (last seen" in waiting.err
    (known,) = in_use("operation list --unfinished --json").json
    assert in_use(f"operation resume {known['operation']} --lock-out 2").code == 4
    assert in_use(f"operation resume {known['operation']} --lock-out 1").code == 0


def test_nothing_secret_is_told(in_use: Terminal) -> None:
    done = in_use(f"{ROTATE} --json")
    shown = in_use("operation list --json").out + in_use("audit list").out + done.out + done.err
    assert PASSPHRASE not in shown
    assert "PRIVATE KEY" not in shown
