"""A terminal whose state holds an authority, made once."""

import shutil
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    terminal = Terminal(folder, folder / "state")
    assert terminal.init().code == 0
    return folder / "state"


@pytest.fixture
def terminal(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.delenv("HANDCLASP_STATE", raising=False)
    shutil.copytree(made, tmp_path / "state")
    return Terminal(tmp_path, tmp_path / "state")
