"""What may happen to a client, as one table.

A certificate knows one event, and it is final: RFC 5280 5.3.1 lets only certificateHold be undone, and suspending
the client is that.
"""

from enum import StrEnum

from handclasp.errors import TransitionRefused
from handclasp.registry.records import ClientStatus


class Event(StrEnum):
    SUSPEND = "suspend"
    RESUME = "resume"
    REVOKE = "revoke"


#: An event that leads to the status one already has changes nothing and is no error: commands can be repeated.
CLIENT_TRANSITIONS: dict[tuple[ClientStatus, Event], ClientStatus] = {
    (ClientStatus.ACTIVE, Event.SUSPEND): ClientStatus.SUSPENDED,
    (ClientStatus.ACTIVE, Event.RESUME): ClientStatus.ACTIVE,
    (ClientStatus.ACTIVE, Event.REVOKE): ClientStatus.REVOKED,
    (ClientStatus.SUSPENDED, Event.SUSPEND): ClientStatus.SUSPENDED,
    (ClientStatus.SUSPENDED, Event.RESUME): ClientStatus.ACTIVE,
    (ClientStatus.SUSPENDED, Event.REVOKE): ClientStatus.REVOKED,
    (ClientStatus.REVOKED, Event.REVOKE): ClientStatus.REVOKED,
}


def next_client_status(client_id: str, status: ClientStatus, event: Event) -> ClientStatus:
    """Raises TransitionRefused for an event the status does not allow."""
    try:
        return CLIENT_TRANSITIONS[status, event]
    except KeyError:
        raise TransitionRefused(
            f"client {client_id} is {status.value}: it cannot be {_PAST[event]}",
            hint="revocation is final; register the client under a new name",
        ) from None


_PAST = {Event.SUSPEND: "suspended", Event.RESUME: "resumed", Event.REVOKE: "revoked"}
