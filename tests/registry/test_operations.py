"""Operations in every adapter: kept as they are, found again, and written by the newest lease alone."""

from dataclasses import replace

import pytest

from handclasp.errors import AlreadyRegistered, LeaseLost, NotRegistered
from handclasp.registry.operations import UNFINISHED, OperationStatus
from handclasp.registry.port import Registry
from tests.registry import rows


def test_an_operation_is_read_back_unchanged(registry: Registry) -> None:
    every_field = replace(
        rows.operation("op-2"),
        status=OperationStatus.WAITING,
        cursor="acme",
        state='{"é": 1}',
        finished_at=7,
        waiting_for="gateway gw-1",
        error="disk full",
    )
    with registry.change() as change:
        change.add_operation(rows.operation())
        change.add_operation(every_field)
        assert change.operation("op-2") == every_field, "a transaction reads its own writes"
    assert registry.operation("op-1") == rows.operation()
    assert registry.operation("op-2") == every_field


def test_an_unknown_operation_is_not_registered(registry: Registry) -> None:
    assert registry.operations() == []
    with pytest.raises(NotRegistered, match="no operation ghost is registered"):
        registry.operation("ghost")
    with pytest.raises(NotRegistered), registry.change() as change:
        change.save_operation(rows.operation("ghost"))


def test_an_identifier_is_taken_once(registry: Registry) -> None:
    with registry.change() as change:
        change.add_operation(rows.operation())
    with pytest.raises(AlreadyRegistered, match="that operation is registered already"), registry.change() as change:
        change.add_operation(replace(rows.operation(), kind="another"))
    assert registry.operation("op-1").kind == "rotate-clients"


def test_operations_come_newest_first_and_of_one_second_the_last_added(registry: Registry) -> None:
    with registry.change() as change:
        for name, at in (("b", 2_000), ("a", 1_000), ("d", 3_000), ("c", 3_000)):
            change.add_operation(rows.operation(name, created_at=at))
    assert [each.operation_id for each in registry.operations()] == ["c", "d", "b", "a"]


def test_unfinished_are_those_somebody_may_still_work_on(registry: Registry) -> None:
    with registry.change() as change:
        for status in OperationStatus:
            change.add_operation(replace(rows.operation(status.value), status=status))
    found = {each.status for each in registry.operations(unfinished=True)}
    assert found == set(UNFINISHED) == {OperationStatus.OPEN, OperationStatus.WAITING, OperationStatus.FAILED}


def test_who_holds_the_newest_lease_writes_again_and_again(registry: Registry) -> None:
    with registry.change() as change:
        change.add_operation(rows.operation(fence=1))
    for cursor in ("a", "b"):
        with registry.change() as change:
            change.save_operation(replace(rows.operation(fence=1), cursor=cursor))
    taken_over = replace(rows.operation(fence=2), holder="host-b", attempts=1)
    with registry.change() as change:
        change.save_operation(taken_over)
    assert registry.operation("op-1") == taken_over


def test_a_stale_fence_is_refused_with_the_name_of_who_has_it_now_and_rolls_everything_back(registry: Registry) -> None:
    rows.fill(registry, "acme")
    with registry.change() as change:
        change.add_operation(replace(rows.operation(fence=2), holder="host-b"))
    before = (registry.revision(), registry.operation("op-1"))
    with pytest.raises(LeaseLost, match="taken over by host-b"), registry.change() as change:  # noqa: PT012 - the block is the transaction
        change.add_certificate(rows.certificate(9))
        change.record(at=1, actor="a", action="b", subject="c", details="{}")
        change.save_operation(replace(rows.operation(fence=1), cursor="acme"))
    assert (registry.revision(), registry.operation("op-1")) == before
    assert registry.certificates("acme") == [rows.certificate(1)]
    assert list(registry.audit()) == []


def test_no_operation_alters_a_decision(registry: Registry) -> None:
    with registry.change() as change:
        change.add_operation(rows.operation())
    with registry.change() as change:
        change.save_operation(replace(rows.operation(), status=OperationStatus.DONE))
    assert registry.revision() == 0
