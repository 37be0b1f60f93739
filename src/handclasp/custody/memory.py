"""CA keys in memory: for tests. The same contract, sealed and opened as the file adapter does."""

from handclasp.custody.key_name import check_key_name
from handclasp.errors import KeyUnavailable
from handclasp.pki.keys import PrivateKey, PrivateKeyPem, holds, open_sealed, seal


class MemoryCustody:
    def __init__(self) -> None:
        self._keys: dict[str, PrivateKeyPem] = {}

    def keep(self, name: str, key: PrivateKey, passphrase: bytes | None = None) -> None:
        if name in self._keys and not holds(self._keys[name], key, passphrase):
            raise KeyUnavailable(f"another key named {name} is in custody already")
        self._keys.setdefault(name, seal(key, passphrase))

    def signer(self, name: str, passphrase: bytes | None = None) -> PrivateKey:
        if name not in self._keys:
            raise KeyUnavailable(f"no key named {name}")
        return open_sealed(self._keys[name], passphrase, f"key {name}")

    def sealed(self) -> dict[str, PrivateKeyPem]:
        return dict(self._keys)

    def put_back(self, name: str, sealed: bytes) -> None:
        check_key_name(name)
        if bytes(self._keys.setdefault(name, PrivateKeyPem(sealed))) != sealed:
            raise KeyUnavailable(f"another key named {name} is in custody already")
