"""A day at the terminal: each test is a session, and the names that users' scripts call."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal, one_error_line


def _verified(folder: Path) -> bool:
    """OpenSSL's word that the client certificate has a path to ca.pem."""
    command = "verify -x509_strict -purpose sslclient -CAfile ca.pem -untrusted fullchain.pem client.pem"
    done = subprocess.run(["openssl", *command.split()], cwd=folder, capture_output=True, check=False)
    return done.returncode == 0


def test_init_then_client_add_writes_the_four_files_that_scripts_expect(terminal: Terminal) -> None:
    assert terminal.init().code == 0
    added = terminal.add("acme", "--out", "acme", "--owner", "Team Blue", "--contact", "blue@example.org")
    assert added.code == 0
    folder = terminal.folder / "acme"
    assert {"client.key", "client.pem", "fullchain.pem", "ca.pem"} <= {path.name for path in folder.iterdir()}
    assert _verified(folder)
    assert "curl --cert acme/fullchain.pem --key acme/client.key --cacert acme/ca.pem https://localhost:8443/" in (
        added.out
    )
    assert added.err == "client acme is enrolled\n"


def test_with_a_csr_the_key_stays_with_the_client(established: Terminal) -> None:
    command = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout own.key -out own.csr"
    subprocess.run(
        [*command.split(), "-subj", "/CN=ignored", "-addext", "basicConstraints=CA:TRUE"],
        cwd=established.folder,
        check=True,
        capture_output=True,
    )
    added = established.add("acme", "--csr", "own.csr", "--out", "acme")
    assert added.code == 0
    assert added.err.startswith("note: the CSR asks for basicConstraints: ignored")
    assert not (established.folder / "acme" / "client.key").exists()
    assert not list(established.state.rglob("client.key"))
    assert _verified(established.folder / "acme")
    assert "--key client.key" in added.out


def test_a_csr_may_come_through_stdin(established: Terminal) -> None:
    command = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout own.key -subj /CN=x"
    made = subprocess.run(command.split(), cwd=established.folder, check=True, capture_output=True)
    outcome = established.process(
        "client add acme --environment prod --application nextjs --csr - --json", stdin=made.stdout
    )
    assert outcome.code == 0, outcome.err
    assert outcome.json["files"] == ["client.pem", "fullchain.pem", "ca.pem"]
    assert outcome.json["certificate"]["delivered_at"] is not None


def test_list_show_and_the_filters(established: Terminal) -> None:
    established.add("acme", "--owner", "Team Blue")
    established("client add beta --environment test --application web")
    established("client suspend beta --lock-out 1")
    assert [row[:5] for row in established("client list").rows] == [
        ["acme", "prod", "nextjs", "active", "1"],
        ["beta", "test", "web", "suspended", "1"],
    ]
    assert [row[0] for row in established("client list --environment prod").rows] == ["acme"]
    assert [row[0] for row in established("client list --status suspended").rows] == ["beta"]
    shown = established("client show ACME --json").json
    assert (shown["name"], shown["owner"], len(shown["certificates"])) == ("acme", "Team Blue", 1)
    assert "Team Blue" in established("client show acme").out


def test_suspend_resume_and_revoke_can_be_repeated(established: Terminal) -> None:
    established.add("acme")
    suspend = "suspend --lock-out 1"
    for line, word in ((suspend, "suspended"), (suspend, "suspended"), ("resume", "active"), ("resume", "active")):
        assert established(f"client {line} acme").err == f"client acme is {word}\n"
    assert established("client revoke acme --reason keyCompromise").code == 0
    again = established("client revoke acme --json")
    assert again.json == {"name": "acme", "revoked": []}
    assert "revocation is final" in established("client resume acme").err
    certificate = established("client show acme --json").json["certificates"][0]
    assert (certificate["status"], certificate["revocation_reason"]) == ("revoked", "keyCompromise")


@pytest.mark.parametrize("spelling", ["{0}", "0x{0}", "00{0}", "{1}"])
def test_one_certificate_is_revoked_by_its_serial_in_any_spelling(established: Terminal, spelling: str) -> None:
    established.add("acme")
    renewed = established("client renew acme --json").json["certificate"]["serial_number"]
    colons = ":".join(renewed.rjust(40, "0").upper()[at : at + 2] for at in range(0, 40, 2))
    done = established("client revoke acme --reason superseded --serial", spelling.format(renewed, colons))
    assert done.code == 0, done.err
    statuses = [c["status"] for c in established("client show acme --json").json["certificates"]]
    assert statuses == ["active", "revoked"]
    assert established("client list").rows[0][3] == "active"


def test_renew_keeps_the_old_certificate_and_replaces_the_files(established: Terminal) -> None:
    established.add("acme", "--out", "acme")
    before = (established.folder / "acme/client.pem").read_bytes()
    assert established("client renew acme --out acme --days 30").code == 0
    assert (established.folder / "acme/client.pem").read_bytes() != before
    assert [c["status"] for c in established("client show acme --json").json["certificates"]] == ["active", "active"]


def test_export_copies_what_was_delivered_and_makes_pkcs12_on_request(established: Terminal) -> None:
    established.add("acme")
    established.write("p12.pass", "for-partners\n")
    done = established("client export acme --out exported --pkcs12-passphrase-file p12.pass --json")
    assert done.json["files"] == ["ca.pem", "client.key", "client.p12", "client.pem", "fullchain.pem"]
    checked = subprocess.run(
        ["openssl", "pkcs12", "-in", "exported/client.p12", "-passin", "file:p12.pass", "-noout"],
        cwd=established.folder,
        capture_output=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_ca_truststore_audit_and_status_tell_of_a_sound_authority(established: Terminal) -> None:
    established.add("acme")
    assert [row[1] for row in established("ca list").rows] == ["root", "intermediate"]
    shown = established("ca show --json").json
    assert (shown["kind"], shown["key_algorithm"]) == ("intermediate", "P-256")
    assert established(f"ca show {shown['parent_id'][:6]}").out.splitlines()[1].endswith("root")
    verified = established("ca verify --root-passphrase-file root.pass")
    assert verified.code == 0, verified.out
    assert {row[0] for row in verified.rows} == {"ok"}
    assert established("truststore check").code == 0
    assert established("truststore publish --json").json["changed"] is False
    assert len(established("truststore show --json").json["certificates"]) == 2
    assert [e["action"] for e in established("audit list --client acme --json").json] == ["client.enrol"]
    assert established("audit verify --json").json["entries"] == len(established("audit list").rows)
    status = established("status --json").json
    assert status["established"] is True
    assert status["truststore"]["state"] == "current"
    assert (status["clients"], status["certificates"]) == ({"active": 1}, {"active": 1})
    assert status["gateway"] == {"running": False}


def test_ca_verify_and_audit_verify_find_what_was_tampered_with(established: Terminal) -> None:
    established.add("acme")
    next((established.state / "pki").glob("intermediate-*.key")).chmod(0o644)
    (established.state / "truststore.pem").write_bytes(b"")
    outcome = established("ca verify")
    assert outcome.code == 1
    assert {row[1] for row in outcome.rows if row[0] == "problem"} == {"key", "trust store"}
    database = established.state / "registry.db"
    for sql in ("DROP TRIGGER audit_is_not_edited", "UPDATE audit SET actor = 'nobody' WHERE sequence = 2"):
        subprocess.run(
            [
                "python3",
                "-c",
                f"import sqlite3; c = sqlite3.connect({str(database)!r}); c.execute({sql!r}); c.commit()",
            ],
            check=True,
        )
    assert one_error_line(established("audit verify"), 1).startswith("audit entry 2 does not follow")


def test_ca_verify_names_what_others_can_reach(established: Terminal) -> None:
    established.state.chmod(0o755)
    (established.state / "registry.db").chmod(0o644)
    problems = [row for row in established("ca verify").rows if row[0] == "problem"]
    assert {row[1] for row in problems} == {"modes"}
    assert any("registry.db is open to others (mode 0644)" in row[2] for row in problems)


def test_truststore_check_judges_any_file(established: Terminal) -> None:
    established.add("acme", "--out", "acme")
    outcome = established("truststore check acme/client.pem")
    assert outcome.code == 1
    assert outcome.rows[0][0] == "error"
    assert established("truststore check acme/fullchain.pem --json").json[0]["severity"] == "error"


def test_without_state_commands_say_to_run_init_and_status_says_so_too(terminal: Terminal) -> None:
    outcome = terminal("client list")
    assert "no authority" in one_error_line(outcome, 1)
    assert "hint: run: handclasp init" in outcome.err
    assert terminal("status --json").json["established"] is False
    assert not terminal.state.exists()


def test_the_state_folder_comes_from_the_environment_or_is_the_default(established: Terminal) -> None:
    environ = {"HANDCLASP_STATE": str(established.state)}
    from_environment = established.process("", environ=environ)
    assert from_environment.code == 2  # no command: the help, on stderr
    moved = Terminal(established.folder, established.folder / "handclasp-state")
    shutil.copytree(established.state, moved.state)
    assert moved("ca list").out == established("ca list").out


def test_nothing_in_the_state_is_open_to_others(established: Terminal) -> None:
    established.add("acme", "--out", "acme")
    established("client renew acme")
    for folder in (established.state, established.folder / "acme"):
        for path in (folder, *folder.rglob("*")):
            if not path.is_symlink():
                assert path.stat().st_mode & 0o077 == 0, path
