"""The brakes: which answers speak of us, and which shares warn and hold."""

from dataclasses import replace

import pytest

from pipeline.send.brakes import (
    Answer,
    Brake,
    BrakeSettings,
    Counts,
    Finding,
    Share,
    counted,
    findings,
    of_us,
    refusals_of_us,
)

RULES = BrakeSettings()

HANDED = Answer("handed", "dot", 250, "2.0.0")
NO_SUCH = Answer("refused", "rcpt", 550, "5.1.1", "no such mailbox")
POLICY = Answer("refused", "rcpt", 550, "5.7.1", "not wanted here")
AT_MAIL = Answer("released", "mail", 550, "5.1.8", "sender domain does not exist")
AT_AUTH = Answer("released", "auth", 535, "5.7.8", "bad credentials")


@pytest.mark.parametrize(
    ("answer", "us"),
    [
        (AT_MAIL, True),
        (AT_AUTH, True),
        (POLICY, True),
        (Answer("released", "connect", 554, "", "no service for you"), True),
        (Answer("released", "tls", 454, "4.7.0", "TLS not available"), False),  # a 454: slower
        (Answer("released", "mail", 450, "4.1.8", "sender domain not found"), True),
        (Answer("released", "mail", 451, "4.7.1", "greylisted"), True),
        (Answer("released", "mail", 452, "4.3.1", "insufficient storage"), False),
        (Answer("released", "mail", 451, "", "local problem"), False),
        (Answer("released", "mail", 421, "4.7.0", "too many connections"), False),
        (Answer("released", "connect", 0, "", "connection refused"), False),
        (Answer("refused", "data", 530, "", "authentication required"), True),
        (Answer("refused", "dot", 550, "5.7.26", "unauthenticated mail"), True),
        (Answer("deferred", "rcpt", 450, "4.7.1", "greylisted"), False),
        (Answer("uncertain", "dot", 0, ""), False),
        (NO_SUCH, False),
        (HANDED, False),
    ],
)
def test_which_refusals_are_of_us(answer: Answer, us: bool) -> None:
    assert of_us(answer) is us


@pytest.mark.parametrize(
    ("newest_first", "count"),
    [
        ([], 0),
        ([AT_MAIL] * 4, 4),
        ([AT_MAIL, POLICY, AT_AUTH], 3),
        ([AT_MAIL, HANDED, AT_MAIL], 1),
        ([NO_SUCH, AT_MAIL], 0),  # they hear us well enough to refuse a mailbox
        ([AT_MAIL, Answer("released", "connect", 0, "", "timed out"), AT_MAIL], 2),
        ([AT_MAIL, Answer("deferred", "rcpt", 450, "4.7.0", "rate limited"), AT_MAIL], 2),
        ([AT_MAIL, Answer("abandoned", "", 0, ""), Answer("uncertain", "dot", 0, ""), AT_MAIL], 2),
        ([AT_MAIL, Answer("deferred", "rcpt", 452, "4.2.2", "mailbox full"), AT_MAIL], 1),
    ],
)
def test_refusals_of_us_are_counted_until_one_letter_was_heard(newest_first: list[Answer], count: int) -> None:
    assert refusals_of_us(newest_first) == count


def test_letters_are_counted_by_how_they_were_judged() -> None:
    answers = [replace(HANDED, count=40), replace(HANDED, bounced=True, count=3), replace(NO_SUCH, count=5), POLICY]
    assert counted(answers, complaints=2) == Counts(judged=49, refused=9, policy=1, complaints=2)


SHARES = [
    (Counts(49, refused=49), None),  # below the floor nothing is said
    (Counts(50, refused=7), None),
    (Counts(53, refused=8), False),
    (Counts(100, refused=15), False),
    (Counts(100, refused=14), None),
    (Counts(100, refused=30), True),
    (Counts(50, refused=15), True),
    (Counts(99, refused=29), False),
    (Counts(100, policy=1), None),
    (Counts(100, policy=2), False),
    (Counts(100, policy=5), True),
    (Counts(1000, complaints=1), False),
    (Counts(1001, complaints=1), None),
    (Counts(1000, complaints=3), True),
    (Counts(50), None),
    (Counts(), None),
]


@pytest.mark.parametrize(("counts", "hold"), SHARES)
def test_a_share_warns_and_a_bigger_one_holds_from_the_floor_on(counts: Counts, hold: bool | None) -> None:
    found = findings(0, [counts], RULES)
    assert [finding.hold for finding in found] == ([] if hold is None else [hold])


def test_the_worse_of_the_last_letters_and_of_many_counts() -> None:
    calm, bad = Counts(10_000, refused=100), Counts(500, refused=200)
    assert findings(0, [bad, calm], RULES) == [Finding(Brake.REFUSED, True, 200, 500)]
    assert findings(0, [Counts(500), Counts(10_000, complaints=12)], RULES) == [
        Finding(Brake.COMPLAINTS, False, 12, 10_000)
    ]


def test_what_holds_comes_before_what_warns() -> None:
    found = findings(0, [Counts(100, refused=40, policy=2)], RULES)
    assert [(one.brake, one.hold) for one in found] == [(Brake.REFUSED, True), (Brake.POLICY, False)]


def test_the_breaker_needs_no_floor_and_so_many_in_a_row() -> None:
    assert findings(9, [Counts()], RULES) == []
    assert findings(10, [Counts()], RULES) == [Finding(Brake.US, True, 10, 10)]


def test_a_limit_of_nothing_is_no_limit() -> None:
    off = BrakeSettings(breaker=0, refused=Share(0, 0), policy=Share(0, 0), complaints=Share(0, 0))
    assert findings(99, [Counts(100, 100, 100, 100)], off) == []
    assert findings(0, [Counts(0)], replace(RULES, floor=0)) == []


def test_a_share_that_binary_fractions_miss_still_counts() -> None:
    rules = replace(RULES, refused=Share(0.07, 0))
    assert findings(0, [Counts(100, refused=7)], rules) == [Finding(Brake.REFUSED, False, 7, 100)]
