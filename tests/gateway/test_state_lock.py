"""One gateway for one state, held by the kernel: who dies lets go."""

import os
from pathlib import Path

import pytest

from handclasp.errors import StateInUse
from handclasp.gateway.state_lock import hold


def test_who_holds_it_is_named_to_the_second(tmp_path: Path) -> None:
    lock = tmp_path / "state" / "gateway" / "lock"
    with hold(lock):
        said = rf"already runs on {tmp_path / 'state'} \(process {os.getpid()}\)"
        with pytest.raises(StateInUse, match=said), hold(lock):
            raise AssertionError
        assert lock.stat().st_mode & 0o777 == 0o600


def test_it_is_free_again_after_the_block_and_after_a_crash(tmp_path: Path) -> None:
    lock = tmp_path / "gateway" / "lock"
    with hold(lock):
        pass
    if (child := os.fork()) == 0:
        with hold(lock):
            os._exit(9)
    os.waitpid(child, 0)
    with hold(lock):
        assert lock.read_text() == f"{os.getpid()}\n"
