"""What the gateway writes into the registry, in a thread with a registry of its own.

A write may wait a minute for another writer's transaction. Nothing the follower does may wait for that: a revocation
acts within milliseconds, whoever else is busy. So reports and the server certificate's renewal are done here.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from handclasp.errors import HandclaspError, RegistryUnavailable
from handclasp.gateway.report import Reporter
from handclasp.gateway.server_renewal import ServerRenewal
from handclasp.registry.port import Registry

#: How long news for the registry may lie here.
TICK_SECONDS = 0.1
#: After an error the registry is opened anew, and not at once.
_AGAIN_SECONDS = 1.0
#: The last report is waited for so long; it may find the registry locked or gone.
_FINISH_SECONDS = 5.0


@dataclass
class Paperwork:
    """Errors are said, once each time they begin, and tried again: they never stop the gateway."""

    open_registry: Callable[[], Registry]
    reporter: Reporter
    renewal: ServerRenewal
    say: Callable[[str], None]
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _registry: Registry | None = None
    _ask_again_at: float = 0.0
    _said: str | None = None
    _says_goodbye: bool = False

    def start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="paperwork", daemon=True)
        self._thread.start()

    def finish(self, *, says_goodbye: bool) -> None:
        """Tell what is left; with `says_goodbye` the gateway is forgotten, else it will be missed."""
        self._says_goodbye = says_goodbye
        self._over.set()
        if self._thread is None:
            self.reporter.tail.close()
        else:
            self._thread.join(_FINISH_SECONDS)

    def _work(self) -> None:
        try:
            while not self._over.wait(TICK_SECONDS):
                self._guarded(self._do)
            self._ask_again_at = 0.0
            self._guarded(self._end)
        finally:
            self._close()
            self.reporter.tail.close()

    def _do(self, registry: Registry) -> None:
        # In this order: a server certificate that cannot be renewed is no reason to be silent.
        self.reporter.report(registry)
        self.renewal.step(registry, has_changed=registry.has_changed())
        if self.reporter.is_unanswered:
            self._say("warning: the gateway's listener does not answer; others are told that it is silent")
        else:
            self._said = None

    def _end(self, registry: Registry) -> None:
        if self._says_goodbye:
            while self.reporter.watch():
                pass
            self.reporter.say_goodbye(registry)
        else:
            self.reporter.report(registry)

    def _guarded(self, work: Callable[[Registry], None]) -> None:
        try:
            # The log is read whether or not there is a registry to tell of it: it may be rotated meanwhile.
            self.reporter.watch()
            if time.monotonic() < self._ask_again_at:
                return
            if self._registry is None:
                self._registry = self.open_registry()
            work(self._registry)
        except RegistryUnavailable:
            self._put_off()  # the follower says so, and what follows from it
        except (HandclaspError, OSError) as error:
            self._say(f"warning: the gateway cannot report to the registry: {error}; it tries again")
            self._put_off()
        except Exception as error:
            # A fault in telling must not end the deciding.
            self._say(f"warning: the gateway cannot report to the registry: {type(error).__name__}: {error}")
            self._put_off()

    def _put_off(self) -> None:
        self._ask_again_at = time.monotonic() + _AGAIN_SECONDS
        self._close()

    def _close(self) -> None:
        if self._registry is not None:
            self._registry.close()
            self._registry = None

    def _say(self, text: str) -> None:
        if text != self._said and not self._over.is_set():
            self.say(text)
        self._said = text
