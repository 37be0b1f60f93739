"""An operation: a change of trust in steps, each recorded, so that a killed run is taken up and never repeated."""

from dataclasses import dataclass
from enum import StrEnum


class OperationStatus(StrEnum):
    OPEN = "open"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    ABANDONED = "abandoned"


#: What somebody may still work on.
UNFINISHED = (OperationStatus.OPEN, OperationStatus.WAITING, OperationStatus.FAILED)


@dataclass(frozen=True, slots=True)
class Operation:
    """Times are seconds since 1970 by the registry's clock; `arguments` and `state` are JSON objects' text.

    `step` is the step to do next and `cursor` how far it has come. `holder` has the lease until `lease_until` and
    renews it while it works. `fence` grows with each lease: who lost it can write nothing more. `waiting_for` says,
    for people, what a waiting operation waits for; `error` what stopped it last; `attempts` how often it was stopped.
    """

    operation_id: str
    kind: str
    arguments: str
    status: OperationStatus
    step: str
    cursor: str | None
    state: str
    holder: str | None
    lease_until: int | None
    fence: int
    attempts: int
    created_at: int
    updated_at: int
    finished_at: int | None = None
    waiting_for: str | None = None
    error: str | None = None
