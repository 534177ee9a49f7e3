"""What waits for what, in the order of the stages: each with its command, or with the time when it goes on."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from pipeline.audit.limits import is_limit, limit_name, limit_said
from pipeline.audit.waits import WAITS, Figures, StatusSettings, budgets, sentence, waits
from pipeline.cli import words
from pipeline.cli.saying import spoken

HOUR = timedelta(hours=1)
SETTINGS = StatusSettings(2, {"mail:all": (1.0, 100)})
NOTHING = Figures(
    deliveries=(),
    targets=0,
    campaigns=(),
    cases=(),
    due={"resolve": (0, None), "verify": (0, None)},
    under_way={},
    contacts={},
    notices=0,
    waves=(),
    letters=(),
    withheld=(),
    uncertain=None,
    attempts={},
    holds=(),
    held_deliveries=(),
    budgets=(),
    domains_waiting=(0, None),
)
LIVE = {"id": 1, "name": "c", "mode": "live", "closed_at": None}
WAVE = {"id": 5, "campaign": "c", "number": 2, "mode": "live", "accepted_by": ["a"], "rejected_by": []}


def found(now: datetime, **changes: Any) -> list[tuple[str, str]]:
    return [(w.code, w.command) for w in waits(replace(NOTHING, **changes), SETTINGS, now)]


def test_nothing_waits_where_nothing_is(now: datetime) -> None:
    assert found(now) == [("nothing", "")]
    assert found(now, campaigns=[LIVE | {"closed_at": now, "mode": "training"}]) == [("nothing", "")]


def test_a_held_delivery_waits_for_a_person(now: datetime) -> None:
    deliveries = [{"verdict": "held", "snapshots": 2}, {"verdict": "accepted", "snapshots": 9}]
    made = found(now, deliveries=deliveries, held_deliveries=[4, 7])
    assert made == [("delivery.held", "tocsin snapshot release 4 --reason ...")]


def test_due_cases_wait_for_their_stage_and_later_ones_for_a_time(now: datetime) -> None:
    assert found(now, due={"resolve": (3, now), "verify": (0, None)}) == [("case.unresolved", "tocsin resolve")]
    assert found(now, due={"resolve": (0, None), "verify": (1, None)}) == [("case.unchecked", "tocsin verify")]
    [wait] = waits(replace(NOTHING, due={"resolve": (0, now + HOUR), "verify": (0, None)}), SETTINGS, now)
    assert (wait.code, wait.at) == ("resolve.later", now + HOUR)


def test_open_cases_that_no_wave_has_wait_for_a_plan(now: datetime) -> None:
    cases = [{"campaign_id": 1, "state": "resolved", "exposure": "open", "cases": 10}]
    cases += [{"campaign_id": 1, "state": "noticed", "exposure": "open", "cases": 4}]
    cases += [{"campaign_id": 1, "state": "resolved", "exposure": "unknown", "cases": 5}]
    [wait] = waits(replace(NOTHING, campaigns=[LIVE], cases=cases, under_way={1: 7}), SETTINGS, now)
    assert (wait.code, wait.command, wait.values["count"]) == ("case.ready", "tocsin wave plan c", 3)
    assert found(now, campaigns=[LIVE], cases=cases, under_way={1: 10}) == [("nothing", "")]


@pytest.mark.parametrize(
    ("changes", "code", "command"),
    [
        ({"state": "planned"}, "wave.planned", "tocsin render"),
        ({"state": "rendered"}, "wave.unapproved", "tocsin approve show c --wave 2"),
        ({"state": "rendered", "rejected_by": ["b"]}, "wave.rejected", "tocsin wave show c --wave 2"),
        ({"state": "approved"}, "wave.unreleased", "tocsin send c --wave 2 --execute"),
        ({"state": "sending"}, "nothing", ""),
        ({"state": "done"}, "nothing", ""),
        ({"state": "cancelled"}, "nothing", ""),
    ],
)
def test_a_wave_waits_for_its_next_act(now: datetime, changes: dict[str, Any], code: str, command: str) -> None:
    assert found(now, waves=[WAVE | changes]) == [(code, command)]


def test_approvals_missing_are_counted_against_what_is_needed(now: datetime) -> None:
    for mode, needed in (("live", 2), ("training", 1)):
        [wait] = waits(replace(NOTHING, waves=[WAVE | {"state": "rendered", "mode": mode}]), SETTINGS, now)
        assert (wait.values["given"], wait.values["needed"]) == (1, needed)


def test_letters_being_sent_wait_now_or_until_a_time(now: datetime) -> None:
    letters = [
        {"wave_id": 5, "state": "approved", "letters": 5, "due": 3, "next_at": now + 3 * HOUR},
        {"wave_id": 5, "state": "deferred", "letters": 1, "due": 0, "next_at": now + HOUR},
        {"wave_id": 5, "state": "handed", "letters": 7, "due": 0, "next_at": None},
    ]
    made = waits(replace(NOTHING, waves=[WAVE | {"state": "sending"}], letters=letters), SETTINGS, now)
    assert [(w.code, w.values["count"], w.at) for w in made] == [
        ("letter.due", 3, None),
        ("letter.later", 3, now + HOUR),
    ]


def test_letters_outside_their_recipients_working_hours_wait_until_these_begin(now: datetime) -> None:
    letters = [
        {"wave_id": 5, "state": "approved", "letters": 9, "due": 2, "next_at": None},
        {"wave_id": 5, "state": "deferred", "letters": 1, "due": 0, "next_at": now + HOUR},
    ]
    shut = [{"wave_id": 5, "letters": 7, "opens_at": now + 9 * HOUR}, {"wave_id": 6, "letters": 1, "opens_at": now}]
    figures = replace(NOTHING, waves=[WAVE | {"state": "sending"}], letters=letters, shut=shut)
    assert [(w.code, w.values["count"], w.at) for w in waits(figures, SETTINGS, now)] == [
        ("letter.due", 2, None),
        ("letter.later", 1, now + HOUR),
        ("letter.window", 7, now + 9 * HOUR),
    ]


def test_letters_that_wait_for_limits_of_their_own_say_which(now: datetime) -> None:
    letters = [{"wave_id": 5, "state": "approved", "letters": 12, "due": 2, "next_at": None}]
    rows = [("limit:mail:mx:google/hour", 6, 1), ("limit:mail:domain:isp.example/day", 3, 9), ("", 1, 2)]
    limited = [{"wave_id": 5, "reason": r, "letters": n, "next_at": now + h * HOUR} for r, n, h in rows]
    figures = replace(NOTHING, waves=[WAVE | {"state": "sending"}], letters=letters, limited=limited)
    made = waits(figures, SETTINGS, now)
    assert [(w.code, w.values["count"], w.at) for w in made] == [
        ("letter.due", 2, None),
        ("letter.limit", 6, now + HOUR),
        ("letter.limit", 3, now + 9 * HOUR),
        ("letter.limits", 1, now + 2 * HOUR),
    ]
    words.use("en")
    assert spoken(sentence(made[1])) == (
        "c, wave 2: 6 letters wait: the limit of letters an hour to the provider google is reached."
    )
    words.use("fr")
    assert spoken(sentence(made[2])).endswith("la limite de lettres par jour vers isp.example est atteinte.")


@pytest.mark.parametrize(
    ("why", "text"),
    [
        ("mail:all/second", "the limit of letters a second is reached"),
        ("mail:relay:[2001:db8::1]:25/day", "the limit of letters a day over the relay [2001:db8::1]:25 is reached"),
        ("mail:relay:relay.example:25/", "the relay relay.example:25 asked for a pause"),
        ("mail:relay:b/rest", "the relay b is left alone for a while: it could not be used, or refused us"),
        ("limit:mail:campaign:7/minute", "the limit of letters a minute of campaign 7 is reached"),
        ("limit:mail:domain:isp.example/", "the mail servers of isp.example asked for a pause"),
        ("limit:mail:box/hour", "the same mailbox had a letter a short while ago"),
        ("limit:dns:isp.example/lookup", "the mail servers of isp.example are being looked up"),
        ("limit:mail:moon:x/hour", "limit:mail:moon:x/hour"),  # of a newer release
        ("limit:", "limit:"),
    ],
)
def test_a_limit_is_said_in_words(why: str, text: str) -> None:
    words.use("en")
    assert is_limit(why)
    assert spoken(limit_said(why)) == text


def test_an_uncertain_letter_waits_for_a_persons_word(now: datetime) -> None:
    letters = [{"wave_id": 5, "state": "uncertain", "letters": 2, "due": 0, "next_at": None}]
    made = found(now, waves=[WAVE | {"state": "done"}], letters=letters, uncertain=11)
    assert made == [("letter.uncertain", "tocsin letter settle 11 OUTCOME --reason ...")]


HOLD = {"campaign": None, "wave": None, "mailbox": None, "domain": "", "reason": "a complaint"}


@pytest.mark.parametrize(
    ("changes", "what", "command"),
    [
        ({}, "everything", "tocsin release"),
        ({"campaign": "c"}, "campaign c", "tocsin release --campaign c"),
        ({"campaign": "c", "wave": 2}, "wave 2", "tocsin release --campaign c --wave 2"),
        ({"mailbox": "a@isp.example"}, "a@isp.example", "tocsin release --contact a@isp.example"),
        ({"domain": "isp.example"}, "isp.example", "tocsin release --domain isp.example"),
    ],
)
def test_a_hold_says_what_it_stops_and_how_it_ends(
    now: datetime, changes: dict[str, Any], what: str, command: str
) -> None:
    [wait] = waits(replace(NOTHING, holds=[HOLD | changes]), SETTINGS, now)
    assert spoken(sentence(wait)) == f"A hold on {what} stops sending: a complaint"
    assert wait.command == f"{command} --reason ..."


def test_training_mode_and_what_it_withheld_are_told(now: datetime) -> None:
    withheld = [{"campaign_id": 1, "reason": "training", "letters": 4}]
    made = waits(replace(NOTHING, campaigns=[LIVE | {"mode": "training"}], withheld=withheld), SETTINGS, now)
    assert [w.code for w in made] == ["training", "withheld"]
    assert "training mode, and the recipient is not on the guest list" in spoken(sentence(made[1]))


def test_a_used_up_limit_gives_again_at_midnight_and_a_pace_at_its_slot(now: datetime) -> None:
    day = f"{now:%Y-%m-%d}"
    used = {"key": "mail:all", "next_at": None, "day": day, "used": 100}
    assert [(w.code, w.at) for w in waits(replace(NOTHING, budgets=[used]), SETTINGS, now)] == [
        ("budget.day", datetime(2026, 3, 2, tzinfo=now.tzinfo))
    ]
    slow = {"key": "rdap:registry.example", "next_at": now + HOUR, "day": "", "used": 0}
    made = waits(replace(NOTHING, budgets=[slow], domains_waiting=(3, now + 2 * HOUR)), SETTINGS, now)
    assert [(w.code, w.at) for w in made] == [("budget.pace", now + HOUR), ("budget.domains", now + 2 * HOUR)]
    yesterday = used | {"day": "2026-02-28"}
    assert found(now, budgets=[yesterday]) == [("nothing", "")]
    [budget] = budgets(replace(NOTHING, budgets=[yesterday]), SETTINGS, now)
    assert (budget.used, budget.per_day, budget.until) == (0, 100, None)


IN_A_ROW = "12 attempts in a row were refused because of us, not of their recipients"
OWN = [
    ("brakes.us", "535 no", (12, 12), f"{IN_A_ROW}; the relay's words: 535 no"),
    ("brakes.policy", "", (1, 50), "1 of 50 letters was refused by policy (5.7.x)"),
    ("brakes.refused", "refused", (9, 30), "9 of 30 letters were refused or returned"),
    ("brakes.complaints", "complaints", (3, 900), "3 complaints on 900 letters"),
]


@pytest.mark.parametrize(("code", "reason", "numbers", "said"), OWN)
def test_what_the_program_itself_holds_says_why_and_how_it_ends(
    now: datetime, code: str, reason: str, numbers: tuple[int, int], said: str
) -> None:
    data = dict(zip(("count", "of"), numbers, strict=True))
    row = HOLD | {"campaign": "c", "reason": reason, "code": code, "data": data}
    [wait] = waits(replace(NOTHING, holds=[row]), SETTINGS, now)
    words.use("en")
    assert spoken(sentence(wait)) == f"Tocsin itself holds campaign c: {said}."
    assert wait.command == "tocsin release --campaign c --reason ..."
    words.use("fr")
    assert spoken(sentence(wait)).startswith("Tocsin a lui-même suspendu")


def test_a_wave_held_after_its_first_letters_names_the_command_that_lets_it_go_on(now: datetime) -> None:
    row = HOLD | {"campaign": "c", "wave": 2, "reason": "first letters", "code": "canary"}
    [wait] = waits(replace(NOTHING, holds=[row | {"data": {"count": 20, "of": 100}}]), SETTINGS, now)
    words.use("en")
    assert spoken(sentence(wait)) == (
        "Tocsin itself holds wave 2: its first 20 letters, of 100, have left; a person looks before the others do."
    )
    assert wait.command == "tocsin send c --wave 2 --go-on --execute"


@pytest.mark.parametrize(
    ("hold", "codes"),
    [
        ({}, ["letter.held", "hold"]),
        ({"campaign": "c"}, ["letter.held", "hold"]),
        ({"campaign": "c", "wave": 2}, ["letter.held", "hold"]),
        ({"campaign": "c", "wave": 3}, ["letter.due", "hold"]),
        ({"campaign": "other"}, ["letter.due", "hold"]),
        ({"domain": "isp.example"}, ["letter.due", "hold"]),
    ],
)
def test_letters_of_a_wave_that_a_hold_covers_are_not_said_to_be_able_to_go(
    now: datetime, hold: dict[str, Any], codes: list[str]
) -> None:
    letters = [{"wave_id": 5, "state": "approved", "letters": 3, "due": 3, "next_at": None}]
    figures = replace(NOTHING, waves=[WAVE | {"state": "sending"}], letters=letters, holds=[HOLD | hold])
    assert [wait.code for wait in waits(figures, SETTINGS, now)] == codes


@pytest.mark.parametrize("state", ["approved", "sending"])
def test_a_wave_whose_approvals_are_void_says_why_and_not_that_it_can_go(now: datetime, state: str) -> None:
    letters = [{"wave_id": 5, "state": "approved", "letters": 3, "due": 3, "next_at": None}]
    figures = replace(NOTHING, waves=[WAVE | {"state": state}], letters=letters, objections={5: "somebody rejected it"})
    [wait] = waits(figures, SETTINGS, now)
    words.use("en")
    assert spoken(sentence(wait)) == "c, wave 2: nothing is sent: somebody rejected it."
    assert wait.command == "tocsin send c --wave 2"


@pytest.mark.parametrize(
    ("key", "english", "french"),
    [
        ("mail:all", "all letters", "toutes les lettres"),
        (
            "mail:relay:a.example:25",
            "letters over the relay a.example:25",
            "les lettres par le serveur d'envoi a.example:25",
        ),
        ("mail:campaign:7", "letters of campaign c", "les lettres de la campagne c"),
        ("mail:mx:google", "letters to the provider google", "les lettres au fournisseur google"),
        ("rdap:rdap.example", "RDAP questions to rdap.example", "les questions RDAP à rdap.example"),
        ("dnsbl:list.example", "questions to the zone list.example", "les questions à la zone list.example"),
        ("mail:moon:x", "mail:moon:x", "mail:moon:x"),  # of a newer release
    ],
)
def test_a_limit_is_named_in_words(key: str, english: str, french: str) -> None:
    for language, text in (("en", english), ("fr", french)):
        words.use(language)
        assert spoken(limit_name(key, {"7": "c"})) == text


def test_a_warning_names_its_campaign_and_its_numbers(now: datetime) -> None:
    campaign = {"id": 3, "name": "c", "mode": "live", "closed_at": None}
    warned = {"campaign_id": 3, "code": "refused", "data": {"count": 8, "of": 50}, "at": now}
    [wait] = waits(replace(NOTHING, campaigns=[campaign], warnings=[warned]), SETTINGS, now)
    words.use("en")
    assert spoken(sentence(wait)) == "c, a warning: 8 of 50 letters were refused or returned."


def test_every_wait_is_said_in_both_languages(now: datetime) -> None:
    values = dict.fromkeys(
        ("campaign", "wave", "given", "needed", "by", "key", "used", "per_day", "reason", "limit", "why"), "x"
    )
    for code in WAITS:
        for language in words.LANGUAGES:
            words.use(language)
            wait = waits(NOTHING, SETTINGS, now)[0]
            said = spoken(sentence(replace(wait, code=code, values={**HOLD, **values, "count": 2})))
            assert "{" not in said
