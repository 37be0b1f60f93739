"""The access log: one JSON line a request, with who, which certificate, the decision and its reason.

Four shapes of one line, each written when its filter fits, because Envoy's formatters cannot choose:
- allow: the request carries x-client-id, which only a route of the table adds
- kill: the kill list refused it; the reason is the name of the rule that did
- deny: the table refused it; the reason is the name of the route
- error: it never came to a decision, because it was no request to forward: a malformed path, an upgrade
and for connections that never became HTTP: handshake.
"""

from typing import Any

from handclasp.authorizer.decision import Reason
from handclasp.gateway.identity_headers import PREFIX

Json = dict[str, Any]

_FILE_LOG = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"
_RBAC = "envoy.filters.http.rbac"

_REQUEST = {
    "time": "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
    "method": "%REQ(:METHOD)%",
    # Without the query: it may hold what does not belong into a log.
    "path": "%PATH(NQ)%",
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "duration_ms": "%DURATION%",
    "bytes_in": "%BYTES_RECEIVED%",
    "bytes_out": "%BYTES_SENT%",
    "peer": "%DOWNSTREAM_REMOTE_ADDRESS%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "tls": "%DOWNSTREAM_TLS_VERSION%",
    "serial": "%DOWNSTREAM_PEER_SERIAL%",
    "fingerprint": "%DOWNSTREAM_PEER_FINGERPRINT_256%",
}
_HANDSHAKE = {
    "time": _REQUEST["time"],
    "decision": "deny",
    "reason": "handshake",
    "details": "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%",
    "peer": _REQUEST["peer"],
    "duration_ms": _REQUEST["duration_ms"],
}

_HAS_IDENTITY = {"header_filter": {"header": {"name": f"{PREFIX}id", "present_match": True}}}
_NO_IDENTITY = {"header_filter": {"header": {"name": f"{PREFIX}id", "present_match": True, "invert_match": True}}}


def _expression(name: str, expression: str) -> Json:
    kind = "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter"
    return {"extension_filter": {"name": name, "typed_config": {"@type": kind, "expression": expression}}}


_HANDSHAKE_FAILED = _expression(
    "handshake_failed", "has(connection.transport_failure_reason) && connection.transport_failure_reason != ''"
)
#: Exactly one of these is so of a request that was not let in, and none of the gateway's own.
_DETAILS = "has(response.code_details) && response.code_details"
_KILLED = f"{_DETAILS}.startsWith('rbac_access_denied')"
_NO_ROUTE = f"{_DETAILS} == 'direct_response'"
#: The gateway's answer to its own question is nobody's request: it fits no shape.
_REFUSED = "response.code == 403"
_REFUSED_BY = {
    "kill": _expression("kill", _KILLED),
    "table": _expression("table", f"{_NO_ROUTE} && {_REFUSED}"),
    "neither": _expression("neither", f"!({_KILLED}) && !({_NO_ROUTE})"),
}

_SHAPES: dict[str, tuple[Json, Json]] = {
    "allow": (_HAS_IDENTITY, {"decision": "allow", "reason": "allowed", "client_id": "%REQ(X-CLIENT-ID)%", **_REQUEST}),
    "kill": (
        {"and_filter": {"filters": [_NO_IDENTITY, _REFUSED_BY["kill"]]}},
        {"decision": "deny", "reason": f"%DYNAMIC_METADATA({_RBAC}:enforced_effective_policy_id)%", **_REQUEST},
    ),
    "deny": (
        {"and_filter": {"filters": [_NO_IDENTITY, _REFUSED_BY["table"]]}},
        {"decision": "deny", "reason": "%ROUTE_NAME%", **_REQUEST},
    ),
    "error": (
        {"and_filter": {"filters": [_NO_IDENTITY, _REFUSED_BY["neither"]]}},
        {"decision": "deny", "reason": Reason.ERROR.value, **_REQUEST},
    ),
    "handshake": (_HANDSHAKE_FAILED, _HANDSHAKE),
}


def access_log(path: str, kind: str) -> Json:
    """The access logger of one of the shapes above."""
    chosen, fields = _SHAPES[kind]
    log = {"@type": _FILE_LOG, "path": path, "log_format": {"json_format": fields, "omit_empty_values": True}}
    return {"name": kind, "filter": chosen, "typed_config": log}
