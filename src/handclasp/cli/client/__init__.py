"""`handclasp client ...`: one file per verb."""

import click

from handclasp.cli.lazy import LazyGroup, example

_HERE = "handclasp.cli.client"


@click.group(
    cls=LazyGroup,
    table={
        "add": (f"{_HERE}.add:add", "Register a client and issue its first certificate."),
        "adopt": (f"{_HERE}.adopt:adopt", "Register certificates that an adopted issuer has issued."),
        "list": (f"{_HERE}.list:list_clients", "List clients."),
        "show": (f"{_HERE}.show:show", "Show a client and its certificates."),
        "renew": (f"{_HERE}.renew:renew", "Issue another certificate; the old ones stay valid."),
        "revoke": (f"{_HERE}.revoke:revoke", "Refuse a client, or one of its certificates, for good."),
        "suspend": (f"{_HERE}.suspend:suspend", "Refuse a client until it is resumed."),
        "resume": (f"{_HERE}.suspend:resume", "Let a suspended client in again."),
        "export": (f"{_HERE}.export:export", "Copy a client's files into a folder."),
    },
    epilog=example("handclasp client add acme --environment prod --application nextjs --out acme/"),
)
def client() -> None:
    """Who may call: register clients, issue their certificates, and take their access away."""
