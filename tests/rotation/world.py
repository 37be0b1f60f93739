"""A whole deployment in processes of its own: `handclasp up`, a service behind it, twenty clients that call."""

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

from tests.gateway.deployment import command, environ, free_port, handclasp, until
from tests.gateway.service import Service

NAMES = [f"client-{number:02}" for number in range(20)]
#: Requests per second of all clients together.
RATE = 300


@dataclass
class World:
    """`state` holds an authority with NAMES enrolled, `port` is the gateway's."""

    folder: Path
    port: int = field(default_factory=free_port)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def do(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = handclasp(self.state, *arguments)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments: str) -> Any:
        return json.loads(self.do(*arguments, "--json").stdout)

    def events(self, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.do(*arguments, "--json", code=code).stdout.splitlines()]

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command(self.state, *arguments), stdout=pipe, stderr=pipe, text=True, env=environ(PYTHONUNBUFFERED="1")
        )

    def keep_a_copy(self, name: str) -> Path:
        """A client's files as they are now, for one that never reads them again."""
        kept = self.folder / f"kept-{name}"
        shutil.copytree(self.state / "clients" / name, kept)
        return kept

    def status_with(self, files: Path) -> int:
        """What a request with these files is answered."""
        context = ssl.create_default_context(cafile=files / "ca.pem")
        context.load_cert_chain(files / "fullchain.pem", files / "client.key")
        connection = HTTPSConnection("localhost", self.port, context=context, timeout=15)
        connection.request("GET", "/orders/1")
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    def issuers_of(self, name: str) -> list[str]:
        """Whose certificates a client holds that are active."""
        shown = self.json("client", "show", name)["certificates"]
        return [each["issuer_id"] for each in shown if each["status"] == "active"]

    @property
    def passphrase_file(self) -> str:
        return str(self.folder / "root.pass")

    def establish(self) -> None:
        (self.folder / "root.pass").write_text("correct horse\n")
        (self.folder / "root.pass").chmod(0o600)
        self.do("init", "--root-passphrase-file", self.passphrase_file)
        for name in NAMES:
            self.do("client", "add", name, "--environment", "prod", "--application", "shop")

    @contextmanager
    def serving(self, *options: str) -> Iterator[None]:
        """`handclasp up` in front of a service, until the block ends."""
        ready = self.folder / "ready"
        with Service() as service:
            up = self.start(
                "up",
                "--upstream",
                service.url,
                "--listen",
                f"127.0.0.1:{self.port}",
                "--ready-file",
                str(ready),
                *options,
            )
            try:
                until(lambda: ready.exists() or up.poll() is not None, "the gateway serves", 60)
                assert up.poll() is None, up.communicate()[1]
                yield
            finally:
                up.send_signal(signal.SIGTERM)
                up.communicate(timeout=30)

    @contextmanager
    def called(self, names: list[str] = NAMES, rate: int = RATE) -> "Iterator[dict[str, Any]]":
        """Clients calling while the block runs; what they tell at the end is in the dictionary after it."""
        report: dict[str, Any] = {}
        line = [sys.executable, "-m", "tests.rotation.load", str(self.state), str(self.port), str(rate), *names]
        root = Path(__file__).parents[2]
        path = f"{environ()['PYTHONPATH']}:{root}"
        callers = subprocess.Popen(
            line, stdout=subprocess.PIPE, text=True, cwd=root, env={**os.environ, "PYTHONPATH": path}
        )
        try:
            assert callers.stdout is not None
            assert callers.stdout.readline() == "calling\n"
            yield report
        finally:
            callers.send_signal(signal.SIGTERM)
            report.update(json.loads(callers.communicate(timeout=60)[0]))
