"""Why a target is or is not in a campaign: every way in and out, with what is next."""

import ast
import inspect
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from pipeline.audit import codes, explained
from pipeline.audit.explain import Explanation, explain
from pipeline.audit.objected import AFTER, COMMANDS
from pipeline.audit.record import Kind, Record
from pipeline.audit.weigh import Contacts, Ready, counting, told_before
from pipeline.audit.why import why
from pipeline.cli import show, words
from pipeline.cli.rules import rules
from pipeline.cli.saying import chapters
from pipeline.cli.states import WORDS
from pipeline.data.topic import topics
from pipeline.domain import LetterState, NotFound, Tier, WaveState, Wish
from pipeline.follow import plan, run
from pipeline.store import holds, overrides, preferences, stops
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.store.preferences import Preference
from tests.audit import world
from tests.audit.world import ADDRESS, DECLARATION, HOUR

FRESH = timedelta(hours=72)
RULES = rules(topics(), FRESH)


def target(**changes: Any) -> dict[str, Any]:
    base = {"id": 5, "address": ADDRESS, "port": 8080, "transport": "tcp", "service": "http", "topic": "open_proxy"}
    return base | changes


def claim(now: datetime, **changes: Any) -> dict[str, Any]:
    said = {"claim": "http_proxy", "service": "http", "port": 8080, "topic": "open_proxy", "address": ADDRESS}
    source = {
        "snapshot": 1,
        "line": 1,
        "feed": "one",
        "verdict": "accepted",
        "declaration": str(DECLARATION).replace("'", '"'),
    }
    times = {"observed_at": now - HOUR, "expires_at": now + 24 * HOUR}
    return source | said | times | changes


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, ""),
        ({"port": 0}, ""),
        ({"topic": "", "claim": "reputation"}, "reputation"),
        ({"verdict": "held"}, "snapshot.held"),
        ({"verdict": "voided"}, "snapshot.voided"),
        ({"port": 3128}, "other_service"),
        ({"service": "socks5", "claim": "socks5"}, "other_service"),
        ({"claim": "open_relay"}, "level.no_claim_of_topic"),
        ({"expires_at": timedelta(0)}, "level.expired"),
        ({"observed_at": -FRESH - HOUR}, "level.stale"),
        ({"observed_at": HOUR}, "level.future"),
    ],
)
def test_a_report_counts_or_not_by_the_rule_of_verify(now: datetime, changes: dict[str, Any], code: str) -> None:
    moved = {key: now + value if isinstance(value, timedelta) else value for key, value in changes.items()}
    assert [why_not for _, why_not in counting([claim(now, **moved)], target(), RULES, now)] == [code]


def test_only_the_newest_report_of_a_feed_counts(now: datetime) -> None:
    old = claim(now, line=2, observed_at=now - 2 * HOUR)
    other = claim(now, line=3, feed="two", observed_at=now - 3 * HOUR)
    weighed = counting([old, other, claim(now)], target(), RULES, now)
    assert [(row["line"], why_not) for row, why_not in weighed] == [(1, ""), (2, "superseded"), (3, "")]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, ""),
        ({"excluded": True}, "excluded"),
        ({"suppressed": True}, "suppressed"),
        ({"contact_dead": True}, "contact_dead"),
        ({"told_before": True}, "contact_told_before"),
        ({"current": False}, "contact_outdated"),
        ({"tier": 7}, "not_own_contact"),
        ({"level": 0}, "level_too_low"),
        ({"checked_at": -FRESH - HOUR}, "stale"),
    ],
)
def test_the_plans_objection_is_the_rule_of_the_plan(now: datetime, changes: dict[str, Any], code: str) -> None:
    moved = {key: now + value if isinstance(value, timedelta) else value for key, value in changes.items()}
    ready = replace(Ready(1, now, False, False, False, False), **moved)  # type: ignore[arg-type]
    assert RULES.objection(ready, 1, now, "first") == code


def reasons_of_planning() -> set[str]:
    """Return every reason for which planning may leave a case out, read from its code."""
    found = set()
    for module in (plan, run):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Subscript) and getattr(node.value, "attr", "") == "left_out":
                found.add(node.slice)
            elif isinstance(node, ast.FunctionDef) and node.name == "objection":
                found |= {made.value for made in ast.walk(node) if isinstance(made, ast.Return) and made.value}
    constants = {each for one in found for each in ast.walk(one) if isinstance(each, ast.Constant)}
    return {str(each.value) for each in constants if each.value}


def test_every_reason_of_planning_has_a_sentence_and_says_what_to_do_next() -> None:
    reasons = reasons_of_planning()
    assert {"own_contact", "not_own_contact", "inhibited", "too_soon", "next_wave"} < reasons
    assert set(codes.OBJECTIONS) == set(AFTER) == set(WORDS["left_out"]) == reasons
    assert {code for code in AFTER.values() if code} == set(COMMANDS) <= set(explained.NEXT)


@pytest.mark.parametrize("reason", sorted(reasons_of_planning()))
def test_what_planning_objects_to_is_told_with_what_is_next_in_both_languages(now: datetime, reason: str) -> None:
    asked = replace(RULES, objection=lambda *_: reason)
    wished = Contacts(wishes={4: Wish(now + 9 * HOUR, timedelta(days=30), now - HOUR)})
    made = one(now, case(now), rules=asked, known=wished)
    assert (made.verdict, made.values["objection"]) == ("out.objection", reason)
    texts = []
    for language in ("en", "fr"):
        words.use(language)
        texts.append("\n".join(chapters([explained.chapter(made)])))
    words.use("en")
    for text in texts:
        assert reason not in text.split()  # the code itself stands nowhere
        assert "None" not in text
    assert "tocsin" in texts[0].splitlines()[-1]
    assert texts[0].splitlines()[1] != texts[1].splitlines()[1]


def test_what_a_contact_asked_for_says_when_it_is_written_to(now: datetime) -> None:
    for wish, objected, at in (
        (Wish(now + 9 * HOUR), "inhibited", now + 9 * HOUR),
        (Wish(None, timedelta(days=30), now - HOUR), "too_soon", now - HOUR + timedelta(days=30)),
    ):
        made = one(now, case(now), known=Contacts(wishes={4: wish}))
        assert (made.verdict, made.next, made.values["objection"]) == ("out.objection", "plan_later", objected)
        assert (made.values["command"], made.values["at"]) == ("tocsin wave plan c", at)
    assert one(now, case(now), known=Contacts(wishes={4: Wish(now)})).verdict == "in.ready"
    assert one(now, case(now), known=Contacts(wishes={5: Wish(now + HOUR)})).verdict == "in.ready"


def test_a_contact_beyond_the_network_waits_for_a_wave_of_others_unless_that_one_objects_too(now: datetime) -> None:
    def judged(**changes: Any) -> tuple[str, str]:
        made = one(now, case(now), tier=Tier.PARENT, **changes)
        return made.values["objection"], made.next

    assert judged() == ("not_own_contact", "plan_others")
    assert one(now, case(now), tier=Tier.PARENT).values["command"] == "tocsin wave plan c --others"
    assert judged(known=Contacts(frozenset({(3, 4, "first")}))) == ("not_own_contact", "plan_others")
    assert judged(known=Contacts(frozenset({(3, 4, "others")}))) == ("contact_told_before", "verify_later")
    assert judged(known=Contacts(wishes={4: Wish(now + HOUR)})) == ("inhibited", "plan_later")
    told = Contacts(frozenset({(3, 4, "others"), (2, 4, "first"), (3, 5, "first")}))
    assert one(now, case(now), known=told).verdict == "in.ready"  # of another kind, campaign or contact


def test_a_case_whose_contact_is_looked_up_anew_or_whose_report_was_taken_back_is_not_ready(now: datetime) -> None:
    anew = one(now, case(now, contact_due_at=now))
    assert (anew.values["objection"], anew.next, anew.values["command"]) == (
        *("contact_outdated", "resolve"),
        "tocsin resolve",
    )
    assert one(now, case(now, contact_due_at=now + HOUR)).verdict == "in.ready"
    check = {"id": 1, "case_id": 9, "transcript": '{"quoted": [[1, 1]]}'}
    for verdict, ready in (("accepted", True), ("voided", False), ("held", False)):
        made = one(now, case(now), checks=[check], claims=[claim(now, verdict=verdict)])
        assert made.values.get("objection", "") == ("" if ready else "stale")


def test_a_mailbox_that_a_person_rejected_anywhere_is_as_if_on_the_list(now: datetime) -> None:
    made = one(now, case(now), known=Contacts(stopped=frozenset({4})))
    assert (made.values["objection"], made.next) == ("suppressed", "suppression")
    assert "a person has said that it must not be written to" in "\n".join(chapters([explained.chapter(made)]))


def case(now: datetime, **changes: Any) -> dict[str, Any]:
    base = {"id": 9, "campaign_id": 3, "target_id": 5, "netblock_id": 7, "netblock_contact_id": 8, "state": "resolved"}
    times = {"exposure_at": now, "due_at": now + HOUR, "contact_due_at": None}
    return base | {"exposure": "open", "level": 1} | times | changes


def one(now: datetime, case_row: dict[str, Any] | None, **changes: Any) -> Explanation:
    """Explain one target in one campaign from rows; `tier` of its contact, what is `known` of contacts, and the rules."""
    campaign = {"id": 3, "name": "c", "mode": "live", "topics": '["open_proxy"]', "minimum_level": 1, "closed_at": None}
    link = {"id": 8, "netblock_id": 7, "contact_id": 4, "rejected": "", "mailbox": "abuse@isp.example", "state": "live"}
    link["tier"] = changes.pop("tier", 1)
    known, asked = changes.pop("known", Contacts()), changes.pop("rules", RULES)
    contact = {"id": 4, "mailbox": "abuse@isp.example", "state": "live"}
    lists = {"candidates": [link], "contacts": [contact], "networks": [], **changes}
    record = Record(str(ADDRESS), Kind.ADDRESS, addresses=[ADDRESS], targets=[target()], claims=[claim(now)])
    record.cases = [case_row] if case_row else []
    for name, value in lists.items():
        if name != "campaign":
            setattr(record, name, value)
    [made] = explain(record, [campaign | lists.get("campaign", {})], known, None, asked, now)
    return made


def letter_rows(wave_state: str, letter: dict[str, Any] | None) -> dict[str, Any]:
    """Return a notice about case 9 in a wave, with a letter or without."""
    return {
        "told": [{"notice_id": 1, "case_id": 9, "dropped_at": None}],
        "notices": [{"id": 1, "wave_id": 2, "campaign_id": 3, "contact_id": 4}],
        "waves": [{"id": 2, "number": 6, "campaign": "c", "state": wave_state}],
        "letters": [{"id": 11, "notice_id": 1, "due_at": None, **letter}] if letter else [],
    }


@pytest.mark.parametrize(
    ("changes", "verdict", "after"),
    [
        ({"state": "seen", "due_at": timedelta(0)}, "in.unresolved", "resolve"),
        ({"state": "seen"}, "in.unresolved", "resolve_later"),
        ({"state": "no_contact", "due_at": None}, "out.no_contact", "nothing"),
        ({"exposure": "unchecked", "exposure_at": None, "due_at": timedelta(0)}, "in.unchecked", "verify"),
        ({}, "in.ready", "plan"),
        ({"level": 0}, "out.objection", "verify_later"),
        ({"exposure": "unknown"}, "out.exposure", "verify_later"),
        ({"exposure": "unlisted"}, "out.exposure", "verify_later"),
        ({"state": "noticed"}, "in.told", "verify_later"),
        ({"state": "exhausted"}, "out.exhausted", "verify_later"),
        ({"state": "fixed"}, "out.fixed", "seen_again"),
        ({"state": "dormant"}, "out.dormant", "seen_again"),
        ({"state": "excluded"}, "out.excluded", "nothing"),
    ],
)
def test_a_case_is_in_or_out_by_its_state(now: datetime, changes: dict[str, Any], verdict: str, after: str) -> None:
    moved = {key: now + value if isinstance(value, timedelta) else value for key, value in changes.items()}
    made = one(now, case(now, **moved))
    assert (made.verdict, made.next) == (verdict, after)
    assert made.inside == verdict.startswith("in.")


@pytest.mark.parametrize(
    ("wave_state", "letter", "verdict", "after", "command"),
    [
        ("planned", None, "in.letter", "render", "tocsin render"),
        ("rendered", {"state": "drafted"}, "in.letter", "approve", "tocsin approve show c --wave 6"),
        ("approved", {"state": "approved"}, "in.letter", "release", "tocsin send c --wave 6 --execute"),
        ("sending", {"state": "approved"}, "in.letter", "send", "tocsin run"),
        ("sending", {"state": "deferred", "due_at": timedelta(hours=2)}, "in.letter", "send_later", "tocsin run"),
        ("sending", {"state": "uncertain"}, "in.letter", "settle", "tocsin letter settle 11 OUTCOME --reason ..."),
        ("done", {"state": "withdrawn"}, "in.ready", "plan", "tocsin wave plan c"),
        ("done", {"state": "refused"}, "out.not_sent", "verify_later", "tocsin verify"),
        ("cancelled", None, "in.ready", "plan", "tocsin wave plan c"),
    ],
)
def test_a_case_in_a_wave_waits_for_what_the_wave_waits_for(
    now: datetime, wave_state: str, letter: dict[str, Any] | None, verdict: str, after: str, command: str
) -> None:
    moved = {k: now + v if isinstance(v, timedelta) else v for k, v in (letter or {}).items()}
    made = one(now, case(now), **letter_rows(wave_state, moved or None))
    assert (made.verdict, made.next, made.values["command"]) == (verdict, after, command)


def test_a_case_that_left_its_letter_waits_for_another(now: datetime) -> None:
    left = letter_rows("sending", {"state": "approved"})
    left["told"][0]["dropped_at"] = now
    made = one(now, case(now), **left)
    assert (made.verdict, made.letter) == ("in.ready", None)


def test_stops_and_campaigns_put_a_case_out(now: datetime) -> None:
    excluded = {"lifted_at": None, "until": None, "reason": "law", "at": now}
    assert one(now, case(now), exclusions=[excluded]).verdict == "out.excluded"
    assert one(now, case(now), exclusions=[excluded | {"until": now}]).verdict == "in.ready"
    entry = {"mailbox": "", "domain": "example", "first_address": None, "lifted_at": None}
    suppressed = one(now, case(now), suppressions=[entry])
    assert (suppressed.verdict, suppressed.values["objection"]) == ("out.objection", "suppressed")
    assert one(now, case(now), suppressions=[entry | {"domain": "p.example"}]).verdict == "in.ready"
    assert one(now, case(now), known=Contacts(frozenset({(3, 4, "first")}))).verdict == "out.objection"
    assert one(now, case(now), campaign={"closed_at": now}).verdict == "out.closed"
    assert one(now, None, campaign={"topics": '["open_relay"]'}).verdict == "out.topic"
    assert one(now, None).verdict == "out.no_case"


def test_a_hold_is_named_only_where_it_covers_the_case(now: datetime) -> None:
    hold = {"domain": "", "contact_id": None, "wave_id": None, "campaign_id": None, "released_at": None, "id": 1}
    for changes, covers in (
        ({}, True),
        ({"campaign_id": 3}, True),
        ({"campaign_id": 4}, False),
        ({"contact_id": 4}, True),
        ({"contact_id": 5}, False),
        ({"domain": "isp.example"}, True),
        ({"domain": "sp.example"}, False),
        ({"wave_id": 2}, False),
        ({"released_at": now}, False),
    ):
        assert bool(one(now, case(now), holds=[hold | changes]).holds) is covers, changes


def test_a_contact_is_told_before_only_by_a_notice_that_stands() -> None:
    notices = [{"id": i, "wave_id": 1, "campaign_id": 3, "contact_id": i} for i in (1, 2, 3)]
    letters = [{"notice_id": 1, "state": "handed"}, {"notice_id": 2, "state": "withdrawn"}]
    for state, told in (("planned", [1, 3]), ("cancelled", [1])):
        assert [row["id"] for row in told_before(notices, letters, [{"id": 1, "state": state}])] == told


def ask(db: Database, now: datetime, port: int | None = None) -> tuple[list[tuple[str, str]], str]:
    with db.read() as connection:
        found = why(connection, ADDRESS, port, RULES, now, whole=False)
    made = [explained.without_target(found.without_target)] if found.without_target else []
    made += [explained.chapter(each) for each in found.explanations]
    words.use("fr")
    french = list(chapters(made))  # every sentence has its French, or this raises
    words.use("en")
    english = list(chapters(made))
    assert len(french) == len(english)
    return [(e.verdict, e.next) for e in found.explanations], "\n".join(english)


def test_an_address_is_explained_from_the_database(db: Database, now: datetime) -> None:
    made = world.story(db, now, state=LetterState.APPROVED)
    at = now + 3 * HOUR
    with db.write() as connection:
        world.campaign(connection, now, "relays", topics='["open_relay"]')
        connection.execute(update(t.waves).values(state=WaveState.CANCELLED.value))
        connection.execute(update(t.letters).values(state=LetterState.WITHDRAWN.value))
    verdicts, text = ask(db, at)
    assert verdicts == [("in.ready", "plan"), ("out.topic", "nothing")]
    for part in (
        "192.0.2.10, TCP port 8080 (open proxy), campaign test (training mode)",
        "2 reports count today.",
        "reaches the campaign's minimum, E1",
        "2 independent groups of sources claim it",
        "Its contact: abuse@isp.example.",
        "No exclusion covers it.",
        "What is next: A wave is planned: tocsin wave plan test",
    ):
        assert part in text
    with db.write() as connection:
        holds.hold(connection, holds.Scope(campaign_id=made.campaign), "a complaint", at, "tocsin")
        stops.suppress(connection, stops.Place(mailbox="abuse@isp.example"), stops.Reason.ASKED, "", at, "tocsin")
    verdicts, text = ask(db, at)
    assert verdicts[0] == ("out.objection", "suppression")
    assert "What is next: Nobody is written to about it unless a person lifts that: tocsin suppress list" in text
    assert "A hold covers it: a complaint" in text
    assert "The do-not-write list covers it: they asked." in text
    assert "its contact or its address is on the do-not-write list" in text


def test_what_contacts_asked_for_and_what_they_had_are_read_from_the_database(db: Database, now: datetime) -> None:
    world.story(db, now)
    at = now + 7 * HOUR
    with db.write() as connection:
        again = world.campaign(connection, now, "again")
        found = {"netblock_id": 1, "netblock_contact_id": 1, "state": "resolved", "exposure": "open", "level": 1}
        other = world.case(connection, now, again, 1, exposure_at=at, **found)
        world.check(connection, at, other, [(1, 1)])
        preferences.put(connection, 1, Preference(cadence_days=30), at, "person:1")
    verdicts, text = ask(db, at)
    assert verdicts[1] == ("out.objection", "plan_later")
    last = now + 6 * HOUR  # when the letter of the story left
    for part in (
        "Not in the campaign now: its contact had a letter not long ago, and asked for fewer.",
        "It asked for no more than one letter in 30 days.",
        f"Its last letter: {show.instant(last)}.",
        f"A wave planned after {show.instant(last + timedelta(days=30))} takes it up: tocsin wave plan again",
    ):
        assert part in text
    with db.write() as connection:
        preferences.put(connection, 1, Preference(inhibited_until=at + 9 * HOUR), at, "person:1")
    assert f"its contact wants no letter before {show.instant(at + 9 * HOUR)}." in ask(db, at)[1]
    with db.write() as connection:
        preferences.put(connection, 1, Preference(), at, "person:1")
        said = overrides.Said(overrides.Word.REJECT, None, "abuse@isp.example", "abuse@isp.example", "they asked")
        overrides.add(connection, said, at, "person:1")
    verdicts, text = ask(db, at)
    assert verdicts[1] == ("out.objection", "suppression")
    assert "a person has said that it must not be written to" in text


def test_a_port_that_was_never_reported_is_not_found(db: Database, now: datetime) -> None:
    world.story(db, now)
    assert ask(db, now, 8080)[0]
    with pytest.raises(NotFound, match=r"Port 25 of 192\.0\.2\.10 was never reported") as failure:
        ask(db, now, 25)
    assert "8080" in failure.value.why


def test_a_reputation_alone_makes_no_target_and_says_so(db: Database, now: datetime) -> None:
    with db.write() as connection:
        delivery = world.snapshot(connection, now, world.feed(connection, now, "one"), "one.txt")
        held = world.snapshot(connection, now, world.feed(connection, now, "two"), "two.txt", "held")
        world.observe(connection, now - HOUR, delivery, 1, claim="reputation", topic="")
        world.observe(connection, now - HOUR, held, 1)
    verdicts, text = ask(db, now)
    assert verdicts == []
    assert "does not count: a reputation opens no case and raises no level" in text
    assert "does not count: its delivery is held back" in text
    assert "0 reports count today." in text
