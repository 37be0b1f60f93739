"""What is written for Envoy is compared, octet for octet, with files a person has reviewed.

HANDCLASP_UPDATE_GOLDEN=1 writes them anew: then `git diff tests/golden` is the review.
"""

import json
import os
import ssl
from pathlib import Path
from typing import Any

import pytest

from handclasp.authorizer.decision import Reason
from handclasp.gateway.envoy.bootstrap_file import CURRENT, DYNAMIC_FILES, bootstrap
from handclasp.gateway.envoy.proxy import EnvoyProxy
from handclasp.gateway.envoy.route_table import RouteTable
from handclasp.gateway.self_check import SelfCheck
from handclasp.settings import GatewaySettings
from tests.gateway.entries import entry
from tests.gateway.envoy_text import response_text

GOLDEN = Path(__file__).parent.parent / "golden" / "gateway"
FOLDER = Path("/state/gateway/envoy")

ENTRIES = {
    each.certificate.fingerprint: each
    for each in (
        entry("acme", 1, uris=("spiffe://handclasp.internal/prod/acme",)),
        entry("tricky", 2, common_name='50%, "quoted" = \\ \U0001f510', uris=("spiffe://ok/prod/tricky", "x:a,b;c")),
        entry("suspended", 3, Reason.CLIENT_SUSPENDED),
        entry("expired", 4, Reason.EXPIRED),
    )
}


def same_as_golden(name: str, found: Any) -> None:
    file = GOLDEN / name
    text = json.dumps(found, indent=1, ensure_ascii=True) + "\n"
    if os.environ.get("HANDCLASP_UPDATE_GOLDEN"):
        file.write_text(text)
    assert file.read_text() == text


def written(folder: Path, name: str) -> Any:
    """What stands in a dynamic file, with the folder it stands in named as in the golden files."""
    text = (folder / name / CURRENT / DYNAMIC_FILES[name]).read_text()
    return json.loads(text.replace(str(folder), str(FOLDER)))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("bootstrap.json", GatewaySettings(upstream="http://127.0.0.1:3000")),
        (
            "bootstrap-strict.json",
            GatewaySettings(
                listen="[::]:443",
                upstream="http://app.internal:8080",
                refusal="handshake",
                minimum_tls="1.3",
                trusted_proxies=1,
            ),
        ),
    ],
)
def test_the_bootstrap(name: str, settings: GatewaySettings) -> None:
    same_as_golden(name, bootstrap(settings, FOLDER, "/state/gateway/access.log"))


def test_the_route_table() -> None:
    encoded = RouteTable(timeout_seconds=60).encode(ENTRIES, "7")
    same_as_golden("table.json", response_text(encoded))


def test_the_route_table_of_an_empty_registry_still_refuses() -> None:
    same_as_golden("table-empty.json", response_text(RouteTable(timeout_seconds=60).encode({}, "1")))


def test_the_answer_to_the_gateway_s_own_question_stands_beside_the_others() -> None:
    check = SelfCheck("edge-1", "5e" * 32, ("127.0.0.1", 8443), True, ssl.create_default_context())
    table = RouteTable(timeout_seconds=60, self_check=check)
    same_as_golden("table-self-check.json", response_text(table.encode({}, "9")))


def test_an_entry_that_did_not_change_is_not_encoded_again_and_one_that_did_is() -> None:
    table = RouteTable(timeout_seconds=60)
    table.encode(ENTRIES, "1")
    revoked = {f: entry("acme", 1, Reason.CERTIFICATE_REVOKED) for f in list(ENTRIES)[:1]}
    changed = {**ENTRIES, **revoked}

    assert table.encode(changed, "2") == RouteTable(timeout_seconds=60).encode(changed, "2")
    assert table.encode({}, "3") == RouteTable(timeout_seconds=60).encode({}, "3")


def test_the_kill_list(tmp_path: Path) -> None:
    proxy = EnvoyProxy(tmp_path, GatewaySettings())
    proxy.kill({})
    same_as_golden("kill-nobody.json", written(tmp_path, "kill"))
    proxy.kill({"ab" * 32: Reason.CERTIFICATE_REVOKED, "cd" * 32: Reason.CLIENT_SUSPENDED})
    same_as_golden("kill.json", written(tmp_path, "kill"))
    proxy.refuse_all()
    same_as_golden("kill-everybody.json", written(tmp_path, "kill"))


@pytest.mark.parametrize(
    ("name", "settings"),
    [("trust.json", GatewaySettings()), ("trust-strict.json", GatewaySettings(refusal="handshake"))],
)
def test_the_trust_anchors(name: str, settings: GatewaySettings, tmp_path: Path) -> None:
    EnvoyProxy(tmp_path, settings).trust(b"PEM")
    same_as_golden(name, written(tmp_path, "trust"))
    assert (tmp_path / "trust" / CURRENT / "trust.pem").read_bytes() == b"PEM"


def test_the_server_certificate_is_named_and_its_key_never_inline(tmp_path: Path) -> None:
    EnvoyProxy(tmp_path, GatewaySettings()).server(b"CHAIN", b"SECRET")
    same_as_golden("server.json", written(tmp_path, "server"))
    assert b"SECRET" not in (tmp_path / "server" / CURRENT / DYNAMIC_FILES["server"]).read_bytes()
