"""Credentials as files: one folder a client, each delivery a generation, switched by one symbolic link.

    acme/client.key -> ..data/client.key
    acme/..data     -> ..20261121T120000.4f2a       (swapped by rename, as Kubernetes mounts do)

A program that opens `client.key` and `client.pem` gets a pair, and a renewal never leaves half of one.
"""

import os
import secrets
import shutil
from pathlib import Path

from handclasp.atomic_file import check_private, make_private_folder, point_link, sync_folder, write_atomically
from handclasp.delivery.port import Credential
from handclasp.errors import DeliveryFailed

_DATA = "..data"


class FileDelivery:
    """Into `folder`/{client id}."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, credential: Credential) -> str:
        make_private_folder(self._folder)
        return FolderDelivery(self._folder / credential.client_id).deliver(credential)

    def collect(self, client_id: str) -> dict[str, bytes]:
        return FolderDelivery(self._folder / client_id).collect(client_id)


class FolderDelivery:
    """Into one folder, the client's own: what `--out DIR` asks for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def check(self, names: list[str]) -> None:
        """Raises DeliveryFailed, before anything is issued, if the folder cannot take these files."""
        try:
            make_private_folder(self._folder)
            for name in names:
                path = self._folder / name
                if path.exists() and not path.is_symlink():
                    raise DeliveryFailed(
                        f"{path} exists and was not put there by a delivery", hint="choose another --out folder"
                    )
            if not os.access(self._folder, os.W_OK | os.X_OK):
                raise DeliveryFailed(f"folder {self._folder} is not writable")
        except OSError as error:
            raise DeliveryFailed(f"folder {self._folder} cannot be used: {error.strerror}") from error

    def deliver(self, credential: Credential) -> str:
        files = credential.files()
        self.check(list(files))
        try:
            self._write(files)
        except OSError as error:
            raise DeliveryFailed(f"{self._folder} cannot be written: {error.strerror}") from error
        return str(self._folder)

    def collect(self, client_id: str) -> dict[str, bytes]:  # noqa: ARG002 - one folder, one client
        data = self._folder / _DATA
        try:
            return {p.name: p.read_bytes() for p in sorted(data.iterdir())} if data.is_dir() else {}
        except OSError as error:
            raise DeliveryFailed(f"{self._folder} cannot be read: {error.strerror}") from error

    def _write(self, files: dict[str, bytes]) -> None:
        generation = self._folder / f"..{secrets.token_hex(8)}"
        generation.mkdir(mode=0o700)
        for name, content in files.items():
            write_atomically(generation / name, content)
        sync_folder(self._folder)
        point_link(self._folder / _DATA, generation.name)
        for name in files:
            if not (self._folder / name).is_symlink():
                point_link(self._folder / name, f"{_DATA}/{name}")
        self._remove_old(generation, set(files))

    def _remove_old(self, current: Path, names: set[str]) -> None:
        """Generations before this one, and links to files this one does not have (no old key beside a new CSR's)."""
        for entry in self._folder.iterdir():
            if entry.name.startswith("..") and entry.name not in {_DATA, current.name} and entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.is_symlink() and entry.name not in names and str(entry.readlink()).startswith(_DATA):
                entry.unlink()
        check_private(current)
