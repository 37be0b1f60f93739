"""Options and arguments that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from handclasp.cli.input_files import read_passphrase_file

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from handclasp.pki.identity import ClientId

_F = TypeVar("_F", bound=Callable[..., Any])

ALGORITHMS = ("p256", "p384", "rsa2048", "rsa3072", "rsa4096", "ed25519")
#: Owner and contact are for people: a name and a mail address, not a document.
MAX_NOTE = 200
#: Names offered by completion; more would not be read.
_MAX_COMPLETIONS = 100


class ClientName(click.ParamType[Any]):
    """A client's name, checked; the shell completes it from the registry."""

    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> "ClientId":  # noqa: ARG002
        from handclasp.pki.identity import client_id  # noqa: PLC0415

        return client_id(value)

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list["CompletionItem"]:
        from click.shell_completion import CompletionItem  # noqa: PLC0415

        return [CompletionItem(name) for name in _known_names(ctx, incomplete)]


def _known_names(ctx: click.Context, beginning: str) -> list[str]:
    """Completion runs in the middle of typing: whatever is wrong, it offers nothing and says nothing."""
    from itertools import islice  # noqa: PLC0415

    from handclasp.cli.context import Session  # noqa: PLC0415
    from handclasp.errors import HandclaspError  # noqa: PLC0415

    given = ctx.find_root().params
    try:
        session = Session(given.get("state") or "handclasp-state", given.get("config"))
        names = (summary.client.client_id for summary in session.registry.summaries())
        found = list(islice((name for name in names if name.lower().startswith(beginning.lower())), _MAX_COMPLETIONS))
        session.close()
    except HandclaspError:
        return []
    return found


class Note(click.ParamType[str]):
    """Free text for people: one line that prints."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value.strip() or len(value) > MAX_NOTE or not value.isprintable():
            self.fail(f"1 to {MAX_NOTE} characters that print, on one line", param, ctx)
        return value


def json_option(command: _F) -> _F:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def name_argument(command: _F) -> _F:
    return click.argument("name", type=ClientName())(command)


def issuing_options(command: _F) -> _F:
    """What `client add` and `client renew` both take."""
    for decorate in reversed(
        [
            click.option("--csr", metavar="FILE", help="PKCS#10 request, PEM or DER; - is stdin. Its key stays away."),
            click.option("--key-algorithm", type=click.Choice(ALGORITHMS), help="Kind of the key made here."),
            click.option("--days", type=int, metavar="N", help="Lifetime; else the setting authority.client_days."),
            click.option("--common-name", metavar="TEXT", help="CN; else {Environment}-{Application}-Client."),
            click.option("--out", metavar="DIR", type=click.Path(path_type=Path), help="Also write the files here."),
            pkcs12_option,
        ]
    ):
        command = decorate(command)
    return command


def pkcs12_option(command: _F) -> _F:
    return click.option(
        "--pkcs12-passphrase-file", metavar="FILE", help="Also make client.p12, with this file's first line."
    )(command)


def pkcs12_passphrase(path: str | None) -> bytes | None:
    return None if path is None else read_passphrase_file(path, "PKCS#12 passphrase file")
