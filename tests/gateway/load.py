"""Other clients going on with their work while something changes: not one of their requests may fail."""

import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.gateway.callers import Caller, Closed, Http1, Http2
from tests.gateway.deployment import Deployment, until

_PAUSE = 0.002


@dataclass
class Load:
    """One keep-alive HTTP/1.1 and one HTTP/2 connection of each caller, asking again and again."""

    deployment: Deployment
    callers: tuple[Caller, ...]
    answered: int = 0
    failed: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        connections = [
            make(caller) for caller in self.callers for make in (self.deployment.http1, self.deployment.http2)
        ]
        self._threads = [threading.Thread(target=self._ask, args=(each,)) for each in connections]
        for thread in self._threads:
            thread.start()
        until(lambda: self.answered >= len(connections), "the others are at work")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)
        if error is None:
            assert self.failed == []
            assert self.answered > len(self._threads)

    def _ask(self, connection: Http1 | Http2) -> None:
        with connection:
            while not self._stop.is_set():
                try:
                    answer = connection.ask()
                except (Closed, TimeoutError) as error:
                    self.failed.append(repr(error))
                    return
                if answer.status == 200:
                    self.answered += 1
                else:
                    self.failed.append(f"{answer.status} {answer.body!r}")
                time.sleep(_PAUSE)
