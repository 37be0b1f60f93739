"""Envoy's binary files as JSON that a person can review: what our few message types hold, Any unpacked."""

from typing import Any

from handclasp.gateway.envoy.messages import message


def response_text(encoded: bytes) -> Any:
    """A DiscoveryResponse."""
    return _shown(_parsed("DiscoveryResponse", encoded))


def _shown(value: Any) -> Any:
    return {field.name: _field(field, content) for field, content in value.ListFields()}


def _field(field: Any, content: Any) -> Any:
    if field.name == "exact_match_map":
        return {each.key: _shown(each.value) for each in _parsed("MatchMap", content).map}
    if field.message_type is None:
        return list(content) if field.is_repeated else content
    return [_message(each) for each in content] if field.is_repeated else _message(content)


def _message(value: Any) -> Any:
    if value.DESCRIPTOR.name != "Any":
        return _shown(value)
    name = value.type_url.rpartition(".")[2]
    return {"@type": value.type_url, **_shown(_parsed(name, value.value))}


def _parsed(name: str, encoded: bytes) -> Any:
    parsed = message(name)
    parsed.ParseFromString(encoded)
    return parsed
