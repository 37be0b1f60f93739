"""Two gateways on one PostgreSQL: a rotation waits for both, survives the server's absence, and names who is dead."""

import json
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.gateway.deployment import until
from tests.postgresql import Server
from tests.rotation.test_under_load import nobody_was_refused, signing
from tests.rotation.world import NAMES, World

ROTATE = ("rotate", "issuer", "--idle-for", "2s", "--deadline", "10m")


@dataclass
class Fleet:
    server: Server
    here: World
    there: World

    def reports(self) -> bool:
        """Both gateways have told what they serve."""
        return len([g for g in self.here.json("gateway", "list") if not g["silent"]]) == 2


@pytest.fixture
def fleet(start_postgresql: Callable[[], Server], tmp_path: Path) -> Fleet:
    server = start_postgresql()
    here = World(tmp_path, variables={"HANDCLASP_REGISTRY": server.create()})
    here.establish()
    return Fleet(server, here, here.elsewhere())


def test_a_rotation_waits_for_both_and_neither_refuses_anybody(fleet: Fleet) -> None:
    with ExitStack() as stack:
        for world, command in ((fleet.here, "up"), (fleet.there, "gateway run")):
            stack.enter_context(world.serving(*command.split()))
        until(fleet.reports, "both report")
        old = signing(fleet.here)
        reports = [stack.enter_context(world.called(rate=100)) for world in (fleet.here, fleet.there)]
        events = fleet.here.events(*ROTATE, "--root-passphrase-file", fleet.here.passphrase_file)
        told = [each["message"] for each in events if each["event"] == "note"]
        assert len([line for line in told if line.endswith("lets the canary in")]) == 4
        assert len([line for line in told if line.endswith("refuses the canary")]) == 2
        stack.pop_all().close()
    for report in reports:
        nobody_was_refused(report, 2)
    new = signing(fleet.here)
    assert new != old
    assert {issuer for name in NAMES for issuer in fleet.here.issuers_of(name)} == {new}


def test_postgresql_is_stopped_in_the_middle_and_nothing_is_lost(fleet: Fleet) -> None:
    with fleet.here.serving("up"), fleet.here.called(rate=100) as report:
        until(lambda: len(fleet.here.json("gateway", "list")) == 1, "the gateway reports")
        arguments = (*ROTATE, "--root-passphrase-file", fleet.here.passphrase_file, "--json")
        rotation = fleet.here.start(*arguments)
        assert rotation.stdout is not None
        for line in rotation.stdout:
            if json.loads(line).get("step") == "reissue":
                fleet.server.stop()
                break
        _, said = rotation.communicate(timeout=60)
        assert rotation.returncode == 1, said
        assert "operation resume" in said
        time.sleep(1)
        fleet.server.start()
        (operation,) = fleet.here.json("operation", "list", "--unfinished")
        until(lambda: _resumed(fleet.here, operation["operation"]), "the operation is done", 60)
    nobody_was_refused(report, 2)
    new = signing(fleet.here)
    assert {issuer for name in NAMES for issuer in fleet.here.issuers_of(name)} == {new}
    assert fleet.here.do("audit", "verify").returncode == 0


def _resumed(world: World, operation: str) -> bool:
    """Resumed by us, or by the schedule inside `up`, whichever is first."""
    process = world.start("operation", "resume", operation)
    process.communicate(timeout=60)
    status: str = world.json("operation", "show", operation)["status"]
    return status == "done"


@pytest.mark.slow
def test_a_gateway_killed_in_the_middle_is_named_and_not_waited_for_for_ever(fleet: Fleet) -> None:
    with (
        fleet.here.serving("up"),
        fleet.there.serving("gateway", "run") as there,
        fleet.here.called(rate=100) as report,
    ):
        until(fleet.reports, "both report")
        there.send_signal(signal.SIGKILL)
        there.wait()
        events = fleet.here.events(*ROTATE, "--root-passphrase-file", fleet.here.passphrase_file)
    nobody_was_refused(report, 2)
    told = [each["message"] for each in events if each["event"] == "note"]
    dead = f":{fleet.there.port} is silent for"
    assert any(dead in line for line in told)
    assert events[-1]["event"] == "done"
