"""Credentials as files: private, switched in one step, and never over what somebody else put there."""

import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from handclasp.delivery.file import FileDelivery, FolderDelivery
from handclasp.errors import DeliveryFailed
from tests.delivery.test_contract import certified, credential, with_key
from tests.forking import become_nobody, in_child
from tests.killing import killed_at


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir() if not each.name.startswith(".."))


def test_files_are_links_into_one_private_generation(out: Path) -> None:
    assert FolderDelivery(out).deliver(credential()) == str(out)
    assert names(out) == ["ca.pem", "client.key", "client.p12", "client.pem", "fullchain.pem"]
    assert {(out / name).readlink().parent for name in names(out)} == {Path("..data")}
    assert {(out / name).stat().st_mode & 0o777 for name in names(out)} == {0o600}
    assert {folder.stat().st_mode & 0o777 for folder in (out, out / "..data/")} == {0o700}


def test_each_client_has_its_own_folder(tmp_path: Path) -> None:
    delivery = FileDelivery(tmp_path / "clients")
    for name in ("acme", "beta"):
        assert delivery.deliver(credential(name.encode(), client_id=name)) == str(tmp_path / "clients" / name)
    assert (tmp_path / "clients" / "acme" / "client.pem").read_bytes() == b"certificate acme"
    assert (tmp_path / "clients" / "beta" / "client.pem").read_bytes() == b"certificate beta"


def test_one_generation_is_kept(out: Path) -> None:
    for content in (b"1", b"2", b"3"):
        FolderDelivery(out).deliver(credential(content))
    generations = [each for each in out.iterdir() if each.name.startswith("..") and each.name != "..data"]
    assert [each.name for each in generations] == [str((out / "..data").readlink())]


def _file(path: Path) -> None:
    path.write_bytes(b"precious")


def _folder(path: Path) -> None:
    path.mkdir()


def _link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize("make", [_file, _folder, _link, _dangling])
@pytest.mark.parametrize("name", ["client.key", "client.pem", "ca.pem"])
def test_what_somebody_else_put_there_is_not_overwritten(out: Path, name: str, make: Callable[[Path], None]) -> None:
    out.mkdir()
    make(out / name)
    with pytest.raises(DeliveryFailed, match=f"{name} exists and was not put there by a delivery") as refused:
        FolderDelivery(out).deliver(credential())
    assert refused.value.hint == "choose another --out folder"
    assert [each.name for each in out.iterdir()] == [name]
    with pytest.raises(DeliveryFailed):
        FolderDelivery(out).check([name])


def test_other_files_in_the_folder_stay(out: Path) -> None:
    (out / "..theirs").mkdir(parents=True)
    (out / "README").write_text("ours")
    (out / "latest").symlink_to("README")
    for content in (b"1", b"2"):
        FolderDelivery(out).deliver(credential(content))
    assert {"..theirs", "README", "latest"} <= {each.name for each in out.iterdir()}


def test_a_folder_that_exists_keeps_its_mode_and_the_keys_in_it_are_private(out: Path) -> None:
    out.mkdir(mode=0o755)
    FolderDelivery(out).deliver(credential())
    assert out.stat().st_mode & 0o777 == 0o755
    assert (out / "client.key").stat().st_mode & 0o777 == 0o600


def test_a_place_that_cannot_be_used_is_said_before_anything_is_issued(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    blocked = tmp_path / "file" / "out"
    with pytest.raises(DeliveryFailed, match="file is not one that can be written"):
        FolderDelivery(blocked).check(["client.pem"])
    with pytest.raises(DeliveryFailed, match="cannot be used: File name too long"):
        FolderDelivery(tmp_path / ("x" * 300)).check(["client.pem"])
    for delivery in (FolderDelivery(blocked), FileDelivery(blocked)):
        with pytest.raises(DeliveryFailed, match="is not one that can be written"):
            delivery.deliver(credential())
        with pytest.raises(DeliveryFailed, match="cannot be read: Not a directory"):
            delivery.collect("acme")


def test_a_check_makes_nothing(tmp_path: Path) -> None:
    FolderDelivery(tmp_path / "a" / "b").check(["client.pem"])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_ours_to_write_is_said(out: Path) -> None:
    out.mkdir(mode=0o555)

    def check() -> None:
        become_nobody(out)
        with pytest.raises(DeliveryFailed, match="is not one that can be written"):
            FolderDelivery(out).check(["client.pem"])

    assert in_child(check) == 0


def test_a_folder_in_the_place_of_our_link_is_said(out: Path) -> None:
    (out / "..data").mkdir(parents=True)
    with pytest.raises(DeliveryFailed, match=r"\.\.data exists and was not put there by a delivery"):
        FolderDelivery(out).deliver(credential())


def test_a_generation_that_somebody_damaged_is_said(out: Path) -> None:
    FolderDelivery(out).deliver(credential())
    current = out / (out / "..data").readlink()
    (current / "client.key").unlink()
    (current / "client.key").symlink_to("nowhere")
    with pytest.raises(DeliveryFailed, match="cannot be read: No such file"):
        FolderDelivery(out).collect("acme")


def test_a_delivery_after_killed_ones_cleans_up_behind_them(out: Path) -> None:
    FolderDelivery(out).deliver(credential(b"1"))
    for number in range(1, 200):
        if not killed_at(number, lambda: FolderDelivery(out).deliver(credential(b"2"))):
            break
        assert FolderDelivery(out).collect("acme") in (credential(b"1").files(), credential(b"2").files())
    else:
        pytest.fail("the delivery never came to its end")
    generation = str((out / "..data").readlink())
    assert {each.name for each in out.iterdir()} == {*credential().files(), "..data", generation}
    assert FolderDelivery(out).collect("acme") == credential(b"2").files()


def test_a_reader_never_sees_a_key_beside_anothers_certificate(out: Path) -> None:
    """A reader, as fast as it can, while deliveries go on."""
    delivery = FolderDelivery(out)
    keys = {b"certificate %d" % n: b"archive %d" % n for n in range(50)}
    seen: list[str] = []
    mixed: list[dict[str, bytes]] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            files = delivery.collect("acme")
            if not files:
                continue
            seen.append(files["client.pem"].decode())
            if keys[files["client.pem"]] != files["client.p12"] or len(files) != 5:
                mixed.append(files)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(50):
        delivery.deliver(credential(b"%d" % number))
    stop.set()
    reader.join()
    assert mixed == []
    assert len(set(seen)) > 1


def test_two_processes_that_deliver_into_one_folder_wait_for_each_other(out: Path) -> None:
    """Four at once, again and again: without the lock one removes the generation the other has just switched to."""
    started = [multiprocessing.Process(target=deliver_often, args=(out, number)) for number in range(4)]
    for each in started:
        each.start()
    for each in started:
        each.join()
    assert [each.exitcode for each in started] == [0] * 4
    files = FolderDelivery(out).collect("acme")
    assert files["client.pem"].split()[1] == files["fullchain.pem"].split()[1] == files["client.p12"].split()[1]
    generations = [each.name for each in out.iterdir() if each.name.startswith("..") and each.name != "..data"]
    assert generations == [str((out / "..data").readlink())]


def deliver_often(out: Path, number: int) -> None:
    for time in range(20):
        FolderDelivery(out).deliver(credential(b"%d-%d" % (number, time)))


def test_a_certificate_that_somebody_wrote_over_is_said(out: Path) -> None:
    FolderDelivery(out).deliver(with_key(certified(1)))
    (out / "..data" / "client.pem").write_bytes(b"not a certificate")
    with pytest.raises(DeliveryFailed, match=r"client\.pem is not a certificate: somebody has written over it"):
        FolderDelivery(out).deliver(certified(2))


def test_a_trust_anchor_that_stays_is_the_same_file_and_a_new_one_is_written(out: Path) -> None:
    FolderDelivery(out).deliver(with_key(certified(1)))
    before = (out / "ca.pem").stat().st_ino
    FolderDelivery(out).deliver(certified(2))
    assert (out / "ca.pem").stat().st_ino == before
    FolderDelivery(out).deliver(certified(3, anchor=b"anchor" * 2))
    assert (out / "ca.pem").read_bytes() == b"anchor" * 2


def test_staged_deliveries_killed_anywhere_leave_a_whole_pair(out: Path) -> None:
    first = with_key(certified(1))
    FolderDelivery(out).deliver(first)

    def rotate() -> None:
        delivery = FolderDelivery(out)
        staged = delivery.stage(certified(2))
        delivery.flush()
        staged.commit()

    for number in range(1, 100):
        if not killed_at(number, rotate):
            break
        files = FolderDelivery(out).collect("acme")
        assert files["client.key"] == first.files()["client.key"]
        assert set(files) == {"client.key", "client.pem", "fullchain.pem", "ca.pem"}
    else:
        pytest.fail("the delivery never came to its end")


def test_a_newer_key_is_never_replaced_by_what_was_staged_before_it(tmp_path: Path) -> None:
    """Whoever delivered it was killed somewhere, before or after it was switched to."""
    newer = with_key(certified(2, key_number=1), 1)
    for number in range(1, 100):
        delivery = FolderDelivery(tmp_path / str(number))
        delivery.deliver(with_key(certified(1)))
        staged = delivery.stage(certified(3))
        killed = killed_at(number, lambda d=delivery: d.deliver(newer))  # type: ignore[misc]
        there = delivery.collect("acme")
        staged.commit()
        after = delivery.collect("acme")
        if there["client.key"] == newer.files()["client.key"]:
            assert after == there
        assert after["client.key"] in {newer.files()["client.key"], there["client.key"]}
        if not killed:
            return
    pytest.fail("the delivery never came to its end")


def test_nothing_is_flushed_where_nothing_was_delivered(tmp_path: Path) -> None:
    FileDelivery(tmp_path / "clients").flush()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DeliveryFailed, match="cannot be written: Not a directory"):
        FileDelivery(tmp_path / "file").flush()


def test_a_link_left_by_a_killed_delivery_is_in_nobodys_way(out: Path) -> None:
    FolderDelivery(out).deliver(credential(b"1"))
    (out / f".data.{os.getpid()}.part").symlink_to("nowhere")
    FolderDelivery(out).deliver(credential(b"2"))
    assert FolderDelivery(out).collect("acme") == credential(b"2").files()


def test_a_generation_with_more_in_it_is_removed_all_the_same(out: Path) -> None:
    FolderDelivery(out).deliver(credential(b"1"))
    (out / "..data" / "notes").mkdir()
    FolderDelivery(out).deliver(credential(b"2"))
    assert len([each for each in out.iterdir() if each.name.startswith("..")]) == 2


def test_a_folder_that_went_away_before_the_commit_is_said(out: Path) -> None:
    delivery = FolderDelivery(out)
    staged = delivery.stage(credential(b"1"))
    shutil.rmtree(out)
    with pytest.raises(DeliveryFailed, match="cannot be written: No such file"):
        staged.commit()


def test_what_was_staged_and_is_gone_is_written_again(out: Path) -> None:
    delivery = FolderDelivery(out)
    delivery.deliver(credential(b"1"))
    staged = delivery.stage(credential(b"2"))
    for each in out.glob("..?*"):
        if not each.is_symlink() and each.name != str((out / "..data").readlink()):
            shutil.rmtree(each)
    staged.commit()
    assert delivery.collect("acme") == credential(b"2").files()


def test_a_trust_anchor_that_cannot_be_read_is_written_anew(out: Path) -> None:
    FolderDelivery(out).deliver(credential(b"1"))
    (out / "..data" / "ca.pem").unlink()
    FolderDelivery(out).deliver(credential(b"2"))
    assert FolderDelivery(out).collect("acme") == credential(b"2").files()
