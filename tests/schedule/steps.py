"""An operation whose one step does what a test says: fail, wait, or end."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from handclasp.authority.operations.operation import NotYet, Run, Step
from handclasp.cli.context import Session
from handclasp.errors import DeliveryFailed

KIND = "test"


@dataclass
class Script:
    """What the next runs do: "fail", "break", "not yet", "sleep" or "end"; the last is done again and again."""

    does: list[str] = field(default_factory=lambda: ["end"])
    runs: int = 0

    def step(self, run: Run) -> None:
        self.runs += 1
        match self.does.pop(0) if len(self.does) > 1 else self.does[0]:
            case "fail":
                raise DeliveryFailed("the disk is full")
            case "break":
                raise ZeroDivisionError("a defect")
            case "not yet":
                raise NotYet("the weather")
            case "sleep":
                run.sleep(3_600)


SCRIPT = Script()


def steps(session: Session, arguments: dict[str, Any], given: dict[str, Any]) -> Sequence[Step]:
    return (Step("work", "do it", SCRIPT.step),)
