"""The gateway's policy, from its settings: what `gateway check` counts by is what the gateway decides by."""

from handclasp.authorizer.decision import Policy
from handclasp.settings import GatewaySettings


def gateway_policy(settings: GatewaySettings) -> Policy:
    """No `environments` setting admits all; an empty one admits none."""
    return Policy(None if settings.environments is None else frozenset(settings.environments))
