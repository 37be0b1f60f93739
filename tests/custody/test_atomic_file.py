"""Files that are whole or absent, under what custody, trust store and delivery stand."""

import os
import signal
from pathlib import Path

import pytest

from handclasp.atomic_file import make_private_folder, write_atomically
from tests.forking import become_nobody, in_child


def test_a_file_is_replaced_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    path.chmod(0o644)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_write_that_fails_leaves_the_old_content_and_no_part(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.mkdir()  # a rename onto a folder fails after everything has been written
    with pytest.raises(IsADirectoryError):
        write_atomically(path, b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_parts_that_a_killed_process_left_are_removed_by_the_next_write(tmp_path: Path) -> None:
    def die_before_the_rename() -> None:
        os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
        write_atomically(tmp_path / "other", b"half of it")

    assert in_child(die_before_the_rename) == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".other.")
    assert left.stat().st_mode & 0o777 == 0o600
    write_atomically(tmp_path / "file", b"x")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_part_of_a_process_that_lives_is_left_alone(tmp_path: Path) -> None:
    in_progress = tmp_path / f".other.{os.getppid()}.part"
    in_progress.write_bytes(b"")
    of_init = tmp_path / ".other.1.part"
    of_init.write_bytes(b"")
    users_own = tmp_path / ".notes.part"
    users_own.write_bytes(b"")
    write_atomically(tmp_path / "file", b"x")
    assert in_progress.exists()
    assert of_init.exists()
    assert users_own.exists()


def test_a_part_of_another_users_process_is_left_alone(tmp_path: Path) -> None:
    of_init = tmp_path / ".other.1.part"  # init is root's: who is not may not even ask whether it lives
    of_init.write_bytes(b"")
    tmp_path.chmod(0o777)

    def write() -> None:
        become_nobody(tmp_path / "file")
        write_atomically(tmp_path / "file", b"x")

    assert in_child(write) == 0
    assert of_init.exists()


def test_a_part_is_never_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / f".file.{os.getpid()}.part").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        write_atomically(tmp_path / "file", b"x")
    assert victim.read_bytes() == b"precious"


def test_a_folder_that_exists_keeps_its_mode_and_new_ones_are_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_private_folder(tmp_path / "a" / "b")
    make_private_folder(tmp_path / "a" / "b")
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert {(tmp_path / each).stat().st_mode & 0o777 for each in ("a", "a/b")} == {0o700}
