"""The decision, written as Envoy's routes: which certificate has a route is who may pass.

    fingerprint of the connection's certificate
      registered, may pass  -> path validated -> the upstream, with this client's identity headers
                               otherwise      -> 403, route "path_invalid"
      registered, may not   -> 403, a route named after the reason
      the gateway's own     -> what it asks itself (see gateway/self_check.py); 403 for anything else
      no certificate        -> 403, route "no_certificate"
      anything else         -> 403, route "unregistered", or "path_invalid" when its path is not validated either

The lookup is one hash map (O(1)). Because every header is a literal of the certificate's own route, nothing is
formatted per request: the whole costs 15 % on top of a bare proxy, where filters and formatters cost 38 %.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from handclasp.authorizer.decision import Reason
from handclasp.gateway.envoy.messages import message, packed
from handclasp.gateway.identity_headers import identity_headers
from handclasp.gateway.self_check import QUESTION, SelfCheck
from handclasp.gateway.table import Entry

#: The filter state that holds the fingerprint, set once per connection; "-" when there is no certificate.
FINGERPRINT_KEY = "handclasp.fingerprint"
NO_CERTIFICATE_KEY = "-"
ROUTE_CONFIGURATION = "handclasp"
UPSTREAM = "upstream"

_ROUTE_TYPE = "envoy.config.route.v3.Route"
_ROUTE_LIST_TYPE = "envoy.config.route.v3.RouteList"
_ROUTE_CONFIGURATION_TYPE = "envoy.config.route.v3.RouteConfiguration"
_FILTER_STATE_INPUT_TYPE = "envoy.extensions.matching.common_inputs.network.v3.FilterStateInput"


class RouteTable:
    """Encodes entries, keeping each one's bytes: a change of one certificate encodes one certificate."""

    def __init__(self, *, timeout_seconds: int, self_check: SelfCheck | None = None) -> None:
        self._timeout = timeout_seconds
        self._self_check = self_check
        self._encoded: dict[str, tuple[Entry, bytes]] = {}

    def encode(self, entries: Mapping[str, Entry], version: str) -> bytes:
        """A DiscoveryResponse with the one route configuration, for a file whose name ends in .pb."""
        pieces = [_map_entry(NO_CERTIFICATE_KEY, _action(_ROUTE_TYPE, refusal(Reason.NO_CERTIFICATE)))]
        if self._self_check is not None:
            answer = own_answer(self._self_check.answer(version))
            pieces.append(_map_entry(self._self_check.fingerprint, answer))
        encoded = {}
        for fingerprint, entry in entries.items():
            known = self._encoded.get(fingerprint)
            if known is None or known[0] != entry:
                known = (entry, _map_entry(fingerprint, _decision(entry, self._timeout)))
            encoded[fingerprint] = known
            pieces.append(known[1])
        self._encoded = encoded
        return _response(b"".join(pieces), version)


def refusal(reason: Reason) -> Any:
    """A route that answers 403 and carries the reason as its name, for the log."""
    return message(
        "Route",
        name=reason.value,
        match=message("RouteMatch", prefix="/"),
        direct_response=message("DirectResponseAction", status=403),
    )


def admission(entry: Entry, timeout_seconds: int) -> Any:
    """The route of a certificate that may pass. The client's own copies of these headers are gone by now."""
    validated = message("TlsContextMatchOptions", validated=message("BoolValue", value=True))
    headers = identity_headers(entry, datetime.fromtimestamp(entry.certificate.not_after, UTC))
    return message(
        "Route",
        name=Reason.ALLOWED.value,
        match=message("RouteMatch", prefix="/", tls_context=validated),
        route=message("RouteAction", cluster=UPSTREAM, timeout=message("Duration", seconds=timeout_seconds)),
        request_headers_to_add=[
            message(
                "HeaderValueOption",
                # Envoy's formatter takes "%" for its own: doubled, it is a literal.
                header=message("HeaderValue", key=name, value=value.replace("%", "%%")),
                keep_empty_value=True,
            )
            for name, value in headers.items()
        ],
    )


def own_answer(body: str) -> Any:
    """For the gateway's own certificate: one question is answered, by this body; nothing is forwarded."""
    get = message("HeaderMatcher", name=":method", string_match=message("StringMatcher", exact="GET"))
    answer = message(
        "Route",
        name="self_check",
        match=message("RouteMatch", path=QUESTION, headers=[get]),
        direct_response=message("DirectResponseAction", status=200, body=message("DataSource", inline_string=body)),
    )
    return _action(_ROUTE_LIST_TYPE, message("RouteList", routes=[answer, refusal(Reason.PATH_INVALID)]))


def _decision(entry: Entry, timeout_seconds: int) -> Any:
    if not entry.allow:
        return _action(_ROUTE_TYPE, refusal(entry.reason))
    routes = message("RouteList", routes=[admission(entry, timeout_seconds), refusal(Reason.PATH_INVALID)])
    return _action(_ROUTE_LIST_TYPE, routes)


def _unknown() -> Any:
    """Neither in the table: validated means that we issued it and do not know it; otherwise somebody else did."""
    validated = message("TlsContextMatchOptions", validated=message("BoolValue", value=True))
    unregistered = refusal(Reason.UNREGISTERED)
    unregistered.match.CopyFrom(message("RouteMatch", prefix="/", tls_context=validated))
    return _action(_ROUTE_LIST_TYPE, message("RouteList", routes=[unregistered, refusal(Reason.PATH_INVALID)]))


def _action(type_name: str, content: Any) -> Any:
    return message(
        "OnMatch", action=message("TypedExtensionConfig", name="route", typed_config=packed(type_name, content))
    )


def _map_entry(key: str, on_match: Any) -> bytes:
    encoded: bytes = message("MatchMap", map=[message("MatchMapEntry", key=key, value=on_match)]).SerializeToString()
    return encoded


def _response(match_map: bytes, version: str) -> bytes:
    fingerprint = message(
        "TypedExtensionConfig",
        name="fingerprint",
        typed_config=packed(_FILTER_STATE_INPUT_TYPE, message("FilterStateInput", key=FINGERPRINT_KEY)),
    )
    matcher = message(
        "Matcher",
        matcher_tree=message("MatcherTree", input=fingerprint, exact_match_map=match_map),
        on_no_match=_unknown(),
    )
    host = message("VirtualHost", name=ROUTE_CONFIGURATION, domains=["*"], matcher=matcher)
    routes = message("RouteConfiguration", name=ROUTE_CONFIGURATION, virtual_hosts=[host])
    response = message("DiscoveryResponse", version_info=version, resources=[packed(_ROUTE_CONFIGURATION_TYPE, routes)])
    encoded: bytes = response.SerializeToString()
    return encoded
