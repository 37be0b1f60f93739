"""Every story of five moves around one client, told in full: not once does it pass while it is suspended.

Random stories find the dangerous ones rarely: a kill that is lifted and needed again while a table is on its way.
"""

from collections.abc import Callable
from itertools import count, product

from tests.gateway.world import World

_MOVES: dict[str, Callable[[World, str], object]] = {
    "suspend": lambda world, _: world.suspend("acme"),
    "resume": lambda world, _: world.resume("acme"),
    "enrol another": lambda world, name: world.enrol(name),
    "the table acts": lambda world, _: world.proxy.begin_to_act(),
}


def test_no_story_of_five_moves_lets_in_who_is_suspended() -> None:
    names = (f"other-{number}" for number in count())
    for story in product(_MOVES, repeat=5):
        world = World()
        world.enrol("acme")
        world.settle()
        for move in story:
            _MOVES[move](world, next(names))
            world.step()
            assert world.proxy.may_let_in() <= world.should_pass(), story
        world.settle()
        assert world.proxy.lets_in() == world.should_pass(), story
