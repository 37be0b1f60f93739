"""A terminal with nothing established, one with an authority, and a hierarchy made with plain OpenSSL."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Nothing is established, and nothing in the environment speaks to handclasp."""
    for name in ("HANDCLASP_STATE", "HANDCLASP_DEBUG", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return Terminal(tmp_path, tmp_path / "state")


@pytest.fixture(scope="session")
def made_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, established once and copied for each test."""
    folder = tmp_path_factory.mktemp("made")
    outcome = Terminal(folder, folder / "state").init()
    assert outcome.code == 0, outcome.err
    return folder / "state"


@pytest.fixture
def established(terminal: Terminal, made_state: Path) -> Terminal:
    """A terminal whose state holds an authority; root.pass is its passphrase."""
    shutil.copytree(made_state, terminal.state)
    shutil.copy(made_state.parent / "root.pass", terminal.folder)
    return terminal


@pytest.fixture(scope="session")
def operators(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an operator has after following the how-to, with an intermediate: OpenSSL made every file.

    root.crt/.key (RSA-4096, 3,650 days, the key encrypted), issuing.crt/.key/.p12, client.crt/.key (RSA-2048, 365
    days, CN Prod-NextJs-Client) and client2.crt.
    """
    folder = tmp_path_factory.mktemp("operators")
    for name, text in _OPENSSL_FILES.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    for line in _OPENSSL_COMMANDS.strip().splitlines():
        done = subprocess.run(["openssl", *line.split()], cwd=folder, capture_output=True, check=False)
        assert done.returncode == 0, (line, done.stderr)
    return folder


_OPENSSL_FILES = {
    "ca.pass": "operators-secret\n",
    "ca.ext": "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n",
    "client.ext": "basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n",
}
_SIGN = "x509 -req -sha256 -CA issuing.crt -CAkey issuing.key -extfile client.ext -days 365"
_OPENSSL_COMMANDS = f"""
genrsa -aes256 -passout file:ca.pass -out root.key 4096
req -x509 -new -key root.key -passin file:ca.pass -sha256 -days 3650 -subj /O=Acme/CN=Acme-Root-CA -out root.crt
req -new -newkey rsa:2048 -nodes -keyout issuing.key -subj /O=Acme/CN=Acme-Issuing-CA -out issuing.csr
x509 -req -sha256 -in issuing.csr -CA root.crt -CAkey root.key -passin file:ca.pass -days 1825 -extfile ca.ext \
-CAcreateserial -out issuing.crt
pkcs12 -export -in issuing.crt -inkey issuing.key -passout file:ca.pass -out issuing.p12
req -new -newkey rsa:2048 -nodes -keyout client.key -subj /O=Acme/CN=Prod-NextJs-Client -out client.csr
{_SIGN} -in client.csr -set_serial 0x0A01 -out client.crt
req -new -newkey rsa:2048 -nodes -keyout client2.key -subj /O=Acme/CN=Prod-NextJs-Client -out client2.csr
{_SIGN} -in client2.csr -set_serial 0x0A02 -out client2.crt
"""
