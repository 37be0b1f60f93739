"""The log: a line for each notice, to whatever `say` writes to. It is always there, and cannot fail."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from handclasp.notice.digest import lines
from handclasp.notice.port import Notice


@dataclass(frozen=True)
class LogChannel:
    say: Callable[[str], None]
    name: str = "log"

    def send(self, notices: Sequence[Notice]) -> None:
        for line in lines(notices):
            self.say(line)
