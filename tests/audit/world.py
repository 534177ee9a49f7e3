"""Rows that tell one whole story: an address reported by two feeds, resolved, checked, written about, and answered."""

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, ip_address
from typing import Any

from sqlalchemy import Connection, insert

from pipeline.domain import Address, CaseState, ContactState, Event, Exposure, LetterState, WaveState
from pipeline.store import events, lives
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.seed import KEYS, add

ADDRESS = IPv4Address("192.0.2.10")
HEAD = b"Date: Sun, 01 Mar 2026 10:05:00 +0000\r\n"
HOUR = timedelta(hours=1)
DECLARATION = {"claims": {}, "lifetime": 604_800, "retain": 63_072_000, "parser": "ip_port"}


@dataclass(slots=True)
class World:
    """Ids of what was made."""

    campaign: int
    network: int
    chosen: int
    target: int
    case: int
    wave: int = 0
    notice: int = 0
    letter: int = 0
    reference: str = ""
    message_id: str = ""
    body: bytes = b""


def feed(connection: Connection, now: datetime, name: str, **declaration: Any) -> int:
    declared = json.dumps({**DECLARATION, **declaration})
    values = {"parser": "ip_port", "access": "file", "independence_group": name, "lawful_basis": "agreement"}
    return add(connection, t.feeds, name=name, rights="{}", declaration=declared, declared_at=now, **values)


def snapshot(connection: Connection, now: datetime, feed_id: int, name: str, verdict: str = "accepted") -> int:
    digest = hashlib.sha256(f"{feed_id} {name}".encode()).digest()
    values = {"feed_id": feed_id, "sha256": digest, "name": name, "lines": 100, "observations": 100}
    made = add(connection, t.snapshots, received_at=now, verdict=verdict, applied_line=100, **values)
    events.write(connection, [events.Entry("snapshot.received", "snapshot", made)], now, "tocsin")
    return made


def observe(
    connection: Connection,
    at: datetime,
    snapshot_id: int,
    line: int,
    address: Address = ADDRESS,
    port: int = 8080,
    claim: str = "http_proxy",
    topic: str = "open_proxy",
    raw: bytes | None = None,
) -> None:
    values = {"address": address, "port": port, "transport": "tcp", "service": "http", "claim": claim, "topic": topic}
    text = f"{address}:{port}".encode() if raw is None else raw
    row = {**values, "confidence": 50, "observed_at": at, "expires_at": at + timedelta(days=7), "raw": text}
    connection.execute(insert(t.observations).values(snapshot_id=snapshot_id, line=line, **row))


def network(connection: Connection, now: datetime, first: str, last: str, holder: str = "ISP Example") -> int:
    source = f"https://rdap.registry.example/ip/{first}"
    answer = add(
        connection,
        t.raw_answers,
        sha256=hashlib.sha256(f"{source} {now}".encode()).digest(),
        source=source,
        content_type="application/rdap+json",
        status=200,
        body=zlib.compress(b"{}"),
        at=now,
    )
    ends = {"first_address": ip_address(first), "last_address": ip_address(last)}
    registered = {"registered_first": ip_address(first), "registered_last": ip_address(last)}
    names = {"registry": "ripencc", "handle": "NET-1", "name": "EXAMPLE-NET", "holder": holder, "country": "FR"}
    times = {"valid_from": now, "expires_at": now + timedelta(days=30)}
    return add(
        connection, t.netblocks, outcome="contacts", raw_answer_id=answer, **ends, **registered, **names, **times
    )


def candidate(
    connection: Connection, now: datetime, netblock_id: int, rank: int, mailbox: str, rejected: str = ""
) -> tuple[int, int | None]:
    """Add one weighed mailbox; returns (netblock_contact, contact, None for a rejected one)."""
    contact = None
    if not rejected:
        known = {"mailbox": mailbox, "spelling": mailbox, "state": ContactState.UNTESTED.value}
        contact = add(connection, t.contacts, created_at=now, **known)
    values = {
        "tier": 1,
        "confidence": 90,
        "source": "role",
        "path": "entities[0].vcardArray[1][3]",
        "rejected": rejected,
    }
    link = add(
        connection,
        t.netblock_contacts,
        netblock_id=netblock_id,
        contact_id=contact,
        candidate=mailbox,
        rank=rank,
        valid_from=now,
        **values,
    )
    return link, contact


def campaign(connection: Connection, now: datetime, name: str, mode: str = "training", **changes: Any) -> int:
    values = {"topics": '["open_proxy"]', "minimum_level": 1, "settings": "{}", "order_seed": "00", **changes}
    made = add(connection, t.campaigns, name=name, mode=mode, created_by="person:1", created_at=now, **values)
    events.write(connection, [events.Entry("campaign.created", "campaign", made, made)], now, "tocsin")
    return made


def target(connection: Connection, now: datetime, address: Address = ADDRESS, port: int = 8080) -> int:
    values = {"address": address, "port": port, "transport": "tcp", "service": "http", "topic": "open_proxy"}
    return add(connection, t.targets, first_seen_at=now, last_seen_at=now, **values)


def case(connection: Connection, now: datetime, campaign_id: int, target_id: int, **changes: Any) -> int:
    values = {"block": IPv4Address("192.0.0.0"), "state": CaseState.SEEN.value, "due_at": now, **changes}
    made = add(connection, t.cases, campaign_id=campaign_id, target_id=target_id, created_at=now, **values)
    entry = events.Entry(Event.CASE_SEEN.value, "case", made, campaign_id, data={"target": target_id})
    events.write(connection, [entry], now, "tocsin")
    return made


def check(connection: Connection, at: datetime, case_id: int, quoted: Sequence[Sequence[int]], **changes: Any) -> int:
    transcript = {
        "level": "E1",
        "groups": ["one", "two"],
        "quoted": [list(key) for key in quoted],
        "reasons": [["level.independent_groups", {"groups": 2}]],
        "zones": [{"zone": "dnsbl.example", "listing": "not_listed", "codes": [], "text": "", "why": ""}],
    }
    values = {"method": "passive", "verdict": Exposure.OPEN.value, "level": 1, "transcript": json.dumps(transcript)}
    made = add(connection, t.checks, case_id=case_id, at=at, **{**values, **changes})
    events.write(connection, [events.Entry("case.checked", "case", case_id, None, "open")], at, "tocsin")
    return made


def story(db: Database, now: datetime, name: str = "test", state: LetterState = LetterState.HANDED) -> World:
    """Make the whole story of ADDRESS in a campaign, up to a letter in the given state."""
    with db.write() as connection:
        made = resolved(connection, now, name)
        made.wave = wave(connection, now + 4 * HOUR, made.campaign)
        write(connection, now + 5 * HOUR, made)
        send(connection, now + 6 * HOUR, made, state)
    return made


def resolved(connection: Connection, now: datetime, name: str) -> World:
    """Reports, target, case, network with three mailboxes, check: a case RESOLVED and open."""
    for number, feed_name in enumerate(("one", "two"), 1):
        delivery = snapshot(connection, now, feed(connection, now, feed_name), f"{feed_name}.txt")
        observe(connection, now - HOUR, delivery, number)
    campaign_id, target_id = campaign(connection, now, name), target(connection, now)
    block = network(connection, now + HOUR, "192.0.2.0", "192.0.2.255")
    chosen, _ = candidate(connection, now + HOUR, block, 0, "abuse@isp.example")
    candidate(connection, now + HOUR, block, 1, "noc@isp.example")
    candidate(connection, now + HOUR, block, 2, "hostmaster@registry.example", "registry-contact")
    case_id = case(connection, now, campaign_id, target_id)
    found = {"netblock_id": block, "netblock_contact_id": chosen, "due_at": now + 2 * HOUR}
    lives.advance(connection, [case_id], Event.CASE_CONTACT_FOUND, now + HOUR, "tocsin", values=found)
    check(connection, now + 2 * HOUR, case_id, [(1, 1), (2, 2)])
    seen = {"exposure": Exposure.OPEN.value, "exposure_at": now + 2 * HOUR, "level": 1, "due_at": now + 26 * HOUR}
    connection.execute(t.cases.update().where(t.cases.c.id == case_id).values(**seen))
    return World(campaign_id, block, chosen, target_id, case_id)


def wave(connection: Connection, at: datetime, campaign_id: int, state: WaveState = WaveState.SENDING) -> int:
    values = {"number": 1, "kind": "first", "limits": "{}", "made_by": "person:1", "manifest_sha256": bytes(32)}
    made = add(connection, t.waves, campaign_id=campaign_id, state=state.value, created_at=at, **values)
    words = {"by": "person:2", "accepted": 1, "method": "training", "manifest_sha256": bytes(32)}
    add(connection, t.approvals, wave_id=made, at=at, **words)
    events.write(connection, [events.Entry("wave.accepted_by", "wave", made, campaign_id)], at, "person:2")
    return made


def write(connection: Connection, at: datetime, made: World) -> None:
    """Write the letter about the world's case, APPROVED."""
    contact = add_contact_of(connection, made.chosen)
    key = (made.campaign, contact, 1)
    made.reference, made.message_id = KEYS.reference(key), KEYS.message_id(key, "agency.example")
    token = hashlib.sha256(KEYS.notice_token(key).encode()).digest()
    about = {"wave_id": made.wave, "campaign_id": made.campaign, "contact_id": contact}
    named = {"number": 1, "reference": made.reference, "token_sha256": token, "key_id": KEYS.key_id}
    made.notice = add(connection, t.notices, **about, **named)
    told = {"level": 1, "check_id": newest_check(connection, made.case), "quoted": "[[1,1],[2,2]]"}
    case_token = hashlib.sha256(KEYS.case_token(key, made.case).encode()).digest()
    connection.execute(
        insert(t.notice_cases).values(notice_id=made.notice, case_id=made.case, token_sha256=case_token, **told)
    )
    made.body = f"From: a@agency.example\r\nMessage-ID: {made.message_id}\r\n\r\nletter of {made.campaign}\r\n".encode()
    digest = keep(connection, made.body, at)
    text = {"sha256": digest, "approved_sha256": digest, "bytes": len(made.body), "recipient": "Abuse@isp.example"}
    words = {"message_id": made.message_id, "locales": "fr,en", "language_rule": "country", "send_order": 1}
    state = {"state": LetterState.DRAFTED.value, "due_at": at, "created_at": at}
    made.letter = add(connection, t.letters, notice_id=made.notice, **about, **text, **words, **state)
    entry = events.Entry(Event.LETTER_DRAFTED.value, "letter", made.letter, made.campaign)
    events.write(connection, [entry], at, "tocsin")
    lives.advance(connection, [made.letter], Event.LETTER_APPROVED, at, "person:2")


def send(connection: Connection, at: datetime, made: World, state: LetterState) -> None:
    """Try the letter once, with the outcome that leads to `state`."""
    if state is LetterState.APPROVED:
        return
    replies = {
        LetterState.HANDED: ("dot", 250, "2.0.0", "Ok: queued as 4F1A2"),
        LetterState.REFUSED: ("rcpt", 550, "5.1.1", "no such user here"),
        LetterState.DEFERRED: ("rcpt", 451, "4.7.1", "greylisted, come back later"),
        LetterState.UNCERTAIN: ("dot", 0, "", "connection lost"),
    }
    stage, reply, enhanced, text = replies[state]
    worker = add(connection, t.workers, host="host", pid=1, started_at=at, heartbeat_at=at)
    dot = at if stage == "dot" else None
    said = {"relay": "relay.agency.example:25", "tls": "TLSv1.3", "stage": stage, "reply": reply, "enhanced": enhanced}
    ends = {"started_at": at, "dot_at": dot, "ended_at": at, "reply_text": text, "outcome": state.value}
    exact = {"head": HEAD, "sha256": hashlib.sha256(HEAD + made.body).digest()}
    who = {"sender": "bounces+1.abc@agency.example", "recipient": "Abuse@isp.example"}
    add(connection, t.attempts, letter_id=made.letter, number=1, worker_id=worker, **exact, **who, **said, **ends)
    lives.advance(connection, [made.letter], Event.LETTER_CLAIMED, at, "tocsin")
    due = at + HOUR if state is LetterState.DEFERRED else None
    values = {"due_at": due, "reason": enhanced, "attempts": 1}
    lives.advance(connection, [made.letter], Event(f"letter.{state.value}"), at, "tocsin", why=enhanced, values=values)
    if state is LetterState.HANDED:
        lives.advance(connection, [made.case], Event.CASE_NOTICED, at, "tocsin")


def keep(connection: Connection, body: bytes, at: datetime) -> bytes:
    digest = hashlib.sha256(body).digest()
    connection.execute(insert(t.bodies).values(sha256=digest, body=zlib.compress(body), at=at))
    return digest


def add_contact_of(connection: Connection, link: int) -> int:
    query = t.netblock_contacts.select().where(t.netblock_contacts.c.id == link)
    return int(connection.execute(query).mappings().one()["contact_id"])


def newest_check(connection: Connection, case_id: int) -> int:
    query = t.checks.select().where(t.checks.c.case_id == case_id).order_by(t.checks.c.id.desc())
    return int(connection.execute(query).mappings().first()["id"])  # type: ignore[index]
