"""Lines of relays' logs are read as what they say, in every form in which they are kept, whatever strangers wrote."""

import json
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.follow.relay_line import Active, Fact, Named, Removed, Status, Tried, clean, is_ours, mark
from pipeline.follow.relay_log import Reader
from pipeline.follow.relay_time import Calendar

OURS = (ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8"), ip_network("::1/128"))
UNTIL = datetime(2026, 11, 25, tzinfo=UTC)
LOG = (Path(__file__).parent / "logs" / "postfix.log").read_bytes().splitlines(keepends=True)
SENT = LOG[4]
SAID = SENT.decode().split("]: ", 1)[1].rstrip("\n")


def as_utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC)


def reader(until: datetime = UNTIL, year: int | None = None) -> Reader:
    return Reader(Calendar(as_utc, until, year), OURS)


def facts(*lines: bytes) -> list[Fact]:
    found = reader()
    return [fact for line in lines if (fact := found.read(line)) is not None]


def tried(line: bytes) -> Tried:
    [found] = facts(line)
    assert isinstance(found, Tried)
    return found


def test_what_postfix_says_of_a_letter_is_read_in_order() -> None:
    at = datetime(2026, 11, 24, 20, 15, tzinfo=UTC)
    assert facts(*LOG[:6]) == [
        Named(at, "mx1/postfix", "4F2B91C0A7", "<rafwx7gbfx2atb4c25pe4tgbem@agency.example>"),
        Active(at, "mx1/postfix", "4F2B91C0A7", "bounces+7.abcdefghabcdefgh@agency.example"),
        Tried(
            at + timedelta(seconds=1),
            "mx1/postfix",
            "4F2B91C0A7",
            "smtp",
            ("abuse@isp.example",),
            "mx.isp.example[203.0.113.5]:25",
            "2.0.0",
            Status.SENT,
            "250 2.0.0 Ok: queued as 7C1E2 (thanks)",
            "1.2 0.1/0.01/0.5/0.6",
        ),
        Removed(at + timedelta(seconds=1), "mx1/postfix", "4F2B91C0A7"),
    ]


@pytest.mark.parametrize(
    ("line", "status", "agent", "host", "dsn"),
    [
        (4, Status.SENT, "smtp", "mx.isp.example[203.0.113.5]:25", "2.0.0"),
        (6, Status.DEFERRED, "smtp", "mx.isp.example[2001:db8::5]:25", "4.2.2"),
        (7, Status.BOUNCED, "smtp", "mx.isp.example[203.0.113.5]:25", "5.1.1"),
        (9, Status.PASSED, "smtp", "127.0.0.1[127.0.0.1]:10024", "2.0.0"),  # a filter beside it
        (10, Status.DEFERRED, "smtp", "", "4.4.1"),
        (11, Status.SENT, "local", "local", "2.0.0"),  # the mailbox is here
        (12, Status.PASSED, "local", "local", "2.0.0"),  # an alias: it goes on
        (13, Status.PASSED, "pipe", "spamfilter", "2.0.0"),
        (14, Status.EXPIRED, "qmgr", "", ""),
    ],
)
def test_only_the_recipients_own_server_or_a_mailbox_here_takes_a_letter(
    line: int, status: Status, agent: str, host: str, dsn: str
) -> None:
    found = tried(LOG[line])
    assert (found.status, found.agent, found.host, found.dsn) == (status, agent, host, dsn)


def test_an_instance_of_its_own_and_the_address_before_rewriting_are_kept() -> None:
    found = tried(LOG[6])
    assert (found.relay, found.queue_id) == ("mx1/postfix-out", "3zTnXl1pRnz5hqF")
    assert found.recipients == ("desk@isp.example", "abuse@net.example")


def test_fields_that_a_server_writes_into_its_answer_are_only_words() -> None:
    found = tried(LOG[15])
    assert (found.status, found.host, found.dsn) == (Status.DEFERRED, "mx.isp.example[203.0.113.5]:25", "4.0.0")
    assert "status=sent" in found.words


@pytest.mark.parametrize("line", [0, 1, 8, 16, 17, 18])
def test_lines_of_other_programs_rejections_and_probes_say_nothing(line: int) -> None:
    assert facts(LOG[line]) == []


def export(binary: bytes) -> bytes:
    """An entry of the journal's export, with a binary field that looks like an entry's end and another message."""
    fields = b"SYSLOG_IDENTIFIER=postfix/smtp\nMESSAGE=" + SAID.encode() + b"\n\n"
    field = b"COREDUMP\n" + len(binary).to_bytes(8, "little") + binary + b"\n"
    return b"__CURSOR=s=1\n__REALTIME_TIMESTAMP=1795551301000000\n_HOSTNAME=mx1\n" + field + b"PRIORITY=6\n" + fields


JOURNAL = {
    "__REALTIME_TIMESTAMP": "1795551301000000",
    "_HOSTNAME": "mx1",
    "SYSLOG_IDENTIFIER": "postfix/smtp",
    "MESSAGE": SAID,
}


@pytest.mark.parametrize(
    "form",
    [
        f"2026-11-24T20:15:01.123456+00:00 mx1 postfix/smtp[2310]: {SAID}".encode(),
        f"2026-11-24T21:15:01+0100 mx1 postfix/smtp[2310]: {SAID}".encode(),
        f"2026-11-24T20:15:01 mx1 postfix/smtp[2310]: {SAID}".encode(),
        f"<22>1 2026-11-24T20:15:01.000Z mx1 postfix/smtp 2310 - - {SAID}".encode(),
        f"<22>Nov 24 20:15:01 mx1 postfix/smtp[2310]: {SAID}\r\n".encode(),
        json.dumps(JOURNAL).encode(),
        json.dumps({**JOURNAL, "MESSAGE": list(SAID.encode())}).encode(),
        export(b"MESSAGE=bad\n\n"),
        export(b"\nMESSAGE=x\n"[:10]),  # its length is a line feed
        export(b"A" * 65),
    ],
)
def test_every_form_of_one_log_says_the_same_and_has_the_same_mark(form: bytes) -> None:
    [found] = facts(*form.splitlines(keepends=True))
    [first] = facts(SENT)
    assert isinstance(found, Tried)
    assert isinstance(first, Tried)
    assert mark(found) == mark(first)
    assert found.at.replace(microsecond=0) == first.at


def test_two_tries_that_end_alike_have_marks_of_their_own() -> None:
    later = LOG[6].replace(b"delay=310", b"delay=910").replace(b"300/", b"900/")
    assert mark(tried(LOG[6])) != mark(tried(later))


ENTRY: dict[str, Any] = {
    "at": "2026-11-24T20:15:01Z",
    "status": "sent",
    "message_id": "rafwx7gbfx2atb4c25pe4tgbem@agency.example",
    "recipient": "abuse@isp.example",
    "relay": "mx.isp.example[203.0.113.5]:25",
    "dsn": "2.0.0",
    "reply": "250 OK id=1abc",
}


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, Status.SENT),
        ({"at": 1795551301}, Status.SENT),
        ({"at": 1795551301.0}, Status.SENT),
        ({"status": "Delivered"}, Status.SENT),
        ({"relay": "10.1.2.3"}, Status.PASSED),
        ({"relay": ""}, Status.SENT),
        ({"status": "failed"}, Status.BOUNCED),
        ({"status": "queued", "relay": None}, Status.QUEUED),
        ({"message_id": None, "sender": "bounces+7.x@agency.example"}, Status.SENT),
    ],
)
def test_an_object_with_the_known_keys_is_a_delivery(change: dict[str, Any], status: Status) -> None:
    found = tried(json.dumps({**ENTRY, **change}).encode())
    assert (found.status, found.at) == (status, datetime(2026, 11, 24, 20, 15, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "change",
    [
        {"at": "today"},
        {"at": 1e300},
        {"at": 10**400},
        {"at": True},
        {"status": "fine"},
        {"message_id": ["x"]},
        {"status": 7},
    ],
)
def test_an_object_without_a_time_a_status_or_a_name_says_nothing(change: dict[str, Any]) -> None:
    assert facts(json.dumps({**ENTRY, **change}).encode()) == []


@pytest.mark.parametrize(
    ("until", "text", "at"),
    [
        (datetime(2026, 11, 25, tzinfo=UTC), "Nov 24 20:15:01", datetime(2026, 11, 24, 20, 15, 1, tzinfo=UTC)),
        (datetime(2027, 1, 2, tzinfo=UTC), "Dec 31 23:59:59", datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (datetime(2026, 12, 31, 23, tzinfo=UTC), "Jan  1 00:00:01", datetime(2027, 1, 1, 0, 0, 1, tzinfo=UTC)),
        (datetime(2026, 3, 1, tzinfo=UTC), "Feb 29 10:00:00", datetime(2024, 2, 29, 10, 0, tzinfo=UTC)),
    ],
)
def test_a_line_without_a_year_is_of_the_last_one_in_which_it_is_not_in_the_future(
    until: datetime, text: str, at: datetime
) -> None:
    calendar = Calendar(as_utc, until)
    month, day, clock = text.split()
    assert calendar.syslog(month, day, clock) == at
    assert calendar.guessed


def test_a_year_that_is_given_is_that_of_the_first_line_and_goes_on_over_new_year() -> None:
    calendar = Calendar(as_utc, UNTIL, 2024)
    told = [calendar.syslog(month, "1", "00:00:00") for month in ("Nov", "Dec", "Jan", "Dec", "Feb")]
    assert [at.year for at in told if at] == [2024, 2024, 2025, 2024, 2025]


def test_a_time_without_a_zone_is_of_the_zone_that_is_said() -> None:
    zone = ZoneInfo("America/Toronto")
    calendar = Calendar(lambda at: at.replace(tzinfo=zone).astimezone(UTC), UNTIL)
    assert calendar.syslog("Jul", "1", "08:00:00") == datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert calendar.iso("2026-11-24T08:00:00") == datetime(2026, 11, 24, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("none", True),
        ("mx1.agency.example[private/dovecot-lmtp]", True),
        ("filter[127.0.0.1]:10024", True),
        ("gateway[10.2.3.4]:25", True),
        ("[::1]:25", True),
        ("localhost", True),
        ("mx.isp.example[203.0.113.5]:25", False),
        ("mx.isp.example[2001:db8::5]:25", False),
        ("mx.isp.example", False),
    ],
)
def test_a_server_of_ours_is_known_by_its_address(host: str, ours: bool) -> None:
    assert is_ours(host, OURS) is ours


def test_strangers_words_lose_control_and_direction_characters_and_are_cut() -> None:
    assert clean("250 \x1b[31mok\x00\u202e\r\n <b>x</b>") == "250 [31mok <b>x</b>"
    assert len(clean("x" * 5000)) == 1000


PIECES = st.sampled_from(
    [*LOG, *export(b"\n\n").splitlines(keepends=True), json.dumps(ENTRY).encode(), json.dumps(JOURNAL).encode()]
)


@given(st.lists(st.tuples(PIECES, st.integers(0, 400), st.binary(max_size=12)), max_size=8))
@example([(b'{"at":' * 3000, 0, b"")])
@example([(b"[" * 16000, 0, b"{")])
@example([(b"Nov 24 20:15:01 h p/smtp[1]: AAAAAA: to=<" + b"a>, orig_to=<" * 1200, 0, b"")])
def test_no_line_makes_the_reader_raise(parts: list[tuple[bytes, int, bytes]]) -> None:
    found = reader()
    for line, place, other in parts:
        for fact in (found.read(line[:place] + other + line[place:]), found.read(other)):
            if isinstance(fact, Tried):
                assert len(fact.words) <= 1000
                assert (fact.words + fact.host + fact.relay).isprintable()
                assert fact.at.tzinfo is not None
