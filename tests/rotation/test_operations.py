"""An operation is recorded step by step: taken up when it was killed, never run twice, interrupted without loss."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from handclasp.authority.operations import operation as module
from handclasp.authority.operations.lease import LEASE_SECONDS, is_gone, this_process
from handclasp.authority.operations.operation import NotYet, Run, Step, perform
from handclasp.authority.operations.taking import abandon, begin, take_up
from handclasp.errors import (
    GatewayFailed,
    HandclaspError,
    Interrupted,
    LeaseHeld,
    LeaseLost,
    RegistryError,
    TransitionRefused,
)
from handclasp.registry.operations import Operation, OperationStatus
from handclasp.registry.port import Registry
from handclasp.registry.sqlite import SqliteRegistry
from tests.forking import in_child
from tests.killing import killed_at


@dataclass
class World:
    """A registry whose clock the test sets, and an operation of three steps that leaves notes."""

    path: Path
    now: float = 1_000_000.0
    stops: bool = False
    events: list[dict[str, object]] = field(default_factory=list)

    def open(self) -> Registry:
        return SqliteRegistry(self.path, clock=lambda: self.now)

    def begin(self, registry: Registry, **arguments: object) -> Operation:
        return begin("try", arguments, STEPS, registry=registry, actor="tester")

    def run(self, registry: Registry, operation: Operation) -> Run:
        return Run(registry, operation, "tester", self.wait, self.events.append)

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return self.stops


def _noting(name: str) -> Step:
    def note(run: Run) -> None:
        with run.registry.change() as change:
            # Done twice it is done once: it may be killed between its own commit and the runner's.
            run.save(change, notes=list(dict.fromkeys([*run.state.get("notes", []), name])))

    return Step(name, f"note {name}", note)


STEPS = (_noting("one"), _noting("two"), _noting("three"))


def with_second(second: Callable[[Run], None]) -> tuple[Step, ...]:
    return (STEPS[0], Step("two", "the step in question", second), STEPS[2])


def raising(error: BaseException) -> Callable[[Run], None]:
    def fail(run: Run) -> None:
        raise error

    return fail


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "registry.db")


@pytest.fixture
def registry(world: World) -> Iterator[Registry]:
    made = world.open()
    yield made
    made.close()


@contextmanager
def lease_of_another(registry: Registry, operation: Operation, holder: str) -> Iterator[Operation]:
    """The operation as if the process of that name had taken it."""
    with registry.change() as change:
        other = replace(operation, holder=holder, fence=operation.fence + 1, lease_until=change.now() + LEASE_SECONDS)
        change.save_operation(other)
    yield other


def test_its_steps_are_done_in_order_and_each_is_in_the_audit_trail(world: World, registry: Registry) -> None:
    done = perform(world.run(registry, world.begin(registry)), STEPS)
    assert (done.status, done.holder, done.lease_until) == (OperationStatus.DONE, None, None)
    assert json.loads(done.state)["notes"] == ["one", "two", "three"]
    assert registry.operation(done.operation_id) == done
    trail = [(entry.action, json.loads(entry.details).get("done")) for entry in registry.audit()]
    assert trail == [
        ("operation.begin", None),
        ("operation.step", "one"),
        ("operation.step", "two"),
        ("operation.step", "three"),
        ("operation.done", None),
    ]


def test_the_same_command_takes_up_what_was_interrupted(world: World, registry: Registry) -> None:
    begun = world.begin(registry, client="acme")
    with pytest.raises(Interrupted, match="was interrupted") as raised:
        perform(world.run(registry, begun), with_second(raising(Interrupted("it was interrupted", hint="resume"))))
    assert raised.value.exit_code == 4
    again = world.begin(registry, client="acme")
    assert (again.operation_id, again.step, again.fence) == (begun.operation_id, "two", begun.fence + 1)
    done = perform(world.run(registry, again), STEPS)
    assert json.loads(done.state)["notes"] == ["one", "two", "three"]


def test_a_wish_to_stop_ends_it_between_two_units_with_the_hint_to_resume(world: World, registry: Registry) -> None:
    world.stops = True
    begun = world.begin(registry)
    with pytest.raises(Interrupted) as raised:
        perform(world.run(registry, begun), STEPS)
    assert raised.value.hint == f"resume with: handclasp operation resume {begun.operation_id}"
    stopped = registry.operation(begun.operation_id)
    assert (stopped.status, stopped.step, stopped.holder) == (OperationStatus.OPEN, "one", None)


def test_an_error_is_remembered_and_says_how_to_go_on(world: World, registry: Registry) -> None:
    begun = world.begin(registry)
    error = GatewayFailed("gateway edge-1 does not answer", hint="start it")
    with pytest.raises(GatewayFailed) as raised:
        perform(world.run(registry, begun), with_second(raising(error)))
    assert raised.value.hint == f"start it; then resume with: handclasp operation resume {begun.operation_id}"
    failed = registry.operation(begun.operation_id)
    assert (failed.step, failed.error, failed.attempts) == ("two", "gateway edge-1 does not answer", 1)
    done = perform(world.run(registry, take_up(begun.operation_id, registry=registry, actor="tester")), STEPS)
    assert (done.status, done.error, done.attempts) == (OperationStatus.DONE, None, 0)


def test_a_defect_gives_the_lease_back_too(world: World, registry: Registry) -> None:
    begun = world.begin(registry)
    with pytest.raises(ZeroDivisionError):
        perform(world.run(registry, begun), with_second(raising(ZeroDivisionError())))
    assert registry.operation(begun.operation_id).holder is None


def test_a_step_that_waits_leaves_the_operation_waiting_and_says_for_what(world: World, registry: Registry) -> None:
    waiting = perform(world.run(registry, world.begin(registry)), with_second(raising(NotYet("two clients to move"))))
    assert (waiting.status, waiting.step, waiting.waiting_for) == (
        OperationStatus.WAITING,
        "two",
        "two clients to move",
    )
    assert [each.operation_id for each in registry.operations(unfinished=True)] == [waiting.operation_id]


def test_it_can_be_done_up_to_a_step(world: World, registry: Registry) -> None:
    half = perform(world.run(registry, world.begin(registry)), STEPS, until="three")
    assert (half.status, half.step) == (OperationStatus.WAITING, "three")
    assert json.loads(half.state)["notes"] == ["one", "two"]


def test_one_that_is_worked_on_is_refused_with_the_holders_name(world: World, registry: Registry) -> None:
    begun = world.begin(registry)
    holder = this_process()

    def try_to_begin() -> None:
        other = world.open()
        with pytest.raises(LeaseHeld, match=f"process {holder.split('/')[1]} on {holder.split('/')[0]}") as raised:
            world.begin(other)
        assert raised.value.exit_code == 3
        with pytest.raises(LeaseHeld):
            take_up(begun.operation_id, registry=other, actor="tester")
        with pytest.raises(LeaseHeld):
            abandon(begun.operation_id, registry=other, actor="tester")
        other.close()

    assert in_child(try_to_begin) == 0


def test_the_lease_of_a_process_that_was_killed_is_free_at_once(world: World, registry: Registry) -> None:
    begun = world.begin(registry)
    host, _, start = this_process().split("/")
    for gone in (f"{host}/{2**22 - 7}/1", f"{host}/{this_process().split('/')[1]}/{int(start) + 1}"):
        assert is_gone(gone)
        with lease_of_another(registry, registry.operation(begun.operation_id), gone):
            assert take_up(begun.operation_id, registry=registry, actor="tester").holder == this_process()


def test_the_lease_of_another_machine_is_free_when_it_is_over(world: World, registry: Registry) -> None:
    begun = world.begin(registry)
    with lease_of_another(registry, begun, "elsewhere/17/1"):
        with pytest.raises(LeaseHeld, match="process 17 on elsewhere"):
            take_up(begun.operation_id, registry=registry, actor="tester")
        world.now += LEASE_SECONDS
        assert take_up(begun.operation_id, registry=registry, actor="tester").fence == begun.fence + 2


def test_who_lost_the_lease_writes_nothing_more(world: World, registry: Registry) -> None:
    run = world.run(registry, world.begin(registry))

    def lose_it(run: Run) -> None:
        with lease_of_another(registry, run.operation, "elsewhere/17/1"):
            pass
        with run.registry.change() as change:
            change.record(at=1, actor="tester", action="too.late", subject="x", details="{}")
            run.save(change)

    with pytest.raises(LeaseLost, match="taken over by elsewhere/17/1"):
        perform(run, with_second(lose_it))
    assert "too.late" not in [entry.action for entry in registry.audit()]
    assert registry.operation(run.operation.operation_id).holder == "elsewhere/17/1"


def test_the_lease_is_renewed_while_a_step_waits(world: World, registry: Registry) -> None:
    def long_wait(run: Run) -> None:
        for _ in range(100):
            run.sleep(LEASE_SECONDS / 4)
            assert (registry.operation(run.operation.operation_id).lease_until or 0) > world.now

    assert perform(world.run(registry, world.begin(registry)), with_second(long_wait)).status is OperationStatus.DONE


def test_other_arguments_do_not_take_up_an_unfinished_one(world: World, registry: Registry) -> None:
    begun = world.begin(registry, client="acme")
    with registry.change() as change:
        change.save_operation(replace(begun, holder=None))
    with pytest.raises(TransitionRefused, match="is unfinished") as raised:
        world.begin(registry, client="beta")
    assert begun.operation_id in (raised.value.hint or "")
    with pytest.raises(TransitionRefused, match="is unfinished"):
        begin("another", {}, STEPS, registry=registry, actor="tester", apart_from=("try",))
    assert begin("another", {}, STEPS, registry=registry, actor="tester").kind == "another"


def test_an_abandoned_one_is_over(world: World, registry: Registry) -> None:
    begun = world.begin(registry)
    given_up = abandon(begun.operation_id, registry=registry, actor="tester")
    assert (given_up.status, given_up.step) == (OperationStatus.ABANDONED, "one")
    for again in (abandon, take_up):
        with pytest.raises(TransitionRefused, match="abandoned"):
            again(begun.operation_id, registry=registry, actor="tester")
    with pytest.raises(LeaseLost):
        perform(world.run(registry, begun), STEPS)
    assert world.begin(registry).operation_id != begun.operation_id


def test_killed_at_every_write_it_comes_to_the_same_end(tmp_path: Path) -> None:
    number = 1
    while True:
        world = World(tmp_path / f"{number}.db")
        world.open().close()

        def work(world: World = world) -> None:
            registry = world.open()
            perform(world.run(registry, world.begin(registry)), STEPS)

        killed = killed_at(number, work)
        registry = world.open()
        if not registry.operations() or registry.operations()[0].status is not OperationStatus.DONE:
            perform(world.run(registry, world.begin(registry)), STEPS)
        (done,) = registry.operations()
        assert (done.status, json.loads(done.state)["notes"]) == (OperationStatus.DONE, ["one", "two", "three"])
        registry.close()
        if not killed:
            break
        number += 1
    assert number > 10


def test_a_registry_that_is_lost_leaves_the_error_that_lost_it(
    world: World, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(run: Run) -> None:
        def gone(*_: object, **__: object) -> None:
            raise RegistryError("gone")

        monkeypatch.setattr(module, "_give_back", gone)
        raise HandclaspError("the disk is full")

    with pytest.raises(HandclaspError, match="the disk is full"):
        perform(world.run(registry, world.begin(registry)), with_second(lose))
