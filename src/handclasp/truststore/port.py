"""The trust store's port: one PEM bundle, replaced whole.

The contract: `publish` returns when a reader can only see the new bundle, and publishing the bundle that is
there changes nothing; `read` gives None before the first publication.
"""

from typing import Protocol


class Truststore(Protocol):
    def publish(self, bundle: bytes) -> None:
        """Raises TruststoreRejected when it cannot be written."""
        ...

    def read(self) -> bytes | None: ...

    def location(self) -> str:
        """Where it is, for people."""
        ...
