"""What was told and does not come into force is an error, not a hope."""

import http.server
import json
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handclasp.errors import GatewayFailed
from handclasp.gateway.envoy import proxy as module
from handclasp.gateway.envoy.admin import Admin
from handclasp.gateway.envoy.bootstrap_file import ADMIN_SOCKET
from handclasp.gateway.envoy.proxy import EnvoyProxy
from handclasp.settings import GatewaySettings


class _Admin(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """As much of Envoy's admin interface as we read."""

    daemon_threads = True
    stats: dict[str, Any]
    status = 200


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Admin

    def do_GET(self) -> None:
        stats = [{"name": name, "value": value} for name, value in self.server.stats.items()]
        body = json.dumps({"stats": [*stats, {"histograms": {}}]}).encode()
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        pass


@pytest.fixture
def proxy(tmp_path: Path) -> EnvoyProxy:
    return EnvoyProxy(tmp_path, GatewaySettings())


@pytest.fixture
def admin(tmp_path: Path, proxy: EnvoyProxy) -> Iterator[_Admin]:
    with _Admin(str(tmp_path / ADMIN_SOCKET), _Handler) as server:
        server.stats = {}
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_what_envoy_names_as_its_version_is_in_force(proxy: EnvoyProxy, admin: _Admin) -> None:
    assert proxy.in_force()
    proxy.load({})
    assert not proxy.table_in_force()
    proxy.kill({})
    admin.stats = {"http.gateway.rds.handclasp.version_text": "1"}
    assert proxy.table_in_force()
    assert not proxy.in_force()
    admin.stats = {"extension_config_discovery.http_filter.kill.version_text": "2"}
    assert proxy.in_force()


def test_an_older_version_is_not_the_one_that_was_told(proxy: EnvoyProxy, admin: _Admin) -> None:
    proxy.load({})
    proxy.load({})
    admin.stats = {"http.gateway.rds.handclasp.version_text": "1"}
    assert not proxy.table_in_force()


def test_a_refusal_is_raised_once_for_each(proxy: EnvoyProxy, admin: _Admin) -> None:
    proxy.kill({})
    admin.stats = {"extension_config_discovery.http_filter.kill.config_fail": 1}
    with pytest.raises(GatewayFailed, match="refuses"):
        proxy.in_force()
    assert not proxy.in_force()
    admin.stats = {"sds.server.key_rotation_failed": 2}
    with pytest.raises(GatewayFailed, match="refuses"):
        proxy.table_in_force()


def test_a_new_envoy_is_asked_about_everything_again(proxy: EnvoyProxy, admin: _Admin) -> None:
    proxy.load({})
    admin.stats = {"http.gateway.rds.handclasp.version_text": "1"}
    assert proxy.in_force()
    admin.stats = {}
    proxy.restarted()
    assert not proxy.in_force()


@pytest.mark.parametrize("answering", [True, False])
def test_what_is_not_taken_in_time_is_an_error_whether_envoy_answers_or_hangs(
    answering: bool, proxy: EnvoyProxy, admin: _Admin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.kill({})
    assert not proxy.in_force()
    if not answering:
        (tmp_path / ADMIN_SOCKET).unlink()
        assert not proxy.in_force()
    monkeypatch.setattr(module, "_IN_FORCE_SECONDS", -1.0)
    with pytest.raises(GatewayFailed, match="has not taken its kill file"):
        proxy.in_force()


def test_an_admin_interface_that_answers_with_an_error_is_no_news(proxy: EnvoyProxy, admin: _Admin) -> None:
    proxy.load({})
    admin.status = 500
    assert not proxy.in_force()


def test_without_an_envoy_nothing_is_ready(tmp_path: Path) -> None:
    assert not Admin(tmp_path / "none.sock").ready()


def test_only_the_last_two_generations_are_kept(proxy: EnvoyProxy, tmp_path: Path) -> None:
    for _ in range(5):
        proxy.kill({})
    folders = sorted(path.name for path in (tmp_path / "kill").iterdir() if path.is_dir() and not path.is_symlink())
    assert folders == ["4", "5"]
    assert (tmp_path / "kill" / "current").readlink() == Path("5")


def test_what_an_earlier_gateway_wrote_is_gone_before_envoy_starts(proxy: EnvoyProxy, tmp_path: Path) -> None:
    proxy.load({})
    proxy.server(b"chain", b"key")
    EnvoyProxy(tmp_path, GatewaySettings())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
