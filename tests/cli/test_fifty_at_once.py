"""Fifty processes that enrol at once: every one succeeds, and every one is in the registry afterwards."""

from concurrent.futures import ThreadPoolExecutor

from handclasp.pki.keys import open_sealed, spki
from handclasp.pki.naming import serial_text
from handclasp.pki.pem import load_certificate
from tests.cli.terminal import Terminal

_MANY = 50


def test_fifty_processes_enrol_at_once(established: Terminal) -> None:
    revision = established("status --json").json["revision"]
    with ThreadPoolExecutor(_MANY) as pool:
        outcomes = list(
            pool.map(
                lambda n: established.process(f"client add client-{n} --environment prod --application web --json"),
                range(_MANY),
            )
        )
    assert [outcome.err for outcome in outcomes if outcome.code] == []
    serials = {outcome.json["certificate"]["serial_number"] for outcome in outcomes}
    assert len(serials) == _MANY
    listed = established("client list --json").json
    assert {client["name"] for client in listed} == {f"client-{n}" for n in range(_MANY)}
    assert all(client["active_certificates"] == 1 for client in listed)
    assert established("status --json").json["revision"] == revision + _MANY
    assert established("audit verify").code == 0
    assert established("ca verify").code == 0


def test_one_name_wanted_by_many_at_once_is_one_client_s(established: Terminal) -> None:
    """One run wins, and its certificate is the active one, and its files are those that stay; the others are told."""
    line = "client add acme --environment prod --application web"
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: established.process(line), range(8)))
    assert sorted(outcome.code for outcome in outcomes) == [0, *[1] * 7]
    active = [c for c in established("client show acme --json").json["certificates"] if c["status"] == "active"]
    assert len(active) == 1
    delivered = load_certificate((established.state / "clients/acme/client.pem").read_bytes())
    assert serial_text(delivered.serial_number) == active[0]["serial_number"]


def test_renewals_of_one_client_at_once_leave_one_whole_credential(established: Terminal) -> None:
    established.add("acme")
    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(lambda _: established.process("client renew acme"), range(6)))
    assert [outcome.err for outcome in outcomes if outcome.code] == []
    folder = established.state / "clients/acme"
    certificate = load_certificate((folder / "client.pem").read_bytes())
    assert spki(certificate.public_key()) == spki(open_sealed((folder / "client.key").read_bytes()).public_key())
