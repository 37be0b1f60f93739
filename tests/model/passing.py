"""Clients call, and time passes: too much of it, to the second, and backwards."""

from datetime import UTC, datetime

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.model.machine import Machine, names

_DAY = 86_400


class Passing(Machine):
    """Calls and clocks."""

    @rule(name=names, which=st.integers(0, 3))
    def call(self, name: str, which: int) -> None:
        """With the files as they are, or with a copy from before."""
        copies = self.copies.get(name, [])
        if copies:
            self.world.call(copies[-1 - which % len(copies)])

    @rule(seconds=st.sampled_from([1, 30, 600, 3_600, _DAY + 1, 10 * _DAY, 21 * _DAY, 40 * _DAY]))
    def pass_time(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule(which=st.integers(0, 9), offset=st.integers(-1, 1))
    def pass_time_to_an_end(self, which: int, offset: int) -> None:
        """To the second in which something begins or ends to be valid, or the one beside it."""
        picture, now = self.ledger.picture, self.world.now
        moments = {m for c in picture.certificates.values() for m in (c.not_before, c.not_after)}
        moments |= {m for i in picture.issuers.values() for m in (i.not_before, i.not_after)}
        following = sorted(moment + offset for moment in moments if moment + offset > now)
        if following:
            self.world.pass_time(following[which % len(following)] - now)

    @rule(offset=st.integers(-2, 1))
    def pass_time_to_the_years_end(self, offset: int) -> None:
        year = datetime.fromtimestamp(self.world.now + 3, UTC).year
        self.world.pass_time(datetime(year + 1, 1, 1, tzinfo=UTC).timestamp() + offset - self.world.now)

    @rule(seconds=st.sampled_from([1, 60, 600]))
    def set_the_clock_back(self, seconds: int) -> None:
        self.world.pass_time(-seconds)

    @rule(seconds=st.sampled_from([-600, 0, 600]))
    def set_the_authoritys_clock(self, seconds: int) -> None:
        self.world.ahead = seconds
