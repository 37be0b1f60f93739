"""A gateway that cannot follow its registry lets nobody in: Envoy is stopped, and the reason said."""

import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from handclasp.errors import RegistryDamaged, RegistryError
from tests.gateway.callers import Caller, Closed
from tests.gateway.conftest import Guarded
from tests.gateway.deployment import Deployment, handclasp, until
from tests.gateway.service import Service
from tests.gateway.terminal import Terminal, alive


def _removed(database: Path) -> None:
    database.unlink()


def _replaced(database: Path) -> None:
    """A backup that was put back: the open connection would go on reading the file that is gone, for ever."""
    copy = database.with_suffix(".backup")
    shutil.copyfile(database, copy)
    copy.replace(database)


def _moved_away_with_its_folder(database: Path) -> None:
    database.parent.rename(database.parent.with_name("elsewhere"))


@pytest.mark.parametrize("harm", [_removed, _replaced, _moved_away_with_its_folder])
def test_a_registry_that_is_taken_away_stops_the_gateway(harm: Callable[[Path], None], own: Guarded) -> None:
    at = own.deployment
    assert at.status(own.friend) == 200
    envoy = own.running.envoy_pid
    harm(at.state / "registry.db")

    error = own.running.ended()

    assert isinstance(error, RegistryDamaged)
    assert "was removed or replaced while it was open" in str(error)
    assert not alive(envoy)
    with pytest.raises((Closed, OSError)):
        at.status(own.friend)


def _schema_gone(database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.execute("DROP TABLE revision")
    connection.close()


def test_a_registry_that_cannot_be_read_stops_the_gateway(own: Guarded) -> None:
    envoy = own.running.envoy_pid
    _schema_gone(own.deployment.state / "registry.db")
    assert isinstance(own.running.ended(), RegistryError)
    assert not alive(envoy)


@pytest.mark.parametrize("harm", ["conv=notrunc count=64", "conv=notrunc count=1 seek=1"])
def test_a_registry_that_is_damaged_in_place_never_revokes_in_vain(harm: str, own: Guarded) -> None:
    """Either the command says that it failed, or the client is refused."""
    at = own.deployment
    victim = at.enrol("victim")
    at.let_in(victim)
    # By another process: see test_registry_shared_in_one_process.py.
    damage = ["dd", "if=/dev/urandom", f"of={at.state / 'registry.db'}", "bs=512", *harm.split(), "status=none"]
    subprocess.run(damage, check=True)
    done = handclasp(at.state, "client", "revoke", "victim")
    if done.returncode == 0:
        until(lambda: not _lets_in(at, victim), "refused", 1)
    else:
        assert done.stderr.startswith("error: ")


def _lets_in(at: Deployment, caller: Caller) -> bool:
    try:
        return at.status(caller) == 200
    except (Closed, OSError):
        return False


def test_up_says_what_became_of_its_registry_and_ends(own: Guarded, tmp_path: Path) -> None:
    own.running.stop()
    at = own.deployment
    with Service() as service:
        arguments = ("up", "--upstream", service.url, "--listen", at.settings.gateway.listen)
        with Terminal(at.state, *arguments, folder=tmp_path / "terminal") as up:
            envoy = up.serves().envoy
            (at.state / "registry.db").unlink()
            assert up.ends() == 1
        assert not alive(envoy)
        assert not up.ready_file.exists()
        assert "error: registry" in up.stderr
        assert "was removed or replaced" in up.stderr


def test_a_trust_store_that_is_damaged_stops_the_gateway(own: Guarded) -> None:
    at = own.deployment
    (at.state / "truststore.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    at.enrol("anybody")
    assert "trust store" in str(own.running.ended())


def test_a_gateway_without_a_published_trust_store_says_what_to_run(own: Guarded) -> None:
    own.running.stop()
    at = own.deployment
    (at.state / "truststore.pem").unlink()
    done = handclasp(at.state, "gateway", "run", "--upstream", "http://127.0.0.1:9", "--listen", f"127.0.0.1:{at.port}")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "hint: run: handclasp truststore publish"


def test_a_registry_that_is_only_busy_is_waited_for(own: Guarded) -> None:
    """A writer that takes its time is no reason to stop."""
    at = own.deployment
    with at.registry.change():
        for _ in range(20):
            assert at.status(own.friend) == 200
    until(lambda: own.running.error is None, "serves on")
