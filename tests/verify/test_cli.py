"""`handclasp verify` on the command line: the table, the JSON, the exit code, and one line for what is wrong."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography import x509
from rich.console import Console

from handclasp import bootstrap
from handclasp.cli.main import main
from handclasp.cli.verify_table import results_table
from handclasp.pki.keys import seal
from handclasp.pki.pem import certificate_pem
from handclasp.registry.sqlite import SqliteRegistry
from handclasp.settings import load
from handclasp.verify.result import Result, Verdict
from tests.verify.conftest import Deployment, deploy
from tests.verify.gateway import Behaviour, anybody, by_registry, validated_only

Files = list[str]


def _run(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    out, err = capsys.readouterr()
    code = ended.value.code
    assert isinstance(code, int)
    return code, out, err


@pytest.fixture
def files(deployment: Deployment, tmp_path: Path) -> Files:
    return _written(deployment, tmp_path)


def _written(deployment: Deployment, folder: Path, passphrase: bytes | None = None) -> Files:
    content = {
        "cert": certificate_pem(*deployment.client.chain),
        "key": bytes(seal(deployment.client.key, passphrase)),
        "cacert": certificate_pem(deployment.root),
    }
    options = []
    for name, pem in content.items():
        (folder / name).write_bytes(pem)
        options += [f"--{name}", str(folder / name)]
    return options


def _verify(state: Path, port: int, *more: str) -> list[str]:
    return ["--state", str(state), "verify", f"https://localhost:{port}/", *more]


def test_a_right_gateway_exits_0_and_its_own_ca_is_found_in_the_state_folder(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load(state, {})
    with_state = deploy(ports=(bootstrap.open_registry(settings, create=True), bootstrap.open_custody(settings)))

    def admits(certificate: x509.Certificate | None, validated: bool) -> bool:
        registry = SqliteRegistry(state / "registry.db")
        try:
            return by_registry(registry)(certificate, validated)
        finally:
            registry.close()

    with with_state.gateway(Behaviour(admits, requires=False, cut=False)) as gateway:
        arguments = _verify(state, gateway.port, *_written(with_state, tmp_path), "--json")
        code, out, _ = _run(arguments, capsys)
    with_state.registry.close()
    said = json.loads(out)
    verdicts = {result["check"]: result["verdict"] for result in said["results"]}
    assert (code, said["passed"]) == (0, True)
    assert {check for check, verdict in verdicts.items() if verdict != "passed"} <= {"bypass", "tls_1_0", "tls_1_1"}
    revoked = next(result for result in said["results"] if result["check"] == "revoked")
    assert revoked["milliseconds"]["open_connection"] < 1000


def test_a_wrong_gateway_exits_1_and_names_what_it_let_in(
    deployment: Deployment, files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with deployment.gateway(Behaviour(anybody, requires=False)) as gateway:
        code, out, err = _run(_verify(tmp_path / "none", gateway.port, *files), capsys)
    assert code == 1
    assert "no certificate\trefused\tLET IN: HTTP 200 (TLSv1.3)\tfailed\n" in out
    assert "needs the CA" in out
    assert "1 failed" in err
    assert "Failed: no certificate" in err


def test_an_open_way_around_exits_1(
    deployment: Deployment, files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with deployment.gateway(Behaviour(validated_only)) as gateway:
        around = ["--bypass-url", f"https://127.0.0.1:{gateway.port}/"]
        code, out, _ = _run(_verify(tmp_path / "none", gateway.port, *files, *around), capsys)
    assert code == 1
    assert "way around the gateway\tclosed\t" in out


def test_an_encrypted_key_is_opened_with_a_file(
    deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = _written(deployment, tmp_path, b"secret")
    (tmp_path / "pass").write_text("secret\n")
    (tmp_path / "pass").chmod(0o600)
    with deployment.gateway(Behaviour(validated_only)) as gateway:
        opened = _verify(tmp_path / "none", gateway.port, *files, "--key-passphrase-file", str(tmp_path / "pass"))
        assert _run(opened, capsys)[0] == 0
        assert _run(_verify(tmp_path / "none", gateway.port, *files), capsys)[0] == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["verify", "http://localhost/"], "begins with https://"),
        (["verify", "https://"], "names no host"),
        (["verify", "https://localhost/", "--key", "{cert}"], "is not a private key"),
        (["verify", "https://localhost/", "--cert", "{key}"], "not a certificate"),
        (["verify", "https://localhost/", "--cert", "{cacert}"], "cannot be used together: key values mismatch"),
        (["verify", "https://localhost/", "--cacert", "{missing}"], "cannot be read"),
        (["verify", "https://localhost/", "--bypass-url", "ftp://x"], "does not begin with"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_exit_2(
    files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: list[str], said: str
) -> None:
    names = {name: str(tmp_path / name) for name in ("cert", "key", "cacert", "missing")}
    verb, url, *rest = (part.format(**names) for part in change)
    code, out, err = _run(["--state", str(tmp_path / "none"), verb, url, *files, *rest], capsys)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert said in err
    assert not (tmp_path / "none").exists()


def test_the_table_shows_what_was_seen_and_escapes_what_a_server_said() -> None:
    console = Console(width=120, record=True, file=None, quiet=True)
    rows = [Result("valid", "valid [b]", "accepted", "HTTP 200 \x1b[2J", Verdict.PASSED)]
    with console.capture() as captured:
        console.print(results_table(rows))
    assert "\x1b[2J" not in captured.get()
    assert len(results_table(rows).columns) == 4
