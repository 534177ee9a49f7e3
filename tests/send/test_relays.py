"""Which relay a letter goes over, and how long one rests: values in, values out."""

from collections import Counter
from datetime import datetime, timedelta

import pytest

from pipeline.send.relays import LONGEST_REST, Relay, Rest, Spread, key, longer

A, B, C = Relay("a", 3), Relay("b"), Relay("c", 2)
MINUTE = timedelta(minutes=1)


def shared_out(spread: Spread, count: int, now: datetime) -> list[str]:
    """The relays of letters that are taken at once, one after the other."""
    found = []
    for _ in range(count):
        relay = spread.order({}, now)[0]
        spread.took(relay, spread.takes_part({}, now), 0, now)
        found.append(relay.name)
    return found


@pytest.mark.parametrize("relays", [(A, B), (A, B, C), (B, Relay("d"))])
def test_of_letters_in_a_row_each_relay_has_its_share_within_one(relays: tuple[Relay, ...], now: datetime) -> None:
    found = shared_out(Spread(relays), 60, now)
    whole = sum(relay.weight for relay in relays)
    for end in range(1, 61):
        counts = Counter(found[:end])
        assert all(abs(counts[relay.name] - end * relay.weight / whole) <= 1 for relay in relays)


def test_a_relay_that_rests_has_no_share_and_the_others_keep_theirs(now: datetime) -> None:
    spread = Spread((A, B, C), {"a": Rest(1, now + MINUTE)})
    assert Counter(shared_out(spread, 30, now)) == {"b": 10, "c": 20}
    assert [relay.name for relay in spread.awake(now + MINUTE)] == ["a", "b", "c"]


def test_one_that_comes_back_makes_up_for_nothing(now: datetime) -> None:
    spread = Spread((A, B), {"a": Rest(1, now + MINUTE)})
    shared_out(spread, 30, now)
    assert spread.worked("a")
    assert Counter(shared_out(spread, 40, now)) == {"a": 30, "b": 10}


def test_a_full_relay_is_waited_for_but_not_one_that_stands_still(now: datetime) -> None:
    spread = Spread((A, B), heard={"a": now})
    full = {"a": 8, "b": 0}
    assert spread.order(full, now) == []
    assert spread.order(full, now + timedelta(seconds=6)) == [B]
    assert spread.room(full, now) == 0
    assert spread.room(full, now + timedelta(seconds=6)) == 8


def test_room_is_for_as_many_as_the_shares_let_go_and_comes_in_halves(now: datetime) -> None:
    spread = Spread((A, B))
    assert spread.room({}, now) == 11  # eight over a, and three over b before it is the turn of a again
    assert spread.room({"a": 3, "b": 1}, now) == 7
    assert spread.room({"a": 6, "b": 1}, now) == 0


def test_three_refusals_in_a_row_are_a_rest_which_doubles_up_to_an_hour(now: datetime) -> None:
    spread = Spread((A, B))
    assert [spread.refused("a", now) for _ in range(2)] == [None, None]
    assert not spread.worked("a")
    assert [spread.refused("a", now) for _ in range(2)] == [None, None]
    assert spread.refused("a", now) == Rest(1, now + MINUTE)
    assert spread.refused("a", now) is None  # a letter that was on its way to it
    assert spread.refused("a", now + MINUTE) == Rest(2, now + 3 * MINUTE)  # one is enough where it has not worked since
    rest = spread.rests["a"]
    for _ in range(20):
        assert rest.until is not None
        rest = longer(rest, rest.until)
    assert longer(rest, now).until == now + LONGEST_REST
    assert spread.worked("a")
    assert spread.refused("a", now) is None


def test_a_relay_that_rested_is_asked_with_one_letter_and_holds_up_nobody(now: datetime) -> None:
    spread = Spread((A, B), {"a": Rest(2, now - MINUTE)})
    assert spread.order({"a": 0, "b": 0}, now)[0] == A
    assert spread.order({"a": 1, "b": 0}, now) == [B]
    assert spread.room({}, now) == 9


def test_when_all_rest_the_first_to_wake_is_waited_for(now: datetime) -> None:
    spread = Spread((A, B), {"a": Rest(1, now + 2 * MINUTE)})
    assert spread.wakes(now) is None
    spread.rests["b"] = Rest(3, now + MINUTE)
    assert spread.wakes(now) == (now + MINUTE, "b")
    assert spread.order({}, now) == []
    assert spread.room({}, now) == 0


def test_a_rest_beyond_the_longest_is_of_a_clock_that_was_set_back(now: datetime) -> None:
    assert Rest(1, now + LONGEST_REST + MINUTE).over(now)
    assert not Rest(1, now + LONGEST_REST).over(now)


def test_the_row_of_a_rest_is_named_after_its_relay() -> None:
    assert key("east") == "mail:relay:east/rest"
