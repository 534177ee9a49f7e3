"""The record of an address, a network, a mailbox, a letter: complete, in order, and no word more than is known."""

import hashlib
import json
import re
from datetime import datetime, timedelta
from ipaddress import IPv4Address, ip_address

import pytest
from sqlalchemy import text, update

from pipeline.audit.letter import letter_bytes
from pipeline.audit.query import Query, parse
from pipeline.audit.record import Kind, Record, plain
from pipeline.audit.story import story
from pipeline.audit.summary import summary
from pipeline.audit.who import letter_choices, who
from pipeline.cli import show, words
from pipeline.cli.saying import chapters, spoken
from pipeline.domain import Address, Event, IntegrityFailure, LetterState, NotFound
from pipeline.store import brakes, events, holds, lives, persons, stops
from pipeline.store import send as sending
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.store.keys import is_reference
from tests.audit import world
from tests.audit.sentences import sentences
from tests.audit.world import ADDRESS, HEAD, HOUR
from tests.seed import reject

PLACES = re.compile(r"\{[a-z_0-9]+\}")


def asked(text: str) -> Query:
    query = parse(text, is_reference, lambda mailbox: mailbox.lower())
    assert query is not None
    return query


def record(db: Database, question: str, **options: object) -> Record:
    with db.read() as connection:
        return who(connection, asked(question), whole=bool(options.pop("whole", False)), **options)  # type: ignore[arg-type]


def told(made: Record, now: datetime, language: str = "en") -> str:
    words.use(language)
    return "\n".join(map(show.clean, chapters(story(made, now))))


def in_order(text: str, *parts: str) -> None:
    """Assert that the parts stand in the text, each after the one before."""
    at = 0
    for part in parts:
        found = text.find(part, at)
        assert found >= 0, f"{part!r} is missing, or stands too early, in:\n{text}"
        at = found + len(part)


def test_a_letter_that_was_printed_is_told_with_the_hash_of_its_pdf(db: Database, now: datetime) -> None:
    made = world.story(db, now, state=LetterState.REFUSED)
    data = {"file": f"{made.reference}.pdf", "sha256": "ab" * 32, "pages": 3}
    with db.write() as connection:
        entry = events.Entry("letter.printed", "letter", made.letter, None, "", data)
        events.write(connection, [entry], now + timedelta(days=2), "person:1")
    in_order(
        told(record(db, made.reference), now),
        "Attempt 1: refused.",
        f"2026-03-03T10:00:00Z  Printed on paper, to go by post, as the file {made.reference}.pdf.",
        f"SHA-256 of the PDF: {'ab' * 32}",
        f"Letter {made.letter} was printed, to go by post.",
    )


def test_the_story_of_an_address_is_told_in_order(db: Database, now: datetime) -> None:
    made = world.story(db, now)
    in_order(
        told(record(db, str(ADDRESS)), now),
        "What was reported",
        "Feed one reported 192.0.2.10, port 8080: an open HTTP proxy.",
        "line 1 of delivery 1 (one.txt)",
        "as received: 192.0.2.10:8080",
        "Feed two reported",
        "What was decided, and why",
        f"case {made.case}",
        "2026-03-01T12:00:00Z  Check 1: open.",
        "level of evidence: E1",
        "2 independent groups of sources claim it",
        "it counted line 1 of delivery 1",
        "zone dnsbl.example: not listed",
        "Whose network it is",
        "192.0.2.0 to 192.0.2.255, registered with ripencc as EXAMPLE-NET (NET-1), holder: ISP Example, country: FR.",
        "read from https://rdap.registry.example/ip/192.0.2.0",
        "Who was chosen",
        "abuse@isp.example: chosen.",
        "noc@isp.example: kept in reserve.",
        "hostmaster@registry.example: not written to; the registry's own desk, not the network's.",
        "What was written",
        f"Letter {made.letter} to Abuse@isp.example: notice {made.reference}, wave 1 of campaign test",
        "languages: French, English; chosen by the official languages of the network's country",
        f"Message-ID: {made.message_id}",
        hashlib.sha256(made.body).hexdigest(),
        "approved wave 1 (training mode, system's user).",
        "Attempt 1: handed to our relay; the recipient's own server's answer is not known.",
        "relay: relay.agency.example:25; TLS: TLSv1.3",
        hashlib.sha256(HEAD + made.body).hexdigest(),
        "its end could be sent from 2026-03-01T16:00:00Z on",
        "250 2.0.0 Ok: queued as 4F1A2",
        "Everything in order",
        "Campaign test was created, in training mode.",
        f"Case {made.case} was made.",
        "Wave test/1 was accepted by an approver.",
        f"Letter {made.letter} was handed to our relay.",
        "What it means now",
        f"Letter {made.letter} was handed to our relay; the recipient's own server's answer is not known."
        " No relay's log that tells of it has been read.",
    )


def test_a_letter_that_our_relay_took_is_never_said_to_be_delivered(db: Database, now: datetime) -> None:
    made = world.story(db, now)
    english, french = (told(record(db, made.reference), now, language).lower() for language in ("en", "fr"))
    assert "delivered" not in english
    assert "answer is not known" in english
    assert "a été livrée" not in french
    assert "la réponse du serveur du destinataire n'est pas connue" in french


@pytest.mark.parametrize(
    ("state", "attempt", "reply", "meaning"),
    [
        (LetterState.REFUSED, "Attempt 1: refused.", "550 5.1.1 no such user here", "the recipient does not have it"),
        (
            LetterState.UNCERTAIN,
            "its end was sent and no reply came; whether it arrived is not known.",
            "no reply, at dot: connection lost",
            "it is not sent again by itself",
        ),
        (
            LetterState.DEFERRED,
            "Attempt 1: not taken now.",
            "451 4.7.1 greylisted, come back later",
            "it will be tried again at 2026-03-01T17:00:00Z",
        ),
    ],
)
def test_what_a_server_answered_is_told_word_for_word(
    db: Database, now: datetime, state: LetterState, attempt: str, reply: str, meaning: str
) -> None:
    world.story(db, now, state=state)
    text = told(record(db, str(ADDRESS)), now)
    in_order(text, attempt, reply, "What it means now", meaning)
    assert "no letter is known to have been handed over" in text


def test_french_says_everything_in_french(db: Database, now: datetime) -> None:
    """No line is the same in both languages, and no literal part of an English sentence is left in the French one."""
    world.story(db, now)
    with db.write() as connection:
        stops.suppress(connection, stops.Place(mailbox="abuse@isp.example"), stops.Reason.ASKED, "", now, "tocsin")
        holds.hold(connection, holds.Scope(), "pause", now, "tocsin")
        stops.exclude(
            connection, stops.Place(range=(ADDRESS, ADDRESS)), stops.Reason.LAW, "", now + HOUR, now, "tocsin"
        )
    made = record(db, str(ADDRESS))
    english, french = told(made, now).split("\n"), told(made, now, "fr").split("\n")
    assert len(english) == len(french)
    same = {line.strip() for line, other in zip(english, french, strict=True) if line == other and line.strip()}
    assert not same
    literals = {part.strip() for sentence in sentences() for part in PLACES.split(sentence)}
    left = {part for part in literals if len(part) > 9 and any(part in line for line in french)}
    assert left <= {"Message-ID"}  # a header's name, which no language translates


def test_an_address_in_two_campaigns_has_both_stories(db: Database, now: datetime) -> None:
    first = world.story(db, now)
    with db.write() as connection:
        other = world.campaign(connection, now + HOUR, "second")
        world.case(connection, now + HOUR, other, first.target)
    made = record(db, str(ADDRESS))
    assert [(row["campaign"], row["state"]) for row in made.cases] == [("test", "noticed"), ("second", "seen")]
    in_order(
        told(made, now),
        "campaign test: case",
        "campaign second: case",
        "campaign test: a letter about it was handed over",
        "campaign second: no contact has been looked for yet",
    )


def test_a_letter_is_found_by_each_of_its_names(db: Database, now: datetime) -> None:
    made = world.story(db, now)
    for question in (made.reference.lower(), made.message_id, made.message_id.strip("<>"), "Abuse@ISP.example"):
        found = record(db, question, whole=True)
        assert [row["id"] for row in found.letters] == [made.letter], question
        assert [(row["snapshot"], row["line"]) for row in found.claims] == [(1, 1), (2, 2)]
        assert [row["id"] for row in found.checks] == [1]
        in_order(told(found, now), "What was reported", "What was written", made.reference, "Attempt 1: handed to our")


def test_a_rejected_mailbox_is_found_with_the_reason(db: Database, now: datetime) -> None:
    world.story(db, now)
    text = told(record(db, "hostmaster@registry.example"), now)
    in_order(text, "not written to; the registry's own desk", "it was rejected wherever it was named")
    assert "abuse@isp.example" not in text


def test_candidates_stand_with_the_days_on_which_they_held(db: Database, now: datetime) -> None:
    made = world.story(db, now)
    with db.write() as connection:
        ended = {"valid_to": now + timedelta(days=20)}
        connection.execute(update(t.netblocks).where(t.netblocks.c.id == made.network).values(**ended))
        connection.execute(
            update(t.netblock_contacts).where(t.netblock_contacts.c.netblock_id == made.network).values(**ended)
        )
        later = world.network(connection, now + timedelta(days=20), "192.0.2.0", "192.0.2.127", "New Holder")
        link, _ = world.candidate(connection, now + timedelta(days=20), later, 0, "new@isp.example")
        moved = {"netblock_id": later, "netblock_contact_id": link}
        connection.execute(update(t.cases).where(t.cases.c.id == made.case).values(**moved))
    found = record(db, str(ADDRESS))
    assert [row["holder"] for row in found.networks] == ["ISP Example", "New Holder"]
    in_order(
        told(found, now),
        "used for 192.0.2.0 to 192.0.2.255 from 2026-03-01T11:00:00Z to 2026-03-21T10:00:00Z",
        "used for 192.0.2.0 to 192.0.2.127 since 2026-03-21T10:00:00Z",
        "2026-03-01T11:00:00Z  abuse@isp.example: was written to; another is chosen now, or none.",
        "held until 2026-03-21T10:00:00Z",
        "2026-03-21T10:00:00Z  new@isp.example: chosen.",
    )


def test_what_nobody_knows_is_said_with_what_was_searched(db: Database, now: datetime) -> None:
    world.story(db, now)
    for question in ("198.51.100.1", "198.51.100.0/24", "nobody@isp.example", "<x@y.example>"):
        with pytest.raises(NotFound, match="Nothing is known of") as failure:
            record(db, question)
        assert failure.value.exit_code == 4
        assert "searched were" in failure.value.why


def test_an_address_that_is_only_excluded_is_told(db: Database, now: datetime) -> None:
    first, last = IPv4Address("198.51.100.0"), IPv4Address("198.51.100.255")
    with db.write() as connection:
        stops.exclude(connection, stops.Place(range=(first, last)), stops.Reason.LAW, "", None, now, "tocsin")
    text = told(record(db, "198.51.100.7"), now)
    in_order(text, "No report is on record", "Excluded: 198.51.100.0 to 198.51.100.255", "An exclusion is in force")
    with pytest.raises(NotFound):
        record(db, "198.51.101.7")


def test_a_network_goes_page_by_page_in_address_order(db: Database, now: datetime) -> None:
    world.story(db, now)
    with db.write() as connection:
        for last in (9, 200, 30):
            world.target(connection, now, IPv4Address(f"192.0.2.{last}"))
        world.target(connection, now, IPv4Address("192.0.3.1"))
    pages: list[list[Address]] = []
    after: Address | None = None
    while not pages or after is not None:
        page = record(db, "192.0.2.0/24", after=after, limit=2)
        pages.append(page.addresses)
        after = page.next
        assert page.within == 4
    shown = [[str(address)[8:] for address in page] for page in pages]
    assert shown == [["9", "10"], ["30", "200"], []]


def test_a_networks_page_says_how_each_case_and_letter_stands(db: Database, now: datetime) -> None:
    made = world.story(db, now)
    [row] = summary(record(db, "192.0.2.0/24"))
    assert [spoken(value) for value in row] == [
        *("192.0.2.10", "8080", "open proxy", "test", "contact told", "open", "abuse@isp.example"),
        f"{made.letter}: handed to our relay",
    ]


def test_ipv6_networks_are_asked_in_the_same_way(db: Database, now: datetime) -> None:
    with db.write() as connection:
        world.target(connection, now, ip_address("2001:db8::7"))
        world.target(connection, now, ADDRESS)
    assert record(db, "2001:db8::/32").addresses == [ip_address("2001:db8::7")]
    assert record(db, "192.0.0.0/8").addresses == record(db, f"{ADDRESS}/32").addresses == [ADDRESS]
    assert record(db, f"::ffff:{ADDRESS}").addresses == [ADDRESS]


def test_a_case_that_left_its_letter_is_told_with_the_reason(db: Database, now: datetime) -> None:
    made = world.story(db, now)
    with db.write() as connection:
        sending.drop_cases(connection, made.notice, {made.case: "stale"}, now + 5 * HOUR)
    text = told(record(db, str(ADDRESS)), now)
    assert f"case {made.case} left the letter at 2026-03-01T15:00:00Z: its evidence was too old" in text


OWN_HOLDS = {
    "en": (
        "Hold on campaign test, by Tocsin itself: 4 of 60 letters were refused by policy (5.7.x); "
        "the relay's words: 550 5.7.1 No",
        "Hold on wave 1, by Tocsin itself: its first 20 letters, of 99, have left; a person looks before the others do",
        "Hold on everything, by Alice: the lawyers ask",
    ),
    "fr": (
        "Suspension (campagne test), par Tocsin lui-même\u00a0: 4 lettres sur 60 ont été refusées en vertu des règles du "
        "destinataire (5.7.x); mots du serveur d'envoi\u00a0: 550 5.7.1 No",
        "Suspension (vague 1), par Tocsin lui-même\u00a0: ses 20 premières lettres, sur 99, sont parties; une personne "
        "regarde avant que les autres partent",
        "Suspension (tout), par Alice\u00a0: the lawyers ask",
    ),
}


@pytest.mark.parametrize("language", OWN_HOLDS)
def test_a_hold_that_the_program_placed_says_why_in_words_and_a_persons_in_theirs(
    db: Database, now: datetime, language: str
) -> None:
    made = world.story(db, now)
    with db.write() as connection:
        alice = persons.add(connection, "Alice", persons.Role.OFFICER, "", "", now, "tocsin")
        brakes.brake(connection, made.campaign, "policy", {"count": 4, "of": 60}, "550 5.7.1 No", now)
        brakes.pause(connection, made.campaign, made.wave, 20, 99, now)
        holds.hold(connection, holds.Scope(), "the lawyers ask", now, f"person:{alice}")
    found = record(db, str(ADDRESS))
    shown = told(found, now, language)
    assert [line for line in OWN_HOLDS[language] if line not in shown] == [], shown
    assert "first letters\n" not in shown  # our code of that reason
    assert [(hold["code"], hold["data"]) for hold in plain(found)["holds"]] == [
        ("brakes.policy", {"count": 4, "of": 60}),
        ("canary", {"count": 20, "of": 99}),
        ("asked", {}),
    ]


def test_a_purged_value_is_said_to_be_purged(db: Database, now: datetime) -> None:
    world.story(db, now)
    with db.write() as connection:
        holds.hold(connection, holds.Scope(), "Ms A. telephoned", now, "tocsin")
    assert "kept beside the log, the reason given: Ms A. telephoned" in told(record(db, str(ADDRESS)), now)
    with db.write() as connection:
        connection.execute(text("UPDATE texts SET value = NULL, salt = NULL"))
        connection.execute(text("UPDATE holds SET reason = ''"))
    found = record(db, str(ADDRESS))
    shown = told(found, now)
    assert "the reason given was purged; only its hash is kept" in shown
    assert "Ms A." not in shown
    assert list(found.texts.values()) == [None]


def test_why_a_wave_was_rejected_is_told_until_it_is_purged(db: Database, now: datetime) -> None:
    made = world.story(db, now)
    with db.write() as connection:
        connection.execute(update(t.waves).values(state="rendered"))
        reject(connection, made.wave, "Ms A. is away", now, by="person:3")
    assert "why: Ms A. is away" in told(record(db, made.reference), now)
    with db.write() as connection:
        connection.execute(update(t.texts).values(value=None, salt=None))
    shown = told(record(db, made.reference), now)
    assert "why: the reason" not in shown
    assert shown.count("the reason given was purged; only its hash is kept") == 2  # with the approval, and in the log
    assert "Ms A." not in shown


HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\u2066{braces} %s\r\nSecond: line"


def test_hostile_values_are_clean_in_text_and_whole_in_json(db: Database, now: datetime) -> None:
    long = HOSTILE + "x" * 100_000
    made = world.story(db, now)
    with db.write() as connection:
        connection.execute(update(t.netblocks).values(holder=long))
        connection.execute(update(t.attempts).values(reply_text=HOSTILE))
        connection.execute(update(t.observations).values(raw=HOSTILE.encode() + b"\xff"))
        found = {"zones": [{"zone": "z", "listing": "listed", "codes": ["127.0.0.2"], "text": HOSTILE, "why": ""}]}
        connection.execute(update(t.checks).values(transcript=json.dumps(found)))
    record_ = record(db, str(ADDRESS), whole=True)
    for language in ("en", "fr"):
        shown = told(record_, now, language)
        assert not show.UNSAFE.search(shown)
        assert max(map(len, shown.split("\n"))) < 2_000
        assert "Second: line" in shown  # on the line it belongs to
        assert "\nSecond: line" not in shown
    as_json = show.to_json(plain(record_))
    assert not show.UNSAFE.search(as_json)
    back = json.loads(as_json)
    assert back["networks"][0]["holder"] == long
    assert back["attempts"][0]["reply_text"] == HOSTILE
    assert back["claims"][0]["raw"] is None  # not UTF-8: exact bytes, in base64
    assert back["claims"][0]["raw_base64"] == "G10wO293bmVkBxtbMkrigK5nbnAuZXhl4oGme2JyYWNlc30gJXMNClNlY29uZDogbGluZf8="
    assert back["letters"][0]["id"] == made.letter


def test_an_unknown_code_is_shown_as_it_stands(db: Database, now: datetime) -> None:
    world.story(db, now)
    said = {"reasons": [["level.moon_phase", {"moon": "full"}], ["level.one_group", {"other": 1}]]}
    with db.write() as connection:
        connection.execute(update(t.checks).values(transcript=json.dumps(said)))
        connection.execute(update(t.netblock_contacts).where(t.netblock_contacts.c.rank == 2).values(rejected="hexed"))
        events.write(connection, [events.Entry("letter.sealed", "letter", 1, 1, "x-1", {"key": 5})], now, "tocsin")
    text = told(record(db, str(ADDRESS)), now)
    in_order(text, "level.moon_phase moon=full", "level.one_group other=1", "hexed", "letter.sealed id=1", '{"key":5}')


def bytes_of(db: Database, question: str) -> bytes:
    with db.read() as connection:
        found = who(connection, asked(question), whole=True)
        return letter_bytes(connection, found, letter_choices(found)[0])


def test_a_letters_bytes_are_head_and_body_with_the_hash_of_its_attempt(db: Database, now: datetime) -> None:
    made = world.story(db, now)
    data = bytes_of(db, made.reference)
    assert data == HEAD + made.body
    with db.read() as connection:
        [stored] = connection.execute(t.attempts.select()).mappings()
    assert hashlib.sha256(data).digest() == bytes(stored["sha256"])


def test_a_letter_that_was_never_tried_is_its_stored_body(db: Database, now: datetime) -> None:
    made = world.story(db, now, state=LetterState.APPROVED)
    assert bytes_of(db, made.reference) == made.body


def test_a_letter_that_shrank_after_its_attempt_is_shown_as_it_was_sent(db: Database, now: datetime) -> None:
    made = world.story(db, now, state=LetterState.DEFERRED)
    sent = HEAD + made.body
    with db.write() as connection:
        [due] = sending.due(connection, [made.wave], now + 30 * HOUR, 1)
        sending.shrink(connection, due, b"shorter", {made.case: "stale"}, now, "tocsin")
        approved = {"approved_sha256": sending.keep_body(connection, b"another", now)}  # not found there either
        connection.execute(update(t.letters).values(**approved))
    assert bytes_of(db, made.reference) == sent


def test_bytes_that_are_not_those_that_were_sent_are_not_shown(db: Database, now: datetime) -> None:
    made = world.story(db, now)
    with db.write() as connection:
        connection.execute(update(t.bodies).values(body=b"damaged"))
    with pytest.raises(IntegrityFailure):
        bytes_of(db, made.reference)


def test_a_letter_whose_bytes_are_purged_is_said_to_be(db: Database, now: datetime) -> None:
    made = world.story(db, now)
    with db.write() as connection:
        connection.execute(update(t.bodies).values(body=b""))
    with pytest.raises(NotFound, match="no longer kept"):
        bytes_of(db, made.reference)


def test_the_json_names_every_list_and_hides_no_row(db: Database, now: datetime) -> None:
    world.story(db, now)
    found = plain(record(db, str(ADDRESS), whole=True))
    assert found["kind"] is Kind.ADDRESS
    filled = {name for name, value in found.items() if isinstance(value, list) and value}
    assert filled >= {
        "claims",
        "targets",
        "cases",
        "checks",
        "networks",
        "candidates",
        "contacts",
        "waves",
        "approvals",
    }
    assert filled >= {"notices", "told", "letters", "attempts", "campaigns", "events", "addresses"}
    assert found["checks"][0]["transcript"]["quoted"] == [[1, 1], [2, 2]]
    assert found["told"][0]["quoted"] == [[1, 1], [2, 2]]
    assert not {"token_sha256", "declaration"} & {key for row in found["notices"] + found["claims"] for key in row}


def test_moves_of_a_letter_stand_in_the_story_in_their_order(db: Database, now: datetime) -> None:
    made = world.story(db, now, state=LetterState.UNCERTAIN)
    with db.write() as connection:
        lives.advance(connection, [made.letter], Event.LETTER_RESEND, now + 9 * HOUR, "person:2", why="asked")
    in_order(
        told(record(db, str(ADDRESS)), now),
        "was taken up for sending",
        "its end was sent and no reply came",
        "is to be sent again, on a person's word.",
        "done by person:2",
        "is approved and has not left",
    )
