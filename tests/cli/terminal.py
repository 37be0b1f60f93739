"""`handclasp` as a test types it: in this process (fast) or in one of its own (true)."""

import io
import json
import os
import shlex
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import handclasp
from handclasp.cli.main import main

#: Where the package under test is, from whatever folder its processes are started in.
_SOURCE = Path(handclasp.__file__).parents[1]
PASSPHRASE = "correct horse battery staple"


@dataclass(frozen=True)
class Outcome:
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        return [line.split("\t") for line in self.out.splitlines()]


@dataclass(frozen=True)
class Terminal:
    """A shell whose working folder is `folder`, with `--state state` in front of every command."""

    folder: Path
    state: Path

    def __call__(self, line: str, *more: str | Path) -> Outcome:
        """Run `handclasp {line}` in this process; `more` are words that need no quoting."""
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
        before = Path.cwd()
        os.chdir(self.folder)
        code: object = None
        try:
            with redirect_stdout(out), redirect_stderr(err):
                main(self.words(line, *more))
        except SystemExit as ended:
            code = ended.code
        finally:
            os.chdir(before)
        assert isinstance(code, int)
        return Outcome(int(code), *(_content(stream) for stream in (out, err)))

    def process(
        self, line: str, *more: str | Path, stdin: bytes = b"", environ: dict[str, str] | None = None
    ) -> Outcome:
        """The same in a process of its own."""
        command, variables = self.command(line, *more)
        done = subprocess.run(
            command,
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            check=False,
            env={**variables, **(environ or {})},
        )
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())

    def command(self, line: str, *more: str | Path) -> tuple[list[str], dict[str, str]]:
        """The words and the environment of a process that runs it."""
        words = [sys.executable, "-m", "handclasp", *self.words(line, *more)]
        return words, {**os.environ, "PYTHONPATH": str(_SOURCE)}

    def words(self, line: str, *more: str | Path) -> list[str]:
        return ["--state", str(self.state), *shlex.split(line), *map(str, more)]

    def write(self, name: str, content: bytes | str) -> Path:
        """A file in the working folder, 0600."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(0o600)
        return path

    def init(self) -> Outcome:
        self.write("root.pass", f"{PASSPHRASE}\n")
        return self("init --root-passphrase-file root.pass")

    def add(self, name: str, *more: str) -> Outcome:
        return self(f"client add {name} --environment prod --application nextjs", *more)

    def snapshot(self) -> dict[str, bytes]:
        """Every file of the state, by name: equal snapshots mean that nothing was written."""
        files = (path for path in sorted(self.state.rglob("*")) if path.is_file() and not path.is_symlink())
        return {str(path.relative_to(self.state)): path.read_bytes() for path in files}


def one_error_line(outcome: Outcome, code: int) -> str:
    """The error's text, once it is sure that there is one line of it, nothing on stdout, and the exit code."""
    assert outcome.out == ""
    assert outcome.code == code, outcome.err
    lines = outcome.err.removesuffix("\n").split("\n")
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1, outcome.err
    assert "internal error" not in errors[0]
    assert all(line.startswith(("error: ", "hint: ", "note: ", "warning: ")) for line in lines), outcome.err
    assert all(line.isprintable() for line in lines)
    return errors[0].removeprefix("error: ")


def _content(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()
