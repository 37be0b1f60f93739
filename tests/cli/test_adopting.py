"""A hierarchy that operators made with plain OpenSSL is adopted as it is: nothing is re-issued."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.terminal import PASSPHRASE, Terminal, one_error_line

_ADOPT = "client adopt acme --environment prod --application NextJs --certificate client.crt"


@pytest.fixture
def operator(terminal: Terminal, operators: Path) -> Terminal:
    """A terminal in the operator's folder."""
    shutil.copytree(operators, terminal.folder, dirs_exist_ok=True)
    terminal.write("root.pass", f"{PASSPHRASE}\n")
    return terminal


def _init(terminal: Terminal, *options: str) -> None:
    outcome = terminal(f"init --root-passphrase-file root.pass {' '.join(options)}")
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize(
    "options",
    [
        "--import-root root.crt --import-intermediate issuing.crt --import-intermediate-key issuing.key",
        "--import-root root.crt --import-intermediate issuing.p12 --import-passphrase-file ca.pass",
        "--import-root root.crt --import-root-key root.key --import-passphrase-file ca.pass "
        "--import-intermediate issuing.crt --import-intermediate-key issuing.key",
        "--import-root root.crt --import-intermediate both.pem",
    ],
    ids=["root offline", "PKCS#12", "root key encrypted", "key beside its certificate"],
)
def test_the_hierarchy_and_its_clients_are_adopted(operator: Terminal, options: str) -> None:
    both = (operator.folder / "issuing.crt").read_bytes() + (operator.folder / "issuing.key").read_bytes()
    operator.write("both.pem", both)
    _init(operator, options)
    adopted = operator(f"{_ADOPT} --certificate client2.crt --json")
    assert adopted.code == 0, adopted.err
    assert [c["serial_number"] for c in adopted.json["adopted"]] == ["a01", "a02"]
    assert adopted.json["adopted"][0]["subject"] == "CN=Prod-NextJs-Client,O=Acme"
    assert operator("ca verify").code == 0
    _init(operator, options)
    assert operator("client renew acme --out new").code == 0
    done = subprocess.run(
        ["openssl", "verify", "-CAfile", "root.crt", "-untrusted", "issuing.crt", "new/client.pem"],
        cwd=operator.folder,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_an_imported_root_with_its_key_signs_our_intermediate(operator: Terminal) -> None:
    _init(operator, "--import-root root.crt --import-root-key root.key --import-passphrase-file ca.pass")
    assert operator.add("acme").code == 0
    assert operator("ca verify --root-passphrase-file root.pass").code == 0


def test_adopting_again_is_no_error_and_adopts_what_is_new(operator: Terminal) -> None:
    _init(operator, "--import-root root.crt --import-intermediate issuing.crt --import-intermediate-key issuing.key")
    assert operator(_ADOPT).code == 0
    assert operator(f"{_ADOPT} --certificate client2.crt").err == "client acme: 1 adopted, 1 registered already\n"
    assert operator(f"{_ADOPT} --certificate client2.crt").code == 0


def test_an_adopted_client_is_exported_without_a_key(operator: Terminal) -> None:
    _init(operator, "--import-root root.crt --import-intermediate issuing.crt --import-intermediate-key issuing.key")
    operator(_ADOPT)
    assert operator("client export acme --out out --json").json["files"] == ["ca.pem", "client.pem", "fullchain.pem"]
    assert (operator.folder / "out/client.pem").read_bytes() in (operator.folder / "client.crt").read_bytes()
    refused = operator("client export acme --out out --pkcs12-passphrase-file ca.pass")
    assert "private key" in one_error_line(refused, 2)


def test_one_certificate_is_one_client_s(operator: Terminal) -> None:
    _init(operator, "--import-root root.crt --import-intermediate issuing.crt --import-intermediate-key issuing.key")
    operator(_ADOPT)
    before = operator.snapshot()
    stolen = operator("client adopt thief --environment prod --application NextJs --certificate client.crt")
    assert "already belongs to client acme" in one_error_line(stolen, 2)
    elsewhere = operator("client adopt acme --environment test --application NextJs --certificate client2.crt")
    assert "registered for prod" in one_error_line(elsewhere, 1)
    foreign = operator("client adopt other --environment prod --application NextJs --certificate root.crt")
    one_error_line(foreign, 2)
    assert operator.snapshot() == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--import-root root.crt", "root's key is missing"),
        ("--import-root root.crt --import-intermediate issuing.crt", "intermediate's key is missing"),
        ("--import-intermediate issuing.crt --import-intermediate-key issuing.key", "with its root"),
        ("--import-root-key root.key", "needs its certificate"),
        ("--import-root root.crt --import-root-key root.key", "no passphrase was given"),
        ("--import-root root.crt --import-root-key issuing.key", "does not belong"),
        ("--import-root root.crt --import-root-key root.key --import-passphrase-file root.pass", "does not open"),
        ("--import-root root.crt --import-intermediate issuing.p12", "PKCS#12 that opens"),
        ("--import-root client.crt --import-root-key client.key", "not a CA certificate"),
        ("--import-root client.key", "not a certificate"),
        ("--import-root missing.crt", "cannot be read"),
    ],
)
def test_an_import_that_cannot_work_is_refused_before_anything_is_made(
    operator: Terminal, options: str, said: str
) -> None:
    outcome = operator(f"init --root-passphrase-file root.pass {options}")
    assert said in one_error_line(outcome, 2)
    assert not operator.state.exists()


def test_an_intermediate_of_another_root_is_refused(operator: Terminal) -> None:
    command = "openssl req -x509 -newkey rsa:2048 -nodes -keyout r2.key -subj /O=Acme/CN=Acme-Root-CA -out r2.crt"
    subprocess.run(command.split(), cwd=operator.folder, check=True, capture_output=True)
    outcome = operator(
        "init --root-passphrase-file root.pass --import-root r2.crt --import-intermediate issuing.crt "
        "--import-intermediate-key issuing.key"
    )
    one_error_line(outcome, 1)
    assert not operator.state.exists()


def test_a_root_that_gateways_would_refuse_is_refused(operator: Terminal) -> None:
    command = "openssl req -x509 -newkey rsa:1024 -nodes -keyout weak.key -subj /CN=Weak -out weak.crt"
    subprocess.run(command.split(), cwd=operator.folder, check=True, capture_output=True)
    outcome = operator("init --root-passphrase-file root.pass --import-root weak.crt --import-root-key weak.key")
    one_error_line(outcome, 1)
    assert not operator.state.exists()
