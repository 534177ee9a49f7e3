"""docs/reference/commands.md, written from the tree of commands: `python -m tests.cli.reference`."""

from collections.abc import Iterable

import click

from pipeline.cli import words
from pipeline.cli.command import SHARED, Argument, Group, Spoken, paragraphs
from tests.cli.catalogue import commands
from tests.databases import ROOT

FILE = ROOT / "docs" / "reference" / "commands.md"

HEAD = """\
# Commands

Every command, as `--help` shows it; `tocsin --lang fr ... --help` says the same in French.  Written by
`python -m tests.cli.reference` from the commands themselves.

Data goes to stdout, messages and progress to stderr.  With `--json` a command prints one JSON object with
`schema_version`, an error as `{"schema_version": 1, "error": {"code", "kind", "what", "why", "next"}}`.  Times are ISO 8601
in UTC.  Exit codes: [exit-codes.md](exit-codes.md).

The reader's language is `--lang`, else `TOCSIN_LANGUAGE`, else `language` of config.toml, else that of the locale.  The
settings file is `--config`, else `TOCSIN_CONFIG`, else `./config.toml`.  `NO_COLOR` and `TERM=dumb` are respected.

Who acts is the person named with `--as`, else the system's user: `person:ID` in the event log when registered, else
`system:NAME`.

Completion: `_TOCSIN_COMPLETE=bash_source tocsin` (or `zsh_source`, `fish_source`) prints what the shell should read.
"""


def text() -> str:
    """Return the whole page."""
    words.use("en")
    parts = [HEAD.rstrip(), "## Options of every command", "\n".join(_options(SHARED))]
    for path, command in commands():
        parts += _chapter(path, command)
    return "\n\n".join(parts) + "\n"


def _chapter(path: str, command: click.Command) -> list[str]:
    """Return the blocks of text about one command: usage, help, arguments and options, its commands, examples."""
    ctx = click.Context(command, info_name=path)
    usage = " ".join(piece for piece in command.collect_usage_pieces(ctx) if piece)
    named = [f"- `{p.make_metavar(ctx)}`: {p.help}" for p in command.params if isinstance(p, Argument) and p.help]
    blocks = [f"## {path}", f"    {path} {usage}", *paragraphs(command)]
    blocks += ["\n".join([*named, *_options(p for p in command.params if isinstance(p, click.Option))])]
    if isinstance(command, Group):
        blocks.append("\n".join(f"- `{path} {n}`: {command.short(ctx, n)}" for n in command.list_commands(ctx)))
    if isinstance(command, Spoken) and command.examples:
        blocks += ["For example:", "\n".join(f"    {example}" for example in command.examples)]
    return [block for block in blocks if block]


def _options(params: Iterable[click.Parameter]) -> list[str]:
    ctx = click.Context(click.Command("tocsin"))
    records = [record for param in params if (record := param.get_help_record(ctx))]
    return [f"- `{spec}`: {said}" for spec, said in records]


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
