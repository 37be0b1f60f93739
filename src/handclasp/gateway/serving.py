"""What a gateway is given to run with, and what must be so before it starts."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from handclasp.authority.practice import Practice
from handclasp.custody.port import Custody
from handclasp.errors import GatewayFailed
from handclasp.gateway.addresses import parse_listen
from handclasp.registry.port import Registry
from handclasp.settings import Settings
from handclasp.truststore.port import Truststore


@dataclass(frozen=True, slots=True)
class Serving:
    """`say` gets a line when something happens that a person should know.

    `registry` is followed by the thread that serves; `open_registry` makes another for the thread that writes.
    """

    settings: Settings
    registry: Registry
    open_registry: Callable[[], Registry]
    truststore: Truststore
    custody: Custody
    practice: Practice
    actor: str
    say: Callable[[str], None]

    @property
    def folder(self) -> Path:
        return self.settings.state.resolve() / "gateway"

    @property
    def lock(self) -> Path:
        return self.folder / "lock"

    @property
    def log(self) -> Path:
        return self.settings.state.resolve() / self.settings.gateway.access_log

    @property
    def address(self) -> tuple[str, int]:
        return parse_listen(self.settings.gateway.listen)

    def check(self) -> None:
        """Raises GatewayFailed when the port is taken, or nobody could be let in."""
        self._check_port_is_free()
        if not self.truststore.read():
            raise GatewayFailed(
                f"the trust store {self.truststore.location()} is empty: nobody could be let in",
                hint="run: handclasp truststore publish",
            )

    def _check_port_is_free(self) -> None:
        """Envoy's listener shares its port (SO_REUSEPORT): a second one would take half the connections, unseen."""
        host, port = self.address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise GatewayFailed(
                    f"cannot listen on {host}:{port}: {error.strerror}",
                    hint="stop what listens there, or pass --listen",
                ) from None
