"""Envoy's listener: TLS that asks for a certificate, HTTP hardened, the decision's filters, the access log."""

from typing import Any

from handclasp.gateway.addresses import parse_listen
from handclasp.gateway.envoy.access_log import access_log
from handclasp.gateway.envoy.route_table import FINGERPRINT_KEY, ROUTE_CONFIGURATION
from handclasp.gateway.identity_headers import PREFIX, XFCC
from handclasp.settings import GatewaySettings

Json = dict[str, Any]

_TYPE = "type.googleapis.com/envoy"
_EXTENSION = f"{_TYPE}.extensions"
#: The kill filter's name: Envoy finds its file's resource by it.
KILL = "kill"
RBAC_TYPE = f"{_EXTENSION}.filters.http.rbac.v3.RBAC"
STAT_PREFIX = "gateway"

#: Forward secrecy and authenticated encryption only (RFC 9325 4.2); TLS 1.3 has no others.
_CIPHER_SUITES = [
    "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]",
    "[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
]


def listener(settings: GatewaySettings, sources: dict[str, Json], log_path: str) -> Json:
    """`sources` are the configuration sources named server, trust, table and kill."""
    host, port = parse_listen(settings.listen)
    fingerprint = {
        "object_key": FINGERPRINT_KEY,
        "factory_key": "envoy.string",
        "format_string": {"text_format_source": {"inline_string": "%DOWNSTREAM_PEER_FINGERPRINT_256%"}},
    }
    return {
        "name": "gateway",
        "address": {"socket_address": {"address": host, "port_value": port}},
        "per_connection_buffer_limit_bytes": 1_048_576,
        "filter_chains": [
            {
                # A TCP connection that never says hello is closed.
                "transport_socket_connect_timeout": "10s",
                "transport_socket": {
                    "name": "envoy.transport_sockets.tls",
                    "typed_config": _tls(settings, sources),
                },
                "filters": [
                    {
                        "name": "fingerprint",
                        "typed_config": {
                            "@type": f"{_EXTENSION}.filters.network.set_filter_state.v3.Config",
                            "on_downstream_tls_handshake": [fingerprint],
                        },
                    },
                    {"name": "http", "typed_config": _http(settings, sources, log_path)},
                ],
            }
        ],
        # Refused handshakes never reach HTTP: the listener's own log has them, with the TLS error.
        "access_log": [access_log(log_path, "handshake")],
    }


def _tls(settings: GatewaySettings, sources: dict[str, Json]) -> Json:
    return {
        "@type": f"{_EXTENSION}.transport_sockets.tls.v3.DownstreamTlsContext",
        "require_client_certificate": settings.refusal == "handshake",
        # A resumed session skips the verification, and with it what has changed since: never resumed.
        "disable_stateless_session_resumption": True,
        "disable_stateful_session_resumption": True,
        "common_tls_context": {
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_params": {
                "tls_minimum_protocol_version": "TLSv1_3" if settings.minimum_tls == "1.3" else "TLSv1_2",
                "tls_maximum_protocol_version": "TLSv1_3",
                "cipher_suites": _CIPHER_SUITES,
            },
            "tls_certificate_sds_secret_configs": [{"name": "server", "sds_config": sources["server"]}],
            "validation_context_sds_secret_config": {"name": "trust", "sds_config": sources["trust"]},
        },
    }


def _http(settings: GatewaySettings, sources: dict[str, Json], log_path: str) -> Json:
    return {
        "@type": f"{_EXTENSION}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": STAT_PREFIX,
        "rds": {"route_config_name": ROUTE_CONFIGURATION, "config_source": sources["table"]},
        "http_filters": [
            {"name": KILL, "config_discovery": {"config_source": sources["kill"], "type_urls": [RBAC_TYPE]}},
            {
                "name": "router",
                # Neither the caller nor the service needs to know which proxy this is.
                "typed_config": {
                    "@type": f"{_EXTENSION}.filters.http.router.v3.Router",
                    "suppress_envoy_headers": True,
                },
            },
        ],
        # The client's own copies of what we say of it; the routes add ours after this.
        "forward_client_cert_details": "SANITIZE",
        "early_header_mutation_extensions": [
            {
                "name": "strip",
                "typed_config": {
                    "@type": f"{_EXTENSION}.http.early_header_mutation.header_mutation.v3.HeaderMutation",
                    "mutations": [_removed(prefix) for prefix in _stripped(settings)],
                },
            }
        ],
        "local_reply_config": _local_reply(),
        "access_log": [access_log(log_path, kind) for kind in ("allow", "kill", "deny", "error")],
        "server_header_transformation": "PASS_THROUGH",
        "use_remote_address": True,
        "xff_num_trusted_hops": settings.trusted_proxies,
        # Paths: one spelling reaches the upstream, so that a prefix rule there means what it says.
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "max_request_headers_kb": 32,
        "request_headers_timeout": "10s",
        "stream_idle_timeout": f"{settings.request_timeout_seconds}s",
        "common_http_protocol_options": {
            "headers_with_underscores_action": "REJECT_REQUEST",
            "idle_timeout": "300s",
            "max_headers_count": 100,
            # What is in flight when a client is revoked ends by itself within this.
            "max_stream_duration": f"{settings.max_stream_seconds}s",
        },
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 65_536,
            "initial_connection_window_size": 1_048_576,
        },
    }


def _stripped(settings: GatewaySettings) -> list[str]:
    """Header name prefixes a client may not send: who it is, what Envoy obeys, and where it says it comes from."""
    names = [PREFIX, XFCC, "x-envoy-"]
    # Without a proxy of ours in front, what was forwarded from where is the client's own invention.
    return names if settings.trusted_proxies else [*names, "x-forwarded-", "x-real-ip", "forwarded"]


def _removed(prefix: str) -> Json:
    return {"remove_on_match": {"key_matcher": {"prefix": prefix, "ignore_case": True}}}


def _local_reply() -> Json:
    """Every 403 of ours has the body API Gateway sends, and no word about why."""
    forbidden = {"op": "EQ", "value": {"default_value": 403, "runtime_key": "handclasp.forbidden"}}
    return {
        "mappers": [
            {
                "filter": {"status_code_filter": {"comparison": forbidden}},
                "body": {"inline_string": '{"message":"Forbidden"}'},
                "body_format_override": {
                    "text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"},
                    "content_type": "application/json",
                },
            }
        ]
    }
