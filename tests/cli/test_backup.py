"""`handclasp backup` and `restore`, as they are typed."""

import fcntl
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from handclasp.age_file import decrypted, encrypted
from handclasp.authority.backup.backup_archive import unpacked
from tests.cli.terminal import Outcome, Terminal, one_error_line

_BACKUP = "backup b.age --passphrase-file b.pass"
_RESTORE = "restore b.age --passphrase-file b.pass"


@pytest.fixture(scope="module")
def made_backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once and copied for each test: the passphrase costs a second each time."""
    folder = tmp_path_factory.mktemp("backup")
    made = Terminal(folder, folder / "state")
    made.init()
    made.write("b.pass", "backup passphrase\n")
    made.add("acme")
    made.add("beta")
    done = made(_BACKUP)
    assert done.code == 0, done.err
    return folder


@pytest.fixture
def backed_up(terminal: Terminal, made_backup: Path) -> Terminal:
    """An authority with two clients, and b.age, made when the second had just come."""
    shutil.copytree(made_backup, terminal.folder, symlinks=True, dirs_exist_ok=True)
    return terminal


def elsewhere(at: Terminal, name: str = "other") -> Terminal:
    return Terminal(at.folder, at.folder / name)


def test_one_private_file_in_ages_format(backed_up: Terminal) -> None:
    file = backed_up.folder / "b.age"
    content = file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    assert content.startswith(b"age-encryption.org/v1\n-> scrypt ")
    archive = unpacked(decrypted(content, b"backup passphrase", "b.age"), "b.age")
    assert sorted(archive.clients) == ["acme", "beta"]
    last = backed_up("audit list --json").json[-1]
    assert (last["action"], last["subject"], last["details"]["backup"]) == (
        "registry.backup",
        "b.age",
        archive.manifest.backup,
    )


def test_it_comes_back_elsewhere_and_everything_works(backed_up: Terminal) -> None:
    new = elsewhere(backed_up)
    done = new(f"{_RESTORE} --json")
    assert done.code == 0, done.err
    told = {
        name: done.json[name] for name in ("clients", "certificates", "delivered", "issued_since", "withdrawn_since")
    }
    assert told == {"clients": 2, "certificates": 2, "delivered": 2, "issued_since": [], "withdrawn_since": []}
    assert new("ca verify").code == 0
    assert new("audit verify").code == 0
    assert new("client list").out == backed_up("client list").out
    assert new.add("gamma").code == 0
    assert new("init --root-passphrase-file root.pass --json").json["changed"] is False
    files = {path.name: path.read_bytes() for path in (new.state / "clients" / "acme").iterdir() if path.is_file()}
    theirs = backed_up.state / "clients" / "acme"
    assert files == {path.name: path.read_bytes() for path in theirs.iterdir() if path.is_file()}


def test_over_a_living_authority_it_is_refused_with_what_would_change(backed_up: Terminal) -> None:
    backed_up("client revoke beta")
    backed_up.add("gamma")
    before = backed_up("client list").out
    told = one_error_line(backed_up(_RESTORE), 1)
    assert "withdrawn since: certificate" in told
    assert "client beta" in told
    assert "issued since: 1 (gamma, certificate" in told
    listed = backed_up(f"{_RESTORE} --dry-run --json").json
    assert listed["clients_since"] == ["gamma"]
    assert [each["client"] for each in listed["issued_since"]] == ["gamma"]
    assert {each["kind"] for each in listed["withdrawn_since"]} == {"certificate", "client"}
    assert "forgotten" in backed_up(f"{_RESTORE} --dry-run").out
    assert backed_up("client list").out == before


def test_replaced_it_keeps_what_was_withdrawn_so(backed_up: Terminal) -> None:
    backed_up("client revoke beta")
    backed_up.add("gamma")
    assert backed_up(f"{_RESTORE} --replace").code == 0
    assert [(row[0], row[3]) for row in backed_up("client list").rows] == [("acme", "active"), ("beta", "revoked")]
    assert backed_up("audit verify").code == 0
    assert backed_up("ca verify").code == 0


def test_a_dry_run_into_nothing_makes_nothing(backed_up: Terminal) -> None:
    new = elsewhere(backed_up)
    assert new(f"{_RESTORE} --dry-run").code == 0
    assert not new.state.exists()


def test_another_authoritys_backup_is_refused_even_to_replace(backed_up: Terminal) -> None:
    other = elsewhere(backed_up)
    other.init()
    before = other.snapshot()
    assert "another authority" in one_error_line(other(f"{_RESTORE} --replace"), 1)
    assert {name: content for name, content in other.snapshot().items() if name != "gateway/lock"} == before


@pytest.mark.parametrize(
    ("harm", "code", "says"),
    [
        (lambda content: content[:-20], 2, "is damaged or cut off"),
        (lambda content: content[:100], 2, "is damaged or cut off"),
        (lambda _: b"", 2, "is not an age file"),
        (lambda _: b"PK\x03\x04 a zip", 2, "is not an age file"),
        (lambda _: b"age-encryption.org/v1\n", 2, "is damaged or cut off"),
        (lambda _: encrypted(b"no tar", b"backup passphrase"), 2, "is not a backup of Handclasp"),
    ],
    ids=["cut", "cut in its header", "empty", "zip", "only a header", "something else inside"],
)
def test_a_file_that_is_no_whole_backup_is_one_clear_line(
    backed_up: Terminal, harm: object, code: int, says: str
) -> None:
    file = backed_up.folder / "b.age"
    file.write_bytes(harm(file.read_bytes()))  # type: ignore[operator]
    new = elsewhere(backed_up)
    assert says in one_error_line(new(_RESTORE), code)
    assert not new.state.exists()


def test_another_passphrase_or_a_missing_file_is_one_clear_line(backed_up: Terminal) -> None:
    new = elsewhere(backed_up)
    new.write("other.pass", "something else\n")
    told = one_error_line(new("restore b.age --passphrase-file other.pass"), 2)
    assert told == "backup b.age does not open: the passphrase is another one"
    assert "cannot be read" in one_error_line(new("restore no.age --passphrase-file b.pass"), 2)
    assert "is not UTF-8" in one_error_line(
        new("restore b.age --passphrase-file", new.write("raw.pass", b"\xff\xfe")), 2
    )
    assert not new.state.exists()


def test_a_backup_of_a_newer_handclasp_is_refused_by_name(backed_up: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handclasp.authority.backup.backup_archive.FORMAT", 0)
    outcome = elsewhere(backed_up)(_RESTORE)
    assert "in a format this version does not know" in one_error_line(outcome, 1)
    assert "upgrade" in outcome.err


def test_a_backup_is_not_overwritten_unless_it_is_said(backed_up: Terminal) -> None:
    before = (backed_up.folder / "b.age").read_bytes()
    assert "exists" in one_error_line(backed_up(_BACKUP), 2)
    assert (backed_up.folder / "b.age").read_bytes() == before
    told = backed_up(f"{_BACKUP} --force --json").json
    assert (told["clients"], told["certificates"], told["client_files"], told["missing_keys"]) == (2, 2, 2, [])
    assert told["bytes"] == (backed_up.folder / "b.age").stat().st_size
    assert (backed_up.folder / "b.age").read_bytes() != before
    one_error_line(backed_up("backup no/such/folder/b.age --passphrase-file b.pass"), 2)
    one_error_line(backed_up("backup . --force --passphrase-file b.pass"), 2)
    assert "there is no authority" in one_error_line(elsewhere(backed_up)("backup c.age --passphrase-file b.pass"), 1)


def test_while_a_gateway_runs_on_the_state_it_is_refused(backed_up: Terminal) -> None:
    lock = backed_up.state / "gateway" / "lock"
    lock.parent.mkdir(mode=0o700, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "a gateway already runs" in one_error_line(backed_up(f"{_RESTORE} --replace"), 1)


def damage(at: Terminal) -> bytes:
    file = at.state / "registry.db"
    file.write_bytes(b"no longer a database " * 100)
    return file.read_bytes()


def test_a_damaged_registry_is_set_aside_and_never_deleted(backed_up: Terminal) -> None:
    content = damage(backed_up)
    refused = backed_up(_RESTORE)
    assert "is damaged" in one_error_line(refused, 1)
    assert "--replace" in refused.err
    done = backed_up(f"{_RESTORE} --replace")
    assert done.code == 0, done.err
    assert "what was revoked since the backup cannot be read from it" in done.err
    aside = list(backed_up.state.glob("registry.db.damaged-*"))
    assert [path.read_bytes() for path in aside] == [content]
    assert backed_up("ca verify").code == 0
    assert backed_up("audit verify").code == 0


def test_a_registry_damaged_in_the_middle_is_found_too(backed_up: Terminal) -> None:
    file = backed_up.state / "registry.db"
    with closing(sqlite3.connect(file)) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'certificate'").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    content = bytearray(file.read_bytes())
    content[(page - 1) * size : page * size] = b"\xff" * size
    file.write_bytes(content)
    assert "is damaged" in one_error_line(backed_up(_RESTORE), 1)
    done = backed_up(f"{_RESTORE} --replace")
    assert done.code == 0, done.err
    assert backed_up("ca verify").code == 0


def test_settings_come_back_where_there_are_none_and_they_name_these_places(backed_up: Terminal) -> None:
    (backed_up.state / "handclasp.toml").write_text('[authority]\norganization = "Acme"\n')
    assert backed_up(f"{_BACKUP} --force").code == 0
    new = elsewhere(backed_up)
    new(_RESTORE)
    assert (new.state / "handclasp.toml").read_text() == '[authority]\norganization = "Acme"\n'
    (backed_up.state / "handclasp.toml").write_text(
        'registry = "sqlite:///registry.db"\ntruststore = "file:other.pem"\n'
    )
    assert backed_up(f"{_BACKUP} --force").code == 0
    third = elsewhere(backed_up, "third")
    assert "names other places" in third(_RESTORE).err
    assert not (third.state / "handclasp.toml").exists()


def test_without_the_library_it_is_said_how_to_get_it(backed_up: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyrage", None)
    outcome: Outcome = backed_up("backup c.age --passphrase-file b.pass")
    assert "pyrage" in one_error_line(outcome, 1)
    assert 'pip install "handclasp[backup]"' in outcome.err


def test_an_interrupted_restore_keeps_every_command_out_and_says_how_to_go_on(backed_up: Terminal) -> None:
    archive = unpacked(decrypted((backed_up.folder / "b.age").read_bytes(), b"backup passphrase", "b"), "b")
    note = {"file": "/safe/b.age", "backup": archive.manifest.backup, "run": "run-1"}
    (backed_up.state / "restore-unfinished.json").write_text(json.dumps(note))
    for line in (
        "client list",
        "client add gamma --environment prod --application x",
        "init --root-passphrase-file root.pass",
    ):
        outcome = backed_up(line)
        assert "was interrupted" in one_error_line(outcome, 1)
        assert "handclasp restore /safe/b.age" in outcome.err
    assert backed_up(_RESTORE).code == 0, "the same restore needs no --replace to be finished"
    assert backed_up("client list").code == 0


def test_a_checkpoint_of_before_is_explained_after_a_restore_elsewhere(backed_up: Terminal, tmp_path: Path) -> None:
    backed_up.add("gamma")
    noted = backed_up.write("noted.jsonl", backed_up("audit checkpoint").out)
    new = elsewhere(backed_up)
    new(_RESTORE)
    outcome = new("audit verify --checkpoint", noted)
    assert "a checkpoint noted elsewhere" in one_error_line(outcome, 1)
    assert "restored a backup and gave up what came after entry" in outcome.err
