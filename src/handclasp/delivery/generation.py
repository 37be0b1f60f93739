"""One generation of a client's files: written whole, switched to by one rename, the ones before it removed.

Everything is done through the folder's own descriptor, which also carries the lock (flock(2)): a folder that is
renamed meanwhile stays the same folder, and no lock file has to lie in it.

What is synchronised, and why no more: each new file, then the generation's folder with their names, then, after the
switch, the client's folder once. A generation nobody points to may be half there after a power failure; the link to
it is written after it, and both are entries of one folder, whose changes reach the disk in their order. For many
deliveries at once all that is one `syncfs` for them together, between staging and switching: ten times as fast.
"""

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from pathlib import Path

from handclasp.atomic_file import remove_abandoned
from handclasp.errors import DeliveryFailed, KeyUnavailable

DATA = "..data"
_GENERATION = re.compile(r"\.\.[0-9a-f]{16}")
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
#: The same in most deliveries: one that has not changed is linked from the generation before, not written again.
_RARELY_NEW = "ca.pem"
_USUAL = ("client.key", "client.pem", "fullchain.pem", "ca.pem")
#: Certificates and chains are a few kilobytes; a root rotation's anchors a few more.
_MOST = 1 << 20


@contextmanager
def locked(folder: str) -> Iterator[int]:
    """The folder's descriptor, locked against other deliveries into it until the block ends."""
    descriptor = os.open(folder, _FOLDER)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def current_generation(folder: int) -> str | None:
    try:
        return os.readlink(DATA, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError:
        raise DeliveryFailed(
            f"{DATA} exists and was not put there by a delivery", hint="choose another folder, or move it away"
        ) from None


def is_delivered(folder: int, name: str) -> bool:
    """True for a link that a delivery made; anything else of that name is somebody else's."""
    try:
        return os.readlink(name, dir_fd=folder) == f"{DATA}/{name}"
    except OSError:
        return False


def is_free(folder: int, name: str) -> bool:
    """True if a delivery may put its link there: it is ours, or nothing is there."""
    try:
        return os.readlink(name, dir_fd=folder) == f"{DATA}/{name}"
    except FileNotFoundError:
        return True
    except OSError:
        return False


def exists(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder)
    except FileNotFoundError:
        return False
    return True


def read_file(folder: int, name: str) -> bytes:
    """A file of ours, the size of which is known to be small."""
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    try:
        return os.read(descriptor, _MOST)
    finally:
        os.close(descriptor)


def write_generation(
    folder: int, files: Mapping[str, bytes], *, before: str | None, kept: Sequence[str], sync: bool
) -> tuple[str, frozenset[str]]:
    """A new generation with these files, and with those of the one before that are kept. Its name, and its files'."""
    name = f"..{secrets.token_hex(8)}"
    names = set(files)
    os.mkdir(name, 0o700, dir_fd=folder)
    generation = os.open(name, _FOLDER, dir_fd=folder)
    try:
        _check_private(generation, name)
        for file, content in files.items():
            if file == _RARELY_NEW and before and _holds(folder, f"{before}/{file}", content):
                _link(folder, before, generation, file)
            else:
                _write(generation, file, content, sync=sync)
        for file in kept:
            if before and file not in names and _link_if_there(folder, before, generation, file):
                names.add(file)
        if sync:
            os.fsync(generation)
    finally:
        os.close(generation)
    return name, frozenset(names)


def switch_to(folder: int, generation: str, names: frozenset[str], *, sync: bool) -> None:
    """Point `..data` at it, and each file's name at `..data`; remove what was before."""
    part = f".data.{os.getpid()}.part"
    try:
        os.symlink(generation, part, dir_fd=folder)
    except FileExistsError:
        os.unlink(part, dir_fd=folder)
        os.symlink(generation, part, dir_fd=folder)
    os.rename(part, DATA, src_dir_fd=folder, dst_dir_fd=folder)
    there = os.listdir(folder)
    for name in names.difference(there):  # a name that is there was looked at when it was staged
        os.symlink(f"{DATA}/{name}", name, dir_fd=folder)
    if sync:
        os.fsync(folder)
    _remove_old(folder, there, names.union((generation, DATA)))


def _remove_old(folder: int, there: Sequence[str], current: Set[str]) -> None:
    """Generations before this one, and links to files this one does not have (no old key beside a new CSR's)."""
    for entry in there:
        if entry in current:
            continue
        if _GENERATION.fullmatch(entry):
            _remove(folder, entry)
        elif entry.endswith(".part"):
            remove_abandoned(folder, entry)
        elif is_delivered(folder, entry):
            os.unlink(entry, dir_fd=folder)


def sync_file_system(folder: Path) -> None:
    """Everything written to the file system that holds `folder` is on the disk when this returns (syncfs(2))."""
    descriptor = os.open(folder, _FOLDER)
    try:
        import ctypes  # noqa: PLC0415 - only those who deliver in bulk need it

        library = ctypes.CDLL(None, use_errno=True)
        if not hasattr(library, "syncfs"):
            os.sync()
        elif library.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)


def _write(generation: int, name: str, content: bytes, *, sync: bool) -> None:
    """A new file, 0600."""
    descriptor = os.open(name, _NEW_FILE, 0o600, dir_fd=generation)
    try:
        written = os.write(descriptor, content)
        while written < len(content):
            written += os.write(descriptor, content[written:])
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _link(folder: int, before: str, generation: int, name: str) -> None:
    os.link(f"{before}/{name}", name, src_dir_fd=folder, dst_dir_fd=generation)


def _link_if_there(folder: int, before: str, generation: int, name: str) -> bool:
    try:
        _link(folder, before, generation, name)
    except FileNotFoundError:
        return False
    return True


def _holds(folder: int, path: str, content: bytes) -> bool:
    try:
        return read_file(folder, path) == content
    except OSError:
        return False


def _check_private(generation: int, name: str) -> None:
    """A file system without permissions gets no key."""
    mode = os.fstat(generation).st_mode & 0o777
    if mode & 0o077:
        raise KeyUnavailable(
            f"{name} is open to others (mode {mode:04o})", hint="choose a file system that keeps permissions"
        )


def _remove(folder: int, entry: str) -> None:
    """Mostly it has the usual files and no others. What cannot be removed now is tried again by the next delivery."""
    try:
        for name in _USUAL:
            try:
                os.unlink(f"{entry}/{name}", dir_fd=folder)
            except FileNotFoundError:
                continue
        os.rmdir(entry, dir_fd=folder)
    except OSError:
        shutil.rmtree(entry, ignore_errors=True, dir_fd=folder)
