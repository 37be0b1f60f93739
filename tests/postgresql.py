"""A PostgreSQL server of the tests' own: started when the first test asks for it, with a new database for each test.

Where there is no PostgreSQL the tests that need it are skipped, unless TESTS_REQUIRE_POSTGRESQL is 1.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from handclasp.registry.postgresql import PostgresqlRegistry

#: Every letter that has to be percent-encoded in a URL, so that no test passes because a password was an easy one.
PASSWORD = "correct/horse@battery:staple?100%"
_TEMPLATE = "with_schema"
#: As good as the usual ones for everything but a crash of the machine.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "200",
    "listen_addresses": "127.0.0.1",
    "logging_collector": "off",
}


class Server:
    """One PostgreSQL server below `folder`. It dies with this process, and root runs it as the user postgres."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder = folder
        self._programs = programs
        self._process: subprocess.Popen[bytes] | None = None
        self._names = (f"test_{number}" for number in count(1))
        self.port = 0
        if os.getuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        secret = folder / "password"
        secret.write_text(PASSWORD)
        subprocess.run(
            [
                *(*_as_postgres(), str(programs / "initdb"), "--no-sync", "--pgdata", str(folder / "data")),
                *("--username", "handclasp", "--pwfile", str(secret), "--auth", "scram-sha-256"),
                *("--encoding", "UTF8", "--locale", "C.UTF-8"),
            ],
            check=True,
            capture_output=True,
        )
        self.start()
        PostgresqlRegistry(self.create(_TEMPLATE, template="template0")).close()

    def start(self) -> None:
        """Start, or start again on the same port, and wait until it answers."""
        for _ in range(5):
            port = self.port or _free_port()
            settings = _SETTINGS | {"port": str(port), "unix_socket_directories": str(self._folder)}
            given = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
            with (self._folder / "log").open("ab") as log:
                command = [*_as_postgres(), str(self._programs / "postgres"), "-D", str(self._folder / "data"), *given]
                self._process = subprocess.Popen(command, stdout=log, stderr=log)
            if self._answers(port):
                self.port = port
                return
        raise AssertionError((self._folder / "log").read_text())

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT cuts every connection and shuts down; SIGQUIT is what a crash looks like to the next start."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def url(self, database: str) -> str:
        return f"postgresql://handclasp:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/{database}"

    def create(self, name: str | None = None, *, template: str = _TEMPLATE) -> str:
        """The URL of a new database: an empty registry, or without a schema when made from `template0`."""
        name = name or next(self._names)
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Whoever is still connected is cut off."""
        self.run(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")

    def run(self, statement: str, url: str | None = None) -> list[tuple[object, ...]]:
        """As superuser, on a connection of its own; the rows, if there are any."""
        with psycopg.connect(url or self.url("postgres"), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def cut_connections(self, url: str) -> int:
        """End every other connection to the database; how many there were."""
        return len(
            self.run(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()",
                url,
            )
        )

    def _answers(self, port: int) -> bool:
        deadline = time.monotonic() + 30
        ready = [str(self._programs / "pg_isready"), "--quiet", "--host", "127.0.0.1", "--port", str(port)]
        while time.monotonic() < deadline and self._process is not None and self._process.poll() is None:
            if subprocess.run(ready, check=False).returncode == 0:
                return True
            time.sleep(0.02)
        return False


def _as_postgres() -> list[str]:
    """PostgreSQL refuses to run as root, and ought not to outlive the tests when they are killed."""
    drop = ["--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
    return ["setpriv", "--pdeathsig=INT", *drop, "--"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _programs() -> Path | None:
    """Where initdb is: Debian keeps a folder for each version outside of PATH."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda each: float(each.parts[-3]))
    return versions[-1].parent if versions else None


@pytest.fixture(scope="session")
def start_postgresql() -> Iterator[Callable[[], Server]]:
    """Starts servers, for tests that stop theirs; skips without PostgreSQL."""
    programs = _programs()
    if programs is None or shutil.which("setpriv") is None:
        reason = "there is no PostgreSQL here: install Debian's package postgresql"
        if os.environ.get("TESTS_REQUIRE_POSTGRESQL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    started: list[tuple[Server, Path]] = []

    def start() -> Server:
        # Not below pytest's own folder, which only its user may enter.
        folder = Path(tempfile.mkdtemp(prefix="handclasp-postgresql-"))
        server = Server(folder, programs)
        started.append((server, folder))
        return server

    yield start
    for server, folder in started:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgresql(start_postgresql: Callable[[], Server]) -> Server:
    """The server all tests share."""
    return start_postgresql()


@pytest.fixture
def postgresql_url(postgresql: Server) -> Iterator[str]:
    """The URL of an empty registry in a database of the test's own."""
    url = postgresql.create()
    yield url
    postgresql.drop(url)
