"""Kill -9 at every write of a restore: the registry is the old one or the new one, never half of each, and running the
same command again comes to the end an undisturbed one comes to."""

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from handclasp.authority.audit.audit_trail import verify_trail
from handclasp.authority.audit.checkpoint import audit_public_key, checkpoint_now
from handclasp.authority.backup.backup_archive import Archive
from handclasp.authority.revoke import revoke_client
from handclasp.cli.context import Session
from handclasp.cli.restore_target import open_target, restored_into
from handclasp.cli.unfinished_restore import UNFINISHED_RESTORE
from handclasp.custody.file import FileCustody
from handclasp.errors import RegistryDamaged, RegistryError
from handclasp.registry.records import RevocationReason
from handclasp.registry.sqlite import SqliteRegistry
from tests.authority.conftest import Authority, on_disk
from tests.backup.conftest import add, taken
from tests.killing import killed_at
from tests.making import NOW


def nothing(state: Path) -> None:
    """The state folder is there and empty."""


def living(state: Path) -> None:
    """The authority, gone on since: one client revoked, one enrolled."""
    authority = on_disk(state)
    revoke_client("beta", registry=authority.registry, reason=RevocationReason.KEY_COMPROMISE, actor="tester", now=NOW)
    add(authority, "gamma")
    authority.registry.close()


def damaged(state: Path) -> None:
    """A registry that cannot be read, with the keys still there."""
    content = (state / "registry.db").read_bytes()
    (state / "registry.db").write_bytes(b"no longer " + content[10:])
    for journal in state.glob("registry.db-*"):
        journal.unlink()


@pytest.mark.parametrize("before", [pytest.param(nothing, marks=pytest.mark.slow), living, damaged])
def test_a_restore_killed_at_any_write_is_finished_by_the_same_command(
    before: Callable[[Path], None], original: Authority, tmp_path: Path
) -> None:
    checkpoint_now(original.registry, original.custody, actor="tester")
    archive = taken(original)
    prepared = tmp_path / "prepared"
    if before is nothing:
        prepared.mkdir(mode=0o700)
    else:
        shutil.copytree(tmp_path / "original", prepared, symlinks=True)
    before(prepared)
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(prepared, undisturbed, symlinks=True)
    old = content(prepared)
    restore_once(undisturbed, archive, replace=True)
    new = content(undisturbed)
    assert old != new
    assert (old is None) == (before is not living)
    kills = 0
    for number in range(1, 500):
        state = tmp_path / str(number)
        shutil.copytree(prepared, state, symlinks=True)
        if not killed_at(number, lambda state=state: restore_once(state, archive, replace=True)):  # type: ignore[misc]
            break
        kills += 1
        assert content(state) in (old, new, None), "half of each"
        if os.path.lexists(state / UNFINISHED_RESTORE):
            refused(state)
            restore_once(state, archive, replace=False)
        elif content(state) != new:
            restore_once(state, archive, replace=True)
        assert content(state) == new
        check(state, undisturbed)
    else:
        pytest.fail("the restore never came to its end")
    assert kills > 20


def restore_once(state: Path, archive: Archive, *, replace: bool) -> None:
    """What `handclasp restore` does, once the file is open."""
    with closing(Session(str(state))) as session:
        session.actor = "tester"
        with open_target(session, archive, Path("backup.age"), replace=replace, dry_run=False) as target:
            assert target.may_replace or not target.is_living
            restored_into(session, archive, target)


def refused(state: Path) -> None:
    """While it is unfinished, no other command works on it, and it is said how to go on."""
    session = Session(str(state))
    with pytest.raises(RegistryError, match=r"a restore into .* was interrupted") as error:
        _ = session.registry
    assert "handclasp restore" in str(error.value.hint)


def content(state: Path) -> list[Any] | None:
    """What decides: issuers, clients, certificates. None where there is nothing that can be read."""
    if not (state / "registry.db").exists():
        return None
    try:
        with closing(SqliteRegistry(state / "registry.db")) as registry:
            decisive = [row for row in registry.snapshot() if row[0] in {"issuer", "client", "certificate"}]
    except RegistryDamaged:
        return None
    for _, row in decisive:
        row.pop("revision", None)
    return decisive or None


def check(state: Path, undisturbed: Path) -> None:
    names = {path.relative_to(state) for path in state.rglob("*") if "damaged-" not in path.name and _lasts(path)}
    expected = {path.relative_to(undisturbed) for path in undisturbed.rglob("*") if "damaged-" not in path.name}
    assert names == {each for each in expected if _lasts(undisturbed / each)}
    for path in state.rglob("*"):
        if not path.is_symlink():
            assert path.stat().st_mode & 0o077 == 0, f"{path} is open to others"
    keys = FileCustody(state / "pki")
    assert keys.sealed().keys() == FileCustody(undisturbed / "pki").sealed().keys()
    with closing(SqliteRegistry(state / "registry.db")) as registry:
        assert verify_trail(registry, public_key=audit_public_key(keys)).faults == ()
        assert [entry.action for entry in registry.audit()].count("registry.restore") == 1


def _lasts(path: Path) -> bool:
    """Not a generation folder, whose name is random, nor the journal of a process that was killed."""
    return not any(part.startswith("..") for part in path.parts) and not path.name.endswith(("-wal", "-shm"))
