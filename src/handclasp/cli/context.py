"""One invocation: its settings, its ports and its moment, each made when first asked for."""

import os
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from handclasp import bootstrap
from handclasp.cli.unfinished_restore import refuse_half_restored
from handclasp.errors import InvalidInput
from handclasp.settings import Settings, load

if TYPE_CHECKING:  # ports are needed by the type checker only, and some lead to cryptography
    from handclasp.authority.practice import Practice
    from handclasp.custody.port import Custody
    from handclasp.delivery.port import Delivery
    from handclasp.registry.port import Registry
    from handclasp.truststore.port import Truststore


class Session:
    """What a command works with; Click hands it on as `ctx.obj`."""

    def __init__(self, state: str, config: str | None = None) -> None:
        if not state:
            raise InvalidInput("--state is empty", hint="name a folder, or leave it out for ./handclasp-state")
        self.state = Path(state)
        self.config = Path(config) if config else None

    @cached_property
    def settings(self) -> Settings:
        return load(self.state, os.environ, self.config)

    @cached_property
    def registry(self) -> "Registry":
        """Raises NotEstablished when there is none, RegistryError where a restore was interrupted."""
        refuse_half_restored(self.state)
        return bootstrap.open_registry(self.settings)

    @cached_property
    def custody(self) -> "Custody":
        return bootstrap.open_custody(self.settings)

    @cached_property
    def truststore(self) -> "Truststore":
        return bootstrap.open_truststore(self.settings)

    @cached_property
    def delivery(self) -> "Delivery":
        return bootstrap.open_delivery(self.settings)

    @cached_property
    def practice(self) -> "Practice":
        return bootstrap.practice(self.settings)

    @cached_property
    def now(self) -> datetime:
        return datetime.now(UTC)

    @cached_property
    def actor(self) -> str:
        """Who does this, for the audit trail: the operating system's user, not what $USER claims."""
        import pwd  # noqa: PLC0415

        user = os.getuid()
        try:
            name = pwd.getpwuid(user).pw_name
        except KeyError:
            name = str(user)
        return f"{name}@{os.uname().nodename}"

    def create_registry(self) -> "Registry":
        """Open the registry, making it if need be: `init` only."""
        if "registry" not in self.__dict__:
            self.registry = bootstrap.open_registry(self.settings, create=True)
        return self.registry

    def close(self) -> None:
        if "registry" not in self.__dict__:
            return
        # Who changes something says who he is; a command that only reads pays nothing here.
        if "actor" in self.__dict__:
            from handclasp.cli.checkpointing import checkpoint_when_due  # noqa: PLC0415

            checkpoint_when_due(self.registry, lambda: self.custody, self.settings, self.actor)
        self.registry.close()
