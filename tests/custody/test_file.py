"""CA keys as files: private from the first moment, and refused when they are not."""

from pathlib import Path

import pytest

from handclasp.custody.file import FileCustody
from handclasp.errors import InvalidInput, KeyUnavailable
from tests import making


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "pki"


@pytest.fixture
def custody(folder: Path) -> FileCustody:
    made = FileCustody(folder)
    made.keep("root", making.key(), b"open sesame")
    return made


def test_a_key_is_0600_in_folders_of_0700_and_encrypted(custody: FileCustody, folder: Path) -> None:
    key = folder / "root.key"
    assert [path.name for path in folder.iterdir()] == ["root.key"]
    assert key.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    assert key.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert making.openssl("pkey", "-noout", "-passin", "pass:open sesame", "-in", key).returncode == 0


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601, 0o644])
def test_a_key_that_others_may_touch_is_refused_with_the_fix(custody: FileCustody, folder: Path, mode: int) -> None:
    (folder / "root.key").chmod(mode)
    with pytest.raises(KeyUnavailable, match=f"is open to others \\(mode {mode:04o}\\)") as refused:
        custody.signer("root", b"open sesame")
    assert refused.value.hint == f"chmod 0600 {folder}/root.key, and consider its keys exposed"
    with pytest.raises(KeyUnavailable, match="is open to others"):
        custody.keep("root", making.key(), b"open sesame")


def test_a_folder_that_others_may_enter_is_refused(custody: FileCustody, folder: Path) -> None:
    folder.chmod(0o750)
    with pytest.raises(KeyUnavailable, match="is open to others") as refused:
        custody.signer("root", b"open sesame")
    assert f"chmod 0700 {folder}" in str(refused.value.hint)
    with pytest.raises(KeyUnavailable, match="is open to others"):
        custody.keep("another", making.key(number=1))
    assert not (folder / "another.key").exists()


def test_a_missing_key_names_the_place_that_was_searched(custody: FileCustody, folder: Path) -> None:
    with pytest.raises(KeyUnavailable, match=str(folder / "other.key")) as refused:
        custody.signer("other")
    assert refused.value.hint is not None
    with pytest.raises(KeyUnavailable, match="no key at"):
        FileCustody(folder / "nowhere").signer("root")


def test_a_place_that_cannot_be_used_is_said(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(KeyUnavailable, match="cannot be written"):
        FileCustody(tmp_path / "file" / "pki").keep("root", making.key())
    with pytest.raises(KeyUnavailable, match="cannot be read"):
        FileCustody(tmp_path / "file" / "pki").signer("root")
    folder.mkdir(parents=True, mode=0o700)
    (folder / "root.key").mkdir(mode=0o700)
    with pytest.raises(KeyUnavailable, match="cannot be read: Is a directory"):
        FileCustody(folder).signer("root")


def test_what_is_no_key_any_more_is_said(custody: FileCustody, folder: Path) -> None:
    (folder / "root.key").write_bytes(b"garbage")
    with pytest.raises(InvalidInput, match=f"key {folder}/root.key is not a private key"):
        custody.signer("root")
    with pytest.raises(KeyUnavailable, match="in custody already"):
        custody.keep("root", making.key())


def test_a_key_never_shows_in_an_error_or_a_repr(custody: FileCustody) -> None:
    with pytest.raises(KeyUnavailable) as refused:
        custody.signer("root", b"wrong passphrase")
    assert "wrong passphrase" not in f"{refused.value} {refused.value.hint} {custody!r}"


def test_sealed_refuses_what_others_may_read_and_passes_over_half_written_files(
    custody: FileCustody, folder: Path
) -> None:
    (folder / ".root.key.1.part").write_bytes(b"half")
    assert sorted(custody.sealed()) == ["root"]
    (folder / "root.key").chmod(0o640)
    with pytest.raises(KeyUnavailable, match="is open to others"):
        custody.sealed()


def test_what_is_put_back_is_private(tmp_path: Path, custody: FileCustody) -> None:
    other = FileCustody(tmp_path / "other" / "pki")
    other.put_back("root", bytes(custody.sealed()["root"]))
    assert (tmp_path / "other" / "pki" / "root.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "other" / "pki").stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(KeyUnavailable, match="cannot be written"):
        FileCustody(tmp_path / "file" / "pki").put_back("root", b"x")
    (tmp_path / "other" / "pki" / "bad.key").mkdir(mode=0o700)
    with pytest.raises(KeyUnavailable, match="cannot be read"):
        other.sealed()
