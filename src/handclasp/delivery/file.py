"""Credentials as files: one folder a client, each delivery a generation, switched by one symbolic link.

    acme/client.key -> ..data/client.key
    acme/..data     -> ..20261121T120000.4f2a       (swapped by rename, as Kubernetes mounts do)

Key and certificate change in the same instant, so a renewal never leaves half of a pair. A program that reads them
one after the other while a renewal may come in between resolves `..data` once and reads both below it, as `collect`
does.
"""

import os
import re
import secrets
import shutil
from pathlib import Path

from handclasp.atomic_file import check_private, make_private_folder, point_link, sync_folder, write_atomically
from handclasp.delivery.port import Credential
from handclasp.errors import DeliveryFailed

_DATA = "..data"
_GENERATION = re.compile(r"\.\.[0-9a-f]{16}")


class FileDelivery:
    """Into `folder`/{client id}."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, credential: Credential) -> str:
        return FolderDelivery(self._folder / credential.client_id).deliver(credential)

    def collect(self, client_id: str) -> dict[str, bytes]:
        return FolderDelivery(self._folder / client_id).collect(client_id)


class FolderDelivery:
    """Into one folder, the client's own: what `--out DIR` asks for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def check(self, names: list[str]) -> None:
        """Raises DeliveryFailed, before anything is issued or made, if the folder cannot take these files."""
        try:
            for name in names:
                path = self._folder / name
                if os.path.lexists(path) and not _is_delivered(path):
                    raise DeliveryFailed(
                        f"{path} exists and was not put there by a delivery", hint="choose another --out folder"
                    )
            there = next(path for path in (self._folder, *self._folder.absolute().parents) if path.exists())
            if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
                raise DeliveryFailed(f"folder {there} is not one that can be written")
        except OSError as error:
            raise DeliveryFailed(f"folder {self._folder} cannot be used: {error.strerror}") from error

    def deliver(self, credential: Credential) -> str:
        files = credential.files()
        self.check(list(files))
        try:
            make_private_folder(self._folder)
            self._write(files)
        except OSError as error:
            raise DeliveryFailed(f"{self._folder} cannot be written: {error.strerror}") from error
        return str(self._folder)

    def collect(self, client_id: str) -> dict[str, bytes]:  # noqa: ARG002 - one folder, one client
        try:
            while generation := self._current():
                try:
                    files = {path.name: path.read_bytes() for path in sorted(generation.iterdir())}
                except FileNotFoundError:
                    if self._current() == generation:
                        raise
                    continue
                # A delivery that came in between was removing what has been read: read the new one.
                if self._current() == generation:
                    return files
        except OSError as error:
            raise DeliveryFailed(f"{self._folder} cannot be read: {error.strerror}") from error
        return {}

    def _current(self) -> Path | None:
        try:
            return self._folder / (self._folder / _DATA).readlink()
        except FileNotFoundError:
            return None

    def _write(self, files: dict[str, bytes]) -> None:
        generation = self._folder / f"..{secrets.token_hex(8)}"
        generation.mkdir(mode=0o700)
        check_private(generation)  # a file system without permissions gets no key
        for name, content in files.items():
            write_atomically(generation / name, content)
        sync_folder(self._folder)
        point_link(self._folder / _DATA, generation.name)
        for name in files:
            if not _is_delivered(self._folder / name):
                point_link(self._folder / name, f"{_DATA}/{name}")
        self._remove_old(generation, set(files))

    def _remove_old(self, current: Path, names: set[str]) -> None:
        """Generations before this one, and links to files this one does not have (no old key beside a new CSR's)."""
        for entry in self._folder.iterdir():
            if _GENERATION.fullmatch(entry.name) and entry.name != current.name:
                shutil.rmtree(entry, ignore_errors=True)
            elif _is_delivered(entry) and entry.name not in names:
                entry.unlink()


def _is_delivered(path: Path) -> bool:
    """True for a link that a delivery made; anything else of that name is somebody else's."""
    return path.is_symlink() and str(path.readlink()) == f"{_DATA}/{path.name}"
