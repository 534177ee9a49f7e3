"""When letters to a country may leave: the working hours there, without its days of rest, holidays and quiet days.

Pure: a country, a time and the rules in, times out.  The zones of a country and its week are those of Unicode CLDR (by
babel), their clocks those of the IANA database (zoneinfo), its holidays those that python-holidays knows.  In doubt a
window is narrow: in a country of several zones it is working time in all of them at once; a day is one of rest if either
source says so, and a holiday if it is one everywhere or in at least half of the country's parts.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from itertools import chain
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.core import get_global

from pipeline.data.quiet_days import QuietDays

FURTHEST = timedelta(days=21)  # nothing is looked for beyond: who waits looks again then
SATURDAY, SUNDAY = 5, 6
MAIN_ZONES = {  # of nearly all people of a country whose zones have no working hour, or next to none, in common
    "AQ": ("Antarctica/McMurdo",),
    "RU": ("Europe/Moscow",),
    "UM": ("Pacific/Wake",),
    "US": ("America/New_York", "America/Chicago", "America/Denver", "America/Phoenix", "America/Los_Angeles"),
}


@dataclass(frozen=True, slots=True)
class WindowRules:
    """What the settings say of windows.  Without `working_hours` and `quiet` they are always open.

    `opens` and `closes` are by the recipients' clocks; `elsewhere` is the IANA zone of those whose country is not known.
    """

    working_hours: bool = False
    opens: time = time(8)
    closes: time = time(17)
    holidays: bool = True
    quiet: tuple[QuietDays, ...] = ()
    elsewhere: str = "UTC"


ALWAYS = WindowRules()


def opens_at(country: str, now: datetime, rules: WindowRules) -> datetime | None:
    """Return None if letters to a country (ISO 3166 alpha-2, or empty) may leave now, else when they may (UTC).

    No more than three weeks ahead are looked at: if nothing opens in them, their end is returned.  Raises ValueError if
    `now` has no zone.
    """
    first, _ = next(openings(country, now, rules), (now.astimezone(UTC) + FURTHEST, now))
    return None if first <= now else first


def time_needed(letters: Mapping[str, int], rate: float, now: datetime, rules: WindowRules) -> timedelta:
    """Return when, from now, the last of letters counted by country can leave, at `rate` a second (0: no limit).

    Each country is looked at as if it had the rate for itself: the slowest one decides, and it may take longer.
    """
    interval = timedelta(seconds=1 / rate if rate else 0.0)
    waits = [_reached(country, (count - 1) * interval, now, rules) - now for country, count in letters.items() if count]
    return max(waits, default=timedelta(0))


def openings(country: str, now: datetime, rules: WindowRules) -> Iterator[tuple[datetime, datetime]]:
    """Yield when letters to a country may leave: (first moment, moment when it is over), in UTC, from now, three weeks."""
    if now.tzinfo is None:
        raise ValueError("a time without a zone")
    moment = now.astimezone(UTC)
    end = moment + FURTHEST
    if not rules.working_hours and not rules.quiet:
        yield moment, end
        return
    known = _known(country)
    zones = _zones_of(known, rules.elsewhere)
    while moment < end:
        hours = [_next_hours(zone, known, moment, rules) for zone in zones]
        latest = max(first for first, _ in hours)
        if latest > moment:  # not open everywhere: look again from when the last zone opens
            moment = latest
            continue
        closes = min(last for _, last in hours)
        yield moment, closes
        moment = closes


def _reached(country: str, needed: timedelta, now: datetime, rules: WindowRules) -> datetime:
    """Return the first open moment before which a country's window was open that long, or the end of what is looked at."""
    for first, last in openings(country, now, rules):
        if needed < last - first:
            return first + needed
        needed -= last - first
    return now.astimezone(UTC) + FURTHEST


def _next_hours(zone: ZoneInfo, country: str, moment: datetime, rules: WindowRules) -> tuple[datetime, datetime]:
    """Return the hours of one zone that `moment` lies in, from it on, or the next ones."""
    today = moment.astimezone(zone).date()
    for days in range(FURTHEST.days + 2):
        day = today + timedelta(days=days)
        first, last = _hours(day, zone, rules)
        if moment < last and _works(day, country, rules):
            return max(moment, first), last
    return moment + FURTHEST, moment + FURTHEST


@lru_cache(maxsize=4096)
def _hours(day: date, zone: ZoneInfo, rules: WindowRules) -> tuple[datetime, datetime]:
    """Return the hours of a day in UTC.  An hour that the clock leaves out begins when it has been put forward."""
    if rules.working_hours:
        first, last = datetime.combine(day, rules.opens, zone), datetime.combine(day, rules.closes, zone)
    else:
        first, last = (datetime.combine(one, time(0), zone) for one in (day, day + timedelta(days=1)))
    return first.astimezone(UTC), last.astimezone(UTC)


def _works(day: date, country: str, rules: WindowRules) -> bool:
    if any(quiet.covers(day) for quiet in rules.quiet):
        return False
    if not rules.working_hours:
        return True
    return day.weekday() not in _days_of_rest(country) and not (rules.holidays and day in _holidays(country, day.year))


def _known(country: str) -> str:
    """Return a country as CLDR writes it, or nothing for what is none: "001" is the world there, "ZZ" nowhere."""
    code = country.strip().upper()
    return code if re.fullmatch("[A-Z]{2}", code) and code != "ZZ" and code in get_global("territory_zones") else ""


@cache
def _zones_of(country: str, elsewhere: str) -> tuple[ZoneInfo, ...]:
    """Return the zones in all of which it must be working time."""
    names = MAIN_ZONES.get(country) or get_global("territory_zones")[country] if country else (elsewhere,)
    return tuple(map(ZoneInfo, names))


@cache
def _days_of_rest(country: str) -> frozenset[int]:
    """Return the days of a country's weekend, Monday being 0: what CLDR or python-holidays has as one."""
    rest = set(_weekend(country))
    if country in _known_holidays():
        from holidays import country_holidays  # here, and not above: see _known_holidays

        rest |= country_holidays(country).weekend
    return frozenset(rest)


def _weekend(country: str) -> Iterator[int]:
    try:
        week = Locale.parse(f"und_{country}")
        first, last = week.weekend_start, week.weekend_end
    except (UnknownLocaleError, ValueError):  # no language is known for the country
        first, last = SATURDAY, SUNDAY
    yield from (day % 7 for day in range(first, first + (last - first) % 7 + 1))


@cache
def _holidays(country: str, year: int) -> frozenset[date]:
    """Return the holidays of a country in a year; none where they are not known."""
    if country not in _known_holidays():
        return frozenset()
    from holidays import country_holidays  # here, and not above: see _known_holidays

    parts = _known_holidays()[country]
    everywhere = set(country_holidays(country, years=year, expand=False))
    somewhere = list(chain.from_iterable(country_holidays(country, part, years=year, expand=False) for part in parts))
    return frozenset(everywhere | {day for day in set(somewhere) if 2 * somewhere.count(day) >= len(parts)})


@cache
def _known_holidays() -> Mapping[str, list[str]]:
    """Return the countries whose holidays are known, with their parts.

    The library takes a tenth of a second to load: only who asks about working hours waits for it.
    """
    from holidays import list_supported_countries

    return list_supported_countries(include_aliases=False)
