"""`handclasp up` and `gateway run` as a user starts them: a process of their own, its output in files."""

import json
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.gateway.deployment import command, environ, until


class Terminal:
    """One foreground command. Whatever a test does, nothing of it is left when the block ends."""

    def __init__(self, state: Path, *arguments: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.ready_file = folder / "ready"
        self._command = command(state, *arguments, "--ready-file", str(self.ready_file))
        self._status = state / "gateway" / "status.json"

    def __enter__(self) -> Self:
        with (self.folder / "stdout").open("wb") as out, (self.folder / "stderr").open("wb") as err:
            # A folder of its own to run in: what would be left behind by accident is seen there.
            work = self.folder / "work"
            work.mkdir(exist_ok=True)
            self.process = subprocess.Popen(
                self._command, stdout=out, stderr=err, cwd=work, env=environ(), start_new_session=True
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)

    def serves(self) -> Self:
        """Wait for the ready file."""
        until(lambda: self.ready_file.exists() or self.process.poll() is not None, "ready", 30)
        assert self.process.poll() is None, self.stderr
        return self

    def ends(self) -> int:
        return self.process.wait(30)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.ends()

    @property
    def stdout(self) -> str:
        return (self.folder / "stdout").read_text()

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text()

    @property
    def envoy(self) -> int:
        """Envoy's process id, as `status.json` has it."""
        return int(json.loads(self._status.read_text())["envoy_pid"])


def alive(pid: int) -> bool:
    """Runs, that is: neither gone nor a zombie that waits to be reaped."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, IndexError):
            if entry.name.isdigit() and int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return found


def listening_ports(pid: int) -> set[int]:
    """TCP ports this process listens on, by its descriptors and /proc/net/tcp{,6}."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            target = str(descriptor.readlink())
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports
