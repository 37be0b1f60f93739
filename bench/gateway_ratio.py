"""The gateway with its whole decision, 10,000 clients and all identity headers, against the same Envoy bare.

Three views of a keep-alive request (HTTP/1.1, TLS 1.3, P-256, one worker): instructions, which repeat; processor
time, which includes the kernel; requests a second, both taken in turn because the machine is not ours alone.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.deployment import CLIENTS, Deployment, deployment
from bench.envoys import Running, bare, guarded, service
from bench.instructions import Counter, NoCounter, counter, per_iteration
from bench.load import Connection, requests, requests_for
from handclasp.gateway.envoy.locate import check_version, find_envoy

_GOAL = 0.82
_KINDS = {"bare": bare, "gateway": guarded}
_CONNECTIONS = 8
_WARM_UP = 200
#: Counted: this many requests, then three times as many.
_COUNTED = 200
_ROUNDS = 7
_ROUND_SECONDS = 2.0


def main() -> None:
    envoy = find_envoy(None)
    print(f"Envoy {check_version(envoy)}, {CLIENTS:,} registered clients, one worker")
    with deployment(callers=_CONNECTIONS) as made, _folder() as folder, service(envoy, folder) as upstream:
        try:
            _instructions(counter(), envoy, made, upstream)
        except NoCounter as reason:
            print(f"instructions: skipped: {reason}")
        for log in (True, False):
            _in_turn(envoy, made, upstream, log=log)


def _instructions(count: Counter, envoy: Path, made: Deployment, upstream: str) -> None:
    print(f"instructions per request ({count.name})")
    for log in (True, False):
        cost = {}
        for name, kind in _KINDS.items():
            with (
                _folder() as folder,
                kind(count.observable(envoy, folder), folder, made, upstream, log=log) as running,
            ):
                cost[name] = _per_request(count, folder, running, made)
        ratio = cost["bare"] / cost["gateway"]
        goal = f"  (goal: at least {_GOAL})" if log else ""
        print(f"  {_log(log)}: bare {cost['bare'] / 1e3:.1f} k, gateway {cost['gateway'] / 1e3:.1f} k, ", end="")
        print(f"bare / gateway {ratio:.3f}{goal}", flush=True)


def _per_request(count: Counter, folder: Path, running: Running, made: Deployment) -> float:
    with _connections(running, made) as connections:
        requests(connections, _WARM_UP)
        return per_iteration(lambda n: count.during(running.pid, folder, lambda: requests(connections, n)), _COUNTED)


def _in_turn(envoy: Path, made: Deployment, upstream: str, *, log: bool) -> None:
    """Both run at the same time and are asked in turn; each pair gives a ratio, the median of them counts."""
    rates: list[tuple[float, float]] = []
    times: list[tuple[float, float]] = []
    with ExitStack() as stack:
        both = []
        for kind in _KINDS.values():
            running = stack.enter_context(kind(envoy, stack.enter_context(_folder()), made, upstream, log=log))
            both.append((running, stack.enter_context(_connections(running, made))))
        for _, connections in both:
            requests(connections, _WARM_UP)
        for _ in range(_ROUNDS):
            (rate_bare, time_bare), (rate_ours, time_ours) = (_round(*each) for each in both)
            rates.append((rate_bare, rate_ours))
            times.append((time_bare, time_ours))
    print(f"requests a second, {_log(log)}, {_CONNECTIONS} connections, {_ROUNDS} pairs: ", end="")
    print(f"bare {_first(rates):,.0f}, gateway {_second(rates):,.0f}, ", end="")
    print(f"gateway / bare {median(ours / bare for bare, ours in rates):.3f}")
    print(f"processor time per request, {_log(log)}: ", end="")
    print(f"bare {_first(times):.1f} us, gateway {_second(times):.1f} us, ", end="")
    print(f"bare / gateway {median(bare / ours for bare, ours in times):.3f}", flush=True)


def _round(running: Running, connections: list[Connection]) -> tuple[float, float]:
    """Requests a second, and microseconds of the proxy's processor time per request."""
    before = _processor_ns(running.pid)
    done = requests_for(connections, _ROUND_SECONDS)
    return done / _ROUND_SECONDS, (_processor_ns(running.pid) - before) / done / 1e3


def _processor_ns(pid: int) -> int:
    """All threads of a process, in nanoseconds (proc(5), schedstat)."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat"))


@contextmanager
def _connections(running: Running, made: Deployment) -> Iterator[list[Connection]]:
    opened = [Connection(running.port, caller.pem, made.trust_anchor) for caller in made.callers]
    try:
        yield opened
    finally:
        for connection in opened:
            connection.close()


@contextmanager
def _folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="handclasp-bench-") as folder:
        yield Path(folder)


def _first(pairs: list[tuple[float, float]]) -> float:
    return median(first for first, _ in pairs)


def _second(pairs: list[tuple[float, float]]) -> float:
    return median(second for _, second in pairs)


def _log(log: bool) -> str:
    return "with access log" if log else "without access log"


if __name__ == "__main__":
    main()
