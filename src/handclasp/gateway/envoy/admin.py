"""Envoy's admin interface, over a unix socket that only its owner can open: what is in force, and is it ready."""

import http.client
import json
import os
import socket
from pathlib import Path

from handclasp.errors import GatewayFailed


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        # Through the folder's descriptor (proc(5)): an absolute path may be longer than a socket's address.
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            through = Path(f"/proc/self/fd/{folder}")
            self.sock.connect(str(through / self._path.name if through.exists() else self._path))
        finally:
            os.close(folder)


class Admin:
    def __init__(self, path: Path) -> None:
        self._path = path

    def ready(self) -> bool:
        """True when Envoy serves (https://www.envoyproxy.io/docs/envoy/latest/operations/admin#get--ready)."""
        try:
            return self._get("/ready")[0] == http.client.OK
        except GatewayFailed:
            return False

    def stats(self, pattern: str, timeout: float = 5.0) -> dict[str, int | str]:
        """Counters, gauges and text readouts whose name matches the regular expression.

        Raises GatewayFailed, after `timeout` seconds without an answer too: while Envoy takes in a large table it
        does not answer at all.
        """
        status, body = self._get(f"/stats?format=json&type=All&filter={pattern}", timeout)
        if status != http.client.OK:
            raise GatewayFailed(f"Envoy's admin interface answered {status}")
        return {each["name"]: each["value"] for each in json.loads(body)["stats"] if "name" in each}

    def _get(self, target: str, timeout: float = 5.0) -> tuple[int, bytes]:
        connection = _UnixConnection(self._path, timeout)
        try:
            connection.request("GET", target)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise GatewayFailed(f"Envoy's admin interface does not answer: {error}") from None
        finally:
            connection.close()
