"""Every way in which a command can fail: what it says, and the exit code (docs/reference/exit-codes.md).

Text goes to stderr as what, why, what next; with --json one object goes to stdout.  A failure that is not known here is a
bug: exit 1, one line, and the traceback with --debug.
"""

import errno
import os
import sys
import traceback
from dataclasses import dataclass

import click

from pipeline.cli import show, words
from pipeline.cli.command import Given
from pipeline.domain import ConfigurationError, RefusedBySafety, TocsinError, TryAgain

BUG, USAGE, INTERRUPTED, READER_GONE = 1, 2, 130, 141

KINDS = {
    1: "bug",
    2: "usage",
    3: "configuration",
    4: "not_found",
    5: "partly_failed",
    6: "refused_by_safety",
    7: "integrity",
    75: "try_again",
    130: "interrupted",
}

DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
NO_NETWORK = {
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.ECONNABORTED,
    errno.ETIMEDOUT,
    errno.EADDRNOTAVAIL,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """What is told: an exit code of KINDS, and three English sentences."""

    code: int
    what: str
    why: str = ""
    next_step: str = ""


def tell(error: BaseException, given: Given) -> int:
    """Tell a failure in the reader's language and return the exit code.  SystemExit passes through."""
    error = innermost(error)
    if isinstance(error, SystemExit):
        raise error
    if isinstance(error, BrokenPipeError):  # `tocsin ... | head`: nobody is there to be told
        return READER_GONE
    if isinstance(error, click.exceptions.NoArgsIsHelpError) and not given.json:
        click.echo(error.message, err=True)
        return USAGE
    failure = classify(error)
    if failure.code == BUG and given.debug:
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    if given.json and _printed(show.to_json({"error": _spoken(failure)})):
        return failure.code
    _print(failure)
    return failure.code


def _printed(text: str) -> bool:
    try:
        click.echo(text)
    except OSError:  # stdout is what has failed: the text on stderr tells it
        return False
    return True


def flushed(code: int) -> int:
    """Return the exit code once stdout has taken all that was printed; what it cannot take is dropped without a trace."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code or TryAgain.exit_code
    return code


def innermost(error: BaseException) -> BaseException:
    """Return the one exception inside a group of one (task groups wrap what their tasks raise)."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def classify(error: BaseException) -> Failure:
    """Return what a failure means to a person."""
    if isinstance(error, click.exceptions.Abort | KeyboardInterrupt | EOFError) or _stopped(error):
        return Failure(INTERRUPTED, "Interrupted", "", "The state is saved: run the same command again to go on.")
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return Failure(USAGE, "Missing command.", "", f"Run: {_path(error)} --help")
    if isinstance(error, click.UsageError):
        return Failure(USAGE, error.format_message(), "", f"Run: {_path(error)} --help")
    if isinstance(error, OSError):
        error = _of_system(error) or error
    if _overtaken(error):
        return Failure(
            TryAgain.exit_code,
            "Another process has taken over this work",
            "this one was not heard of for 30 s, or a newer one was started",
            "Run the same command again: nothing is done twice.",
        )
    known = error if isinstance(error, TocsinError) else _of_database(error)
    if known is not None:
        return Failure(known.exit_code, known.what, known.why, known.next_step)
    said = show.clean(str(error).partition("\n")[0])[:200]  # a database's further lines quote the values of the row
    return Failure(
        BUG,
        f"This is a fault of Tocsin: {type(error).__name__}: {said}",
        "what was under way in the database was rolled back",
        "Run the same command with --debug, and report what it prints.",
    )


def _stopped(error: BaseException) -> bool:
    engine = sys.modules.get("pipeline.engine")  # an error of a module that was never imported cannot have been raised
    return engine is not None and isinstance(error, engine.Stopped)


def _overtaken(error: BaseException) -> bool:
    lives = sys.modules.get("pipeline.store.lives")
    return lives is not None and isinstance(error, lives.LeaseLost)


def _of_database(error: BaseException) -> TocsinError | None:
    db = sys.modules.get("pipeline.store.db")
    if db is None or not db.is_database_error(error):
        return None
    told: TocsinError | None = db.explain(error)
    return told


def _of_system(error: OSError) -> TocsinError | None:
    if error.errno in DISK_FULL:
        return TryAgain("The disk is full", str(error), "Make room, then run the same command again: nothing is lost.")
    from socket import gaierror  # its import is worth it only here

    if error.errno in NO_NETWORK or isinstance(error, TimeoutError | gaierror):
        return TryAgain("The network does not answer", str(error), "Run the same command again when it does.")
    if isinstance(error, PermissionError) and error.errno is None:  # net.guard
        return RefusedBySafety(
            "Only this machine may be reached here", str(error), "Correct the address in config.toml."
        )
    if error.filename is not None:
        return ConfigurationError(
            f"{error.filename} cannot be used", error.strerror or str(error), "Correct its name or its rights."
        )
    return None


def _path(error: click.UsageError) -> str:
    return error.ctx.command_path if error.ctx else "tocsin"


def _spoken(failure: Failure) -> dict[str, object]:
    return {
        "code": failure.code,
        "kind": KINDS[failure.code],
        "what": words.sentence(failure.what),
        "why": words.sentence(failure.why),
        "next": words.sentence(failure.next_step),
    }


def _print(failure: Failure) -> None:
    lines = (
        (words.text("Error:"), failure.what, "red"),
        (words.text("Why:"), failure.why, "bright_black"),
        (words.text("Next:"), failure.next_step, "green"),
    )
    width = max(len(label) for label, _, _ in lines) + 1
    for label, english, colour in lines:
        if english:
            head = click.style(label.ljust(width), fg=colour) if show.colourful(sys.stderr) else label.ljust(width)
            click.echo(head + show.clean(words.sentence(english)), err=True)
