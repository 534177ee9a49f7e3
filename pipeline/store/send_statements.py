"""The statements of every round of sending, made once for each database: making one costs more than running it.

Parameters: `now`; `ids`, a list of ids.  store/send.py says what each is for, and runs them.
"""

from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Integer,
    Select,
    Text,
    Update,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    union_all,
    update,
)

from pipeline.domain import LetterState, WaveState
from pipeline.store import overrides
from pipeline.store.many import among
from pipeline.store.tables import (
    attempts,
    bodies,
    cases,
    contacts,
    exclusions,
    holds,
    letters,
    netblock_contacts,
    notice_cases,
    suppressions,
    targets,
    waves,
)
from pipeline.store.types import Instant
from pipeline.store.workers import unheld

DUE = (LetterState.APPROVED.value, LetterState.DEFERRED.value)
TO_SEND = [literal_column(f"'{state}'", Text()) for state in DUE]  # in so many words: only then its index is used
NOW = bindparam("now", type_=Instant())
OF_DUE = (
    *("id", "wave_id", "campaign_id", "notice_id", "contact_id", "state", "recipient", "sha256", "approved_sha256"),
    *("attempts", "body_hash", "country", "send_order"),
)


def held(*, but: bool = False) -> ColumnElement[bool]:
    """The condition that a hold is in force that covers a letter (a contact is joined to it); `but`: other ones than :but.

    A hold is in force from when it is there until it is released, whatever the clock says: a clock may be set back.
    """
    domain = func.substr(contacts.c.mailbox, func.length(contacts.c.mailbox) - func.length(holds.c.domain))
    covers = and_(
        or_(holds.c.campaign_id.is_(None), holds.c.campaign_id == letters.c.campaign_id),
        or_(holds.c.wave_id.is_(None), holds.c.wave_id == letters.c.wave_id),
        or_(holds.c.contact_id.is_(None), holds.c.contact_id == letters.c.contact_id),
        or_(holds.c.domain == "", domain == "@" + holds.c.domain, domain == "." + holds.c.domain),
        holds.c.released_at.is_(None),
    )
    if but:
        covers = and_(covers, holds.c.id.not_in(bindparam("but", expanding=True)))
    return select(holds.c.id).where(covers).exists()


DUE_OF_WAVE = (  # of one wave: its letters are read in their order, from the first that is left
    select(*(letters.c[name] for name in OF_DUE), contacts.c.mailbox)
    .join(contacts, contacts.c.id == letters.c.contact_id)
    .where(
        letters.c.wave_id == bindparam("wave"),
        letters.c.state.in_(TO_SEND),
        or_(letters.c.due_at.is_(None), letters.c.due_at <= NOW),
        unheld(letters, bindparam("silent", type_=Instant())),
        ~held(),
    )
    .order_by(letters.c.send_order, letters.c.id)
    .limit(bindparam("most", type_=Integer()))
    .with_for_update(skip_locked=True, of=letters)
)


@cache
def held_among(dialect: str, *, but: bool = False) -> Select[Any]:
    cancelled = waves.c.state == WaveState.CANCELLED  # stops those that were claimed before, as a hold does
    mine = select(letters.c.id).join(contacts).join(waves, waves.c.id == letters.c.wave_id)
    return mine.where(among(dialect, letters.c.id, "ids"), or_(held(but=but), cancelled))


@cache
def cases_of(dialect: str) -> Select[Any]:
    columns = (cases.c.id, cases.c.state, cases.c.exposure, cases.c.exposure_at, targets.c.address)
    return (
        select(notice_cases.c.notice_id, *columns)
        .join(cases, cases.c.id == notice_cases.c.case_id)
        .join(targets, targets.c.id == cases.c.target_id)
        .where(among(dialect, notice_cases.c.notice_id, "ids"), notice_cases.c.dropped_at.is_(None))
    )


EXCLUDED = select(exclusions.c.first_address, exclusions.c.last_address).where(
    exclusions.c.lifted_at.is_(None),
    exclusions.c.first_address.is_not(None),
    or_(exclusions.c.until.is_(None), exclusions.c.until > NOW),
)
SUPPRESSED_RANGES = select(suppressions.c.first_address, suppressions.c.last_address).where(
    suppressions.c.lifted_at.is_(None), suppressions.c.first_address.is_not(None)
)
CLOSED = union_all(EXCLUDED, SUPPRESSED_RANGES)
BODIES = select(bodies.c.sha256, bodies.c.body).where(bodies.c.sha256.in_(bindparam("digests", expanding=True)))


@cache
def suppressed(dialect: str) -> CompoundSelect[Any]:
    """What closes mailboxes, by the mailbox or the domain; `word` is a person's rejection wherever it is named.

    Three questions, each with an index; for one with OR SQLite reads the whole table.
    """
    word = literal_column("0", Integer()).label("word")
    columns = select(suppressions.c.mailbox, suppressions.c.domain, suppressions.c.reason, word)
    in_force = columns.where(suppressions.c.lifted_at.is_(None))
    return union_all(
        in_force.where(suppressions.c.mailbox != "", among(dialect, suppressions.c.mailbox, "mailboxes")),
        in_force.where(suppressions.c.domain != "", among(dialect, suppressions.c.domain, "domains")),
        overrides.rejecting(dialect).add_columns(
            literal_column("''", Text()), literal_column("'rejected'", Text()), literal_column("1")
        ),
    )


@cache
def leases(dialect: str) -> Select[Any]:
    """Who has the letters of attempts, locked, and whether each is stopped: one statement, as a relay waits meanwhile."""
    stopped = or_(held(), waves.c.state == WaveState.CANCELLED).label("stopped")
    columns = (attempts.c.id, attempts.c.letter_id, letters.c.worker_id, letters.c.claim, stopped)
    query = select(*columns).join(letters, letters.c.id == attempts.c.letter_id)
    query = query.join(contacts, contacts.c.id == letters.c.contact_id).join(waves, waves.c.id == letters.c.wave_id)
    return query.where(among(dialect, attempts.c.id, "ids")).with_for_update(of=(attempts, letters))


@cache
def dots(dialect: str) -> Update:
    return update(attempts).where(among(dialect, attempts.c.id, "ids")).values(dot_at=NOW)


@cache
def told_by(dialect: str) -> Select[Any]:
    """Their state is not asked for here: SQLite would begin with all the cases in it, in every round."""
    links = netblock_contacts.c
    own = select(links.id).where(links.id == cases.c.netblock_contact_id, links.contact_id == letters.c.contact_id)
    return (
        select(cases.c.id, cases.c.state, letters.c.id.label("letter"))
        .select_from(letters)
        .join(notice_cases, notice_cases.c.notice_id == letters.c.notice_id)
        .join(cases, cases.c.id == notice_cases.c.case_id)
        .join(waves, waves.c.id == letters.c.wave_id)
        .where(
            or_(waves.c.kind != "others", own.exists()),
            among(dialect, letters.c.id, "ids"),
            notice_cases.c.dropped_at.is_(None),
        )
    )
