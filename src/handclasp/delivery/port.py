"""The delivery port: a client's newest credential, replaced as one.

The contract: a reader never sees a key beside another key's certificate; what is delivered is durable when
`deliver` returns; a key is readable by its owner only.
"""

from dataclasses import dataclass
from typing import Protocol

from handclasp.pki.keys import PrivateKeyPem


@dataclass(frozen=True, slots=True)
class Credential:
    """What is handed over, all PEM: `key` is None when the client brought its own CSR.

    With `keep_key` the certificate is another one for a key that was delivered before or is the client's own. It
    takes the place of that key's certificate, and the key delivered with that stays beside it. Where the newest
    delivery is of another key, the certificate is put beside it, under `other_keys_place`: it must not be lost, and
    must not lie beside a key that is not its own. With `keep_archive` the PKCS#12 file delivered before stays too:
    its passphrase is not here, so it still holds the certificate before, which is valid until it is superseded.
    `public_key` (SubjectPublicKeyInfo, DER) is needed with `keep_key` only.
    """

    client_id: str
    certificate: bytes
    full_chain: bytes
    trust_anchor: bytes
    key: PrivateKeyPem | None = None
    pkcs12: bytes | None = None
    keep_key: bool = False
    keep_archive: bool = False
    public_key: bytes = b""

    def files(self) -> dict[str, bytes]:
        """File name to content, under the names that scripts rely on; without what is kept."""
        named = {
            "client.key": self.key,
            "client.pem": self.certificate,
            "fullchain.pem": self.full_chain,
            "ca.pem": self.trust_anchor,
            "client.p12": self.pkcs12,
        }
        return {name: bytes(content) for name, content in named.items() if content is not None}

    def kept(self) -> tuple[str, ...]:
        """The files of the delivery before that stay, if they are there."""
        return ("client.key",) * self.keep_key + ("client.p12",) * self.keep_archive


class Staged(Protocol):
    """A credential that is ready where it will be, and that nobody sees yet."""

    def commit(self) -> str:
        """Hand it over, in one step; returns where it is, for people. Raises DeliveryFailed.

        It has to be flushed before, or a power failure leaves what cannot be read; and after, to be durable.
        """
        ...


class Delivery(Protocol):
    def deliver(self, credential: Credential) -> str:
        """Hand it over; returns where it is, for people. Raises DeliveryFailed."""
        ...

    def stage(self, credential: Credential) -> Staged:
        """Do all of it that takes time, so that `commit` is quick: for many at once.

        What is never committed is forgotten, and removed by the next delivery. Raises DeliveryFailed.
        """
        ...

    def flush(self) -> None:
        """When it returns, what was staged and what was committed is durable. Raises DeliveryFailed."""
        ...

    def collect(self, client_id: str) -> dict[str, bytes]:
        """The files delivered last; an empty dictionary if there are none. Raises DeliveryFailed."""
        ...
