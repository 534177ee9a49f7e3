"""`tocsin sandbox`: a small Internet on loopback, for trying things: name server, registries, mail server."""

import signal
import threading
from pathlib import Path

import click

from pipeline.cli import show, words
from pipeline.cli.command import Command, given, option
from pipeline.net import guard
from pipeline.sandbox import installation, scenario, town
from pipeline.sandbox.thread import in_thread


@click.command(cls=Command, examples=("tocsin sandbox --scenario my-scenario --folder try",))
@option(
    "--scenario", "where", required=True, type=click.Path(path_type=Path), metavar="DIR", help="A scenario's folder."
)
@option(
    "--folder", default="sandbox", type=click.Path(path_type=Path), metavar="DIR", help="For the mail that arrives."
)
def sandbox(where: Path, folder: Path) -> None:
    """Run a small Internet on loopback until Ctrl-C: DNS, RDAP, WHOIS, mail.

    It prints the settings that point an installation at it. Nothing outside this machine can be reached from it.
    """
    guard.install()
    found = scenario.load(where)
    folder.mkdir(parents=True, exist_ok=True)
    with in_thread(town.serve(found, folder / "mail", given().clock)) as running:
        settings = running.settings()
        show.emit({"settings": settings}, lambda: installation.config_text(settings).splitlines())
        show.note(words.text("The sandbox is running; Ctrl-C ends it."))
        wait_for_the_end()


def wait_for_the_end() -> None:
    """Wait for Ctrl-C or SIGTERM."""
    over = threading.Event()
    before = {number: signal.signal(number, lambda *_: over.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        while not over.wait(1.0):
            pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
