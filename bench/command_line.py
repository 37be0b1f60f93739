"""Starting: `handclasp --help` and `handclasp client list` of 10,000 clients, piped, against `python -c pass`."""

from bench.deployment import CLIENTS, deployment
from bench.instructions import Counter, NoCounter, counter, python

#: What the installed `handclasp` script runs.
_ENTRY_POINT = "import sys; from handclasp.cli.main import main; sys.exit(main())"
_GOALS = {"handclasp --help": 5.0, f"handclasp client list, {CLIENTS:,} clients": 8.0}


def main() -> None:
    try:
        count = counter()
    except NoCounter as reason:
        print(f"skipped: {reason}")
        return
    with deployment(clients=CLIENTS) as made:
        state = str(made.session.state)
        costs = {
            "python -c pass": _cost(count, python("-c", "pass")),
            "python -c 'import click'": _cost(count, python("-c", "import click")),
            "handclasp --help": _cost(count, python("-c", _ENTRY_POINT, "--help")),
            f"handclasp client list, {CLIENTS:,} clients": _cost(
                count, python("-c", _ENTRY_POINT, "--state", state, "client", "list")
            ),
        }
    print(f"whole commands, million instructions ({count.name}), and times python -c pass")
    bare = costs["python -c pass"]
    for name, cost in costs.items():
        goal = f"  (goal: at most {_GOALS[name]:g})" if name in _GOALS else ""
        print(f"{name:42} {cost / 1e6:8.1f} {cost / bare:6.2f}{goal}")


def _cost(count: Counter, argv: list[str]) -> int:
    # The first run may still write byte code; the better of two others has met the fewest interrupts.
    return min(count.command(argv) for _ in range(3))


if __name__ == "__main__":
    main()
