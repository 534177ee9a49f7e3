"""What an answer means for its question, and which addresses an answer is for."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from pipeline.domain import Answer, NetworkAnswer, Outcome, PermanentFailure, TemporaryFailure
from pipeline.resolve import asking
from pipeline.resolve.asking import MOST_HOPS, MOST_REFUSALS, PAUSE, WHOIS_PAUSE, Question, Verdict
from pipeline.resolve.scope import ScopeCaps
from pipeline.store.netblocks import Known

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
QUESTION = Question(ip_address("192.0.2.1"), "https://rdap.example/ip/192.0.2.1", "ripencc")


def answer(status: int = 200, failure: TemporaryFailure | PermanentFailure | None = None) -> Answer:
    return Answer("https://rdap.example/", status, "", b"", NOW, failure)


def verdict(outcome: Outcome, raw: Answer | None = None) -> Verdict:
    return NetworkAnswer(outcome), raw or answer()


def asked_about(
    question: Question, outcome: Outcome, raw: Answer, *, has_whois: bool, patience: timedelta = HOUR
) -> object:
    return asking.after(question, NetworkAnswer(outcome), raw, has_whois=has_whois, patience=patience)


SLOW_DOWN = answer(429, TemporaryFailure("429", "", timedelta(seconds=5)))
COME_BACK_LATE = answer(503, TemporaryFailure("503", "", timedelta(minutes=2)))
FORBIDDEN = answer(403, TemporaryFailure("403"))


@pytest.mark.parametrize("outcome", [Outcome.NO_CONTACT, Outcome.NOT_FOUND, Outcome.UNUSABLE, Outcome.REFUSED])
def test_whois_is_asked_where_rdap_does_not_name_anybody(outcome: Outcome) -> None:
    raw = FORBIDDEN if outcome is Outcome.REFUSED else answer()
    said = verdict(outcome, raw)
    expected = Question(QUESTION.address, QUESTION.url, "ripencc", said=said)
    assert asked_about(QUESTION, outcome, raw, has_whois=True) == expected
    assert asked_about(QUESTION, outcome, raw, has_whois=False) == said


@pytest.mark.parametrize("outcome", [Outcome.CONTACTS, Outcome.SPECIAL])
def test_an_answer_that_says_enough_is_the_end(outcome: Outcome) -> None:
    assert asked_about(QUESTION, outcome, answer(), has_whois=True) == verdict(outcome)


def test_a_short_refusal_is_waited_for_three_times() -> None:
    question = QUESTION
    for number in range(1, MOST_REFUSALS + 1):
        step = asked_about(question, Outcome.REFUSED, SLOW_DOWN, has_whois=True)
        assert isinstance(step, Question)
        assert (step.said, step.refusals) == (None, number)
        question = step
    step = asked_about(question, Outcome.REFUSED, SLOW_DOWN, has_whois=True)
    assert isinstance(step, Question)
    assert (step.said, step.refusals) == (verdict(Outcome.REFUSED, SLOW_DOWN), 0)


@pytest.mark.parametrize(("raw", "patience"), [(COME_BACK_LATE, HOUR), (FORBIDDEN, HOUR), (SLOW_DOWN, timedelta(0))])
def test_a_long_refusal_one_for_good_and_one_beyond_our_patience_are_not_waited_for(
    raw: Answer, patience: timedelta
) -> None:
    step = asked_about(QUESTION, Outcome.REFUSED, raw, has_whois=False, patience=patience)
    assert step == verdict(Outcome.REFUSED, raw)


@pytest.mark.parametrize(
    ("first", "second", "better"),
    [
        (Outcome.NO_CONTACT, Outcome.CONTACTS, 1),
        (Outcome.NO_CONTACT, Outcome.NOT_FOUND, 0),
        (Outcome.NO_CONTACT, Outcome.REFUSED, 0),
        (Outcome.REFUSED, Outcome.NOT_FOUND, 1),
        (Outcome.UNUSABLE, Outcome.REFUSED, 0),
        (Outcome.NOT_FOUND, Outcome.NO_CONTACT, 1),
    ],
)
def test_of_rdap_and_whois_the_one_that_says_more_is_taken(first: Outcome, second: Outcome, better: int) -> None:
    said, heard = verdict(first), verdict(second, FORBIDDEN)
    question = Question(QUESTION.address, QUESTION.url, "ripencc", said=said)
    assert asked_about(question, second, FORBIDDEN, has_whois=True) == (said, heard)[better]


@pytest.mark.parametrize(
    ("raw", "whois", "expected"),
    [
        (SLOW_DOWN, False, timedelta(seconds=5)),
        (answer(429, TemporaryFailure("429", "", timedelta(0))), False, timedelta(seconds=1)),
        (FORBIDDEN, False, PAUSE),
        (answer(), False, PAUSE),  # a rate limit notice with status 200
        (answer(), True, WHOIS_PAUSE),
    ],
)
def test_a_server_that_refuses_is_left_alone_as_long_as_it_says_or_for_a_while(
    raw: Answer, whois: bool, expected: timedelta
) -> None:
    question = Question(QUESTION.address, "", "ripencc", said=verdict(Outcome.NO_CONTACT) if whois else None)
    assert asking.pause(question, NetworkAnswer(Outcome.REFUSED), raw) == expected
    assert asking.pause(question, NetworkAnswer(Outcome.UNUSABLE), raw) is None


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("http://rdap.example/ip/192.0.2.1", "downgrade"),
        ("ftp://rdap.example/ip/192.0.2.1", "downgrade"),
        (QUESTION.url, "redirect-loop"),
        ("https://[rdap.example/", "bad-redirect"),
    ],
)
def test_a_downgrade_and_a_redirect_to_itself_are_not_followed(location: str, why: str) -> None:
    assert asking.followed(QUESTION, location) == NetworkAnswer(Outcome.UNUSABLE, why, "ripencc")


def test_redirects_are_followed_five_times_and_name_the_registry_that_answers() -> None:
    question = QUESTION
    for number in range(MOST_HOPS):
        step = asking.followed(question, f"https://rdap.arin.net/registry/{number}")
        assert isinstance(step, Question)
        question = step
    assert (question.registry, question.hops) == ("arin", MOST_HOPS)
    assert asking.followed(question, "https://other.example/") == NetworkAnswer(
        Outcome.UNUSABLE, "redirect-loop", "arin"
    )


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (verdict(Outcome.REFUSED), timedelta(minutes=15)),
        (verdict(Outcome.UNUSABLE), timedelta(hours=24)),
        (verdict(Outcome.UNUSABLE, answer(0, TemporaryFailure("timeout"))), HOUR),
        (verdict(Outcome.UNUSABLE, answer(0, PermanentFailure("too-large"))), timedelta(hours=24)),
        (verdict(Outcome.NO_CONTACT), None),
        (verdict(Outcome.NOT_FOUND), None),
        (verdict(Outcome.CONTACTS), None),
    ],
)
def test_only_what_says_nothing_of_the_network_is_asked_again(said: Verdict, expected: timedelta | None) -> None:
    assert asking.put_off_for(said) == expected


def known(first: str, last: str, number: int = 1) -> Known:
    ends = ip_address(first), ip_address(last)
    return Known(number, int(ends[0]), int(ends[1]), ends[0].version, Outcome.CONTACTS, None)


def test_a_network_takes_its_own_addresses_and_no_others() -> None:
    waiting = [ip_address(f"192.0.2.{n}") for n in (1, 5, 9, 12)]
    assert asking.take(waiting, known("2001:db8::", "2001:db8::ffff")) == []
    assert asking.take(waiting, known("192.0.2.5", "192.0.2.9")) == [ip_address("192.0.2.5"), ip_address("192.0.2.9")]
    assert waiting == [ip_address("192.0.2.1"), ip_address("192.0.2.12")]
    assert asking.take([], known("192.0.2.5", "192.0.2.9")) == []


def test_of_several_networks_around_an_address_the_first_given_answers() -> None:
    inner, outer = known("192.0.2.4", "192.0.2.7", 1), known("192.0.2.0", "192.0.2.255", 2)
    six = known("2001:db8::", "2001:db8::f", 3)
    texts = ("192.0.2.5", "2001:db8::1", "192.0.2.8", "198.51.100.1")
    found = asking.narrowest(map(ip_address, texts), [inner, six, outer])
    assert {str(address): network.netblock_id for address, network in found.items()} == {
        "192.0.2.5": 1,
        "192.0.2.8": 2,
        "2001:db8::1": 3,
    }


def test_in_a_cell_lies_what_one_answer_may_speak_for() -> None:
    caps = ScopeCaps(v4=20, slow_v4=18, block_v4=24)
    assert asking.widest(caps, 4) == 18
    assert asking.widest(ScopeCaps(v4=24, slow_v4=24, block_v4=17), 4) == 17
    same = {asking.cell_of(ip_address(text), caps) for text in ("198.51.64.0", "198.51.127.255")}
    assert len(same) == 1
    assert asking.cell_of(ip_address("198.51.128.0"), caps) not in same
    assert asking.cell_of(ip_address("2001:db8::"), caps)[0] == 6


def test_whois_servers_are_asked_in_their_own_way() -> None:
    assert asking.whois_text(QUESTION) == "-r 192.0.2.1"
    assert asking.whois_text(Question(ip_address("192.0.2.1"), "", "arin")) == "n + 192.0.2.1"
    assert asking.whois_text(Question(ip_address("2001:db8::1"), "", "lacnic")) == "2001:db8::1"
