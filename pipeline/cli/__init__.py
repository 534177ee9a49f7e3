"""The command `tocsin`: one table of names, and one way out.

A command's module is imported when that command is called: `tocsin --help` and `tocsin version` import neither database nor
network nor settings.  stdout is data; stderr is messages and progress.  Whatever goes wrong leaves through failures.py,
which says what, why and what next, and gives the exit code (docs/reference/exit-codes.md).
"""

import os
import sys
import time
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem, shell_complete

from pipeline.cli import failures, words
from pipeline.cli.command import Given, Group, Sleep, real_time, said
from pipeline.domain import Clock

COMPLETION = "_TOCSIN_COMPLETE"  # set by the shell's completion script

COMMANDS: dict[str, tuple[str, str]] = {  # name -> (module:function, one line as in its help)
    "init": (
        "pipeline.cli.init:init",
        "Make the settings, the credential file and the database, where they do not exist.",
    ),
    "doctor": ("pipeline.cli.doctor:doctor", "Check the whole set-up, and say what to do about each finding."),
    "config": ("pipeline.cli.config:config", "The settings: check them, show them, describe them."),
    "db": ("pipeline.cli.db:db", "The database: bring it up to date, and say how it is."),
    "campaign": ("pipeline.cli.campaign:campaign", "Campaigns: create one, list them, show one."),
    "feed": ("pipeline.cli.feed:feed", "Feeds: what is declared, and what they have brought."),
    "snapshot": ("pipeline.cli.snapshot:snapshot", "Deliveries of feeds: list them, release a held one, void one."),
    "template": (
        "pipeline.cli.template:template",
        "Letters' texts: import them as revisions, check that their languages agree.",
    ),
    "ingest": (
        "pipeline.cli.ingest:ingest",
        "Read files of a feed: their lines become reports, and these call for cases.",
    ),
    "resolve": (
        "pipeline.cli.stages:resolve",
        "Find the abuse contact of every address that has a case, by RDAP and WHOIS.",
    ),
    "registry": (
        "pipeline.cli.registry:registry",
        "Registries: what waits for them, and what was imported of them.",
    ),
    "verify": (
        "pipeline.cli.stages:verify",
        "Check the exposure of every case that is due, without touching anybody's server.",
    ),
    "recheck": (
        "pipeline.cli.stages:recheck",
        "Make the cases of a campaign due for another check; `tocsin verify` makes it.",
    ),
    "wave": ("pipeline.cli.wave:wave", "Waves: plan one, show one, cancel one."),
    "render": ("pipeline.cli.stages:render", "Write the letters of every planned wave."),
    "approve": ("pipeline.cli.approve:approve", "Approvals: see exactly what would leave, and say yes or no to it."),
    "send": ("pipeline.cli.send:send", "Send an approved wave, at the pace the limits allow."),
    "run": (
        "pipeline.cli.stages:run",
        "Work all that is due: cases, contacts, checks, letters of planned waves, sending of released ones.",
    ),
    "letter": (
        "pipeline.cli.letter:letter",
        "Single letters: the story of one, and a person's word on one of which nobody knows whether it arrived.",
    ),
    "relay-log": (
        "pipeline.cli.relay_log:relay_log",
        "The relay's log: what became of letters behind our relay.",
    ),
    "hold": ("pipeline.cli.hold:hold", "Stop sending at once: everything, or what the options name."),
    "release": ("pipeline.cli.hold:release", "End a hold: the one on everything, or the one that the options name."),
    "holds": ("pipeline.cli.hold:listing", "List the holds in force."),
    "status": (
        "pipeline.cli.status:status",
        "Where everything stands: figures, what waits for what, and what to type next.",
    ),
    "who": ("pipeline.cli.record:who_", "The whole story of an address, a network, a mailbox or a letter."),
    "explain": ("pipeline.cli.record:explain_", "Why an address is or is not in each campaign, and what happens next."),
    "audit": ("pipeline.cli.record:audit", "The record: the event log."),
    "contact": (
        "pipeline.cli.contact:contact",
        "Contacts: show one, say which to use or never to write to, keep what they asked for.",
    ),
    "suppress": ("pipeline.cli.stops:suppress", "The do-not-write list: mailboxes, domains and networks."),
    "exclude": ("pipeline.cli.stops:exclude", "Addresses and networks that are left alone altogether."),
    "person": ("pipeline.cli.person:person", "The people who act here, and their roles."),
    "demo": (
        "pipeline.cli.demo:demo",
        "Run a whole campaign on this machine: about 300 addresses, 44 contacts, letters in two languages.",
    ),
    "sandbox": (
        "pipeline.cli.sandbox:sandbox",
        "Run a small Internet on loopback until Ctrl-C: DNS, RDAP, WHOIS, mail.",
    ),
    "version": ("pipeline.cli.version:version", "Print the version."),
}


class Root(Group):
    """The group `tocsin`, whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), function)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            raise click.exceptions.NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def short(self, ctx: click.Context, name: str) -> str:
        return COMMANDS[name][1]

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete command names from the table; importing every command would take a second."""
        names = [name for name in COMMANDS if name.startswith(incomplete)]
        return [CompletionItem(name, help=words.text(COMMANDS[name][1])) for name in names]

    def main(
        self,
        args: Sequence[str] | None = None,
        *_more: Any,
        clock: Clock = real_time,
        sleep: Sleep = time.sleep,
        **_extra: Any,
    ) -> NoReturn:
        """Run one command line, by the clock that it is given, and leave with its exit code."""
        argv = list(sys.argv[1:] if args is None else args)
        given = replace(Given.scan(argv, os.environ), clock=clock, sleep=sleep)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="replace")  # what a terminal cannot show is no reason to fail
        try:
            code = self._run(argv, given)
        except BaseException as error:  # noqa: BLE001 - the one place where every failure becomes words and a code
            code = failures.tell(error, given)
        sys.exit(failures.flushed(code))

    def _run(self, argv: list[str], given: Given) -> int:
        words.use(words.choose(said(argv, "--lang"), os.environ, _configured_language(given.config)))
        if instruction := os.environ.get(COMPLETION):
            return shell_complete(self, {"obj": given}, "tocsin", COMPLETION, instruction)
        try:
            with self.make_context("tocsin", argv, obj=given) as ctx:
                self.invoke(ctx)
            sys.stdout.flush()
        except click.exceptions.Exit as done:
            return done.exit_code
        return 0


def _configured_language(file: Path) -> str:
    """Return `language` of config.toml, so that even an error in that file is told in it; nothing if it cannot be read."""
    try:
        with file.open("rb") as stream:
            return str(tomllib.load(stream).get("language", ""))
    except (OSError, ValueError):  # said properly by config.load
        return ""


@click.group(
    cls=Root,
    examples=(
        "tocsin init",
        "tocsin doctor",
        "tocsin campaign create secure-your-server",
        "tocsin hold --reason 'a complaint is being looked into'",
    ),
)
def root() -> None:
    """Security notification campaigns: who was told what, when, on what evidence.

    Reports of open mail relays and open proxies come in; letters to the contacts of their networks go out; everything
    that was done can be proved. Nothing leaves before two people have approved it.
    """


def main() -> None:
    """The entry point of the command `tocsin`."""
    root.main()
