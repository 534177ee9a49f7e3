"""Commands and groups that share their options and speak the reader's language.

Every command takes --config, --lang, --json, --yes, --as and --debug, wherever they stand on the line; what they said is
the `Given` of the run, with the clock that it goes by.  Use `option` and `argument` from here, so that help texts and
metavars are translated.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from inspect import cleandoc
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar

import click

from pipeline.cli import words
from pipeline.domain import Clock

F = TypeVar("F", bound=Callable[..., Any])
Sleep = Callable[[float], None]  # waits so many seconds


def real_time() -> datetime:
    """The time by this machine's clock."""
    return datetime.now(UTC)


@dataclass
class Given:
    """What the shared options said, and the time that the run goes by."""

    config: Path = Path("config.toml")
    json: bool = False
    yes: bool = False
    acting_as: str = ""
    debug: bool = False
    clock: Clock = real_time
    sleep: Sleep = time.sleep

    @classmethod
    def scan(cls, argv: Sequence[str], environment: Mapping[str, str]) -> "Given":
        """Return what is needed before the line is parsed: an error may come first, and has to be told in the same way."""
        return cls(
            config=Path(said(argv, "--config") or environment.get("TOCSIN_CONFIG") or "config.toml"),
            json="--json" in argv,
            debug="--debug" in argv or bool(environment.get("TOCSIN_DEBUG")),
        )


def said(argv: Sequence[str], name: str) -> str:
    """Return the last value of an option on an unparsed line, or nothing."""
    value = ""
    for here, after in zip_longest(argv, argv[1:], fillvalue=""):
        if here == name:
            value = after
        elif here.startswith(f"{name}="):
            value = here.removeprefix(f"{name}=")
    return value


def given() -> Given:
    """Return what the shared options of this run said, and its clock.  In the run's own thread only."""
    return click.get_current_context().ensure_object(Given)


class Option(click.Option):
    """An option whose help and metavar are translated."""

    def make_metavar(self, ctx: click.Context) -> str:
        return words.text(self.metavar) if self.metavar else super().make_metavar(ctx)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        if self.hidden:
            return None
        needed = f" [{words.text('required')}]" if self.required else ""
        spec = super().get_help_record(ctx)
        return (spec[0], words.text(self.help or "") + needed) if spec else None


class Argument(click.Argument):
    """An argument whose help and metavar are translated."""

    def make_metavar(self, ctx: click.Context) -> str:
        if not self.metavar:
            return super().make_metavar(ctx)
        named = words.text(self.metavar) + ("..." if self.nargs != 1 else "")
        return named if self.required else f"[{named}]"

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        return self.make_metavar(ctx), words.text(self.help) if self.help else ""


def option(*names: str, **attributes: Any) -> Callable[[F], F]:
    """click.option, translated."""
    return click.option(*names, cls=Option, **attributes)


def argument(*names: str, **attributes: Any) -> Callable[[F], F]:
    """click.argument, translated.  `metavar` is the name in the usage line; `help` says what it is."""
    return click.argument(*names, cls=Argument, **attributes)


def paragraphs(command: click.Command) -> list[str]:
    """Return the paragraphs of a command's help, each on one line: the msgids of its translation."""
    return [" ".join(part.split()) for part in cleandoc(command.help or "").split("\n\n")]


def _note(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value:
        setattr(ctx.ensure_object(Given), str(param.name), value)


def _shared(*names: str, **attributes: Any) -> Option:
    return Option(names, expose_value=False, callback=_note, **attributes)


SHARED = (
    _shared("--config", metavar="FILE", type=click.Path(path_type=Path), help="The settings file, else ./config.toml."),
    Option(["--lang"], type=click.Choice(words.LANGUAGES), expose_value=False, help="The language of messages."),
    _shared("--json", is_flag=True, help="Print JSON, with schema_version, instead of text."),
    _shared("--yes", is_flag=True, help="Do not ask: needed for an act without a terminal."),
    _shared("--as", "acting_as", metavar="PERSON", help="The registered person who acts; else the system's user."),
    _shared("--debug", is_flag=True, help="Show where in the program an unexpected error came from."),
)  # fmt: skip


def section(formatter: click.HelpFormatter, msgid: str) -> AbstractContextManager[None]:
    """Open a section of a help page; French sets a blank before its colon."""
    title = words.text(msgid)
    return formatter.section(title + words.NO_BREAK if words.language() == "fr" else title)


class Spoken(click.Command):
    """What a command and a group have in common: shared options, examples, and help in the reader's language."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.examples = examples

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *SHARED]

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        pieces = " ".join(self.collect_usage_pieces(ctx))
        for word in ("[OPTIONS]", "COMMAND [ARGS]..."):
            pieces = pieces.replace(word, words.text(word))
        formatter.write_usage(ctx.command_path, pieces, prefix=words.text("Usage:") + " ")

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for paragraph in paragraphs(self):
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(words.text(paragraph))
        if self.examples:
            with section(formatter, "Examples"):
                formatter.write("".join(f"  {example}\n" for example in self.examples))

    def format_arguments(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        documented = [p for p in self.get_params(ctx) if isinstance(p, Argument) and p.help]
        if documented:
            with section(formatter, "Arguments"):
                formatter.write_dl([p.get_help_record(ctx) for p in documented])

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own = [p for p in self.get_params(ctx) if isinstance(p, click.Option) and p not in SHARED]
        for title, options in (("Options", own), ("Options of every command", list(SHARED))):
            records = [record for p in options if (record := p.get_help_record(ctx))]
            if records:
                with section(formatter, title):
                    formatter.write_dl(records)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """The --help of click, with its text in the reader's language."""
        found = super().get_help_option(ctx)
        if found is not None:
            found.help = words.text("Show this message and exit.")
        return found


class Command(Spoken):
    """A command."""


class Group(Spoken, click.Group):
    """A group of commands, in the order in which they were added."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def short(self, ctx: click.Context, name: str) -> str:
        """Return one line about a command of the group, in English."""
        command = self.get_command(ctx, name)
        return paragraphs(command)[0] if command else ""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with section(formatter, "Commands"):
            formatter.write_dl([(name, words.text(self.short(ctx, name))) for name in self.list_commands(ctx)])
        Spoken.format_options(self, ctx, formatter)
