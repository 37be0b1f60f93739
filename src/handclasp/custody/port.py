"""The custody port: keys are kept by name and come out only as something that signs.

The contract: `keep` returns when the key is durable and refuses a name that another key has; keeping the same key
again changes nothing, so that a killed run can be repeated. `signer` raises
KeyUnavailable for a name that is not there, a passphrase that is missing or wrong, or storage others may read.
A key never leaves as text.
"""

from typing import Protocol

from handclasp.pki.keys import PrivateKey


class Custody(Protocol):
    def keep(self, name: str, key: PrivateKey, passphrase: bytes | None = None) -> None:
        """Store a key; with a passphrase only that opens it. Raises KeyUnavailable if another key has the name."""
        ...

    def signer(self, name: str, passphrase: bytes | None = None) -> PrivateKey:
        """The key, ready to sign. Raises KeyUnavailable."""
        ...
