"""A notice's values as the names that the prose and the subject may use (docs/reference/letters.md lists them).

Pure; made once for each language of a letter.  Templates get text, flags and lists of these; they compute nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain

from pipeline.domain import Address
from pipeline.render import formats
from pipeline.render.catalogue import Catalogue, Say
from pipeline.render.evidence import Group, Row, Wording
from pipeline.render.front import FrontMatter
from pipeline.render.told import Told
from pipeline.render.values import Agency, Audience, CampaignFace, Finding, LetterValues, said, said_lines

AGENCIES_NAMED = 6
NETWORKS_NAMED = 5
SOURCES_NAMED = 5

_BY_TESTS = {
    Wording.CONFIRMED: (Say.CONFIRMED, Say.CONFIRMED_BETWEEN),
    Wording.CLOSED: (Say.CLOSED, Say.CLOSED_BETWEEN),
}


@dataclass(frozen=True, slots=True)
class Statement:
    """What is said of the addresses that share a wording.  Just one of the first five flags is set."""

    confirmed: bool
    observed: bool
    reported: bool
    closed: bool  # our test finds it no longer
    stated: bool  # its keeper says that it is fixed
    one: bool  # one address
    address: str  # that address, or empty
    count: str
    a: str  # "an open mail relay or an open proxy"
    sources: str  # "two public databases (A and B)", or empty if not every address has one
    label: str  # its words in the table
    first: str  # first and last day of the tests; empty unless confirmed or closed
    last: str
    seen: str  # day of the newest observation


@dataclass(frozen=True, slots=True)
class Enclosed:
    """What a letter's words say of its other parts: notes to pass on, attachments, whether the table is a summary."""

    pass_on: tuple[str, ...] = ()
    pass_on_more: bool = False
    csv: bool = False
    xarf: bool = False
    signature: bool = False  # of OpenPGP: mail programs show it as a file
    cut: bool = False


def prose_names(told: Told, catalogue: Catalogue, enclosed: Enclosed) -> dict[str, object]:
    """Return the names for the prose and the subject in the catalogue's language."""
    values, front, locale = told.values, told.front, catalogue.locale
    said_of = tuple(_statement(group, front, catalogue) for group in told.statements)
    addresses = sorted({str(finding.address) for finding in values.findings})
    return {
        "reference": values.reference,
        "date": formats.long_date(values.written_on, locale),
        "one": len(addresses) == 1,
        "address": addresses[0] if len(addresses) == 1 else "",
        "count": formats.number(len(addresses), locale),
        "statements": said_of,
        "mixed": len(said_of) > 1,
        "reported": any(statement.reported for statement in said_of),
        "stated": any(statement.stated for statement in said_of),
        "latest": _day(max(finding.last_seen for finding in values.findings), locale),
        "first_reference": values.earlier.reference if values.earlier else "",
        "first_date": formats.long_date(values.earlier.handed_on, locale) if values.earlier else "",
        "pass_on": enclosed.pass_on,
        "pass_on_more": enclosed.pass_on_more,
        "csv": enclosed.csv,
        "xarf": enclosed.xarf,
        "attachments": enclosed.csv or enclosed.xarf or enclosed.signature,
        "cut": enclosed.cut,
        **_topics(values, front, locale),
        **_recipient(values, locale),
        **_of_campaign(values.face, locale),
    }


def qualifier(group: Group, catalogue: Catalogue) -> str:
    """Return how certain a group of findings is, as it stands in brackets after its topic."""
    if group.wording is Wording.REPORTED:
        return catalogue.say(Say.REPORTED)
    if group.wording is Wording.OBSERVED:
        return catalogue.say(Say.OBSERVED)
    if group.wording is Wording.STATED:
        return catalogue.say(Say.STATED)
    one_day, between = _BY_TESTS[group.wording]
    first, last = _test_days(group, catalogue.locale)
    return catalogue.say(one_day, date=last) if first == last else catalogue.say(between, first=first, last=last)


def note_names(told: Told, catalogue: Catalogue, group: Group, row: Row) -> dict[str, object]:
    """Return the names for the note about one address that may be passed on to whoever runs the server there."""
    values, front, locale = told.values, told.front, catalogue.locale
    return {
        "address": str(row.address),
        "port": str(row.port) if row.port else "",
        "a": front.topics[group.topics[0]][locale].a,
        "label": qualifier(group, catalogue),
        "seen": row.last_seen,
        "instructions": said("instructions", values.face.instructions, locale),
        "reference": values.reference,
        "agency": said("agency name", values.face.agencies[0].name, locale),
    }


def _statement(group: Group, front: FrontMatter, catalogue: Catalogue) -> Statement:
    addresses, locale = group.addresses, catalogue.locale
    first, last = _test_days(group, locale)
    return Statement(
        confirmed=group.wording is Wording.CONFIRMED,
        observed=group.wording is Wording.OBSERVED,
        reported=group.wording is Wording.REPORTED,
        closed=group.wording is Wording.CLOSED,
        stated=group.wording is Wording.STATED,
        one=len(addresses) == 1,
        address=str(addresses[0]) if len(addresses) == 1 else "",
        count=formats.number(len(addresses), locale),
        a=_joined(group, front, locale, "a"),
        sources=_sources(group.findings, catalogue),
        label=qualifier(group, catalogue),
        first=first,
        last=last,
        seen=_day(max(finding.last_seen for finding in group.findings), locale),
    )


def _topics(values: LetterValues, front: FrontMatter, locale: str) -> dict[str, object]:
    here = {finding.topic for finding in values.findings}
    everything = Group(Wording.REPORTED, tuple(topic for topic in front.topics if topic in here), values.findings)
    words = [front.topics[topic][locale] for topic in everything.topics]
    return {
        "topic": {topic: topic in here for topic in front.topics},
        "name": formats.listing([word.name for word in words], locale, joined_by_or=True),
        "a": formats.listing([word.a for word in words], locale, joined_by_or=True),
        "the": _joined(everything, front, locale, "the"),
        "short": _joined(everything, front, locale, "short"),
    }


def _recipient(values: LetterValues, locale: str) -> dict[str, object]:
    networks = sorted({finding.network for finding in values.findings} - {""})
    country = formats.country(values.country, locale) if values.country else ""
    return {
        "provider": values.audience is Audience.PROVIDER,
        "beside": values.audience is Audience.BESIDE,
        "networks": formats.listing(networks, locale) if 0 < len(networks) <= NETWORKS_NAMED else "",
        "several_networks": len(networks) > 1,
        "holder": ", ".join(part for part in (values.holder, country) if part) if values.holder else "",
    }


@lru_cache(maxsize=32)  # a face is the same object in all letters of a wave
def _of_campaign(face: CampaignFace, locale: str) -> Mapping[str, object]:
    """Return the names that are the campaign's own, the same in all its letters."""
    every = (*face.agencies, *face.cosigners)
    named = every if len(every) <= AGENCIES_NAMED + 1 else every[:AGENCIES_NAMED]
    return {
        "agency": said("agency name", every[0].name, locale),
        "agencies": tuple(_agency(agency, locale) for agency in named),
        "joint": len(every) > 1,
        "other_agencies": formats.number(len(every) - len(named), locale) if len(every) > len(named) else "",
        "operation": said("operation", face.operation, locale),
        "guidance": said("guidance", face.guidance, locale),
        "participants": said("participants", face.participants, locale),
        "instructions": said("instructions", face.instructions, locale),
        "verification": said("verification", face.verification, locale),
        "privacy": said("privacy", face.privacy, locale) if face.privacy else "",
        "mailbox": face.contact_mailbox,
        "signature": _signatures(face, locale),
        "postal": said_lines("postal", face.postal, locale),
    }


def _signatures(face: CampaignFace, locale: str) -> tuple[str, ...]:
    """Return who signs, line by line; an empty line stands between agencies."""
    lines = list(said_lines("signature", face.signature, locale))
    for agency in (*face.agencies[1:], *face.cosigners):
        if agency.signature:
            own = said_lines("agency signature", agency.signature, locale)
            lines += ["", *own, said("agency name", agency.name, locale)]
    return tuple(lines)


def _agency(agency: Agency, locale: str) -> str:
    name = said("agency name", agency.name, locale)
    return f"{name} ({formats.country(agency.country, locale)})" if agency.country else name


def _sources(findings: Sequence[Finding], catalogue: Catalogue) -> str:
    """Return how many public databases report each of the addresses, and those that may be named.

    Empty if there is an address that none reports.
    """
    by_address: dict[Address, list[Finding]] = {}
    for finding in findings:
        by_address.setdefault(finding.address, []).append(finding)
    counts = [_source_count(told) for told in by_address.values()]
    if min(counts) == 0:
        return ""
    text = _databases(min(counts), max(counts), catalogue)
    named = {frozenset(chain.from_iterable(finding.sources for finding in told)) for told in by_address.values()}
    names = sorted(frozenset().union(*named))
    if not 0 < len(names) <= SOURCES_NAMED:
        return text
    if not all(map(_all_named, findings)):
        some = Say.SOME_NAMED if len(names) > 1 else Say.THE_ONE_NAMED
        return f"{text} ({catalogue.say(some, names=formats.listing(names, catalogue.locale))})"
    return f"{text} ({formats.listing(names, catalogue.locale, joined_by_or=len(named) > 1)})"


def _source_count(told: Sequence[Finding]) -> int:
    """Return how many sources are known to report one address: those without a name may be the same ones again."""
    if all(map(_all_named, told)):
        return len({name for finding in told for name in finding.sources})
    return max(finding.source_count for finding in told)


def _all_named(finding: Finding) -> bool:
    return len(finding.sources) == finding.source_count


def _databases(least: int, most: int, catalogue: Catalogue) -> str:
    if most == 1:
        return catalogue.say(Say.ONE_DATABASE)
    high = formats.count_word(most, catalogue)
    if least == most:
        return catalogue.say(Say.DATABASES, number=high)
    low = catalogue.say(Say.ONE) if least == 1 else formats.count_word(least, catalogue)
    return catalogue.say(Say.DATABASES_OR if most == least + 1 else Say.DATABASES_RANGE, least=low, most=high)


def _joined(group: Group, front: FrontMatter, locale: str, form: str) -> str:
    words: list[str] = [getattr(front.topics[topic][locale], form) for topic in group.topics]
    return formats.listing(words, locale, joined_by_or=not group.every_topic_everywhere)


def _test_days(group: Group, locale: str) -> tuple[str, str]:
    tested = [found.ended.at if found.ended else found.confirmed_at for found in group.findings if not _stated(found)]
    days = [moment.astimezone(UTC).date() for moment in tested if moment]
    return (formats.long_date(min(days), locale), formats.long_date(max(days), locale)) if days else ("", "")


def _stated(finding: Finding) -> bool:
    return finding.ended is not None and finding.ended.stated


def _day(moment: datetime, locale: str) -> str:
    return formats.long_date(moment.astimezone(UTC).date(), locale)
