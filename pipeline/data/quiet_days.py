"""Days on which no letter leaves, as the settings write them: of every year, or of one.  Pure."""

import re
from dataclasses import dataclass
from datetime import date

LEAP_YEAR = 2024  # any: so that 29 February is a day


@dataclass(frozen=True, slots=True)
class QuietDays:
    """The days from `first` to `last`, both included: of every year as (month, day), of one as (year, month, day)."""

    first: tuple[int, ...]
    last: tuple[int, ...]

    def covers(self, day: date) -> bool:
        """True if a day is one of them.  Days of every year may run over its end: 24 December to 2 January."""
        asked = (day.year, day.month, day.day)[-len(self.first) :]
        if self.first <= self.last:
            return self.first <= asked <= self.last
        return asked >= self.first or asked <= self.last


def quiet_days(text: str) -> QuietDays:
    """Return the days that text names: a day "12-24", or "12-24/01-02", "2027-03-01/2027-03-05" (ISO 8601 intervals).

    Raises ValueError if it is anything else.
    """
    first, slash, last = text.partition("/")
    found = QuietDays(_day(first, text), _day(last if slash else first, text))
    if len(found.first) != len(found.last) or (len(found.first) == 3 and found.first > found.last):
        raise ValueError(f"{text!r:.40}: the last day is one of the same kind as the first, and not before it")
    return found


def _day(text: str, whole: str) -> tuple[int, ...]:
    match = re.fullmatch(r"(?:([0-9]{4})-)?([0-9]{2})-([0-9]{2})", text)
    try:
        if match is None:
            raise ValueError
        day = date(int(match[1] or LEAP_YEAR), int(match[2]), int(match[3]))
    except ValueError:
        raise ValueError(
            f'{whole!r:.40}: days are written as "12-24", "12-24/01-02" or "2027-03-01/2027-03-05"'
        ) from None
    return (day.year, day.month, day.day) if match[1] else (day.month, day.day)
