"""Notices in memory, for tests: what was sent is kept, batch by batch, and it fails while it is told to."""

from collections.abc import Sequence

from handclasp.errors import NoticeFailed
from handclasp.notice.port import Notice


class MemoryChannel:
    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self.batches: list[list[Notice]] = []
        self.failing = False

    def send(self, notices: Sequence[Notice]) -> None:
        if self.failing:
            raise NoticeFailed(f"{self.name}: told to fail")
        self.batches.append(list(notices))

    @property
    def sent(self) -> list[Notice]:
        return [notice for batch in self.batches for notice in batch]
