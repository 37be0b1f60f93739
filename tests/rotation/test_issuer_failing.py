"""Rotate the issuer while registry, delivery, trust store or custody fail once: resumed, it comes to the same end."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from handclasp.errors import DeliveryFailed, HandclaspError, KeyUnavailable, RegistryUnavailable, TruststoreRejected
from handclasp.registry.operations import OperationStatus
from tests.authority.conftest import Authority
from tests.rotation.test_issuer_killed import KINDS, Story


class Fault:
    """Fails the n-th call, once. `calls` counts all."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.calls = 0

    def strike(self, error: HandclaspError) -> None:
        self.calls += 1
        if self.calls == self.number:
            raise error


class Faulty:
    """A port whose every call may fail before it does anything."""

    def __init__(self, port: Any, fault: Fault, error: type[HandclaspError]) -> None:
        self._port, self._fault, self._error = port, fault, error

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self._fault.strike(self._error(f"{name} failed"))
            return found(*arguments, **named)

        return call


class FaultyRegistry(Faulty):
    """A commit may fail too: before it is done, and after it was done and nobody could be told."""

    @contextmanager
    def change(self) -> Iterator[Any]:
        self._fault.strike(self._error("the connection was lost before"))
        with self._port.change() as change:
            yield change
            self._fault.strike(self._error("the connection was lost within"))
        self._fault.strike(self._error("the connection was lost after the commit"))

    def close(self) -> None:
        self._port.close()


class FailingStory(Story):
    fault = Fault(0)

    def open(self) -> Authority:
        authority = super().open()
        fault = self.fault
        authority.registry = FaultyRegistry(authority.registry, fault, RegistryUnavailable)
        authority.custody = Faulty(authority.custody, fault, KeyUnavailable)
        authority.delivery = Faulty(authority.delivery, fault, DeliveryFailed)
        authority.truststore = Faulty(authority.truststore, fault, TruststoreRejected)
        return authority


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared") / "state"
    folder.mkdir(mode=0o700)
    Story(folder).prepare()
    return folder


def resumed(folder: Path, chosen: dict[str, Any], number: int) -> tuple[bool, object]:
    """Rotated with a fault at call `number`, and again if that made it fail. Whether it came so far, and the end."""
    story = FailingStory(folder, **chosen)
    story.fault = Fault(number)
    struck = False
    for _ in range(3):
        try:
            story.rotate()
            break
        except HandclaspError:
            struck = True
    calls = story.fault.calls
    story.fault = Fault(0)
    return struck or calls >= number, Story(folder, **chosen).end()


@pytest.mark.parametrize("stride", [11, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("chosen", KINDS.values(), ids=KINDS.keys())
def test_it_is_resumed_to_the_same_end(prepared: Path, tmp_path: Path, chosen: dict[str, Any], stride: int) -> None:
    """A fault at every call, or at every `stride`-th."""
    shutil.copytree(prepared, tmp_path / "state", symlinks=True)
    undisturbed = Story(tmp_path / "state", **chosen)
    undisturbed.rotate()
    end = undisturbed.end()
    assert isinstance(end, tuple)
    assert end[0][0] is OperationStatus.DONE
    number = 1
    while True:
        folder = tmp_path / f"state-{number}"
        shutil.copytree(prepared, folder, symlinks=True)
        came_so_far, same = resumed(folder, chosen, number)
        assert same == end, f"failed at call {number}"
        shutil.rmtree(folder)
        if not came_so_far:
            break
        number += stride
    assert number > 100
