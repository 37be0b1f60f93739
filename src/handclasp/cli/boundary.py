"""The one place where errors become words and exit codes.

    0    done
    1    refused, or something is wrong with what was checked
    2    the command line, a value or a file given cannot be used
    130  interrupted

Every error is one line on stderr, `error: ...`, and at most one more, `hint: ...`, with --json too: a hostile file
name or subject cannot break the line, because what does not print is escaped.
"""

import os
import sys
from collections.abc import Callable

import click
from click.exceptions import NoArgsIsHelpError

from handclasp.cli.output import one_line
from handclasp.errors import HandclaspError

FAILED = 1
INTERRUPTED = 130
#: 128 + SIGPIPE, what a shell reports for a program whose reader went away.
PIPE_CLOSED = 141


def guarded(run: Callable[[], object]) -> int:
    """Run a command line; its exit code. Nothing but SystemExit leaves, unless HANDCLASP_DEBUG asks for it."""
    try:
        code = run()
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
        return PIPE_CLOSED
    except (click.Abort, KeyboardInterrupt):
        return _failed("interrupted", None, INTERRUPTED)
    except NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.UsageError as error:
        hint = f"{error.ctx.command_path} --help" if error.ctx else None
        # Click lists choices on lines of their own; what the user typed is quoted in them.
        return _failed(" ".join(error.format_message().split()), hint, error.exit_code)
    except click.ClickException as error:
        return _failed(error.format_message(), None, error.exit_code)
    except HandclaspError as error:
        _maybe_traceback()
        return _failed(str(error), error.hint, error.exit_code)
    except OSError as error:
        _maybe_traceback()
        where = f"{error.filename}: " if error.filename else ""
        return _failed(f"{where}{error.strerror or error}", None, FAILED)
    except Exception as error:  # noqa: BLE001 - the boundary: whatever is left is a defect of ours
        _maybe_traceback()
        return _failed(
            f"internal error: {type(error).__name__}: {error}",
            "this is a defect of Handclasp: HANDCLASP_DEBUG=1 shows where",
            FAILED,
        )
    return code if isinstance(code, int) else 0


def _failed(message: str, hint: str | None, code: int) -> int:
    click.echo(f"error: {one_line(message)}", err=True)
    if hint:
        click.echo(f"hint: {one_line(hint)}", err=True)
    return code


def _maybe_traceback() -> None:
    if os.environ.get("HANDCLASP_DEBUG"):
        import traceback  # noqa: PLC0415

        click.echo(traceback.format_exc(), err=True)


def _forget_stdout() -> None:
    """Let the interpreter's last flush succeed: the reader is gone and must not cost a second message."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
