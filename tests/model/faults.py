"""A fault at one call of any port: an error, the process killed, or the operator's Ctrl-C at a moment of waiting."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from handclasp.errors import DeliveryFailed, HandclaspError, KeyUnavailable, RegistryUnavailable, TruststoreRejected
from tests.authority.conftest import Authority


class Killed(BaseException):
    """As `kill -9`: nothing catches it, and nothing that is done afterwards comes through."""


class Kind(StrEnum):
    ERROR = "error"
    KILL = "kill"
    INTERRUPT = "interrupt"


@dataclass
class Fault:
    """Strikes at call `number`, counting from 1. A killed process's later calls are all dead."""

    number: int
    kind: Kind
    calls: int = 0
    struck: bool = False

    def strike(self, error: type[HandclaspError], what: str) -> None:
        """Call it before and after whatever the port does."""
        if self.kind is Kind.INTERRUPT:
            return
        self.calls += 1
        if self.kind is Kind.KILL and self.calls >= self.number:
            self.struck = True
            raise Killed
        if self.calls == self.number:
            self.struck = True
            raise error(f"{what} failed")

    def is_interrupted(self) -> bool:
        """Asked whenever the run waits."""
        if self.kind is not Kind.INTERRUPT:
            return False
        self.calls += 1
        self.struck = self.struck or self.calls >= self.number
        return self.calls >= self.number


class Faulty:
    """A port, or a transaction of one: each call may fail before it does anything, and after it has done it."""

    def __init__(self, port: Any, fault: Fault, error: type[HandclaspError]) -> None:
        self._port, self._fault, self._error = port, fault, error

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self._fault.strike(self._error, name)
            result = found(*arguments, **named)
            self._fault.strike(self._error, name)
            # What `stage` made is a port of its own: `commit` is where a client's files are switched.
            return Faulty(result, self._fault, self._error) if name == "stage" else result

        return call


class FaultyRegistry(Faulty):
    """A commit may fail too: before it is done, and when it is done and nobody could be told."""

    @contextmanager
    def change(self) -> Iterator[Any]:
        self._fault.strike(self._error, "the transaction")
        with self._port.change() as change:
            yield Faulty(change, self._fault, self._error)
            self._fault.strike(self._error, "the commit")
        self._fault.strike(self._error, "the answer to the commit")


def struck_by(fault: Fault, sound: Authority) -> Authority:
    """The same authority, behind ports that fail."""
    return Authority(
        FaultyRegistry(sound.registry, fault, RegistryUnavailable),
        Faulty(sound.custody, fault, KeyUnavailable),
        Faulty(sound.truststore, fault, TruststoreRejected),
        Faulty(sound.delivery, fault, DeliveryFailed),
        sound.practice,
        sound.now,
        sound.actor,
    )
