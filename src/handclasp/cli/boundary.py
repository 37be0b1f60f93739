"""The one place where errors become words and exit codes.

    0    done
    1    refused, or something is wrong with what was checked
    2    the command line, a value or a file given cannot be used
    3    somebody else works on that operation
    4    an operation was interrupted or waits; the hint says how to resume it
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


def guarded(run: Callable[[], int]) -> int:
    """The exit code of `run`, or of what it raised: for work beside the main thread. `main` has its own guard."""
    try:
        return run()
    except (Exception, KeyboardInterrupt) as error:
        return report(error)


def report(error: BaseException) -> int:
    """Say what happened; the exit code. HANDCLASP_DEBUG=1 shows the traceback too."""
    if isinstance(error, BrokenPipeError):
        _forget_stdout()
        return FAILED
    if isinstance(error, NoArgsIsHelpError):
        error.show()
        return error.exit_code
    if os.environ.get("HANDCLASP_DEBUG"):
        import traceback  # noqa: PLC0415

        click.echo("".join(traceback.format_exception(error)), err=True)
    message, hint, code = words(error)
    _let_go_of_stdout()
    click.echo(f"error: {one_line(message)}", err=True)
    if hint:
        click.echo(f"hint: {one_line(hint)}", err=True)
    return code


def words(error: BaseException) -> tuple[str, str | None, int]:
    """What happened, what to do next, and the exit code."""
    if isinstance(error, HandclaspError):
        return str(error), error.hint, error.exit_code
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        return "interrupted", None, INTERRUPTED
    if isinstance(error, click.ClickException):
        context = error.ctx if isinstance(error, click.UsageError) else None
        # Click lists choices on lines of their own; what the user typed is quoted in them.
        message = " ".join(error.format_message().split())
        return message, f"{context.command_path} --help" if context else None, error.exit_code
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}", None, FAILED
    hint = "this is a defect of Handclasp: HANDCLASP_DEBUG=1 shows where"
    return f"internal error: {type(error).__name__}: {error}", hint, FAILED


def _let_go_of_stdout() -> None:
    """What is buffered goes out now or never: a full disk must not fail a second time at the interpreter's end."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        _forget_stdout()


def _forget_stdout() -> None:
    """Let the interpreter's last flush succeed: the reader is gone and must not cost a second message."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
