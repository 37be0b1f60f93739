"""`handclasp audit verify | checkpoint | export`, and the signing that every command does on its way out."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import Terminal, one_error_line


def tamper(at: Terminal, *statements: str) -> None:
    with closing(sqlite3.connect(at.state / "registry.db", isolation_level=None)) as connection:
        for statement in ("DROP TRIGGER audit_is_not_edited", "DROP TRIGGER audit_is_not_deleted", *statements):
            connection.execute(statement)


def signed(at: Terminal) -> list[int]:
    """The numbers of the entries that are signed."""
    return [line["sequence"] for line in exported(at) if "signature" in line]


def exported(at: Terminal, more: str = "") -> list[dict[str, Any]]:
    return [json.loads(line) for line in at(f"audit export {more}").out.splitlines()]


def test_init_signs_the_first_entries_and_verify_says_with_which_key(established: Terminal) -> None:
    found = established("audit verify --json").json
    assert found["checkpoint"]["sequence"] == 3
    assert found["entries"] == 4
    assert found["checkpoints"] == 1
    talk = established("audit verify")
    assert talk.err == "the audit trail is whole\n"
    assert found["checkpoint"]["public_key"] in talk.out


def test_what_changes_something_signs_when_it_is_due_and_what_reads_never_does(established: Terminal) -> None:
    config = "[audit]\ncheckpoint_every = 2\n"
    established.write("often.toml", config)
    established.add("one")
    established.add("two")
    assert signed(established) == [3], "a hundred entries have not come"
    established("--config often.toml client list")
    established("--config often.toml audit list")
    assert signed(established) == [3]
    established("--config often.toml client revoke one")
    assert signed(established) == [3, 8]


def test_a_checkpoint_is_noted_elsewhere_as_a_line_of_json(established: Terminal, tmp_path: Path) -> None:
    noted = tmp_path / "noted.jsonl"
    (established.state / "handclasp.toml").write_text(f'[audit]\ncheckpoint_file = "{noted}"\ncheckpoint_every = 1\n')
    established.add("one")
    established.add("two")
    lines = noted.read_text().splitlines()
    assert [json.loads(line)["sequence"] for line in lines] == [5, 6]
    assert noted.stat().st_mode & 0o777 == 0o600
    assert established("audit verify --checkpoint", noted).code == 0


def test_a_checkpoint_that_cannot_be_noted_or_made_fails_no_command(established: Terminal) -> None:
    config = '[audit]\ncheckpoint_every = 1\ncheckpoint_file = "no/such/folder/file"\n'
    (established.state / "handclasp.toml").write_text(config)
    done = established.add("one")
    assert done.code == 0
    assert "warning: the checkpoint was not noted in" in done.err
    (established.state / "pki" / "audit.key").chmod(0o644)
    done = established.add("two")
    assert done.code == 0
    assert "warning: the audit trail was not signed: " in done.err
    assert "is open to others" in done.err


def test_a_machine_without_keys_says_nothing_of_signing(established: Terminal) -> None:
    established.add("one")
    (established.state / "handclasp.toml").write_text('custody = "file:elsewhere"\n[audit]\ncheckpoint_every = 1\n')
    done = established("client revoke one")
    assert (done.code, done.err) == (0, "client one is revoked (1 certificate by this call)\n")
    assert not (established.state / "elsewhere").exists()


@pytest.mark.parametrize("keep", ["audit checkpoint", "audit verify --json", "audit export"])
def test_a_tail_cut_off_with_its_checkpoints_is_found_with_whatever_was_kept(established: Terminal, keep: str) -> None:
    established.add("one")
    established("audit checkpoint")
    kept = established.write("kept.jsonl", established(keep).out)
    assert established("audit verify --checkpoint", kept).code == 0
    tamper(established, "DELETE FROM audit WHERE sequence > 4", "DELETE FROM checkpoint WHERE sequence > 3")
    assert established("audit verify").code == 0
    told = one_error_line(established("audit verify --checkpoint", kept), 1)
    assert told.startswith("the trail ends at entry 4, and a checkpoint noted elsewhere is for entry 5")


def test_an_edit_behind_a_checkpoint_names_the_entry(established: Terminal) -> None:
    established.add("one")
    tamper(established, "UPDATE audit SET actor = 'nobody' WHERE sequence = 2")
    assert one_error_line(established("audit verify"), 1).startswith("audit entry 2 does not follow")


def test_with_custody_elsewhere_the_public_key_is_given(established: Terminal, tmp_path: Path) -> None:
    public_key = established("audit verify --json").json["checkpoint"]["public_key"]
    (established.state / "pki").rename(tmp_path / "away")
    refused = established("audit verify")
    assert "checkpoints cannot be checked" in one_error_line(refused, 1)
    assert "--public-key" in refused.err
    assert established("audit verify --public-key", public_key.upper()).code == 0
    other = one_error_line(established("audit verify --public-key", "00" * 32), 1)
    assert other == "the stored checkpoint at entry 3 is signed by another key"
    one_error_line(established("audit verify --public-key", "xyz"), 2)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "garbage",
        "{}",
        "[]",
        "null",
        '{"head": 5}',
        '{"signature": 1}',
        '{"head": "zz", "entries": 1}',
        "[" * 100_000,
    ],
)
def test_a_file_without_checkpoints_is_refused(established: Terminal, content: str) -> None:
    file = established.write("kept.jsonl", content)
    assert "holds no checkpoints" in one_error_line(established("audit verify --checkpoint", file), 2)


def test_an_export_is_lines_of_entries_each_checkpoint_after_the_entry_it_signs(established: Terminal) -> None:
    established.add("one")
    established("audit checkpoint")
    lines = exported(established)
    assert [(line["sequence"], "signature" in line) for line in lines] == [
        *((number, False) for number in (1, 2, 3)),
        (3, True),
        (4, False),
        (5, False),
        (5, True),
    ]
    assert exported(established, "--after 4") == lines[5:]


def test_a_checkpoint_of_an_empty_trail_is_refused(terminal: Terminal) -> None:
    assert "there is no authority" in one_error_line(terminal("audit checkpoint"), 1)


def test_every_change_of_a_status_tells_before_after_and_why(established: Terminal) -> None:
    established.add("one")
    established("client suspend one --lock-out 1")
    established("client resume one")
    established("client revoke one --reason keyCompromise")
    told = {line["action"]: line["details"] for line in exported(established) if line.get("subject") == "one"}
    assert told["client.suspend"] == {"before": "active", "after": "suspended"}
    assert told["client.resume"] == {"before": "suspended", "after": "active"}
    assert told["client.revoke"] == {"before": "active", "after": "revoked", "reason": "keyCompromise"}
    revoked = told["certificate.revoke"]
    assert (revoked["before"], revoked["after"], revoked["reason"]) == ("active", "revoked", "keyCompromise")
