"""status.json in the state folder: what the gateway here says of itself, for `status` and for people."""

import json
import os
from pathlib import Path

from handclasp.atomic_file import write_atomically
from handclasp.gateway.follow import Follower
from handclasp.gateway.news import Contact
from handclasp.settings import GatewaySettings

STATUS_FILE = "status.json"


def write_status(
    folder: Path,
    *,
    gateway_id: str,
    envoy_pid: int | None,
    envoy_version: str,
    settings: GatewaySettings,
    follower: Follower,
) -> None:
    status: dict[str, object] = {
        "id": gateway_id,
        "pid": os.getpid(),
        "envoy_pid": envoy_pid,
        "envoy_version": envoy_version,
        "listen": settings.listen,
        "upstream": settings.upstream,
        "revision": follower.revision,
        "allowed": follower.allowed,
        "registry": follower.contact.value,
    }
    write_atomically(folder / STATUS_FILE, json.dumps(status).encode())


def contact_line(follower: Follower) -> str:
    """What a person is told when the registry goes away, stays away, or is back."""
    if follower.contact is Contact.LOST:
        return (
            f"warning: the registry does not answer; deciding with revision {follower.revision}, "
            f"and refusing everybody in {follower.grace:.0f} s if it is not back"
        )
    if follower.contact is Contact.REFUSING:
        return f"error: the registry has not answered for {follower.grace:.0f} s: everybody is refused until it is back"
    return f"the registry answers again; revision {follower.revision}"
