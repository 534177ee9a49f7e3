"""The times of a log: those of syslog have neither year nor zone (RFC 3164 4.1.2), the others have both or one.

Pure: the zone comes as a function, the year from the caller or from a time that no line can be later than.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
SLACK = timedelta(days=1)  # by which a clock may be ahead of ours
LEAP = 8  # years between two 29ths of February, at most

ToUtc = Callable[[datetime], datetime]  # a time without a zone, as the relay's clock showed it, to UTC


class Calendar:
    """Gives the times of one log the year and the zone that they lack.

    `year`: that of the first line; later lines go on from there, over New Year too.  Without it each line is taken to be
    of the last year in which it is not later than `until`.  `guessed` tells whether a year or a zone had to be put.
    """

    def __init__(self, to_utc: ToUtc, until: datetime, year: int | None = None) -> None:
        self.to_utc = to_utc
        self.until = until
        self.year = year
        self.month = 0
        self.guessed = False

    def syslog(self, month: str, day: str, clock: str) -> datetime | None:
        """Return the time of `Nov 24 20:15:01`, or None if it is none."""
        self.guessed = True
        if month not in MONTHS:
            return None
        number = MONTHS.index(month) + 1
        if self.year is None:
            return self._latest(number, day, clock)
        if self.month and number - self.month > 6:  # a line of December that comes after one of January
            return self._at(self.year - 1, number, day, clock)
        if self.month - number > 6:
            self.year += 1
        self.month = number
        return self._at(self.year, number, day, clock)

    def iso(self, text: str) -> datetime | None:
        """Return the time of an ISO 8601 text (RFC 3339, RFC 5424 6.2.3), or None if it is none."""
        try:
            at = datetime.fromisoformat(text)
            if at.tzinfo is not None:
                return at.astimezone(UTC)
            self.guessed = True
            return self.to_utc(at)
        except (ValueError, OverflowError):
            return None

    def _latest(self, month: int, day: str, clock: str) -> datetime | None:
        for year in range(self.until.year + 1, self.until.year - LEAP - 1, -1):
            at = self._at(year, month, day, clock)
            if at is not None and at <= self.until + SLACK:
                return at
        return None

    def _at(self, year: int, month: int, day: str, clock: str) -> datetime | None:
        try:
            return self.to_utc(datetime.fromisoformat(f"{year:04}-{month:02}-{int(day):02}T{clock}"))
        except (ValueError, OverflowError):
            return None


def seconds(number: float) -> datetime | None:
    """Return the time so many seconds after 1970, or None if there is none."""
    try:
        return datetime.fromtimestamp(number, UTC)
    except (ValueError, OverflowError, OSError):
        return None
