"""CPU instructions, by whichever counter this machine has: perf, else valgrind, else none.

Instructions are the measure because they repeat: within 1 % here, where times vary by a third. `perf stat` counts
what the processor retires, the kernel's part included. Many virtual machines hide those counters; then valgrind
counts what the program itself executes, which leaves the kernel out and repeats almost exactly. Figures of the two
are not to be compared with each other, only ratios measured with one of them.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

#: Hash randomisation changes how often dictionaries collide, and with it the count.
ENVIRONMENT = {"PYTHONHASHSEED": "0"}
#: perf needs a moment to attach; an idle process executes next to nothing meanwhile.
_ATTACH_SECONDS = 0.5
_VALGRIND_REFS = re.compile(r"I\s+refs:\s+([\d,]+)")
_CALLGRIND_TOTAL = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)


class NoCounter(Exception):
    """Neither perf nor valgrind can count here; the message says why."""


class Counter(Protocol):
    name: str

    def command(self, argv: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
        """Instructions of one whole command, start and end of its process included. It must exit with 0."""
        ...

    def observable(self, binary: Path, folder: Path) -> Path:
        """A program to start in place of `binary`, so that `during` can look at it. `folder` is for its files."""
        ...

    def during(self, pid: int, folder: Path, work: Callable[[], object]) -> int:
        """Instructions that the running process executes while `work` runs."""
        ...


def counter() -> Counter:
    """The best counter of this machine. Raises NoCounter."""
    reasons = []
    for kind in (Perf, Valgrind):
        try:
            return kind()
        except NoCounter as reason:
            reasons.append(str(reason))
    raise NoCounter("; ".join(reasons))


def per_iteration(count: Callable[[int], int], iterations: int) -> float:
    """What one iteration costs, from two runs of different length: what both do once cancels out."""
    return (count(3 * iterations) - count(iterations)) / (2 * iterations)


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


class Perf:
    def __init__(self) -> None:
        if shutil.which("perf") is None:
            raise NoCounter("perf is not installed")
        try:
            event = self._stat(["--", "true"])[1]
        except ValueError:
            raise NoCounter("perf has no instruction counter here (a virtual machine hides it)") from None
        self.name = f"perf stat -e {event}"

    def command(self, argv: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
        return self._stat(["--", *argv], environment)[0]

    def observable(self, binary: Path, folder: Path) -> Path:  # noqa: ARG002 - perf attaches to anything
        return binary

    def during(self, pid: int, folder: Path, work: Callable[[], object]) -> int:
        out = folder / "perf.csv"
        perf = subprocess.Popen(["perf", "stat", "-x,", "-e", "instructions", "-p", str(pid), "-o", str(out)])
        time.sleep(_ATTACH_SECONDS)
        try:
            work()
        finally:
            perf.send_signal(signal.SIGINT)
            perf.wait(30)
        return _perf_line(out.read_text())[0]

    @staticmethod
    def _stat(arguments: list[str], environment: Mapping[str, str] | None = None) -> tuple[int, str]:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "perf.csv"
            command = ["perf", "stat", "-x,", "-e", "instructions", "-o", str(out), *arguments]
            subprocess.run(command, env=_environment(environment), stdout=subprocess.PIPE, check=True)
            return _perf_line(out.read_text())


class Valgrind:
    name = "valgrind (user space only)"

    def __init__(self) -> None:
        missing = [tool for tool in ("valgrind", "callgrind_control") if shutil.which(tool) is None]
        if missing:
            raise NoCounter("valgrind is not installed")

    def command(self, argv: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "valgrind.log"
            tool = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
            command = [*tool, f"--log-file={log}", *argv]
            subprocess.run(command, env=_environment(environment), stdout=subprocess.PIPE, check=True)
            found = _VALGRIND_REFS.search(log.read_text())
            if found is None:
                raise NoCounter(f"valgrind did not count: {log.read_text()[-300:]}")
            return int(found[1].replace(",", ""))

    def observable(self, binary: Path, folder: Path) -> Path:
        out = folder / "callgrind.out"
        # Envoy's worker threads have large stack frames, which valgrind takes for a switch of stacks.
        tool = f"valgrind --tool=callgrind --instr-atstart=no --callgrind-out-file={out} --max-stackframe=8388608"
        script = folder / "under-valgrind"
        script.write_text(f'#!/bin/sh\nexec {tool} {binary} "$@"\n')
        script.chmod(0o700)
        return script

    def during(self, pid: int, folder: Path, work: Callable[[], object]) -> int:
        _control("-i", "on", pid)
        _control("-z", pid)
        work()
        before = set(folder.glob("callgrind.out.*"))
        _control("-d", pid)
        [dump] = _appeared(folder, before)
        _control("-i", "off", pid)
        found = _CALLGRIND_TOTAL.search(dump.read_text())
        if found is None:
            raise NoCounter(f"callgrind left no total in {dump}")
        return int(found[1])


def _control(*arguments: object) -> None:
    subprocess.run(["callgrind_control", *map(str, arguments)], check=True, capture_output=True, timeout=120)


def _appeared(folder: Path, before: set[Path]) -> list[Path]:
    for _ in range(100):
        new = [path for path in folder.glob("callgrind.out.*") if path not in before]
        if new and _CALLGRIND_TOTAL.search(new[0].read_text()):
            return new[:1]
        time.sleep(0.1)
    raise NoCounter("callgrind did not write its counts within 10 s")


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, **ENVIRONMENT, **(extra or {})}


def _perf_line(text: str) -> tuple[int, str]:
    """Count and event of `perf stat -x,`; ValueError for "<not supported>" and the like."""
    line = next(line for line in text.splitlines() if line and not line.startswith("#"))
    value, _, event, *_ = line.split(",")
    return int(value), event
