"""Rows for tests that begin in the middle of the pipeline: a campaign with contacts, cases and a wave of letters."""

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from ipaddress import IPv4Address

from sqlalchemy import Connection, Table, insert

from pipeline.domain import CaseState, ContactState, Exposure, LetterState, WaveState
from pipeline.send.work import SendSettings
from pipeline.store import tables as t
from pipeline.store import waves
from pipeline.store.db import Database
from pipeline.store.keys import Keys

KEYS = Keys(bytes(range(32)))


def unlimited(connections: int) -> SendSettings:
    """Settings of the send stage that limit nothing."""
    return SendSettings(
        sender="bounces@agency.example",
        relay="relay",
        connections=connections,
        rate=0.0,
        per_day=0,
        per_domain_rate=0.0,
        fresh_for=timedelta(hours=72),
        guests=(".example",),
    )


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
        _letters(connection, now, count, cases, campaign, wave, netblock, letter_state)
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


def _letters(
    connection: Connection,
    now: datetime,
    count: int,
    cases: int,
    campaign: int,
    wave: int,
    netblock: int,
    state: LetterState,
) -> None:
    boxes = [f"abuse@isp{number}.example" for number in range(1, count + 1)]
    contacts, links = _contacts(connection, now, boxes, netblock)
    of_wave = {"wave_id": wave, "campaign_id": campaign}
    notices = _notices(connection, campaign, contacts, of_wave)
    if cases:
        _cases(connection, now, cases, campaign, netblock, links, notices)
    texts = [body(number) for number in range(1, count + 1)]
    digests = [hashlib.sha256(text).digest() for text in texts]
    kept = [
        {"sha256": digest, "body": zlib.compress(text), "at": now} for digest, text in zip(digests, texts, strict=True)
    ]
    connection.execute(insert(t.bodies), kept)
    due_at = now if state is LetterState.APPROVED else None
    alike = {"locales": "en", "language_rule": "default", "state": state.value, "due_at": due_at, "created_at": now}
    written = [
        {
            "notice_id": notice,
            "contact_id": contact,
            "sha256": digest,
            "approved_sha256": digest,
            "bytes": len(text),
            "recipient": box,
            "message_id": message_id(number),
            "send_order": number,
            **alike,
            **of_wave,
        }
        for number, (box, contact, notice, text, digest) in enumerate(
            zip(boxes, contacts, notices, texts, digests, strict=True), start=1
        )
    ]
    connection.execute(insert(t.letters), written)


def _contacts(
    connection: Connection, now: datetime, boxes: Sequence[str], netblock: int
) -> tuple[list[int], list[int]]:
    """Add a contact for each mailbox, and their links with a network; returns both lists of ids."""
    whose = {"state": ContactState.UNTESTED, "created_at": now}
    contacts = _add_all(connection, t.contacts, [{"mailbox": box, "spelling": box, **whose} for box in boxes])
    found = {"netblock_id": netblock, "tier": 1, "confidence": 90, "source": "role", "valid_from": now}
    links = [
        {"contact_id": contact, "candidate": box, "rank": number, **found}
        for number, (contact, box) in enumerate(zip(contacts, boxes, strict=True), start=1)
    ]
    return contacts, _add_all(connection, t.netblock_contacts, links)


def _notices(connection: Connection, campaign: int, contacts: Sequence[int], of_wave: Mapping[str, int]) -> list[int]:
    notices = []
    for contact in contacts:
        key = (campaign, contact, 1)
        token = hashlib.sha256(KEYS.notice_token(key).encode()).digest()
        known = {"reference": KEYS.reference(key), "token_sha256": token, "key_id": KEYS.key_id}
        notices.append({"contact_id": contact, "number": 1, **known, **of_wave})
    return _add_all(connection, t.notices, notices)


def _cases(
    connection: Connection,
    now: datetime,
    each: int,
    campaign: int,
    netblock: int,
    links: Sequence[int],
    notices: Sequence[int],
) -> None:
    """Make so many cases for each notice: a target, its case, the check that the letter quotes."""
    told = [
        (link, notice, number, i)
        for number, (link, notice) in enumerate(zip(links, notices, strict=True), 1)
        for i in range(each)
    ]
    seen = {"first_seen_at": now, "last_seen_at": now, "topic": "open_proxy"}
    at = {"port": 8080, "transport": "tcp", "service": "http", **seen}
    first = IPv4Address("198.18.0.0")
    targets = _add_all(connection, t.targets, [{"address": first + number * 50 + i, **at} for _, _, number, i in told])
    alike = {"campaign_id": campaign, "block": first, "netblock_id": netblock, "exposure": Exposure.OPEN}
    alike |= {"exposure_at": now, "level": 0, "state": CaseState.RESOLVED, "created_at": now}
    cases = _add_all(
        connection,
        t.cases,
        [
            {"target_id": target, "netblock_contact_id": link, **alike}
            for target, (link, *_) in zip(targets, told, strict=True)
        ],
    )
    made = {"method": "passive", "verdict": Exposure.OPEN, "level": 0, "at": now, "transcript": "{}"}
    checks = _add_all(connection, t.checks, [{"case_id": case, **made} for case in cases])
    connection.execute(
        insert(t.notice_cases),
        [
            {
                "notice_id": notice,
                "case_id": case,
                "level": 0,
                "check_id": check,
                "quoted": json.dumps([]),
                "token_sha256": hashlib.sha256(KEYS.case_token((campaign, notice, 1), case).encode()).digest(),
            }
            for case, check, (_, notice, _, _) in zip(cases, checks, told, strict=True)
        ],
    )


def _add_all(connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> list[int]:
    """Add rows, many at once, and return their ids in the same order."""
    statement = insert(table).returning(table.c.id, sort_by_parameter_order=True)
    return list(connection.execute(statement, list(rows)).scalars())
