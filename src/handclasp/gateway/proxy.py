"""What the follower asks of a proxy; `gateway/envoy/` is the first that answers."""

from collections.abc import Mapping
from typing import Protocol

from handclasp.authorizer.decision import Reason
from handclasp.gateway.table import Entry

#: What the log calls a refusal that is no decision: the registry has been away for too long.
REGISTRY_UNAVAILABLE = "registry_unavailable"


class Proxy(Protocol):
    """The contract: each call returns when it is written where the proxy reads it; the last two say when it acts.

    A kill must act whatever table is in force, and must not wait behind the writing of one.
    """

    def kill(self, denied: Mapping[str, Reason]) -> None:
        """These fingerprints are refused from now on, whatever the table says; replaces the kills before."""
        ...

    def refuse_all(self) -> None:
        """Everybody is refused, whatever the table says, until the next `kill` takes its place."""
        ...

    def load(self, entries: Mapping[str, Entry]) -> None:
        """Replace the table."""
        ...

    def trust(self, bundle: bytes) -> None:
        """Replace the trust anchors (PEM)."""
        ...

    def table_in_force(self) -> bool:
        """True when the last table acts on every connection. Raises GatewayFailed if the proxy refuses it."""
        ...

    def in_force(self) -> bool:
        """True when everything told so far acts. Raises GatewayFailed likewise."""
        ...
