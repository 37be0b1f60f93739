"""Credentials as files: one folder a client, each delivery a generation, switched by one symbolic link.

    acme/client.key -> ..data/client.key
    acme/..data     -> ..4f2a9c07be21d35a       (swapped by rename, as Kubernetes mounts do)

Key and certificate change in the same instant, so a renewal never leaves half of a pair. A program that reads them
one after the other while a renewal may come in between resolves `..data` once and reads both below it, as `collect`
does. Of two processes that deliver into one folder, one waits for the other: the folder itself is locked.
"""

import os
from pathlib import Path
from typing import NoReturn

from handclasp.atomic_file import make_private_folder
from handclasp.delivery.generation import (
    DATA,
    current_generation,
    exists,
    is_free,
    locked,
    read_file,
    switch_to,
    sync_file_system,
    write_generation,
)
from handclasp.delivery.port import Credential, Staged
from handclasp.delivery.same_key import is_for_same_key, other_keys_place
from handclasp.errors import DeliveryFailed


class FileDelivery:
    """Into `folder`/{client id}."""

    def __init__(self, folder: Path) -> None:
        self._folder = os.fspath(folder)

    def deliver(self, credential: Credential) -> str:
        return self._of(credential.client_id).deliver(credential)

    def stage(self, credential: Credential) -> Staged:
        return self._of(credential.client_id).stage(credential)

    def flush(self) -> None:
        FolderDelivery(self._folder).flush()

    def collect(self, client_id: str) -> dict[str, bytes]:
        return self._of(client_id).collect(client_id)

    def _of(self, client_id: str) -> "FolderDelivery":
        return FolderDelivery(f"{self._folder}/{client_id}")


class FolderDelivery:
    """Into one folder, the client's own: what `--out DIR` asks for."""

    def __init__(self, folder: Path | str) -> None:
        # Text: joining paths as objects costs more than writing the files, ten thousand times over.
        self._folder = os.fspath(folder)

    def check(self, names: list[str]) -> None:
        """Raises DeliveryFailed, before anything is issued or made, if the folder cannot take these files."""
        try:
            for name in names:
                path = Path(self._folder, name)
                is_ours = path.is_symlink() and str(path.readlink()) == f"{DATA}/{name}"
                if not is_ours and os.path.lexists(path):
                    raise DeliveryFailed(
                        f"{path} exists and was not put there by a delivery", hint="choose another --out folder"
                    )
            there = Path(self._folder)
            while not there.exists():
                there = there.absolute().parent
            if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
                raise DeliveryFailed(f"folder {there} is not one that can be written")
        except OSError as error:
            raise DeliveryFailed(f"folder {self._folder} cannot be used: {error.strerror}") from error

    def deliver(self, credential: Credential) -> str:
        return self._stage(credential, sync=True).commit()

    def stage(self, credential: Credential) -> Staged:
        return self._stage(credential, sync=False)

    def flush(self) -> None:
        try:
            sync_file_system(Path(self._folder))
        except FileNotFoundError:  # nothing was ever delivered here
            return
        except OSError as error:
            self._refuse(error)

    def _stage(self, credential: Credential, *, sync: bool) -> "_Staged":
        files = credential.files()
        names = [*files, *credential.kept()]
        try:
            if not os.path.isdir(self._folder):  # noqa: PTH112 - a tenth of the cost, ten thousand times
                self.check(names)
                make_private_folder(Path(self._folder))
            with locked(self._folder) as folder:
                for name in names:
                    if not is_free(folder, name):
                        self.check([name])
                before = current_generation(folder)
                if credential.keep_key and before and not self._is_for_its_key(folder, before, credential):
                    beside = f"{self._folder}/{other_keys_place(credential.public_key)}"
                    return FolderDelivery(beside)._stage(credential, sync=sync)
                made, held = write_generation(folder, files, before=before, kept=credential.kept(), sync=sync)
        except OSError as error:
            self.check(names)
            self._refuse(error)
        return _Staged(self, credential, made, held, before, sync=sync)

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
            return Path(self._folder) / Path(self._folder, DATA).readlink()
        except FileNotFoundError:
            return None

    def _is_for_its_key(self, folder: int, before: str, credential: Credential) -> bool:
        name = f"{before}/client.pem"
        return is_for_same_key(read_file(folder, name), credential.public_key, f"{self._folder}/{name}")

    def _refuse(self, error: OSError) -> NoReturn:
        raise DeliveryFailed(f"{self._folder} cannot be written: {error.strerror}") from error

    def _commit(self, staged: "_Staged") -> str:
        try:
            with locked(self._folder) as folder:
                # A delivery that came in between has removed this generation, or changed what it is kept beside.
                if current_generation(folder) == staged.before and exists(folder, staged.generation):
                    switch_to(folder, staged.generation, staged.names, sync=staged.sync)
                    return self._folder
        except OSError as error:
            self._refuse(error)
        return self.deliver(staged.credential)


class _Staged:
    """A generation that is written and not switched to. `before` is the one it was made beside."""

    def __init__(
        self,
        delivery: FolderDelivery,
        credential: Credential,
        generation: str,
        names: frozenset[str],
        before: str | None,
        *,
        sync: bool,
    ) -> None:
        self._delivery = delivery
        self.credential = credential
        self.generation = generation
        self.names = names
        self.before = before
        self.sync = sync

    def commit(self) -> str:
        return self._delivery._commit(self)
