"""Credentials as files: one folder a client, each delivery a generation, switched by one symbolic link.

    acme/client.key -> ..data/client.key
    acme/..data     -> ..4f2a9c07be21d35a       (swapped by rename, as Kubernetes mounts do)

Key and certificate change in the same instant, so a renewal never leaves half of a pair. A program that reads them
one after the other while a renewal may come in between resolves `..data` once and reads both below it, as `collect`
does. Of two processes that deliver into one folder, one waits for the other: the folder itself is locked.
"""

import os
from pathlib import Path

from handclasp.atomic_file import make_private_folder
from handclasp.delivery.generation import (
    DATA,
    current_generation,
    is_delivered,
    locked,
    remove_old,
    switch_to,
    write_generation,
)
from handclasp.delivery.port import Credential, Staged
from handclasp.delivery.same_key import is_for_same_key, other_keys_place
from handclasp.errors import DeliveryFailed


class FileDelivery:
    """Into `folder`/{client id}."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, credential: Credential) -> str:
        return self.stage(credential).commit()

    def stage(self, credential: Credential) -> Staged:
        return FolderDelivery(self._folder / credential.client_id).stage(credential)

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
                if not is_delivered(self._folder, name) and os.path.lexists(path := self._folder / name):
                    raise DeliveryFailed(
                        f"{path} exists and was not put there by a delivery", hint="choose another --out folder"
                    )
            there = self._folder
            while not there.exists():
                there = there.absolute().parent
            if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
                raise DeliveryFailed(f"folder {there} is not one that can be written")
        except OSError as error:
            raise DeliveryFailed(f"folder {self._folder} cannot be used: {error.strerror}") from error

    def deliver(self, credential: Credential) -> str:
        return self.stage(credential).commit()

    def stage(self, credential: Credential) -> Staged:
        files = credential.files()
        self.check([*files, *credential.kept()])
        try:
            if not self._folder.is_dir():
                make_private_folder(self._folder)
            with locked(self._folder) as folder:
                before = current_generation(folder)
                if credential.keep_key and before and not self._is_for_its_key(folder, before, credential):
                    beside = self._folder / other_keys_place(credential.certificate)
                    return FolderDelivery(beside).stage(credential)
                made = write_generation(folder, files, before=before, kept=credential.kept())
        except OSError as error:
            raise self._not_written(error) from error
        return _Staged(self, self._folder, credential, made, before)

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
            return self._folder / (self._folder / DATA).readlink()
        except FileNotFoundError:
            return None

    def _is_for_its_key(self, folder: int, before: str, credential: Credential) -> bool:
        name = f"{before}/client.pem"
        with os.fdopen(os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder), "rb") as file:
            return is_for_same_key(file.read(), credential.certificate, f"{self._folder}/{name}")

    def _not_written(self, error: OSError) -> DeliveryFailed:
        return DeliveryFailed(f"{self._folder} cannot be written: {error.strerror}")

    def _commit(self, staged: "_Staged") -> str:
        try:
            with locked(self._folder) as folder:
                # A delivery that came in between has removed this generation, or changed what it is kept beside.
                if current_generation(folder) == staged.before and _exists(folder, staged.generation):
                    names = switch_to(folder, staged.generation)
                    remove_old(folder, staged.generation, names)
                    return str(self._folder)
        except OSError as error:
            raise self._not_written(error) from error
        return self.deliver(staged.credential)


class _Staged:
    def __init__(
        self, delivery: FolderDelivery, folder: Path, credential: Credential, generation: str, before: str | None
    ) -> None:
        self._delivery = delivery
        self.folder = folder
        self.credential = credential
        self.generation = generation
        self.before = before

    def commit(self) -> str:
        return self._delivery._commit(self)


def _exists(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder)
    except FileNotFoundError:
        return False
    return True
