"""The custody port: keys are kept by name and come out only as something that signs.

The contract: `keep` returns when the key is durable and refuses a name that another key has; keeping the same key
again changes nothing, so that a killed run can be repeated. `signer` raises
KeyUnavailable for a name that is not there, a passphrase that is missing or wrong, or storage others may read.
A key never leaves as text, but for one purpose: `sealed` gives every key as it rests, for an encrypted backup. What was
kept with a passphrase is still sealed with it. A custody whose keys cannot leave gives none, and takes none back.
"""

from typing import Protocol

from handclasp.pki.keys import PrivateKey, PrivateKeyPem


class Custody(Protocol):
    def keep(self, name: str, key: PrivateKey, passphrase: bytes | None = None) -> None:
        """Store a key; with a passphrase only that opens it. Raises KeyUnavailable if another key has the name."""
        ...

    def signer(self, name: str, passphrase: bytes | None = None) -> PrivateKey:
        """The key, ready to sign. Raises KeyUnavailable."""
        ...

    def sealed(self) -> dict[str, PrivateKeyPem]:
        """Every key by name, as it rests. Raises KeyUnavailable."""
        ...

    def put_back(self, name: str, sealed: bytes) -> None:
        """Store what `sealed` gave; what is there already stays. Raises KeyUnavailable if another key has the name."""
        ...
