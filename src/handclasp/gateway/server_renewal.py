"""Keep the server certificate right: renewed in time, and of the issuer that signs now, seconds after that changed."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from handclasp.errors import HandclaspError, RegistryError
from handclasp.gateway.server_credential import ServerPem, server_credential
from handclasp.gateway.serving import Serving
from handclasp.pki.pem import load_certificates
from handclasp.registry.port import Registry
from handclasp.registry.records import Issuer

#: The file is looked at again after so long, whatever happens: time alone makes it due.
CHECK_SECONDS = 600


@dataclass
class ServerRenewal:
    """`current` is what Envoy should present; a new object when it is another."""

    serving: Serving
    current: ServerPem | None = None
    _checked_at: float = 0.0
    _issuers: list[Issuer] = field(default_factory=list)

    def renew(self, registry: Registry) -> None:
        """Make `current` right. Raises what custody, registry and trust store raise."""
        serving = self.serving
        anchors = load_certificates(serving.truststore.read() or b"", "the trust store")
        issuers = registry.issuers()
        found = server_credential(
            serving.folder / "server.pem",
            serving.settings.gateway.server_names,
            registry=registry,
            custody=serving.custody,
            practice=serving.practice,
            anchors=[c for c in anchors if c.subject == c.issuer],
            actor=serving.actor,
            now=datetime.now(UTC),
        )
        self._issuers = issuers
        self._checked_at = time.monotonic()
        if found != self.current:
            self.current = found

    def step(self, registry: Registry, *, has_changed: bool) -> None:
        """Renew when it is time, or another issuer signs. What cannot be renewed yet still serves for a while: said,
        and tried again. Raises RegistryError: nothing else does."""
        is_due = time.monotonic() - self._checked_at > CHECK_SECONDS
        if not is_due and not (has_changed and registry.issuers() != self._issuers):
            return
        try:
            self.renew(registry)
        except RegistryError:
            raise
        except (HandclaspError, OSError) as error:
            self._issuers = registry.issuers()
            self._checked_at = time.monotonic()
            again = f"trying again in {CHECK_SECONDS / 60:.0f} minutes"
            self.serving.say(f"warning: the server certificate cannot be renewed: {error}; {again}")
