"""What a reply means: one table of replies, and the waits between attempts."""

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.send.replies import Judgement, Kind, Scope, judge, next_attempt

FIRST = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
DEFERRED, REFUSED, RELEASED, UNCERTAIN, HANDED = (
    Kind.DEFERRED,
    Kind.REFUSED,
    Kind.RELEASED,
    Kind.UNCERTAIN,
    Kind.HANDED,
)
LETTER, DOMAIN, RELAY, US = Scope.LETTER, Scope.RECIPIENT_DOMAIN, Scope.RELAY, Scope.US


@pytest.mark.parametrize(
    ("stage", "reply", "enhanced", "text", "kind", "scope"),
    [
        # after the final dot
        ("dot", 250, "2.0.0", "Ok: queued as 4XyZ", HANDED, LETTER),
        ("dot", 251, "", "will forward", HANDED, LETTER),
        ("dot", 250, "2.0.0", "Ok, but too many messages, slow down", HANDED, LETTER),
        ("dot", 0, "", "no reply within 600 s", UNCERTAIN, LETTER),
        ("dot", 0, "", "the connection was closed", UNCERTAIN, LETTER),
        ("dot", 354, "", "go on", UNCERTAIN, LETTER),
        ("dot", 199, "", "?", UNCERTAIN, LETTER),
        ("dot", 451, "4.3.0", "queue file write error", DEFERRED, RELAY),
        ("dot", 452, "4.2.2", "mailbox full", DEFERRED, LETTER),
        ("dot", 421, "4.3.2", "shutting down", DEFERRED, RELAY),
        ("dot", 454, "4.7.0", "Throttling failure", DEFERRED, RELAY),
        ("dot", 554, "5.7.1", "rejected as spam", REFUSED, US),
        ("dot", 552, "5.3.4", "message too big", REFUSED, LETTER),
        ("dot", 550, "", "no", REFUSED, LETTER),
        # at the recipient
        ("rcpt", 550, "5.1.1", "no such user", REFUSED, LETTER),
        ("rcpt", 550, "5.1.1", "no such user; too many of your recipients are unknown", REFUSED, LETTER),
        ("rcpt", 550, "5.1.2", "no such domain", REFUSED, DOMAIN),
        ("rcpt", 556, "5.1.10", "null MX", REFUSED, DOMAIN),
        ("rcpt", 553, "5.6.7", "made by us: the relay does not offer SMTPUTF8", REFUSED, LETTER),
        ("rcpt", 554, "5.7.1", "Relay access denied", REFUSED, US),
        ("rcpt", 530, "", "authentication required", REFUSED, US),
        ("rcpt", 550, "5.7.1", "rate limited", DEFERRED, RELAY),
        ("rcpt", 550, "5.2.1", "the user is receiving mail at a rate that prevents more", DEFERRED, LETTER),
        ("rcpt", 550, "5.1.1", "corporate mailbox closed", REFUSED, LETTER),
        ("rcpt", 451, "4.7.1", "greylisted, come back", DEFERRED, LETTER),
        ("rcpt", 450, "", "greylisted", DEFERRED, LETTER),
        ("rcpt", 451, "4.4.3", "name server did not answer", DEFERRED, DOMAIN),
        ("rcpt", 452, "4.3.1", "insufficient storage", DEFERRED, RELAY),
        ("rcpt", 452, "4.5.3", "too many recipients", DEFERRED, RELAY),
        ("rcpt", 421, "4.7.0", "try later", DEFERRED, RELAY),
        ("rcpt", 0, "", "no reply within 60 s", RELEASED, RELAY),
        ("rcpt", 554, "5.4.6", "too many hops", REFUSED, DOMAIN),
        ("rcpt", 550, "5.7.0", "Too many bad messages from you", DEFERRED, RELAY),
        ("data", 552, "5.3.4", "too much mail data", REFUSED, LETTER),
        ("data", 554, "5.5.1", "no valid recipients", REFUSED, LETTER),
        ("data", 451, "4.3.0", "not now", DEFERRED, RELAY),
        ("data", 250, "", "not the 354 that was due", RELEASED, RELAY),
        ("data", 0, "", "the connection was closed", RELEASED, RELAY),
        ("data", 0, "", "stopped before the body", RELEASED, LETTER),
        ("connect", 0, "", "stopped before it started", RELEASED, LETTER),
        # before the recipient was named: never about the recipient
        ("mail", 550, "5.7.1", "sender rejected", RELEASED, US),
        ("mail", 451, "4.1.8", "your domain does not resolve", RELEASED, US),
        ("mail", 421, "4.3.2", "shutting down", RELEASED, RELAY),
        ("mail", 450, "4.7.1", "rate limit exceeded", RELEASED, RELAY),
        ("mail", 0, "", "the connection was closed", RELEASED, RELAY),
        ("auth", 535, "5.7.8", "authentication failed", RELEASED, US),
        ("auth", 454, "4.7.0", "temporary authentication failure", RELEASED, RELAY),
        ("ehlo", 502, "", "not implemented", RELEASED, US),
        ("tls", 0, "", "certificate verify failed", RELEASED, RELAY),
        ("connect", 554, "", "no SMTP service here", RELEASED, US),
        ("connect", 421, "", "busy", RELEASED, RELAY),
        ("connect", 0, "", "connection refused", RELEASED, RELAY),
    ],
)
def test_a_reply_has_one_meaning(stage: str, reply: int, enhanced: str, text: str, kind: Kind, scope: Scope) -> None:
    assert judge(stage, reply, enhanced, text, dot_written=stage == "dot") == Judgement(kind, scope)


@pytest.mark.parametrize("stage", ["connect", "tls", "ehlo", "auth", "mail", "rcpt", "data", "dot"])
def test_only_a_written_dot_hands_over_or_leaves_doubt_and_before_rcpt_nothing_is_refused(stage: str) -> None:
    kinds = {judge(stage, reply, "", "", dot_written=stage == "dot").kind for reply in range(600)}
    if stage == "dot":
        assert kinds == {HANDED, DEFERRED, REFUSED, UNCERTAIN}
    elif stage in ("rcpt", "data"):
        assert kinds == {DEFERRED, REFUSED, RELEASED}
    else:
        assert kinds == {RELEASED}


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 300), (2, 600), (3, 1200), (4, 2400), (5, 4000), (6, 4000), (10_000, 4000)]
)
def test_waits_start_at_five_minutes_and_double_up_to_4000_seconds(attempts: int, seconds: int) -> None:
    failed = FIRST + timedelta(hours=1)
    assert next_attempt(FIRST, failed, attempts) == failed + timedelta(seconds=seconds)


def test_a_letter_is_given_up_five_days_after_its_first_attempt() -> None:
    last = FIRST + timedelta(days=5) - timedelta(seconds=4000)
    assert next_attempt(FIRST, last, 50) == FIRST + timedelta(days=5)
    assert next_attempt(FIRST, last + timedelta(microseconds=1), 50) is None


def test_the_attempts_of_a_letter_end() -> None:
    failed, attempts = FIRST, 1
    while (due := next_attempt(FIRST, failed, attempts)) is not None:
        failed, attempts = due, attempts + 1
    assert attempts == 111


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        next_attempt(FIRST.replace(tzinfo=None), FIRST, 1)
    with pytest.raises(ValueError, match="zone"):
        next_attempt(FIRST, FIRST.replace(tzinfo=None), 1)


def test_a_letter_without_an_attempt_has_no_next_one() -> None:
    with pytest.raises(ValueError, match="attempt"):
        next_attempt(FIRST, FIRST, 0)
