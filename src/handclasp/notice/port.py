"""The notice port: somewhere that people look.

The contract: `send` returns when the channel has taken every notice it was given, and raises NoticeFailed when it took
none, naming the channel and never its URL or password; it ends within `TIMEOUT_SECONDS` of silence from the other side.
One call is one message, however many notices there are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

#: How long a channel may say nothing before it has failed.
TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know: what is told of (`kind`), whose it is, and one sentence.

    `threshold` is the one that was crossed ("14d", "expired"), "" for what is no matter of time. `ends_at` is when it
    ends (seconds since 1970), None for what does not. `facts` are JSON values.
    """

    subject: str
    kind: str
    threshold: str
    message: str
    facts: Mapping[str, object] = field(default_factory=dict)
    ends_at: int | None = None


class Channel(Protocol):
    @property
    def name(self) -> str:
        """What is remembered as told is remembered by this name: it stays when the URL changes."""
        ...

    def send(self, notices: Sequence[Notice]) -> None:
        """Raises NoticeFailed."""
        ...
