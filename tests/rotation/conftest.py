"""Rotation in memory and on disk: a fleet of gateways whose clock stands still until somebody waits."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rotation.fleet import Fleet


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path)
    yield made
    made.registry.close()
