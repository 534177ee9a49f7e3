"""A look-up is told as a report: in order, each sentence borne out by a row, each rejection with its reason."""

from collections.abc import Callable
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest
from sqlalchemy import update

from pipeline.audit import codes, lookup_codes, lookup_report
from pipeline.audit.looked_up import Unwritten, demand_something, looked_up, unwritten
from pipeline.audit.lookup import LookUp, in_force, reason
from pipeline.audit.lookup_asked import address_in
from pipeline.cli import numbered
from pipeline.cli.saying import spoken
from pipeline.domain import Address, ContactState, NotFound, Outcome, StepKind, Tier
from pipeline.resolve import mail_route
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.audit import lookups, world
from tests.audit.world import ADDRESS, HOUR
from tests.seed import add

DAY = timedelta(days=1)
Tell = Callable[..., str]


def told(found: LookUp) -> str:
    """Return the report as a person reads it, its line breaks undone."""
    return " ".join(" ".join(numbered.report(lookup_report.report(found))).split())


def gathered(db: Database, at: datetime, address: Address = ADDRESS, *, is_today: bool = True) -> LookUp:
    with db.read() as connection:
        return looked_up(connection, address, address, at, is_today=is_today)


@pytest.fixture
def made(db: Database, now: datetime) -> world.World:
    """The world's story, with the questions behind its network: RDAP, then how mail is routed."""
    made = world.story(db, now)
    with db.write() as connection:
        lookups.step(connection, now + HOUR, made.network, 0, "network", lookups.RDAP)
        lookups.step(connection, now + HOUR, made.network, 1, "mail", "dns:MAIL/isp.example", why="mx", body=b'{"a":1}')
    return made


@pytest.mark.usefixtures("made")
def test_the_report_goes_from_the_reports_to_the_letter_in_order(db: Database, now: datetime) -> None:
    found = gathered(db, now + 2 * DAY)
    found.has_list = True
    found.listed = {
        "entry": "192.0.0.0/8",
        "base": "https://rdap.registry.example/",
        "fetched_at": now,
        "expires_at": now + DAY,
    }
    text = told(found)
    sentences = (
        "192.0.2.10 is an IPv4 address.",
        "On 2026-03-01T09:00:00Z the source one reported it, port 8080: an open HTTP proxy.",
        "Case 1 of the campaign test, about port 8080, was made on 2026-03-01T10:00:00Z.",
        "questions about 192.0.0.0/8 go to https://rdap.registry.example/. The list is that of 2026-03-01T10:00:00Z.",
        "On 2026-03-01T11:00:00Z the registry's RDAP server rdap.registry.example was asked for the network around",
        "It answered, and named abuse@isp.example, noc@isp.example, hostmaster@registry.example.",
        "question: https://rdap.registry.example/ip/192.0.2.10 answer 2: 2 bytes, application/rdap+json SHA-256",
        "It answered with mail servers (MX): the domain takes mail.",
        "The network is registered as 192.0.2.0 to 192.0.2.255; the registry: RIPE NCC. Its name is EXAMPLE-NET, its",
        "What was found is used for the whole of it.",
        "abuse@isp.example: abuse role of the network. Confidence: 90 of 100.",
        "read in answer 2, at entities[0].vcardArray[1][3]",
        "hostmaster@registry.example: the registry's own desk, not the network's.",
        "No route is set for FR: the order above decides.",
        "For case 1, abuse@isp.example was chosen. It comes first of the 2 that the reading found fit. noc@isp.example"
        " comes next: it stands after it. Its domain takes mail, as the DNS said on 2026-03-01T11:00:00Z.",
        "letter 1 to Abuse@isp.example was written, in the campaign test; it is now: handed to our relay. On that day"
        " the reading of 2026-03-01T11:00:00Z held, for 192.0.2.0 to 192.0.2.255. It named, best first:"
        " abuse@isp.example, noc@isp.example.",
        "This reading is of 2026-03-01T11:00:00Z and is used until 2026-03-31T11:00:00Z",
        "What comes next is told by: tocsin explain 192.0.2.10:8080",
    )
    places = [text.find(sentence) for sentence in sentences]
    assert -1 not in places, sentences[places.index(-1)]
    assert places == sorted(places)


@pytest.mark.usefixtures("made")
def test_points_are_numbered_throughout_and_lines_are_no_wider_than_a_page(db: Database, now: datetime) -> None:
    lines = list(numbered.report(lookup_report.report(gathered(db, now + 2 * DAY))))
    numbers = [int(line.split(".")[0]) for line in lines if line[:4].strip(" 0123456789") == "." and line[0] == " "]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 12
    assert max(map(len, lines)) <= 80


def test_an_address_of_which_nothing_is_known_is_said_to_be_unknown(db: Database, now: datetime) -> None:
    with pytest.raises(NotFound) as raised:
        demand_something(gathered(db, now, IPv4Address("198.51.100.1")))
    assert raised.value.next_step == "Take reports in with tocsin ingest, then run: tocsin resolve"


def test_a_case_that_was_not_looked_up_yet_is_told_as_that(db: Database, now: datetime) -> None:
    with db.write() as connection:
        case = world.case(connection, now, world.campaign(connection, now, "test"), world.target(connection, now))
    found = gathered(db, now)
    demand_something(found)
    assert "No answer about its network is on record." in told(found)
    assert f"For case {case}, nobody has been chosen yet." in told(found)
    assert "It is looked up when contacts are looked for after 2026-03-01T10:00:00Z: tocsin resolve" in told(found)


def test_special_purpose_addresses_are_told_with_the_registrys_entry(now: datetime) -> None:
    private = ip_address("10.0.0.1")
    entry = {"network": "10.0.0.0/8", "name": "Private-Use", "source": "IANA; RFC 1918"}
    text = told(LookUp(private, private, now, special=entry))
    assert (
        "It lies in 10.0.0.0/8, Private-Use: addresses that serve a special purpose. The entry: IANA; RFC 1918." in text
    )
    assert "Which registry answers for it" not in text
    assert "Nobody has been asked" not in text


def test_an_address_that_carries_another_says_which_one_was_looked_up(now: datetime) -> None:
    text = told(LookUp(IPv6Address("2002:c000:20a::1"), ADDRESS, now, carrier="6to4"))
    assert "2002:c000:20a::1 is an IPv6 address. It carries the IPv4 address 192.0.2.10 (6to4, RFC 3056)." in text
    assert "it was looked up: 192.0.2.10." in text


@pytest.mark.parametrize(
    ("kind", "outcome", "why", "sentence"),
    [
        ("network", "refused", "status 429", "It refused to answer (status 429); that says nothing about the network."),
        ("network", "unusable", "not-json", "What came could not be used (it is not JSON); that says nothing"),
        ("network", "unusable", "failed timeout", "(the connection failed: timeout)"),
        ("network", "not_found", "status 404", "It answered that it knows no such network."),
        (
            "whois",
            "no_contact",
            "no-mailbox",
            "named no mailbox that may be written to: no mailbox stands in the answer.",
        ),
        ("search", "contacts", "", "It answered, and named no mailbox that had not been named before."),
        ("dump", "contacts", "", "nobody was asked. It names no mailbox that had not been named before."),
        ("origin", "contacts", "AS64500 AS64501", "It answered: AS64500, AS64501."),
        ("origin", "no_contact", "no-origin", "It answered that it knows of none."),
        ("mail", "no_contact", "null_mx", "the domain takes no mail (null MX, RFC 7505)"),
        ("mail", "unusable", "unknown", "It could not say, so nothing follows from it."),
        (
            "override",
            "contacts",
            "",
            "The word that a person gave on 2026-03-01T10:00:00Z was followed, and nobody was asked.",
        ),
    ],
)
def test_what_came_back_is_told_in_words(now: datetime, kind: str, outcome: str, why: str, sentence: str) -> None:
    found = LookUp(ADDRESS, ADDRESS, now, network=reading(1, now), steps=[asked(now, kind, outcome, why)])
    assert sentence in told(found)
    assert ("what came is not kept" in told(found)) == (kind != "override")


@pytest.mark.parametrize(
    ("question", "address"),
    [
        ("https://rdap.example/ip/192.0.2.9", "192.0.2.9"),
        ("https://rdap.example/ip/2001:db8::9", "2001:db8::9"),
        ("whois://192.0.2.1:43/n + 192.0.2.9", "192.0.2.9"),
        ("whois://whois.example:43/-r 2001:db8::9", "2001:db8::9"),
        ("whois://whois.example:43/192.0.2.9/e", "192.0.2.9"),
        ("https://page.example/search#query=192.0.2.9", "192.0.2.9"),
        ("dns:TXT/9.2.0.192.origin.example", "192.0.2.9"),
        ("dns:TXT/" + "9." + "0." * 23 + "8.b.d.0.1.0.0.2.origin6.example", "2001:db8::9"),
        ("dns:HOST/192.0.2.9", "192.0.2.9"),
        ("dns:TXT/0.0.8.b.d.0.1.0.0.2.origin6.example", None),
        ("https://rdap.example/ip/", None),
        ("", None),
    ],
)
def test_the_address_that_a_question_was_about_is_read_off_its_text(question: str, address: str | None) -> None:
    assert address_in(question) == (None if address is None else ip_address(address))


def test_an_answer_about_a_neighbour_is_told_as_such(now: datetime) -> None:
    neighbour = {**asked(now, "network", "contacts", ""), "question": "https://rdap.example/ip/192.0.2.9"}
    again = {**asked(now, "whois", "contacts", ""), "question": "whois://whois.example:43/192.0.2.9", "number": 1}
    text = told(LookUp(ADDRESS, ADDRESS, now, network=reading(1, now), steps=[neighbour, again]))
    assert "was asked for the network around 192.0.2.9." in text
    assert "was asked about 192.0.2.9." in text
    assert text.count("192.0.2.10 was not asked about by itself: what was found for its range is used for it.") == 1
    own = told(LookUp(ADDRESS, ADDRESS, now, network=reading(1, now), steps=[asked(now, "network", "contacts", "")]))
    assert "was asked for the network around 192.0.2.10." in own
    assert "by itself" not in own


def test_an_entry_of_a_dump_is_told_with_its_file(now: datetime) -> None:
    question = "dump:ripencc/ripe.db.inetnum.gz@0123456789ab/192.0.2.0 - 192.0.2.255"
    read = {**asked(now, "dump", "contacts", ""), "question": question}
    text = told(LookUp(ADDRESS, ADDRESS, now, network=reading(1, now), steps=[read]))
    assert (
        "read in the file ripe.db.inetnum.gz of RIPE NCC (its SHA-256 begins with 0123456789ab), at"
        " 192.0.2.0 - 192.0.2.255" in text
    )


def test_bytes_that_we_wrote_down_ourselves_are_not_said_to_have_come_so(now: datetime) -> None:
    kept = {"answer": 3, "sha256": bytes(32), "content_type": "application/json", "bytes": 2}
    said = {**asked(now, "mail", "contacts", "mx"), "question": "dns:MAIL/isp.example", **kept}
    text = told(LookUp(ADDRESS, ADDRESS, now, network=reading(1, now), steps=[said]))
    assert "answer 3: 2 bytes, application/json, in a form of our own" in text


def test_an_unusable_answers_reason_is_told_in_words(now: datetime) -> None:
    none = {"registered_first": None, "registered_last": None, "outcome": "unusable", "why": "wrong-network"}
    text = told(LookUp(ADDRESS, ADDRESS, now, network=reading(1, now, **none)))
    assert "The registry's answer could not be used. The reason: it speaks of another network." in text


def link(id_: int, mailbox: str, tier: Tier, confidence: int, step: int, note: str = "") -> dict[str, Any]:
    names = {"candidate": mailbox, "mailbox": mailbox, "note": note, "rejected": "", "path": ""}
    row = {"id": id_, "netblock_id": 1, "contact_id": id_, "tier": int(tier), "confidence": confidence, "step": step}
    return {**row, **names, "rank": id_ - 1, "state": "untested"}


def chosen(now: datetime, *candidates: dict[str, Any], **values: Any) -> str:
    """Return the report where the first of these was chosen."""
    case = {"id": 1, "campaign_id": 1, "campaign": "test", "target_id": 1, "state": "resolved", "created_at": now}
    case |= {"netblock_contact_id": candidates[0]["id"], "netblock_id": 1, "due_at": None}
    rows: dict[str, Any] = {"cases": [case], "targets": [{"id": 1, "port": 0}], "candidates": list(candidates)}
    return told(LookUp(ADDRESS, ADDRESS, now, network=reading(1, now), **rows, **values))


def test_a_country_whose_cases_go_to_its_team_alone_is_not_said_to_lack_contacts(now: datetime) -> None:
    team = link(1, "reports@cert.example", Tier.CERT, 45, 1, "digest")
    text = chosen(now, team, link(2, "abuse@isp.example", Tier.ROLE, 90, 0))
    assert "By the route of the country it is told, whether the network has a contact of its own or not." in text
    assert "abuse@isp.example comes next, although it is nearer to the network (abuse role of the network)" in text
    assert "The order: the mailbox of the country's route; then answer by answer" in text
    assert "for whom nobody was found" not in text
    parent = chosen(now, link(1, "abuse@above.example", Tier.PARENT, 50, 1))
    assert "for whom nobody was found" in parent


def test_of_one_answer_the_surer_mailbox_comes_first(now: datetime) -> None:
    remark = link(1, "abuse@isp.example", Tier.REMARK, 70, 0)
    text = chosen(now, remark, link(2, "old@isp.example", Tier.ROLE, 30, 0, "marked-invalid"))
    assert "old@isp.example comes next: the same answer names it, with less confidence (30 of 100)." in text
    assert "Within one answer, the one that is surer to be meant for such letters comes first." in text


def test_a_mailbox_that_must_not_be_written_to_any_more_is_told_as_such(db: Database, now: datetime) -> None:
    first, second = link(1, "abuse@isp.example", Tier.ROLE, 90, 0), link(2, "noc@isp.example", Tier.ROLE, 50, 0)
    text = chosen(now, second, first | {"rank": 0}, suppressed={"noc@isp.example": "asked"})
    assert "noc@isp.example: abuse role of the network. Confidence: 50 of 100. Today no letter goes to it: they" in text
    world.story(db, now)
    with db.write() as connection:
        values = {"mailbox": "abuse@isp.example", "reason": "asked", "by": "system:op", "at": now}
        add(connection, t.suppressions, **values)
    assert "Confidence: 90 of 100. Today no letter goes to it: they asked." in told(gathered(db, now + DAY))
    assert "Today" not in told(gathered(db, now + DAY, is_today=False))
    assert lookup_report.plain(gathered(db, now + DAY))["suppressed"] == {"abuse@isp.example": "asked"}


def asked(at: datetime, kind: str, outcome: str, why: str) -> dict[str, Any]:
    return {
        "number": 0,
        "kind": kind,
        "question": "https://rdap.example/ip/192.0.2.10",
        "outcome": outcome,
        "why": why,
        "answer": None,
        "sha256": None,
        "content_type": None,
        "bytes": None,
        "last_at": None,
        "at": at,
    }


def reading(id_: int, since: datetime, **values: Any) -> dict[str, Any]:
    ends = {"first_address": IPv4Address("192.0.2.0"), "last_address": IPv4Address("192.0.2.255")}
    names = {"registry": "ripencc", "handle": "H", "name": "N", "holder": "Holder", "country": "", "region": ""}
    times = {"valid_from": since, "expires_at": since + 30 * DAY, "valid_to": None}
    registered = {f"registered_{name.partition('_')[0]}": address for name, address in ends.items()}
    return {"id": id_, "outcome": "contacts", "why": "", "source": "", **ends, **registered, **names, **times, **values}


def test_a_question_that_was_asked_in_an_earlier_look_up_is_told_as_that(now: datetime) -> None:
    steps = [asked(now, "network", "contacts", ""), {**asked(now - HOUR, "mail", "contacts", "mx"), "number": 1}]
    found = LookUp(ADDRESS, ADDRESS, now, network=reading(1, now), steps=steps)
    assert told(found).count("That had been asked in an earlier look-up") == 1


def test_the_range_that_an_answer_is_used_for_is_told_apart_from_the_registered_one(now: datetime) -> None:
    wide = {"registered_first": IPv4Address("192.0.0.0"), "registered_last": IPv4Address("192.15.255.255")}
    text = told(LookUp(ADDRESS, ADDRESS, now, network=reading(1, now, **wide)))
    assert "registered as 192.0.0.0 to 192.15.255.255;" in text
    assert "What was found is used for 192.0.2.0 to 192.0.2.255, and no further." in text


def test_the_reading_in_force_is_the_narrowest_that_stood_at_the_time(now: datetime) -> None:
    wide = {"first_address": IPv4Address("192.0.0.0"), "last_address": IPv4Address("192.0.255.255")}
    ended = reading(1, now - DAY, valid_to=now)
    stands, around = reading(2, now), reading(3, now - DAY, **wide)
    readings = [ended, stands, around]
    assert in_force(readings, now - HOUR) is ended
    assert in_force(readings, now) is stands
    assert in_force([ended], now) is None
    assert in_force([around, stands], now - HOUR) is around
    assert in_force(readings, now - 2 * DAY) is None


def test_who_was_the_contact_on_the_day_of_the_letter_is_told_after_it_has_changed(
    db: Database, now: datetime, made: world.World
) -> None:
    with db.write() as connection:
        ended = {"valid_to": now + 10 * DAY}
        connection.execute(update(t.netblocks).where(t.netblocks.c.id == made.network).values(**ended))
        block = world.network(connection, now + 10 * DAY, "192.0.2.0", "192.0.2.255", "New Holder")
        world.candidate(connection, now + 10 * DAY, block, 0, "abuse@new.example")
    text = told(gathered(db, now + 11 * DAY))
    assert "On that day the reading of 2026-03-01T11:00:00Z held" in text
    assert "It named, best first: abuse@isp.example, noc@isp.example." in text
    assert "its holder New Holder" in text
    assert "From 2026-03-01T11:00:00Z to 2026-03-11T10:00:00Z a reading for 192.0.2.0 to 192.0.2.255 held" in text
    assert "That was by another reading, which held from 2026-03-01T11:00:00Z on." in text
    before = told(gathered(db, now + 9 * DAY, is_today=False))
    assert "What follows is as it stood on 2026-03-10T10:00:00Z." in before
    assert "its holder ISP Example" in before
    assert "was chosen" not in before
    assert "letter 1 to Abuse@isp.example" in before
    assert "letter 1 to Abuse@isp.example" not in told(gathered(db, now + 3 * HOUR, is_today=False))


def test_why_one_was_chosen_and_not_another_is_told(db: Database, now: datetime, made: world.World) -> None:
    with db.write() as connection:
        first = t.netblock_contacts.c.rank == 0
        mine = t.netblock_contacts.c.netblock_id == made.network
        second = connection.execute(
            t.netblock_contacts.select().where(mine, t.netblock_contacts.c.rank == 1)
        ).mappings()
        connection.execute(update(t.cases).values(netblock_contact_id=second.one()["id"]))
        far, _ = world.candidate(connection, now, made.network, 3, "abuse@above.example")
        parent = {"tier": int(Tier.PARENT), "confidence": 50, "step": 1}
        connection.execute(update(t.netblock_contacts).where(t.netblock_contacts.c.id == far).values(**parent))
        dead = {"state": ContactState.DEAD.value}
        connection.execute(update(t.contacts).where(t.contacts.c.mailbox == "abuse@isp.example").values(**dead))
        assert connection.execute(t.netblock_contacts.select().where(mine, first)).first() is not None
    text = told(gathered(db, now + DAY))
    assert (
        "noc@isp.example was chosen. abuse@isp.example comes before it, but mail to it came back or was refused."
        in text
    )
    assert "abuse@above.example comes next: it is farther from the network (of the network above)." in text


def test_what_people_said_stands_in_the_report_with_who_said_it(db: Database, now: datetime, made: world.World) -> None:
    ends = {"first_address": IPv4Address("192.0.2.0"), "last_address": IPv4Address("192.0.2.127")}
    with db.write() as connection:
        lookups.override(connection, now, "use", "desk@isp.example", **ends)
        lookups.override(connection, now, "reject", "noc@isp.example", until=now + 9 * DAY)
        lookups.override(connection, now, "reject", "other@isp.example")  # of a mailbox that nobody weighed here
        lookups.override(connection, now, "reject", "abuse@isp.example", lifted_at=now + HOUR)
        connection.execute(
            t.routes.insert().values(
                country="FR",
                kind="copy",
                mailbox="cert@cert.example",
                title="CERT Example",
                reason="",
                by="system:op",
                at=now,
            )
        )
        late = {"first_address": ADDRESS, "last_address": ADDRESS}
        lookups.override(connection, now + 2 * HOUR, "use", "late@isp.example", **late)
    text = told(gathered(db, now + DAY))
    assert "system:op said that desk@isp.example is to be used for 192.0.2.0 to 192.0.2.127. The reason" in text
    assert "system:op said that noc@isp.example must not be written to at all. That holds until" in text
    assert "The reason given: they wrote to us" in text
    assert "with a copy to cert@cert.example (CERT Example). So it was decided by system:op on" in text
    assert "late@isp.example is to be used for 192.0.2.10 to 192.0.2.10. It was said after the reading above" in text
    assert text.count("It was said after") == 1
    assert "other@isp.example" not in text
    assert "abuse@isp.example must not" not in text


def test_the_language_is_that_of_the_record_or_what_the_rule_would_choose(
    db: Database, now: datetime, made: world.World
) -> None:
    found = gathered(db, now + DAY)
    assert unwritten(found) == {Unwritten("test", made.campaign, 1, ("FR", ""))}
    found.expected = {"test": {"locales": "fr", "language_rule": "country"}}
    assert "has not been chosen yet. By what is known today it would be: French. The rule: by the official" in told(
        found
    )
    with db.write() as connection:
        row = {"campaign_id": made.campaign, "contact_id": 1, "send_order": 1}
        language = {"locales": "fr,en", "language_rule": "preference"}
        connection.execute(t.campaign_contacts.insert().values(**row, **language))
    found = gathered(db, now + DAY)
    assert unwritten(found) == set()
    assert "abuse@isp.example is written to in: French, English. The rule: as the contact asked." in told(found)


def test_hostile_words_of_a_registry_can_neither_begin_a_line_nor_a_point(now: datetime) -> None:
    holder = "Evil\n\n 9. Nobody was chosen.\r\x1b[31m" + "x" * 5000
    lines = list(
        numbered.report(lookup_report.report(LookUp(ADDRESS, ADDRESS, now, network=reading(1, now, holder=holder))))
    )
    assert not [line for line in lines if line.startswith(" 9.")]
    assert sum(map(len, lines)) < 2500


def test_every_kind_of_question_tier_and_route_of_mail_has_words() -> None:
    assert set(lookup_codes.ASKED) == {kind.value for kind in StepKind}
    assert {int(tier) for tier in Tier} == set(codes.TIERS)
    assert {outcome.value for outcome in Outcome} <= set(lookup_codes.HEARD)
    routes = (mail_route.MX, mail_route.ADDRESS, mail_route.NULL_MX, mail_route.NONE, mail_route.UNKNOWN)
    assert {f"mail.{route}" for route in routes} <= set(lookup_codes.HEARD)


def test_a_reason_that_is_not_known_is_shown_as_it_stands() -> None:
    assert reason("something-new") == "something-new"
    assert spoken(reason("status 503")) == "status 503"


@pytest.mark.usefixtures("made")
def test_the_same_stands_in_plain_data(db: Database, now: datetime) -> None:
    data = lookup_report.plain(gathered(db, now + DAY))
    assert [row["kind"] for row in data["steps"]] == ["network", "mail"]
    assert data["network"] == data["networks"][0]["id"]
    assert [row["candidate"] for row in data["candidates"]][-1] == "hostmaster@registry.example"


def test_a_network_without_questions_on_record_says_what_it_rests_on(db: Database, now: datetime) -> None:
    world.story(db, now)
    text = told(gathered(db, now + DAY))
    assert (
        "The questions behind this reading are not on record. It rests on the answer of https://rdap.registry" in text
    )


def test_readings_of_other_networks_of_the_range_are_left_to_them(
    db: Database, now: datetime, made: world.World
) -> None:
    with db.write() as connection:
        add(
            connection,
            t.netblocks,
            first_address=IPv4Address("192.0.2.128"),
            last_address=IPv4Address("192.0.2.255"),
            outcome="contacts",
            valid_from=now,
            expires_at=now + DAY,
        )
    assert gathered(db, now + 2 * HOUR).network is not None
    assert len(gathered(db, now + 2 * HOUR).networks) == 1
