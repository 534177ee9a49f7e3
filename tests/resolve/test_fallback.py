"""The chain behind a network that names nobody who can be written to, answered with plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from itertools import pairwise, permutations
from typing import Any

import pytest

from pipeline.domain import Address, Outcome, PermanentFailure, StepKind, TemporaryFailure, Tier
from pipeline.resolve.lookup import LOOK_AGAIN, look_up
from pipeline.resolve.rules import ENOUGH
from pipeline.resolve.spoken import Spoken
from pipeline.resolve.talk import Wait
from tests.resolve.scripted import (
    DIRECTORY,
    INVALID,
    NOW,
    ORIGIN,
    RIPE,
    Answers,
    Route,
    Said,
    Told,
    autnum,
    ip,
    mail,
    names,
    of,
    origins,
    rules,
    tell,
    txt,
)

ASKED, ABOVE = ip("192.0.2.7"), ip("192.0.2.0/24")
ANNOUNCED, LISTED = f"dns:TXT/7.2.0.192.{ORIGIN}", f"dns:TXT/7.2.0.192.{DIRECTORY}"
NAMED = "dns:HOST/192.0.2.7"
ALL = ("network", "parent", "origin", "directory", "cert", "host_name")
CERT = {"CA": Route("copy", "Team@cert.example")}
NOBODY = of("192.0.2.0/28", parent="192.0.2.0/24", country="CA")
WEAK = of("192.0.2.0/28", "abuse@one.example", parent="192.0.2.0/24", **INVALID)
SERVFAIL = TemporaryFailure("servfail", "SERVFAIL")


def of_as(number: int) -> str:
    return f"{RIPE}autnum/{number}"


NONE: Answers = {  # everybody is asked, and nobody knows anybody
    ASKED: NOBODY,
    ABOVE: of("192.0.2.0/24"),
    ANNOUNCED: origins(64500),
    of_as(64500): autnum(64500),
    LISTED: txt(),
    NAMED: names(),
}


def told(answers: Answers, address: str = "192.0.2.7", **given: Any) -> Told:
    return tell(look_up(ip_address(address), rules(**({"chain": ALL} | given))), answers)


def mail_of(domain: str) -> str:
    return f"dns:MAIL/{domain}"


# --- the order, and where it ends -------------------------------------------------------------------------------------


QUESTIONS = {"parent": [ABOVE], "origin": [ANNOUNCED, of_as(64500)], "directory": [LISTED], "host_name": [NAMED]}


@pytest.mark.parametrize("order", list(permutations(QUESTIONS)))
def test_the_parts_are_asked_in_the_order_of_the_settings(order: Sequence[str]) -> None:
    one = told(NONE, chain=("network", *order))
    assert one.asked == [ASKED, *(text for part in order for text in QUESTIONS[part])]
    assert one.found.answer.outcome is Outcome.NO_CONTACT


def test_a_part_that_is_not_in_the_chain_is_not_asked() -> None:
    assert told(NONE, chain=("network", "parent")).asked == [ASKED, ABOVE]
    assert told(NONE, chain=("network",)).asked == [ASKED]


@pytest.mark.parametrize(
    ("changed", "mailbox", "last"),
    [
        ({ABOVE: of("192.0.2.0/24", "abuse@above.example")}, "abuse@above.example", ABOVE),
        ({of_as(64500): autnum(64500, "abuse@as.example")}, "abuse@as.example", of_as(64500)),
        ({LISTED: txt("abuse@listed.example")}, "abuse@listed.example", LISTED),
    ],
)
def test_the_chain_ends_with_the_first_who_is_good_enough(changed: Answers, mailbox: str, last: str) -> None:
    one = told(NONE | changed)
    assert (one.usable, one.asked[-1]) == ([mailbox], last)
    assert one.candidate(mailbox).confidence >= ENOUGH


def test_who_is_not_good_enough_is_kept_and_the_next_ones_come_behind() -> None:
    changed: Answers = {ASKED: WEAK, ABOVE: of("192.0.2.0/24", "abuse@above.example")}
    one = told(NONE | changed)
    assert one.asked == [ASKED, ABOVE]
    assert one.usable == ["abuse@one.example", "abuse@above.example"]  # although the second is the surer one
    confidence = [one.candidate(mailbox).confidence for mailbox in one.usable]
    assert confidence[0] < ENOUGH <= confidence[1]
    assert [one.candidate(mailbox).tier for mailbox in one.usable] == [Tier.ROLE, Tier.PARENT]
    far = told(NONE | {LISTED: txt("desk@listed.example")}, routes=CERT)
    assert far.usable == ["desk@listed.example", "team@cert.example"]
    assert NAMED not in far.asked


UNVALIDATED = {"remarks": [{"title": "Unvalidated POC", "description": ["abuse@one.example is unvalidated"]}]}


def test_behind_an_unvalidated_mailbox_stands_that_of_the_network_above() -> None:
    network = of("192.0.2.0/28", "abuse@one.example", parent="192.0.2.0/24", **UNVALIDATED)
    one = told({ASKED: network, ABOVE: of("192.0.2.0/24", "abuse@above.example")})
    assert (one.asked, one.usable) == ([ASKED, ABOVE], ["abuse@one.example", "abuse@above.example"])
    assert one.candidate("abuse@one.example").note == "unvalidated"


def test_an_unvalidated_mailbox_is_used_where_nobody_else_is_known_or_can_be_asked() -> None:
    alone = of("192.0.2.0/28", "abuse@one.example", **UNVALIDATED)
    assert told({ASKED: alone}, chain=("network", "parent")).usable == ["abuse@one.example"]
    failing = dict.fromkeys((ANNOUNCED, LISTED, NAMED), SERVFAIL)
    one = told({ASKED: alone, **failing})
    assert (one.later, one.usable) == (None, ["abuse@one.example"])  # it is not put off: nothing is asked again


# --- the network above ------------------------------------------------------------------------------------------------


def test_two_networks_above_are_asked_and_no_third() -> None:
    links = ("192.0.2.0/28", "192.0.2.0/27", "192.0.2.0/26", "192.0.2.0/25")
    inner, middle, outer = (of(one, parent=up) for one, up in pairwise(links))
    answers: Answers = {ASKED: inner, ip("192.0.2.0/27"): middle, ip("192.0.2.0/26"): outer}
    one = told(answers, chain=("network", "parent"))
    assert one.asked == [ASKED, ip("192.0.2.0/27"), ip("192.0.2.0/26")]
    answers[ip("192.0.2.0/26")] = of("192.0.2.0/26", "abuse@outer.example")
    assert told(answers, chain=("network", "parent")).usable == ["abuse@outer.example"]


def test_a_link_to_what_was_asked_already_is_not_followed() -> None:
    for back in (ABOVE, ASKED):
        up = {"rel": "up", "href": back, "type": "application/rdap+json"}
        circle: Answers = {ASKED: NOBODY, ABOVE: of("192.0.2.0/24", links=[up])}
        assert told(circle, chain=("network", "parent")).asked == [ASKED, ABOVE]


def test_a_registrys_block_and_its_desk_are_never_told_as_the_network_above() -> None:
    block = of("192.0.2.0/24", "abuse@stranger.example", name="NON-RIPE-NCC-MANAGED-ADDRESS-BLOCK")
    assert told(NONE | {ABOVE: block}).rejected == {"abuse@stranger.example": "registry-contact"}
    desk = of("192.0.2.0/24", "abuse@ripe.net", name="RIPE-NCC", holder="RIPE NCC")
    assert told(NONE | {ABOVE: desk}).rejected == {"abuse@ripe.net": "registry-contact"}


def test_a_network_above_that_does_not_hold_the_address_is_not_told() -> None:
    one = told(NONE | {ABOVE: of("198.51.100.0/24", "abuse@other.example")})
    assert (one.usable, one.rejected) == ([], {})


# --- who announces it -------------------------------------------------------------------------------------------------


def test_every_as_that_announces_the_address_is_asked_and_each_contact_kept() -> None:
    two = {of_as(64501): autnum(64501, "abuse@second.example"), of_as(64500): autnum(64500, "abuse@first.example")}
    one = told(NONE | {ANNOUNCED: origins(64500, 64501)} | two)
    assert one.usable == ["abuse@first.example", "abuse@second.example"]
    assert {one.candidate(mailbox).tier for mailbox in one.usable} == {Tier.ORIGIN}
    assert [step.question for step in one.found.steps[2:]] == [ANNOUNCED, of_as(64500), of_as(64501)]
    assert [one.candidate(mailbox).step for mailbox in one.usable] == [3, 4]
    assert one.kept[of_as(64500)].is_shared


def test_of_an_address_that_nobody_announces_no_as_is_asked() -> None:
    one = told(NONE | {ANNOUNCED: txt()})
    assert not any("/autnum/" in text for text in one.asked)
    assert [(step.outcome, step.why) for step in one.found.steps if step.kind is StepKind.ORIGIN] == [
        (Outcome.NO_CONTACT, "no-origin")
    ]


def test_an_as_that_no_registry_lists_is_not_asked() -> None:
    assert not any("/autnum/" in text for text in told(NONE | {ANNOUNCED: origins(65536)}).asked)


@pytest.mark.parametrize(("zones", "is_asked"), [({}, True), ({"origin6_zone": ""}, False)])
def test_each_family_is_asked_in_its_own_zone_or_not_at_all(zones: dict[str, str], is_asked: bool) -> None:
    address = ip_address("2001:db8::7")
    question = f"dns:TXT/{address.reverse_pointer.removesuffix('.ip6.arpa')}.origin6.example"
    answers: Answers = {ip("2001:db8::7"): of("2001:db8::/48"), question: txt()}
    one = told(answers, "2001:db8::7", chain=("network", "origin"), **zones)
    assert (question in one.asked) is is_asked
    assert told({ASKED: of("192.0.2.0/28")}, chain=("network", "origin"), origin_zone="").asked == [ASKED]


# --- what cannot be asked now -----------------------------------------------------------------------------------------


UNSETTLED = [
    *[(ABOVE, said) for said in ([403], [429] * 4, [503] * 4, 500, TemporaryFailure("timeout"), Wait(NOW))],
    *[(of_as(64500), said) for said in (403, TemporaryFailure("cut"), Wait(NOW))],
    *[(text, said) for text in (ANNOUNCED, LISTED, NAMED) for said in (SERVFAIL, Wait(NOW))],
]
SETTLED = [
    *[(ABOVE, said) for said in (404, 501, "<html>", PermanentFailure("forbidden-address"))],
    *[(of_as(64500), said) for said in (404, "{", PermanentFailure("bad-url"))],
    *[(text, PermanentFailure("bad-name")) for text in (ANNOUNCED, LISTED, NAMED)],
]


@pytest.mark.parametrize(("question", "said"), UNSETTLED)
def test_nobody_is_not_concluded_while_a_part_could_not_be_asked(question: str, said: Said | list[Said]) -> None:
    nobody = told(NONE | {question: said})
    assert nobody.later is not None
    assert nobody.later.wait == LOOK_AGAIN
    somebody = told(NONE | {question: said}, routes=CERT)  # all parts but the last one have been asked
    assert somebody.usable == ["team@cert.example"]


@pytest.mark.parametrize(("question", "said"), SETTLED)
def test_a_part_that_will_never_answer_does_not_hold_up_the_end(question: str, said: Said) -> None:
    assert told(NONE | {question: said}).found.answer.outcome is Outcome.NO_CONTACT


# --- a country's route ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["digest", "partner"])
def test_where_a_country_takes_its_cases_itself_nobody_else_is_told_or_looked_for(kind: str) -> None:
    routes = {"CA": Route(kind, "Team@cert.example")}
    own = of("192.0.2.0/28", "abuse@one.example", country="CA")
    one = told({ASKED: own}, routes=routes)
    assert (one.asked, one.usable, one.rejected) == (
        *([ASKED], ["team@cert.example"], {"abuse@one.example": "by-route"}),
    )
    cert = one.candidate("team@cert.example")
    assert (cert.tier, cert.spelling, cert.note) == (Tier.CERT, "Team@cert.example", kind)
    assert one.found.steps[cert.step].kind is StepKind.CERT
    assert one.found.steps[one.candidate("abuse@one.example").step].kind is StepKind.NETWORK
    assert told({ASKED: NOBODY}, routes=routes, chain=("network",)).usable == ["team@cert.example"]
    weak = told({ASKED: WEAK | {"country": "CA"}}, routes=routes, dead=frozenset({"team@cert.example"}))
    assert (weak.asked, weak.usable) == ([ASKED], ["team@cert.example"])


def test_where_the_mailbox_that_alone_is_told_takes_no_mail_or_was_rejected_a_person_decides() -> None:
    own = of("192.0.2.0/28", "abuse@one.example", parent="192.0.2.0/24", country="CA")
    routes = {"CA": Route("digest", "team@cert.example")}
    for given, why in (
        ({"check_mail": True}, "no-mail"),
        ({"spoken": Spoken([Spoke("reject", "team@cert.example")])}, "by-person"),
    ):
        one = told({ASKED: own, mail_of("cert.example"): mail("null_mx")}, routes=routes, **given)
        assert (one.found.answer.outcome, one.usable) == (Outcome.NO_CONTACT, [])
        assert one.rejected == {"team@cert.example": why, "abuse@one.example": "by-route"}
        assert ABOVE not in one.asked


def test_a_network_whose_own_contact_is_the_one_that_alone_is_told_is_told_through_it() -> None:
    own = of("192.0.2.0/28", "team@cert.example", country="CA")
    one = told({ASKED: own}, routes={"CA": Route("digest", "Team@cert.example")})
    assert (one.usable, one.rejected) == (["team@cert.example"], {})


def test_who_is_rejected_already_keeps_the_reason() -> None:
    own = of("192.0.2.0/28", "nobody@ripe.net", country="CA")
    one = told({ASKED: own}, routes={"CA": Route("digest", "team@cert.example")})
    assert set(one.rejected.values()) == {"placeholder"}


@pytest.mark.parametrize("kind", ["direct", "copy"])
def test_elsewhere_a_countrys_team_comes_where_the_chain_has_it(kind: str) -> None:
    routes = {"CA": Route(kind, "team@cert.example")}
    assert told(NONE, routes=routes).usable == ["team@cert.example"]
    assert told({ASKED: of("192.0.2.0/28", "abuse@one.example", country="CA")}, routes=routes).usable == [
        "abuse@one.example"
    ]
    assert told(NONE, routes=routes, chain=("network", "parent")).usable == []
    first = told({ASKED: WEAK | {"country": "CA"}}, routes=routes, chain=("network", "cert", "parent"))
    assert (first.asked, first.usable) == ([ASKED], ["abuse@one.example", "team@cert.example"])


def test_the_country_is_the_networks_and_else_the_one_that_the_range_was_given_to() -> None:
    given = {ip_address("192.0.2.7"): "CA"}
    unknown, other = of("192.0.2.0/28"), of("192.0.2.0/28", country="FR")
    chain = ("network", "cert")
    assert told({ASKED: unknown}, routes=CERT, countries=given, chain=chain).usable == ["team@cert.example"]
    assert told({ASKED: 404}, routes=CERT, countries=given, chain=chain).usable == ["team@cert.example"]
    assert told({ASKED: other}, routes=CERT, countries=given, chain=chain).usable == []
    assert told({ASKED: unknown}, routes=CERT, chain=chain).usable == []


@pytest.mark.parametrize("mailbox", ["", "nobody", "a@b@c.example"])
def test_a_route_without_a_mailbox_names_nobody(mailbox: str) -> None:
    for kind in ("copy", "digest"):
        assert told(NONE, routes={"CA": Route(kind, mailbox)}).found.answer.outcome is Outcome.NO_CONTACT


# --- what people said, and what came back -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Spoke:
    verdict: str
    mailbox: str
    first: Address | None = None
    last: Address | None = None
    id: int = 1
    spelling: str = ""
    at: datetime = NOW
    until: datetime | None = None


OWN = of("192.0.2.0/28", "abuse@one.example", parent="192.0.2.0/24")
LAST = ip_address("192.0.2.9")
TWO: Answers = {ASKED: OWN, ABOVE: of("192.0.2.0/24", "abuse@above.example")}


@pytest.mark.parametrize(("first", "holds"), [(None, True), (ip_address("192.0.2.0"), True), (LAST, False)])
def test_whom_a_person_rejected_is_passed_over_where_the_rejection_holds(first: Address | None, holds: bool) -> None:
    one = told(TWO, spoken=Spoken([Spoke("reject", "abuse@one.example", first, first and LAST)]))
    assert one.usable == (["abuse@above.example"] if holds else ["abuse@one.example"])
    assert one.rejected == ({"abuse@one.example": "by-person"} if holds else {})


def test_an_answer_holds_no_farther_than_what_people_said_of_its_contact() -> None:
    spoken = Spoken([Spoke("reject", "abuse@one.example", ip_address("192.0.2.8"), LAST)])
    assert told(TWO, spoken=spoken).found.answer.cached == (ip_address("192.0.2.0"), ip_address("192.0.2.7"))
    assert told(TWO).found.answer.cached == (ip_address("192.0.2.0"), ip_address("192.0.2.15"))


def test_after_a_mailbox_that_came_back_the_next_one_is_found() -> None:
    one = told(TWO, dead=frozenset({"abuse@one.example"}))
    assert one.asked == [ASKED, ABOVE]
    assert one.usable == ["abuse@one.example", "abuse@above.example"]  # which of them lives is seen when it is used


# --- how mail is routed -----------------------------------------------------------------------------------------------


CHECKED: dict[str, Any] = {"check_mail": True}


@pytest.mark.parametrize(
    ("route", "note"), [("null_mx", "null-mx"), ("none", "no-mail-server"), ("mx", ""), ("address", "")]
)
def test_only_a_domain_that_takes_no_mail_makes_the_chain_go_on(route: str, note: str) -> None:
    answers = TWO | {mail_of("one.example"): mail(route), mail_of("above.example"): mail("mx")}
    one = told(answers, **CHECKED)
    if not note:
        assert (one.asked, one.usable) == ([ASKED, mail_of("one.example")], ["abuse@one.example"])
        return
    assert one.asked == [ASKED, mail_of("one.example"), ABOVE, mail_of("above.example")]
    assert (one.usable, one.rejected) == (["abuse@above.example"], {"abuse@one.example": "no-mail"})
    assert one.candidate("abuse@one.example").note == note
    assert [step.kind for step in one.found.steps] == [
        *(StepKind.NETWORK, StepKind.MAIL, StepKind.PARENT, StepKind.MAIL)
    ]
    assert one.candidate("abuse@above.example").step == 2
    assert one.kept[mail_of("one.example")].is_shared


@pytest.mark.parametrize("said", [SERVFAIL, Wait(NOW + timedelta(days=1))])
def test_a_domain_of_which_the_dns_cannot_say_is_written_to_all_the_same(said: Said) -> None:
    one = told({ASKED: OWN, mail_of("one.example"): said}, **CHECKED)
    assert one.usable == ["abuse@one.example"]
    assert [text for text, keep in one.kept.items() if not keep.is_failure] == [ASKED]
    if said is SERVFAIL:
        assert one.kept[mail_of("one.example")].is_failure  # it is not asked again for the next one
        assert one.steps[1] == (StepKind.MAIL, Outcome.UNUSABLE)


def test_a_domain_is_asked_about_once_and_those_behind_a_good_one_not_at_all() -> None:
    several = of("192.0.2.0/28", "abuse@one.example") | {
        "entities": [
            {"roles": ["abuse"], "vcardArray": ["vcard", [["email", {}, "text", mailbox]]]}
            for mailbox in ("abuse@one.example", "spam@one.example", "abuse@two.example")
        ]
    }
    live = told({ASKED: several, mail_of("one.example"): mail("mx")}, **CHECKED)
    assert live.asked == [ASKED, mail_of("one.example")]
    routes: Answers = {mail_of("one.example"): mail("none"), mail_of("two.example"): mail("mx")}
    dead = told({ASKED: several} | routes, **CHECKED)
    assert dead.asked == [ASKED, mail_of("one.example"), mail_of("two.example")]
    assert dead.usable == ["abuse@two.example"]


@pytest.mark.parametrize(
    ("said", "reason"), [(mail("mx"), ""), (mail("address"), "no-mail"), (SERVFAIL, "mail-unknown"), (None, "")]
)
def test_a_mailbox_guessed_from_a_name_needs_an_mx(said: Said | None, reason: str) -> None:
    named: Answers = {NAMED: names("www.isp.example")}
    if said is None:  # the DNS is not to be asked how mail is routed
        reason, given = "mail-unknown", {}
    else:
        named[mail_of("isp.example")], given = said, CHECKED
    one = told(NONE | named, **given)
    if reason:
        assert one.rejected == {"abuse@isp.example": reason}
        assert one.found.answer.outcome is Outcome.NO_CONTACT
    else:
        assert one.usable == ["abuse@isp.example"]
        assert one.candidate("abuse@isp.example").tier is Tier.HOST_NAME


# --- a network that no registry knows ---------------------------------------------------------------------------------


def test_an_address_without_a_network_is_told_through_who_announces_it() -> None:
    with_origin = told(NONE | {ASKED: 404, of_as(64500): autnum(64500, "abuse@as.example")})
    assert with_origin.asked == [ASKED, ANNOUNCED, of_as(64500)]
    assert (with_origin.found.answer.outcome, with_origin.usable) == (Outcome.CONTACTS, ["abuse@as.example"])
    assert with_origin.found.answer.cached is None  # it holds for the address alone
    without = told(NONE | {ASKED: 404, ANNOUNCED: txt()})
    assert without.found.answer.outcome is Outcome.NOT_FOUND


def test_where_rdap_refuses_a_definite_no_of_whois_leads_on() -> None:
    whois = {"ripencc": ("whois.ripencc.example", 43)}
    answers: Answers = {
        ASKED: 403,
        "whois://whois.ripencc.example:43/-r 192.0.2.7": "inetnum: 192.0.2.0 - 192.0.2.15\nsource: RIPE\n",
        of_as(64500): autnum(64500, "abuse@as.example"),
    }
    one = told(NONE | answers, whois_hosts=whois, chain=("network", "whois", "parent", "origin"))
    assert one.usable == ["abuse@as.example"]
    assert ABOVE not in one.asked  # WHOIS links to no network above


def test_the_contact_of_the_network_stays_what_the_answer_is_of() -> None:
    one = told(NONE | {ABOVE: of("192.0.2.0/24", "abuse@above.example", country="FR")})
    answer = one.found.answer
    assert (answer.handle, answer.country, str(answer.cached)) == ("192.0.2.0/28", "CA", str(answer.registered))
    assert one.found.raw.source == ASKED
