"""`tocsin demo`: a whole campaign against the sandbox, by the commands that an officer would type.

Writes: one folder, with settings, database, and the mail that "arrived".  Every step is a process of its own that talks to
the sandbox's servers over real sockets on loopback.  A demonstration's folder may be made anew; another folder is refused.
"""

import email.policy
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from email.parser import BytesParser
from pathlib import Path

import click

from pipeline.cli import show, words
from pipeline.cli.command import Command, argument, given, option
from pipeline.cli.context import clock
from pipeline.cli.sandbox import wait_for_the_end
from pipeline.domain import RefusedBySafety, TocsinError
from pipeline.sandbox import installation, scenario, town
from pipeline.sandbox.maildir import Kept
from pipeline.sandbox.thread import in_thread

HERE = Path(__file__).parent.parent / "sandbox" / "demo"
MARK = ".tocsin-demo"
CAMPAIGN = "secure-your-server"
SHOWN = ("abuse@rhone.example", "abuse@redwood.example")  # a letter in French, and one in English
ASKED = "198.51.100.163"  # the address that `who` is asked about
FEEDS = {  # feed -> its files
    "open-proxies": ("open-proxies.txt",),
    "mirror-proxies": ("mirror-proxies.txt",),
    "socks-list": ("socks-list.txt",),
    "scan-report": ("scan_http_proxy.csv", "scan_socks.csv"),
    "partner-relays": ("partner-relays.csv",),
    "spam-trap": ("spam-trap.csv",),
}


@click.command(cls=Command, examples=("tocsin demo", "tocsin demo --serve"))
@argument("folder", metavar="DIR", required=False, type=click.Path(path_type=Path), help="Else ./demo.")
@option("--serve", is_flag=True, help="Keep the sandbox running afterwards, to try commands.")
def demo(folder: Path | None, serve: bool) -> None:
    """Run a whole campaign on this machine: about 300 addresses, 44 contacts, letters in two languages.

    It makes a folder, runs name server, registries and mail server on loopback, and works the campaign against them.
    Nothing leaves this machine.
    """
    folder = folder or Path("demo")
    began = time.monotonic()
    _make(folder)
    with in_thread(town.serve(scenario.load(HERE), folder / "mail", given().clock)) as running:
        settings = tomllib.loads((HERE / "settings.toml").read_text(encoding="utf-8"))
        hits = tuple(HERE / "hits" / name for names in FEEDS.values() for name in names)
        installation.write(folder, installation.merged(settings, running.settings()), hits, clock())
        shutil.copy(HERE / "zones.toml", folder / "zones.toml")
        for step in steps(folder):
            _run(folder, step)
        _ending(folder, running.mail.messages())
        took = round(time.monotonic() - began)
        show.note(words.text("The demonstration took {seconds} s; it is in {folder}.", seconds=took, folder=folder))
        if serve:
            show.note(words.text("The sandbox is running; Ctrl-C ends it."))
            wait_for_the_end()


def steps(folder: Path) -> list[Sequence[str]]:
    """Return the commands of the demonstration, in order."""
    feeds = [
        ("ingest", *(str(folder / "hits" / name) for name in names), "--feed", feed) for feed, names in FEEDS.items()
    ]
    return [
        ("init", str(folder)),
        ("doctor",),
        ("template", "import"),
        ("campaign", "create", CAMPAIGN),
        *feeds,
        ("suppress", "add", "abuse@kiwi.example", "--reason", "asked"),
        ("resolve",),
        ("verify",),
        ("wave", "plan", CAMPAIGN),
        ("render",),
        ("approve", "accept", CAMPAIGN),
        ("send", CAMPAIGN),
        ("send", CAMPAIGN, "--execute", "--yes"),
        ("status",),
    ]


def _make(folder: Path) -> None:
    """Make the folder, empty.  Raises RefusedBySafety for one that is not a demonstration's."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            raise RefusedBySafety(
                f"{folder} is not a demonstration's folder", "it holds other files", "Name another: tocsin demo DIR"
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()


def _run(folder: Path, step: Sequence[str]) -> None:
    """Say a command and run it as a process of its own.  Raises TocsinError if it fails."""
    click.echo(click.style(f"\n$ tocsin {' '.join(step)}", bold=show.colourful(sys.stdout)))
    sys.stdout.flush()
    config = ("--config", str(folder / "config.toml"), "--lang", words.language())
    done = subprocess.run([sys.executable, "-m", "pipeline", *step, *config], check=False)
    if done.returncode:
        raise TocsinError(
            f"The step failed: tocsin {' '.join(step)}", f"exit code {done.returncode}", "Read what it says above."
        )


def _ending(folder: Path, mail: Sequence[Kept]) -> None:
    """Show a letter in each language as it arrived, and what `who` says of the contact of one of them."""
    click.echo("\n" + words.text("{count} letters arrived in {folder}.", count=len(mail), folder=folder / "mail"))
    for recipient in SHOWN:
        for kept in mail:
            if kept.recipient == recipient:
                click.echo(click.style(f"\n--- {recipient} ---", bold=show.colourful(sys.stdout)))
                click.echo(show.clean(_readable(kept.path.read_bytes())))
    _run(folder, ("who", ASKED))


def _readable(message: bytes) -> str:
    """Return a letter as a reader sees it: what stands above it, then its text."""
    parsed = BytesParser(policy=email.policy.default).parsebytes(message)
    head = "\n".join(f"{name}: {parsed[name]}" for name in ("From", "To", "Date", "Subject", "Message-ID"))
    content = parsed.get_body(("plain",))
    return f"{head}\n\n{content.get_content() if content is not None else ''}".replace("\r\n", "\n")
