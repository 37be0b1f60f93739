"""`handclasp ca ...`: one file per verb."""

import click

from handclasp.cli.lazy import LazyGroup, example

_HERE = "handclasp.cli.ca"


@click.group(
    cls=LazyGroup,
    table={
        "show": (f"{_HERE}.show:show", "Show an issuer; without an id the one that signs now."),
        "list": (f"{_HERE}.list:list_issuers", "List the issuers."),
        "verify": (f"{_HERE}.verify:verify", "Check paths, keys, modes and the trust store."),
    },
    epilog=example("handclasp ca list", "handclasp ca verify"),
)
def ca() -> None:
    """The issuers: the root, and the intermediates it has signed."""
