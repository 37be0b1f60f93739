"""Envoy's bootstrap: what stays for the life of the process. What changes is in files beside it, each watched.

server/current -> generation   the server certificate and its key, swapped as one
trust/current  -> generation   the trust anchors
table/current  -> generation   the routes: who may pass
kill/current   -> generation   who may not, whatever the routes say; alone, so that it acts in milliseconds
"""

from ipaddress import ip_address
from pathlib import Path
from typing import Any

from handclasp.gateway.addresses import parse_upstream
from handclasp.gateway.envoy.listener import listener
from handclasp.gateway.envoy.route_table import UPSTREAM
from handclasp.settings import GatewaySettings

Json = dict[str, Any]

#: subject -> the file Envoy reads in the folder of that name
DYNAMIC_FILES = {"server": "sds.json", "trust": "sds.json", "table": "rds.pb", "kill": "ecds.json"}
CURRENT = "current"
#: Relative to the folder Envoy runs in: an absolute path may be longer than a unix socket's address (108 bytes).
ADMIN_SOCKET = "admin.sock"

_CONNECTIONS = "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3"


def bootstrap(settings: GatewaySettings, folder: Path, log_path: str) -> Json:
    """`settings.upstream` is set. Unknown fields are errors to Envoy as we start it, so a typo cannot fail open."""
    sources = {name: _source(folder / name, file) for name, file in DYNAMIC_FILES.items()}
    return {
        "node": {"id": "handclasp", "cluster": "handclasp"},
        # Only its owner may open the socket, and only to read.
        "admin": {
            "address": {"pipe": {"path": ADMIN_SOCKET, "mode": 0o600}},
            "allow_paths": [{"prefix": "/stats"}, {"exact": "/ready"}],
        },
        "static_resources": {
            "listeners": [listener(settings, sources, log_path)],
            "clusters": [_cluster(settings.upstream or "")],
        },
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": f"{_CONNECTIONS}.DownstreamConnectionsConfig",
                        "max_active_downstream_connections": settings.max_connections,
                    },
                }
            ]
        },
    }


def _source(folder: Path, file: str) -> Json:
    return {
        "path_config_source": {
            "path": str(folder / CURRENT / file),
            "watched_directory": {"path": str(folder)},
        },
        "resource_api_version": "V3",
    }


def _cluster(upstream: str) -> Json:
    host, port = parse_upstream(upstream)
    try:
        ip_address(host)
        discovery = "STATIC"
    except ValueError:
        discovery = "STRICT_DNS"
    endpoint = {"endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}}}
    return {
        "name": UPSTREAM,
        "type": discovery,
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": UPSTREAM, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
