"""The delivery port: a client's newest credential, replaced as one.

The contract: a reader never sees a key beside another key's certificate; what is delivered is durable when
`deliver` returns; a key is readable by its owner only.
"""

from dataclasses import dataclass
from typing import Protocol

from handclasp.pki.keys import PrivateKeyPem


@dataclass(frozen=True, slots=True)
class Credential:
    """What is handed over, all PEM: `key` is None when the client brought its own CSR."""

    client_id: str
    certificate: bytes
    full_chain: bytes
    trust_anchor: bytes
    key: PrivateKeyPem | None = None
    pkcs12: bytes | None = None

    def files(self) -> dict[str, bytes]:
        """File name to content, under the names that scripts rely on."""
        named = {
            "client.key": self.key,
            "client.pem": self.certificate,
            "fullchain.pem": self.full_chain,
            "ca.pem": self.trust_anchor,
            "client.p12": self.pkcs12,
        }
        return {name: bytes(content) for name, content in named.items() if content is not None}


class Delivery(Protocol):
    def deliver(self, credential: Credential) -> str:
        """Hand it over; returns where it is, for people. Raises DeliveryFailed."""
        ...

    def collect(self, client_id: str) -> dict[str, bytes]:
        """The files delivered last; an empty dictionary if there are none. Raises DeliveryFailed."""
        ...
