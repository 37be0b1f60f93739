"""One generation of a client's files: written whole, switched to by one rename, the ones before it removed.

Everything is done through the folder's own descriptor, which also carries the lock (flock(2)): a folder that is
renamed meanwhile stays the same folder, and no lock file has to lie in it.

What is synchronised, and why no more: each new file, then the generation's folder with their names, then, after the
switch, the client's folder once. A generation nobody points to may be half there after a power failure; the link to
it is written after it, and both are entries of one folder, whose changes reach the disk in their order.
"""

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from handclasp.atomic_file import remove_abandoned
from handclasp.errors import DeliveryFailed, KeyUnavailable

DATA = "..data"
_GENERATION = re.compile(r"\.\.[0-9a-f]{16}")
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
#: The same in most deliveries: one that has not changed is linked from the generation before, not written again.
_RARELY_NEW = "ca.pem"


@contextmanager
def locked(folder: Path) -> Iterator[int]:
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


def is_delivered(folder: Path | int, name: str) -> bool:
    """True for a link that a delivery made; anything else of that name is somebody else's."""
    try:
        if isinstance(folder, int):
            return os.readlink(name, dir_fd=folder) == f"{DATA}/{name}"
        return str((folder / name).readlink()) == f"{DATA}/{name}"
    except OSError:
        return False


def write_generation(folder: int, files: Mapping[str, bytes], *, before: str | None, kept: Sequence[str]) -> str:
    """A new generation with these files, and with those of the one before that are kept. Returns its name."""
    name = f"..{secrets.token_hex(8)}"
    os.mkdir(name, 0o700, dir_fd=folder)
    generation = os.open(name, _FOLDER, dir_fd=folder)
    try:
        _check_private(generation, name)
        for file, content in files.items():
            if file == _RARELY_NEW and before and _holds(folder, f"{before}/{file}", content):
                _link(folder, before, generation, file)
            else:
                _write(generation, file, content)
        for file in kept:
            if before and file not in files:
                with suppress(FileNotFoundError):
                    _link(folder, before, generation, file)
        os.fsync(generation)
    finally:
        os.close(generation)
    return name


def switch_to(folder: int, generation: str) -> set[str]:
    """Point `..data` at it, and each file's name at `..data`; durable when it returns. Returns the names."""
    part = f".data.{os.getpid()}.part"
    with suppress(FileNotFoundError):
        os.unlink(part, dir_fd=folder)
    os.symlink(generation, part, dir_fd=folder)
    os.rename(part, DATA, src_dir_fd=folder, dst_dir_fd=folder)
    names = _names(folder, generation)
    for name in names:
        if not is_delivered(folder, name):
            os.symlink(f"{DATA}/{name}", name, dir_fd=folder)
    os.fsync(folder)
    return names


def remove_old(folder: int, current: str, names: set[str]) -> None:
    """Generations before this one, and links to files this one does not have (no old key beside a new CSR's)."""
    for entry in os.listdir(folder):
        if entry in names or entry in {current, DATA}:
            continue
        if _GENERATION.fullmatch(entry):
            _remove(folder, entry)
        elif entry.endswith(".part"):
            remove_abandoned(folder, entry)
        elif is_delivered(folder, entry):
            os.unlink(entry, dir_fd=folder)


def _names(folder: int, generation: str) -> set[str]:
    descriptor = os.open(generation, _FOLDER, dir_fd=folder)
    try:
        return set(os.listdir(descriptor))  # noqa: PTH208 - through the descriptor
    finally:
        os.close(descriptor)


def _write(generation: int, name: str, content: bytes) -> None:
    """A new file, 0600, on the disk when it returns."""
    descriptor = os.open(name, _NEW_FILE, 0o600, dir_fd=generation)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _link(folder: int, before: str, generation: int, name: str) -> None:
    os.link(f"{before}/{name}", name, src_dir_fd=folder, dst_dir_fd=generation)


def _holds(folder: int, path: str, content: bytes) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=folder)
    except OSError:
        return False
    try:
        return os.read(descriptor, len(content) + 1) == content
    finally:
        os.close(descriptor)


def _check_private(generation: int, name: str) -> None:
    """A file system without permissions gets no key."""
    mode = os.fstat(generation).st_mode & 0o777
    if mode & 0o077:
        raise KeyUnavailable(
            f"{name} is open to others (mode {mode:04o})", hint="choose a file system that keeps permissions"
        )


def _remove(folder: int, entry: str) -> None:
    """What cannot be removed now is tried again by the next delivery."""
    with suppress(OSError):
        for name in _names(folder, entry):
            os.unlink(f"{entry}/{name}", dir_fd=folder)
        os.rmdir(entry, dir_fd=folder)
        return
    shutil.rmtree(entry, ignore_errors=True, dir_fd=folder)
