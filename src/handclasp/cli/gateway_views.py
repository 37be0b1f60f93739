"""The fleet as people and programs see it: each gateway's last report, and how far behind it is."""

from handclasp.authority.rotation.gateway_evidence import SILENT_SECONDS
from handclasp.cli.output import moment
from handclasp.registry.fleet import Gateway
from handclasp.registry.port import Registry

COLUMNS = ("gateway", "address", "revision", "behind", "seconds silent", "environments", "server issuer", "started")


def gateways_json(registry: Registry) -> list[dict[str, object]]:
    """Every gateway that has not said goodbye. `lag` is in revisions; `silent` means missed, not only slow."""
    revision = registry.revision()
    return [
        {
            "id": each.gateway_id,
            "address": each.address,
            "revision": each.revision,
            "lag": max(0, revision - each.revision),
            "silent_for": round(each.silent_for, 1),
            "silent": each.silent_for > SILENT_SECONDS,
            "trust": each.trust,
            "server_issuer": each.server_issuer,
            "server_name": each.server_name,
            "environments": None if each.environments is None else list(each.environments),
            "awake_since": moment(each.awake_since),
        }
        for each in registry.gateways()
    ]


def gateway_row(gateway: Gateway, revision: int) -> tuple[object, ...]:
    """A line of `gateway list`."""
    return (
        gateway.gateway_id,
        gateway.address,
        gateway.revision,
        max(0, revision - gateway.revision),
        int(gateway.silent_for),
        None if gateway.environments is None else ",".join(gateway.environments),
        gateway.server_issuer,
        moment(gateway.awake_since),
    )


def gateway_line(gateway: dict[str, object]) -> str:
    """A line of `status`."""
    lag = gateway["lag"]
    if gateway["silent"]:
        state = f"silent for {gateway['silent_for']:.0f} s"
    else:
        state = f"{lag} revision{'' if lag == 1 else 's'} behind" if lag else "up to date"
    return f"{gateway['address']}, revision {gateway['revision']}, {state}"
