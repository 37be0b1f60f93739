"""The options `up` and `gateway` share, laid over the settings."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from handclasp.errors import InvalidInput

if TYPE_CHECKING:
    from handclasp.cli.context import Session

_F = TypeVar("_F", bound=Callable[..., Any])


def gateway_options(command: _F) -> _F:
    for decorate in reversed(
        [
            click.option("--upstream", metavar="URL", help="The service to guard, such as http://127.0.0.1:3000."),
            click.option("--listen", metavar="HOST:PORT", help="Where callers connect. [setting: gateway.listen]"),
            click.option(
                "--refusal",
                type=click.Choice(["forbidden", "handshake"]),
                help="How strangers are refused: HTTP 403, or in the TLS handshake. [setting: gateway.refusal]",
            ),
        ]
    ):
        command = decorate(command)
    return command


def apply_gateway_options(session: "Session", **given: str | None) -> None:
    """Options that were given take the place of the settings. Raises InvalidInput for an unusable address."""
    from handclasp.gateway.addresses import parse_listen, parse_upstream  # noqa: PLC0415

    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    gateway = replace(session.settings.gateway, **chosen)
    parse_listen(gateway.listen)
    if gateway.upstream is not None:
        parse_upstream(gateway.upstream)
    session.settings = replace(session.settings, gateway=gateway)


def require_upstream(session: "Session") -> None:
    if session.settings.gateway.upstream is None:
        raise InvalidInput(
            "no service to guard is named", hint="pass --upstream http://HOST:PORT, or try: handclasp up --demo"
        )
