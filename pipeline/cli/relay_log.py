"""`tocsin relay-log import`: what the relay's log says of our letters; --follow: as it says it."""

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from pipeline.cli import context, edges, show, words
from pipeline.cli.command import Command, Group, argument, given, option
from pipeline.cli.context import Ground, clock
from pipeline.cli.progress import progress
from pipeline.cli.states import said
from pipeline.domain import Progress
from pipeline.engine import Stopped, stoppable
from pipeline.follow import relay_file
from pipeline.follow.relay_import import Importing, keep_place
from pipeline.follow.relay_line import Network
from pipeline.follow.relay_log import Reader
from pipeline.follow.relay_time import Calendar, ToUtc
from pipeline.store import relay_log as store

PAUSE = 0.05  # seconds until a letter that a sender holds is asked for again
POLL = 0.5  # seconds until a live log is looked at again
LOOPBACK = ("127.0.0.0/8", "::1/128")
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")
STDIN = Path("-")


class NetworkType(click.ParamType[Network]):
    """An address or a network."""

    name = "network"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Network:
        try:
            return ip_network(value, strict=False)
        except ValueError:
            self.fail(words.text("{value} is neither an address nor a network", value=value), param, ctx)


class ZoneType(click.ParamType[tzinfo]):
    """A time zone by its name."""

    name = "zone"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tzinfo:
        try:
            return ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.fail(words.text("{value} is no time zone that is known here", value=value), param, ctx)


@click.group("relay-log", cls=Group)
def relay_log() -> None:
    """The relay's log: what became of letters behind our relay."""


@relay_log.command(
    "import",
    cls=Command,
    examples=(
        "tocsin relay-log import /var/log/mail.log.1 /var/log/mail.log",
        "tocsin relay-log import /var/log/mail.log --follow",
        "journalctl -u postfix -o json | tocsin relay-log import -",
    ),
)
@argument(
    "files",
    metavar="FILE",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    help="Of Postfix, or JSON lines; .gz too; -: stdin.",
)
@option("--follow", is_flag=True, help="Go on with what is written to the last file, until Ctrl-C.")
@option(
    "--year",
    metavar="YEAR",
    type=click.IntRange(1990, 9000),
    help="Of the first line of each file; else the last that fits.",
)
@option("--zone", metavar="NAME", type=ZoneType(), help="Of times without one, as Europe/Paris; else the system's.")
@option(
    "--own",
    metavar="NETWORK",
    multiple=True,
    type=NetworkType(),
    default=(*LOOPBACK, *PRIVATE),
    help="Of servers of ours, which only pass letters on; else loopback and private addresses.",
)
def import_(
    files: tuple[Path, ...], follow: bool, year: int | None, zone: tzinfo | None, own: tuple[Network, ...]
) -> None:
    """Read the relay's log: it says what the recipients' own servers answered.

    A letter that was handed to our relay becomes accepted or returned, with their server's words; an uncertain one is
    settled where the log names it. That a log does not name a letter proves nothing. The same log twice adds nothing.
    """
    if follow and (files[-1] == STDIN or year is not None):
        raise click.UsageError(words.text("--follow reads a file that is written now: neither stdin nor --year fits"))
    with context.opened() as ground, stoppable(), progress() as tell:
        run = given()
        importing = Importing(ground.db, edges.keys(ground.loaded), run.clock, ground.by(), lambda: run.sleep(PAUSE))
        reading = Reading(importing, tell, zone, year, own)
        with reading.told(ground):
            for file in relay_file.in_order([*files[:-1]] if follow else [*files]):
                reading.whole(file)
            if follow:
                reading.live(files[-1])


class Reading:
    """Reads files one after another, and tells what came of it, also when it is stopped."""

    def __init__(
        self, importing: Importing, tell: Progress, zone: tzinfo | None, year: int | None, own: tuple[Network, ...]
    ) -> None:
        self.importing = importing
        self.progress = tell
        self.to_utc = _to_utc(zone)
        self.zone = str(zone) if zone is not None else time.strftime("%Z")
        self.year = year
        self.own = own
        self.lines = self.mail = 0
        self.guessed = False

    def whole(self, file: Path) -> None:
        """Read a file from its beginning to its end."""
        if file == STDIN:
            with open(sys.stdin.fileno(), "rb", closefd=False) as stdin:
                self._take(relay_file.whole(stdin), self._reader(clock()), 0)
            return
        with relay_file.opened(file) as stream:
            stat = file.stat()
            until = datetime.fromtimestamp(stat.st_mtime, UTC)
            self._take(relay_file.whole(stream), self._reader(until), stat.st_size)

    def _take(self, batches: Iterator[tuple[list[bytes], int]], reader: Reader, size: int) -> None:
        for lines, taken in batches:
            self.importing.take(reader, lines)
            self.progress("bytes of the relay's log", taken, max(size, taken) if size else 0)
            self._count(reader)

    def live(self, file: Path) -> None:
        """Follow a file from where the last reading ended, until Ctrl-C."""
        host, path, reader = socket.gethostname(), str(file.resolve()), self._reader(clock())
        with self.importing.db.read() as connection:
            before = store.place(connection, host, path)
        for lines, there in relay_file.follow(file, before, _wait):
            reader.calendar.until = clock()
            kept = keep_place(host, path, there, given().clock) if there is not None else None
            self.importing.take(reader, lines, kept)
            self._count(reader)

    def _reader(self, until: datetime) -> Reader:
        return Reader(Calendar(self.to_utc, until, self.year), self.own)

    def _count(self, reader: Reader) -> None:
        """Add what a reader has read since the last time."""
        self.lines += reader.lines
        self.mail += reader.mail
        self.guessed |= reader.calendar.guessed
        reader.lines = reader.mail = 0

    @contextmanager
    def told(self, ground: Ground) -> Iterator[None]:
        """Tell what was done at the end of the block, also when a person ended it."""
        try:
            yield
        except Stopped:
            if not given().json:  # one object is printed, and it says that a person ended it
                self._tell(ground)
            raise
        self._tell(ground)

    def _tell(self, ground: Ground) -> None:
        with ground.db.read() as connection:
            against = store.against(connection)
        counts = {"lines": self.lines, "of_messages": self.mail, "new": self.importing.new}
        data = {**counts, "moved": dict(self.importing.moved), "contradicted": [letter for letter, _ in against]}
        show.emit(data, self._lines)
        if self.guessed:
            zone = words.text("times without a zone were read as of {zone}", zone=self.zone)
            show.note(f"{zone}; {self._year()}")
        for letter, state in against:
            show.note(
                words.text(
                    "letter {letter} is {state}, but the log says that our relay had it: look before it goes again",
                    letter=letter,
                    state=said("letter", state),
                )
            )

    def _year(self) -> str:
        if self.year:
            return words.text("the year of the first line is the one given")
        return words.text("those without a year as of the last one that fits the file's own time")

    def _lines(self) -> list[str]:
        lines = [
            words.text(
                "{lines} lines read, {mail} of messages on their way; new about our letters: {new}",
                lines=words.number(self.lines),
                mail=words.number(self.mail),
                new=words.number(self.importing.new),
            )
        ]
        lines += [
            words.counted({said("letter", state): count}) for state, count in sorted(self.importing.moved.items())
        ]
        return lines


def _wait() -> bool:
    given().sleep(POLL)
    return True


def _to_utc(zone: tzinfo | None) -> ToUtc:
    """Return what puts a zone to a time that has none: the one given, or the system's."""
    if zone is None:
        return lambda at: at.astimezone(UTC)
    return lambda at: at.replace(tzinfo=zone).astimezone(UTC)
