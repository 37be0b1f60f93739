"""`handclasp rotate ...`: one file per noun."""

import click

from handclasp.cli.lazy import LazyGroup, example

_HERE = "handclasp.cli.rotate"


@click.group(
    cls=LazyGroup,
    table={
        "clients": (f"{_HERE}.clients:clients", "Give clients new certificates beside those they have."),
        "issuer": (f"{_HERE}.issuer:issuer", "Replace the intermediate, and every certificate it issued."),
        "root": (f"{_HERE}.issuer:root", "Replace the root, and everything below it."),
    },
    epilog=example("handclasp rotate clients --due", "handclasp rotate issuer --root-passphrase-file root.pass"),
)
def rotate() -> None:
    """Replace certificates and issuers, with nobody cut off.

    Each is an operation: recorded step by step, so that a killed run is taken up by the same command again or by
    `handclasp operation resume`. Exit code 3: somebody else works on it; 4: interrupted, resume it.
    """
