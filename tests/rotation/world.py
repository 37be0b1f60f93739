"""A whole deployment in processes of its own: `handclasp up`, a service behind it, twenty clients that call."""

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

from handclasp.authority.enrol import Enrolment, enrol
from handclasp.authority.handover import hand_over
from handclasp.bootstrap import open_registry
from handclasp.cli.context import Session
from handclasp.pki.identity import client_id
from handclasp.registry.records import CertificateStatus
from handclasp.settings import load
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
    state_name: str = "state"
    #: HANDCLASP_* for every command
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        return self.folder / self.state_name

    def elsewhere(self) -> "World":
        """Another machine's state folder, with a gateway of its own on the same four URLs."""
        shared = {
            "HANDCLASP_CUSTODY": f"file:{self.state / 'pki'}",
            "HANDCLASP_TRUSTSTORE": f"file:{self.state / 'truststore.pem'}",
            "HANDCLASP_DELIVERY": f"file:{self.state / 'clients'}",
        }
        other = World(self.folder, state_name="elsewhere", variables=self.variables | shared)
        other.state.mkdir(mode=0o700)
        return other

    def do(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = handclasp(self.state, *arguments, **self.variables)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments: str) -> Any:
        return json.loads(self.do(*arguments, "--json").stdout)

    def events(self, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.do(*arguments, "--json", code=code).stdout.splitlines()]

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command(self.state, *arguments),
            stdout=pipe,
            stderr=pipe,
            text=True,
            env=environ(PYTHONUNBUFFERED="1", **self.variables),
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
        with closing(open_registry(load(self.state, self.variables))) as registry:
            held = registry.certificates(name)
        return [each.issuer_id for each in held if each.status is CertificateStatus.ACTIVE]

    @property
    def passphrase_file(self) -> str:
        return str(self.folder / "root.pass")

    def establish(self) -> None:
        (self.folder / "root.pass").write_text("correct horse\n")
        (self.folder / "root.pass").chmod(0o600)
        self.do("init", "--root-passphrase-file", self.passphrase_file)
        with closing(Session(os.fspath(self.state))) as session:
            session.settings = load(self.state, self.variables)
            ports: dict[str, Any] = {"registry": session.registry, "now": session.now}
            issuing = {"custody": session.custody, "practice": session.practice, "actor": session.actor, **ports}
            for name in NAMES:
                issued = enrol(Enrolment(client_id(name), "prod", "shop"), **issuing)
                hand_over(issued, [session.delivery], **ports)

    @contextmanager
    def serving(self, *command_line: str) -> "Iterator[subprocess.Popen[str]]":
        """`handclasp up`, or another command that serves, in front of a service, until the block ends."""
        ready = self.folder / f"ready-{self.state_name}"
        with Service() as service:
            up = self.start(
                *(command_line or ("up",)),
                "--upstream",
                service.url,
                "--listen",
                f"127.0.0.1:{self.port}",
                "--ready-file",
                str(ready),
            )
            try:
                until(lambda: ready.exists() or up.poll() is not None, "the gateway serves", 60)
                assert up.poll() is None, up.communicate()[1]
                yield up
            finally:
                if up.poll() is None:
                    up.send_signal(signal.SIGTERM)
                up.communicate(timeout=30)

    @contextmanager
    def called(self, names: list[str] = NAMES, rate: int = RATE) -> "Iterator[dict[str, Any]]":
        """Clients calling while the block runs; what they tell at the end is in the dictionary after it."""
        report: dict[str, Any] = {}
        clients = self.variables.get("HANDCLASP_DELIVERY", f"file:{self.state / 'clients'}").removeprefix("file:")
        line = [sys.executable, "-m", "tests.rotation.load", clients, str(self.port), str(rate), *names]
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
