"""Envoy as a child process: started, watched, restarted with backoff, and never left behind."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from handclasp.errors import GatewayFailed

#: Waits between restarts; the last repeats. A run this long counts as healthy and starts the list over.
BACKOFF_SECONDS = (0.2, 1.0, 3.0, 10.0)
HEALTHY_SECONDS = 60.0
#: In-flight requests get this long when the gateway stops.
STOP_SECONDS = 10.0
#: prctl(2): the signal a child gets when its parent dies, kill -9 included.
_PR_SET_PDEATHSIG = 1


@dataclass
class EnvoyProcess:
    """`say` is told of crashes and restarts, one line each."""

    binary: Path
    bootstrap: Path
    log: Path
    say: Callable[[str], None]
    concurrency: int | None = None
    _child: subprocess.Popen[bytes] | None = None
    _started: float = 0.0
    _crashes: int = 0
    _restart_at: float | None = None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def start(self) -> None:
        """Raises GatewayFailed if the program cannot be started at all."""
        command = [
            str(self.binary),
            "--config-path",
            str(self.bootstrap),
            "--disable-hot-restart",
            "--log-level",
            "warn",
        ]
        # Without the last, Envoy warns of a misspelt field in a file and lets everybody in.
        command += ["--log-path", str(self.log), "--drain-time-s", "5", "--reject-unknown-dynamic-fields"]
        # The access log is read by people who wait, and what is not written yet is lost in a crash.
        command += ["--file-flush-interval-msec", "500"]
        if self.concurrency is not None:
            command += ["--concurrency", str(self.concurrency)]
        try:
            # Its own session: Ctrl-C reaches us alone, and we stop it in our order.
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                umask=0o077,
                cwd=self.bootstrap.parent,
                preexec_fn=self._die_with_parent(),  # noqa: PLW1509 - one system call, looked up before the fork
            )
        except OSError as error:
            raise GatewayFailed(f"{self.binary} cannot be started: {error.strerror}") from None
        self._started = time.monotonic()
        self._restart_at = None

    def watch(self) -> bool:
        """True while Envoy runs. Notices a crash, says so, and starts it again when its time has come."""
        if self.pid is not None:
            return True
        now = time.monotonic()
        if self._restart_at is None:
            self._crashes = 1 if now - self._started > HEALTHY_SECONDS else self._crashes + 1
            wait = BACKOFF_SECONDS[min(self._crashes, len(BACKOFF_SECONDS)) - 1]
            self._restart_at = now + wait
            self.say(f"Envoy has stopped ({self._exit()}); starting it again in {wait:g} s; its log: {self.log}")
        if now >= self._restart_at:
            self.start()
            return True
        return False

    def stop(self) -> None:
        """SIGTERM, then SIGKILL after STOP_SECONDS. Nothing is left when this returns."""
        child = self._child
        if child is None or child.poll() is not None:
            return
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def last_words(self) -> str:
        """The last error line of Envoy's log, for a message."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            return "it left no log"
        telling = [line for line in lines[-200:] if "[error]" in line or "[critical]" in line]
        return (telling or lines or ["it left no log"])[-1][:500]

    def _exit(self) -> str:
        code = self._child.returncode if self._child is not None else 0
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def _die_with_parent(self) -> Callable[[], None] | None:
        """For the child, between fork and exec. Only Linux can; elsewhere a kill -9 of ours leaves Envoy behind."""
        if sys.platform != "linux":
            return None
        prctl = ctypes.CDLL(None).prctl
        parent = os.getpid()

        def ask_the_kernel() -> None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it died before we asked
                os._exit(1)

        return ask_the_kernel
