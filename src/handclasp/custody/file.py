"""CA keys as PKCS#8 PEM files, 0600 in a folder of 0700; the root's encrypted with its passphrase (PBES2).

Looser modes are refused, not repaired: a key that others could read has to be considered read.
"""

from pathlib import Path

from handclasp.atomic_file import check_private, make_private_folder, write_atomically
from handclasp.custody.key_name import check_key_name
from handclasp.errors import KeyUnavailable
from handclasp.pki.keys import PrivateKey, PrivateKeyPem, holds, open_sealed, seal


class FileCustody:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, name: str, key: PrivateKey, passphrase: bytes | None = None) -> None:
        path = self._path(name)
        try:
            make_private_folder(self._folder)
            check_private(self._folder)
            if path.exists():
                check_private(path)
                if holds(path.read_bytes(), key, passphrase):
                    return
                raise KeyUnavailable(
                    f"another key named {name} is in custody already, or this one under another passphrase",
                    hint=f"if no authority uses it, move {path} away",
                )
            write_atomically(path, bytes(seal(key, passphrase)))
        except OSError as error:
            raise KeyUnavailable(f"key {path} cannot be written: {error.strerror}") from error

    def signer(self, name: str, passphrase: bytes | None = None) -> PrivateKey:
        path = self._path(name)
        try:
            check_private(self._folder)
            check_private(path)
            content = path.read_bytes()
        except FileNotFoundError:
            raise KeyUnavailable(f"no key at {path}", hint="is this the state folder the CA was made in?") from None
        except OSError as error:
            raise KeyUnavailable(f"key {path} cannot be read: {error.strerror}") from error
        return open_sealed(content, passphrase, f"key {path}")

    def sealed(self) -> dict[str, PrivateKeyPem]:
        try:
            if not self._folder.exists():
                return {}
            check_private(self._folder)
            found = {}
            for path in sorted(self._folder.glob("[!.]*.key")):
                check_private(path)
                found[path.stem] = PrivateKeyPem(path.read_bytes())
        except OSError as error:
            raise KeyUnavailable(f"keys in {self._folder} cannot be read: {error.strerror}") from error
        return found

    def put_back(self, name: str, sealed: bytes) -> None:
        check_key_name(name)
        path = self._path(name)
        try:
            make_private_folder(self._folder)
            check_private(self._folder)
            if not path.exists():
                write_atomically(path, sealed)
            elif path.read_bytes() != sealed:
                raise KeyUnavailable(
                    f"another key named {name} is in custody already",
                    hint=f"if no authority uses it, move {path} away",
                )
        except OSError as error:
            raise KeyUnavailable(f"key {path} cannot be written: {error.strerror}") from error

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.key"
