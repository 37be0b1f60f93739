"""A registry that can go away, as a server does: everything raises RegistryUnavailable until it is back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from handclasp.errors import RegistryUnavailable
from handclasp.registry.port import Registry


@dataclass
class Line:
    """The line to the registry: `between` goes into `Running`. Shared by every connection of a gateway."""

    is_cut: bool = False
    error: Exception = field(
        default_factory=lambda: RegistryUnavailable(
            "registry handclasp on db.internal does not answer: connection refused"
        )
    )
    #: calls that still get through before the line is cut
    left: int | None = None
    #: every registry at its other end
    reached: list["_Reached"] = field(default_factory=list)

    def between(self, registry: Registry) -> Registry:
        wrapped: Any = _Reached(registry, self)
        self.reached.append(wrapped)
        return wrapped  # type: ignore[no-any-return]

    @contextmanager
    def cut(self) -> Iterator[None]:
        self.is_cut = True
        try:
            yield
        finally:
            self.is_cut = False

    def check(self) -> None:
        if self.left is not None:
            self.left -= 1
            self.is_cut = self.is_cut or self.left < 0
        if self.is_cut:
            raise self.error


@dataclass
class _Reached:
    registry: Registry
    line: Line = field(repr=False)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.registry, name)
        if name == "close":
            return found

        def called(*arguments: Any, **named: Any) -> Any:
            self.line.check()
            return found(*arguments, **named)

        return called

    @contextmanager
    def change(self) -> Iterator[Any]:
        self.line.check()
        with self.registry.change() as change:
            yield change
            self.line.check()
        # The commit went through, and the word of it may be lost.
        self.line.check()
