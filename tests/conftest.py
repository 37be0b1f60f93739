"""What every test may ask for. Certificates come from `tests.making`; backends from each folder's own conftest."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.postgresql"]

settings.register_profile("handclasp", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("handclasp")


@pytest.fixture(autouse=True, scope="session")
def usual_umask() -> None:
    """The umask most systems have: a file that is private is so because we made it so."""
    os.umask(0o022)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """An empty state folder."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder
