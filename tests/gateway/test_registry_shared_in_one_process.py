"""Two registries open in one process, as in `up --demo`, and commands that come and go: nothing is lost.

POSIX drops every lock a process holds on a file when it closes any descriptor of it. A registry that opened and closed
its file beside SQLite would take the locks of the one that is open already, and the next command to end, believing
itself the last, would delete the write-ahead log under it: its commits would go nowhere, and it would see no more.
"""

from handclasp import bootstrap
from handclasp.registry.records import ClientStatus
from tests.gateway.deployment import Deployment, handclasp


def _suspended_by_command(at: Deployment, name: str) -> None:
    done = handclasp(at.state, "client", "suspend", name, "--lock-out", "1")
    assert done.returncode == 0, done.stderr


def test_a_registry_goes_on_seeing_what_commands_change(deployment: Deployment) -> None:
    for name in ("one", "two"):
        deployment.enrol(name)
    bootstrap.open_registry(deployment.settings).close()
    for name in ("one", "two"):
        _suspended_by_command(deployment, name)
        assert deployment.registry.client(name).status is ClientStatus.SUSPENDED


def test_commands_see_what_a_registry_writes_after_another_command_has_ended(deployment: Deployment) -> None:
    deployment.enrol("one")
    bootstrap.open_registry(deployment.settings).close()
    _suspended_by_command(deployment, "one")
    deployment.enrol("two")
    _suspended_by_command(deployment, "two")
