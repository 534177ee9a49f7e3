"""Write the letters of planned waves: one per notice, exact bytes.

Reads: notices without a letter in waves PLANNED, template revisions.  Writes: bodies and letters DRAFTED, the language of
each contact; the wave becomes RENDERED, with the hash of its manifest, once every notice has its letter.  Safe to repeat: a
notice has one letter.  The same notice and revisions give the same bytes in every process.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from pipeline.domain import Clock, EvidenceLevel, Exposure, Progress, WaveState
from pipeline.render import compose, form, language
from pipeline.render.body_hash import body_hash
from pipeline.render.face import face_of
from pipeline.render.form import Form, Offer
from pipeline.render.language import LanguageChoice
from pipeline.render.pgp import Sign
from pipeline.render.values import FIRST, REMINDERS, Audience, CampaignFace, Earlier, Ended, Finding, LetterValues
from pipeline.store import render as store
from pipeline.store import templates, waves
from pipeline.store.db import Connection, Database
from pipeline.store.keys import Keys
from pipeline.store.render import Notice, Written

BY = "tocsin"
UNIT = 50  # notices
OTHERS = "others"  # a kind of wave: others than the networks' own contacts get the first letter, too
STATED = "statement"  # the method of a check that is somebody's word

Rows = Sequence[Mapping[str, Any]]  # the cases of one notice, as store.findings has them
Seen = Mapping[tuple[int, int], Mapping[str, Any]]  # observations by snapshot and line


@dataclass(frozen=True, slots=True)
class Sheet:
    """What all letters of one wave share."""

    face: CampaignFace
    audience: Audience
    offer: Offer
    default_order: tuple[str, ...]
    training: bool
    kind: str
    sources: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Again:
    """What a letter is made of: one that exists, or that its notice would get now."""

    values: LetterValues
    sources: Mapping[str, str]
    choice: LanguageChoice
    form: Form
    message_id: str


def render(
    db: Database, keys: Keys, *, worker_id: int, clock: Clock, progress: Progress, sign: Sign | None = None
) -> int:
    """Write every letter that is due; returns how many.  `sign` makes OpenPGP signatures, where a campaign wants them."""
    count = 0
    with db.read() as connection:
        found = store.planned_waves(connection)
    for wave_id in found:
        with db.write() as connection:
            sheet = _sheet(connection, wave_id)
            total = store.left(connection, wave_id)
        done = 0
        while written := _unit(db, wave_id, sheet, keys, worker_id, clock, sign):
            done += written
            progress("letters", done, total)
        count += done
        with db.write() as connection:
            planned = waves.locked(connection, wave_id)["state"] == WaveState.PLANNED
            if planned and store.left(connection, wave_id) == 0:
                waves.seal_manifest(connection, wave_id, clock(), BY)
    return count


def rewrite(connection: Connection, notice_id: int, sign: Sign | None = None) -> bytes:
    """Return a notice's letter again, from the same revisions and with the date it bears, with the cases still in it."""
    return _bytes(read_back(connection, notice_id), sign)


def drafted(connection: Connection, keys: Keys, notice_id: int, now: datetime) -> Again:
    """Return what a notice's letter would be made of now.  Fixes the revisions of its wave, as the letters do."""
    [notice] = store.notices_by_id(connection, [notice_id], now)
    [again] = _drafted(connection, _sheet(connection, notice.wave_id), [notice], keys, now)
    return again


def read_back(connection: Connection, notice_id: int) -> Again:
    """Return what a notice's letter was made of, with the cases still in it."""
    before = store.letter_of(connection, notice_id)
    sheet = _sheet(connection, before["wave_id"])
    [notice] = store.notices_by_id(connection, [notice_id], before["created_at"])
    choice = LanguageChoice(tuple(before["locales"].split(",")), before["language_rule"])
    [(_, values)] = _told(connection, sheet, [notice], before["created_at"].date())
    return Again(values, sheet.sources, choice, form.restored(before["form"]), before["message_id"])


def _sheet(connection: Connection, wave_id: int) -> Sheet:
    campaign = store.campaign_of(connection, wave_id)
    settings = json.loads(campaign["settings"])
    letter_kind = FIRST if campaign["kind"] == OTHERS else campaign["kind"]
    return Sheet(
        face_of(settings),
        Audience.BESIDE if campaign["kind"] == OTHERS else Audience(settings["audience"]),
        form.offered(settings),
        tuple(settings["default_order"]),
        campaign["mode"] == "training",
        letter_kind,
        templates.of_wave(connection, wave_id, letter_kind),
    )


def _unit(db: Database, wave_id: int, sheet: Sheet, keys: Keys, worker_id: int, clock: Clock, sign: Sign | None) -> int:
    with db.write() as connection:
        lease, notices = store.claim(connection, wave_id, worker_id, clock(), UNIT)
    if not notices:
        return 0
    now = clock()
    with db.read() as connection:
        made = zip(notices, _drafted(connection, sheet, notices, keys, now), strict=True)
        written = [_written(notice, again, _bytes(again, sign)) for notice, again in made]
    with db.write() as connection:
        store.add_letters(connection, written, lease, now, BY)
    return len(written)


def _bytes(again: Again, sign: Sign | None) -> bytes:
    return compose.letter(again.values, again.sources, again.choice, again.form, again.message_id, sign)


def _written(notice: Notice, again: Again, body: bytes) -> Written:
    choice = again.choice
    locales = ",".join(choice.locales)
    form_, country = again.form.stored(), again.values.country
    return Written(notice, body, again.message_id, locales, choice.rule, form_, body_hash(body), country)


def _drafted(
    connection: Connection, sheet: Sheet, notices: Sequence[Notice], keys: Keys, now: datetime
) -> Iterator[Again]:
    """Yield what the letter of each notice is made of now, in their order."""
    for notice, (rows, values) in zip(notices, _told(connection, sheet, notices, now.date()), strict=True):
        places = [(row["country"], row["region"]) for row in rows]
        choice = language.choose_for(notice.preference, places, sheet.default_order)
        natural = (notice.campaign_id, notice.contact_id, notice.number)
        message_id = keys.message_id(natural, sheet.face.from_mailbox.rsplit("@", 1)[1])
        yield Again(values, sheet.sources, choice, _form(sheet, notice, len(choice.locales)), message_id)


def _told(
    connection: Connection, sheet: Sheet, notices: Sequence[Notice], written_on: date
) -> Iterator[tuple[Rows, LetterValues]]:
    """Yield, for each notice, the rows of its cases and the values of its letter."""
    found = store.findings(connection, [notice.id for notice in notices])
    seen = _seen(connection, [row for rows in found.values() for row in rows])
    earlier = _earlier(connection, sheet, notices)
    for notice in notices:
        rows = found[notice.id]
        yield rows, _values(sheet, notice, rows, seen, earlier.get(notice.id), written_on)


def _form(sheet: Sheet, notice: Notice, languages: int) -> Form:
    return form.choose(notice.format, json.loads(notice.headers), sheet.offer, sheet.audience, languages)


def _earlier(connection: Connection, sheet: Sheet, notices: Sequence[Notice]) -> dict[int, Earlier]:
    """Return the first notice that each reminder reminds of."""
    if sheet.kind not in REMINDERS:
        return {}
    return {
        notice: Earlier(first["reference"], first["handed_at"].date(), first["message_id"])
        for notice, first in store.firsts(connection, [notice.id for notice in notices]).items()
    }


def _seen(connection: Connection, rows: Rows) -> Seen:
    """Return the observations that the rows quote."""
    return store.quoted(connection, sorted({key for row in rows for key in store.quoted_keys(row["quoted"])}))


def _values(
    sheet: Sheet,
    notice: Notice,
    rows: Rows,
    seen: Seen,
    earlier: Earlier | None,
    written_on: date,
) -> LetterValues:
    holders = {row["holder"] for row in rows}
    country, _, _ = language.home([(row["country"], row["region"]) for row in rows])
    return LetterValues(
        reference=notice.reference,
        face=sheet.face,
        contact=notice.spelling,
        audience=sheet.audience,
        findings=tuple(_finding(row, seen) for row in rows),
        earlier=earlier,
        written_on=written_on,
        holder=holders.pop() if len(holders) == 1 else "",
        country=country,
        kind=sheet.kind,
        training=sheet.training,
    )


def _finding(row: Mapping[str, Any], seen: Seen) -> Finding:
    """Return one line of a letter: what its check counted, and the sources that may be named."""
    observed = [seen[key] for key in store.quoted_keys(row["quoted"])]
    newest = max(observed, key=lambda one: one["observed_at"])
    sources, first_hand = set(), 0
    for one in observed:
        declaration = _read(one["declaration"])
        first_hand += bool(declaration.get("first_hand"))
        if _read(one["rights"])["name_in_letter"]:
            sources.add(declaration.get("title") or one["name"])
    groups = json.loads(row["transcript"])["groups"]
    count = max(len(groups) - first_hand, 0)
    return Finding(
        address=row["address"],
        port=row["port"],
        service=row["service"],
        claim=newest["claim"],
        topic=row["topic"],
        level=EvidenceLevel(row["level"]),
        first_seen=min(one["observed_at"] for one in observed),
        last_seen=newest["observed_at"],
        sources=tuple(sorted(sources))[:count],
        source_count=count,
        network=row["network"],
        ended=Ended(row["checked_at"], row["method"] == STATED) if row["verdict"] == Exposure.CLOSED else None,
    )


@lru_cache(maxsize=256)  # every letter of a wave quotes the same few feeds
def _read(text: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(text)
    return found
