"""Rows for tests that begin in the middle of the pipeline: a campaign with contacts, cases and a wave of letters."""

import hashlib
import json
import zlib
from datetime import datetime
from ipaddress import IPv4Address

from sqlalchemy import Connection, Table, insert

from pipeline.domain import CaseState, ContactState, Exposure, LetterState, WaveState
from pipeline.store import tables as t
from pipeline.store import waves
from pipeline.store.db import Database
from pipeline.store.keys import Keys

KEYS = Keys(bytes(range(32)))


def add(connection: Connection, table: Table, **values: object) -> int:
    return int(connection.execute(insert(table).values(**values).returning(table.c.id)).scalar_one())


def body(number: int, size: int = 300) -> bytes:
    heads = (
        "From: a@agency.example",
        f"To: abuse@isp{number}.example",
        f"Message-ID: {message_id(number)}",
        "Subject: test",
    )
    return ("\r\n".join(heads) + "\r\n\r\n" + f"letter {number}\r\n" * (size // 12)).encode()


def message_id(number: int) -> str:
    return KEYS.message_id((1, number, 1), "agency.example")


def wave_of_letters(
    db: Database,
    now: datetime,
    count: int,
    *,
    cases: int = 1,
    state: WaveState = WaveState.SENDING,
    mode: str = "training",
    made_by: str = "person:1",
) -> int:
    """Make a campaign with one wave of `count` letters, each to a contact of its own with `cases` cases; its wave id."""
    letter_state = LetterState.APPROVED if state is WaveState.SENDING else LetterState.DRAFTED
    with db.write() as connection:
        campaign = add(
            connection,
            t.campaigns,
            name="test",
            mode=mode,
            topics='["open_proxy"]',
            minimum_level=0,
            settings="{}",
            order_seed="00",
            created_by="person:1",
            created_at=now,
        )
        wave = add(
            connection,
            t.waves,
            campaign_id=campaign,
            number=1,
            kind="first",
            state=state.value,
            limits="{}",
            made_by=made_by,
            created_at=now,
        )
        netblock = add(
            connection,
            t.netblocks,
            first_address=IPv4Address("198.51.100.0"),
            last_address=IPv4Address("198.51.100.255"),
            outcome="contacts",
            valid_from=now,
            expires_at=now,
        )
        for number in range(1, count + 1):
            _letter(connection, now, number, cases, campaign, wave, netblock, letter_state)
    return wave


def approve(db: Database, wave: int, now: datetime) -> None:
    """Seal a planned wave and have it approved by the system's user, as training mode allows."""
    with db.write() as connection:
        waves.seal_manifest(connection, wave, now, "tocsin")
        waves.record(
            connection,
            waves.by_id(connection, wave),
            accepted=True,
            by="system:test",
            person_id=None,
            method="training",
            signature="",
            reason="",
            now=now,
        )
        waves.approve(connection, waves.by_id(connection, wave), now, "system:test")


def reject(connection: Connection, wave: int, reason: str, now: datetime, by: str = "person:2") -> None:
    """Keep a person's No to a wave."""
    waves.record(
        connection,
        waves.by_id(connection, wave),
        accepted=False,
        by=by,
        person_id=None,
        method="training",
        signature="",
        reason=reason,
        now=now,
    )


def _letter(
    connection: Connection,
    now: datetime,
    number: int,
    cases: int,
    campaign: int,
    wave: int,
    netblock: int,
    state: LetterState,
) -> None:
    mailbox = f"abuse@isp{number}.example"
    contact = add(
        connection, t.contacts, mailbox=mailbox, spelling=mailbox, state=ContactState.UNTESTED, created_at=now
    )
    link = add(
        connection,
        t.netblock_contacts,
        netblock_id=netblock,
        contact_id=contact,
        candidate=mailbox,
        tier=1,
        rank=number,
        confidence=90,
        source="role",
        valid_from=now,
    )
    notice = add(
        connection,
        t.notices,
        wave_id=wave,
        campaign_id=campaign,
        contact_id=contact,
        number=1,
        reference=KEYS.reference((campaign, contact, 1)),
        token_sha256=hashlib.sha256(KEYS.notice_token((campaign, contact, 1)).encode()).digest(),
        key_id=KEYS.key_id,
    )
    for i in range(cases):
        address = IPv4Address("198.18.0.0") + number * 50 + i
        _case(connection, now, address, campaign, netblock, link, notice)
    text = body(number)
    digest = hashlib.sha256(text).digest()
    connection.execute(insert(t.bodies).values(sha256=digest, body=zlib.compress(text), at=now))
    add(
        connection,
        t.letters,
        notice_id=notice,
        wave_id=wave,
        campaign_id=campaign,
        contact_id=contact,
        state=state.value,
        sha256=digest,
        approved_sha256=digest,
        bytes=len(text),
        recipient=mailbox,
        message_id=message_id(number),
        locales="en",
        language_rule="default",
        send_order=number,
        due_at=now if state is LetterState.APPROVED else None,
        created_at=now,
    )


def _case(
    connection: Connection, now: datetime, address: IPv4Address, campaign: int, netblock: int, link: int, notice: int
) -> None:
    target = add(
        connection,
        t.targets,
        address=address,
        port=8080,
        transport="tcp",
        service="http",
        topic="open_proxy",
        first_seen_at=now,
        last_seen_at=now,
    )
    case = add(
        connection,
        t.cases,
        campaign_id=campaign,
        target_id=target,
        block=IPv4Address("198.18.0.0"),
        netblock_id=netblock,
        netblock_contact_id=link,
        exposure=Exposure.OPEN,
        exposure_at=now,
        level=0,
        state=CaseState.RESOLVED,
        created_at=now,
    )
    check = add(
        connection, t.checks, case_id=case, method="passive", verdict=Exposure.OPEN, level=0, at=now, transcript="{}"
    )
    connection.execute(
        insert(t.notice_cases).values(
            notice_id=notice,
            case_id=case,
            level=0,
            check_id=check,
            quoted=json.dumps([]),
            token_sha256=hashlib.sha256(KEYS.case_token((campaign, notice, 1), case).encode()).digest(),
        )
    )
