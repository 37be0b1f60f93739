"""What a violated UNIQUE constraint means, by the column that SQLite names and that PostgreSQL's constraints are named
after."""

from handclasp.errors import AlreadyRegistered

_TAKEN = {
    "client.client_id": "a client of that name is registered already",
    "certificate.fingerprint": "that certificate is registered already",
    "certificate.serial_number": "that serial number is registered already",
    "issuer.issuer_id": "that issuer is registered already",
    "issuer.fingerprint": "that issuer is registered already",
    "operation.operation_id": "that operation is registered already",
}


def already_registered(constraint: str) -> AlreadyRegistered | None:
    """The error for `constraint`, or for the driver's sentence that names it; None if it is about something else."""
    taken = next((text for column, text in _TAKEN.items() if column in constraint), None)
    return AlreadyRegistered(taken) if taken else None
