"""A proxy without a process: it takes what it is told, and a table acts only when the test says so."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from handclasp.authorizer.decision import Reason
from handclasp.errors import GatewayFailed
from handclasp.gateway.table import Entry


@dataclass
class FakeProxy:
    """Implements `gateway.proxy.Proxy`. `told` is everything in its order; `acting` is the table in force.

    As with Envoy, a kill acts at once whatever table does, and a table once written may begin to act at any moment.
    """

    told: list[str] = field(default_factory=list)
    kills: dict[str, Reason] = field(default_factory=dict)
    acting: dict[str, Entry] = field(default_factory=dict)
    written: dict[str, Entry] | None = None
    anchors: bytes | None = None
    refuses: bool = False
    refuses_all: bool = False

    def kill(self, denied: Mapping[str, Reason]) -> None:
        self.told.append("kill")
        self.kills = dict(denied)
        self.refuses_all = False

    def refuse_all(self) -> None:
        self.told.append("refuse all")
        self.refuses_all = True

    def load(self, entries: Mapping[str, Entry]) -> None:
        assert self.written is None, "a table was written while another was on its way"
        self.told.append("table")
        self.written = dict(entries)

    def trust(self, bundle: bytes) -> None:
        self.told.append("trust")
        self.anchors = bundle

    def table_in_force(self) -> bool:
        if self.refuses:
            raise GatewayFailed("the proxy refuses it")
        return self.written is None

    def in_force(self) -> bool:
        return self.table_in_force()

    def begin_to_act(self) -> None:
        """The table that was written comes into force."""
        if self.written is not None:
            self.acting, self.written = self.written, None

    def may_let_in(self) -> set[str]:
        """Whom it lets in now, or would if the written table began to act this instant."""
        return self._let_in(self.acting) | self._let_in(self.written or {})

    def lets_in(self) -> set[str]:
        return self._let_in(self.acting)

    def _let_in(self, table: dict[str, Entry]) -> set[str]:
        if self.refuses_all:
            return set()
        return {f for f, entry in table.items() if entry.allow and f not in self.kills}
