"""One look-up from its first question to its end, answered with plain values: the network, and who is asked about it."""

from datetime import timedelta
from ipaddress import ip_address
from itertools import pairwise
from typing import Any

import pytest

from pipeline.domain import Outcome, PermanentFailure, StepKind, TemporaryFailure, Tier
from pipeline.resolve.asking import PAUSE, WHOIS_PAUSE
from pipeline.resolve.lookup import look_up
from pipeline.resolve.talk import Wait
from tests.resolve.scripted import (
    APNIC,
    ARIN,
    INVALID,
    NOW,
    RIPE,
    WHOIS,
    Answers,
    Json,
    Said,
    To,
    Told,
    ip,
    of,
    rpsl,
    rules,
    tell,
)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ASKED = ip("192.0.2.7")
RIPE_WHOIS = "whois://whois.ripencc.example:43/-r 192.0.2.7"
NETWORK_ONLY: dict[str, Any] = {"chain": ("network", "whois")}
OWN = of("192.0.2.0/24", "abuse@one.example")
NOBODY = of("192.0.2.0/24")


def told(answers: Answers, address: str = "192.0.2.7", **given: Any) -> Told:
    return tell(look_up(ip_address(address), rules(**(NETWORK_ONLY | given))), answers)


# --- the network ------------------------------------------------------------------------------------------------------


def test_a_network_with_a_contact_takes_one_question() -> None:
    one = told({ASKED: OWN}, whois_hosts=WHOIS, chain=("network", "whois", "parent", "origin", "cert"))
    assert (one.asked, one.usable, one.steps) == (
        [ASKED],
        ["abuse@one.example"],
        [(StepKind.NETWORK, Outcome.CONTACTS)],
    )
    assert one.found.answer.handle == "192.0.2.0/24"
    assert one.found.steps[0].raw == one.found.raw
    assert one.kept[ASKED].answer == one.found.raw
    assert not one.kept[ASKED].is_shared


def test_a_redirect_is_followed_and_kept_and_the_step_names_where_the_answer_came_from() -> None:
    there = ip("192.0.2.7", ARIN)
    one = told({ASKED: To(there), there: of("192.0.2.0/24", "abuse@one.example", ARIN)})
    assert one.asked == [ASKED, there]
    assert one.kept[ASKED].answer.body == there.encode()
    assert one.kept[ASKED].answer.status == 302
    assert [step.question for step in one.found.steps] == [there]
    assert one.found.answer.registry == "arin"


def test_five_redirects_are_followed_and_a_sixth_ends_in_nothing_said() -> None:
    chain = [ASKED, *(f"https://rdap.example/ripencc/{n}/ip/192.0.2.7" for n in range(6))]
    hops: Answers = {at: To(to) for at, to in pairwise(chain)}
    assert told(hops | {chain[5]: OWN}).usable == ["abuse@one.example"]
    six = told(hops | {chain[6]: OWN})
    assert six.asked == chain[:6]
    assert six.later is not None
    assert six.later.wait == DAY


def test_a_redirect_to_plain_http_is_not_followed() -> None:
    one = told({ASKED: To("http://rdap.example/arin/ip/192.0.2.7")})
    assert (one.asked, one.later is not None) == ([ASKED], True)


@pytest.mark.parametrize("status", [403, 429, 503])
def test_a_refusal_is_looked_at_again_later_and_never_taken_for_nobody(status: int) -> None:
    chain = ("network", "whois", "parent", "origin", "directory", "cert")
    one = told({ASKED: [status] * 4}, chain=chain)  # nobody else is asked
    assert one.later is not None
    assert (one.later.wait, one.later.cell) == (15 * MINUTE, False)
    assert one.paused
    assert not one.kept


def test_a_refusal_that_ends_soon_is_waited_for_three_times_and_a_403_is_not() -> None:
    assert told({ASKED: [429, 429, 429, OWN]}).usable == ["abuse@one.example"]
    assert told({ASKED: [429] * 4}).paused == [(ASKED, PAUSE)] * 4
    assert told({ASKED: [403, OWN]}).asked == [ASKED]
    assert told({ASKED: [429, OWN]}, patience=PAUSE / 2).asked == [ASKED]


def test_a_server_without_a_slot_puts_off_all_that_it_would_have_to_be_asked_about() -> None:
    one = told({ASKED: Wait(NOW + DAY)})
    assert one.later is not None
    assert (one.later.until, one.later.cell) == (NOW + DAY, True)


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ("{", DAY),
        (501, DAY),
        (of("198.51.100.0/24", "abuse@two.example"), DAY),
        (PermanentFailure("forbidden-address"), DAY),
        (TemporaryFailure("timeout"), HOUR),
        (500, HOUR),
    ],
)
def test_what_cannot_be_used_is_asked_for_again_later(said: Said, wait: timedelta) -> None:
    one = told({ASKED: said}, chain=("network", "parent", "origin", "cert"))
    assert one.later is not None
    assert one.later.wait == wait
    assert not one.kept  # so that it is asked for again indeed


def test_special_purpose_space_ends_the_look_up() -> None:
    one = told({ASKED: of("192.0.2.0/24", name="IANA-RESERVED", type="IANA Special Use")}, whois_hosts=WHOIS)
    assert (one.asked, one.found.answer.outcome) == ([ASKED], Outcome.SPECIAL)
    whole = ("network", "whois", "page", "parent", "origin", "directory", "cert", "host_name")
    assert told({ASKED: of("192.0.2.0/24", type="IANA Special Use")}, chain=whole).asked == [ASKED]


# --- WHOIS ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [NOBODY, 403, 404, "{"])
def test_whois_is_asked_where_rdap_names_nobody(first: Said) -> None:
    one = told({ASKED: first, RIPE_WHOIS: rpsl("192.0.2.0/24", "abuse@one.example")}, whois_hosts=WHOIS)
    assert one.asked == [ASKED, RIPE_WHOIS]
    assert one.usable == ["abuse@one.example"]
    assert one.candidate("abuse@one.example").step == 1


def test_whois_is_asked_only_if_it_is_in_the_chain() -> None:
    assert told({ASKED: NOBODY}, whois_hosts=WHOIS, chain=("network",)).asked == [ASKED]


def test_a_definite_no_stands_where_whois_refuses_or_has_no_slot() -> None:
    refused = told({ASKED: NOBODY, RIPE_WHOIS: "%ERROR:201: access denied"}, whois_hosts=WHOIS)
    assert refused.found.answer.outcome is Outcome.NO_CONTACT
    assert refused.paused == [(RIPE_WHOIS, WHOIS_PAUSE)]
    assert refused.steps[1] == (StepKind.WHOIS, Outcome.REFUSED)
    assert refused.found.steps[1].raw is None
    late = told({ASKED: NOBODY, RIPE_WHOIS: Wait(NOW + DAY)}, whois_hosts=WHOIS)
    assert late.steps == [(StepKind.NETWORK, Outcome.NO_CONTACT)]


def at_krnic() -> Json:
    """What APNIC says of a network of KRNIC's: the desk is the registry's."""
    irt = of("203.0.113.0/24", "irt@nic.or.kr", APNIC)
    return irt | {
        "entities": [each | {"handle": "IRT-KRNIC-KR"} for each in irt["entities"] if "abuse" in each["roles"]]
    }


def test_the_national_registry_is_asked_before_the_one_that_answered() -> None:
    asked = ip("203.0.113.7", APNIC)
    krnic, apnic = (f"whois://whois.{name}.example:43/203.0.113.7" for name in ("krnic", "apnic"))
    nothing = "no match"
    both = told({asked: at_krnic(), krnic: nothing, apnic: nothing}, "203.0.113.7", whois_hosts=WHOIS)
    assert both.asked == [asked, krnic, apnic]
    said = rpsl("203.0.113.0/25", "abuse@isp.example", "krnic")
    assert told({asked: at_krnic(), krnic: said}, "203.0.113.7", whois_hosts=WHOIS).asked == [asked, krnic]


ARIN_TEXT = "NetRange: 198.51.100.0 - 198.51.100.255\nNetName: NET\nReferralServer: {}\n"
RWHOIS_TEXT = "%rwhois V-1.5\nnetwork:ID:NET\nnetwork:IP-Network:198.51.100.0/25\nnetwork:Abuse-Email:{}\n"


def referred(*servers: str, ends: str = "") -> tuple[Told, list[str]]:
    """Ask ARIN's server, which refers to the first of the servers, and that to the next."""
    first = "whois://whois.arin.example:43/n + 198.51.100.7"
    asked = [first, *(f"{server.partition('://')[2]}" for server in servers)]
    asked = [first, *(f"whois://{server}/198.51.100.7" for server in asked[1:])]
    texts = [f"no match\nrefer: {server}\n" for server in servers]
    texts[1:] = [ARIN_TEXT.format(server) for server in servers[1:]]
    answers: Answers = dict(zip(asked, [*texts, RWHOIS_TEXT.format(ends)], strict=True))
    base = ip("198.51.100.7", ARIN)
    return told(answers | {base: 404}, "198.51.100.7", whois_hosts=WHOIS), [base, *asked]


def test_a_referral_to_the_providers_own_server_is_followed() -> None:
    one, asked = referred("rwhois://rwhois.isp.example:4321", ends="abuse@isp.example")
    assert one.asked == asked
    assert one.usable == ["abuse@isp.example"]
    assert [step.kind for step in one.found.steps] == [StepKind.NETWORK, StepKind.WHOIS, StepKind.WHOIS]
    assert one.candidate("abuse@isp.example").step == 2


def test_at_most_two_referrals_are_followed() -> None:
    two, asked = referred("whois://whois.one.example:43", "rwhois://rwhois.two.example:4321", ends="a@two.example")
    assert two.asked == asked
    three, asked = referred(*(f"whois://whois.{name}.example:43" for name in ("one", "two", "three")))
    assert three.asked == asked[:4]


@pytest.mark.parametrize("target", ["rwhois://10.0.0.1:4321", "whois://127.0.0.1:43", "rwhois://[::1]:4321"])
def test_a_referral_into_private_space_is_not_followed(target: str) -> None:
    asked, base = "whois://whois.arin.example:43/n + 198.51.100.7", ip("198.51.100.7", ARIN)
    answers: Answers = {base: 404, asked: ARIN_TEXT.format(target)}
    assert told(answers, "198.51.100.7", whois_hosts=WHOIS).asked == [base, asked]


@pytest.mark.parametrize("further", ["no match", "%rwhois V-1.5\n%error 230 no objects found", "limit exceeded"])
def test_a_server_that_was_referred_to_and_says_no_more_changes_nothing(further: str) -> None:
    asked, base = "whois://whois.arin.example:43/n + 198.51.100.7", ip("198.51.100.7", ARIN)
    other = "whois://rwhois.isp.example:4321/198.51.100.7"
    text = ARIN_TEXT.format("rwhois://rwhois.isp.example:4321")
    one = told({base: 404, asked: text, other: further}, "198.51.100.7", whois_hosts=WHOIS)
    assert one.asked == [base, asked, other]
    assert (one.found.answer.outcome, one.found.raw.source) == (Outcome.NO_CONTACT, asked)


def test_no_server_is_asked_twice_by_referrals_in_a_circle() -> None:
    asked, base = "whois://whois.arin.example:43/n + 198.51.100.7", ip("198.51.100.7", ARIN)
    other = "whois://whois.isp.example:43/198.51.100.7"
    answers: Answers = {
        base: 404,
        asked: "no match\nrefer: whois://whois.isp.example:43\n",
        other: ARIN_TEXT.format("whois://whois.arin.example:43"),
    }
    assert told(answers, "198.51.100.7", whois_hosts=WHOIS).asked == [base, asked, other]


# --- a contact by its handle, and a national registry's page ----------------------------------------------------------


def with_handle(handle: str) -> dict[str, Any]:
    return NOBODY | {"entities": [{"objectClassName": "entity", "handle": handle, "roles": ["abuse"]}]}


ENTITY = f"{RIPE}entity/DESK-1"
DESK = {
    "objectClassName": "entity",
    "handle": "DESK-1",
    "vcardArray": ["vcard", [["email", {}, "text", "abuse@one.example"]]],
}


def test_an_abuse_contact_that_is_only_named_is_asked_for_and_the_network_stays() -> None:
    one = told({ASKED: with_handle("DESK-1"), ENTITY: DESK}, whois_hosts=WHOIS)
    assert one.asked == [ASKED, ENTITY]
    assert one.usable == ["abuse@one.example"]
    assert one.candidate("abuse@one.example").step == 1
    assert one.found.answer.registered is not None
    assert one.found.raw.source == ASKED
    assert one.kept[ENTITY].is_shared


@pytest.mark.parametrize("said", [404, 403, TemporaryFailure("timeout"), Wait(NOW + DAY), DESK | {"handle": "OTHER"}])
def test_a_contact_that_cannot_be_had_by_its_handle_is_looked_for_by_whois(said: Said) -> None:
    answers: Answers = {ASKED: with_handle("DESK-1"), ENTITY: said}
    text = rpsl("192.0.2.0/24", "abuse@two.example")
    one = told(answers | {RIPE_WHOIS: text}, whois_hosts=WHOIS)
    assert (one.asked, one.usable) == ([ASKED, ENTITY, RIPE_WHOIS], ["abuse@two.example"])


def test_entities_of_ripe_are_not_asked_for_where_the_network_names_a_mailbox() -> None:
    bare = [{"objectClassName": "entity", "handle": f"P{n}-RIPE", "roles": ["technical"]} for n in range(4)]
    one = told({ASKED: OWN | {"entities": [*bare, *OWN["entities"]]}})
    assert one.asked == [ASKED]
    assert told({ASKED: NOBODY | {"entities": bare}}).asked == [ASKED]  # nor where it names no abuse contact


PAGE = "<pre>\n[ Network Information ]\nIPv4 Address       : 203.0.113.0 - 203.0.113.255 (/24)\n{}</pre>"


def test_a_page_is_asked_only_in_the_chain_and_of_the_registry_that_has_one() -> None:
    asked, page = ip("203.0.113.7", APNIC), "https://krnic.example/whois#query=203.0.113.7"
    pages = {"krnic": "https://krnic.example/whois#query={address}"}
    isp = "Organization Name  : ISP\nService Name       : NET\nE-Mail             : abuse@isp.example\n"
    answers: Answers = {asked: at_krnic(), page: PAGE.format(isp)}
    one = told(answers, "203.0.113.7", pages=pages, chain=("network", "page"))
    assert (one.asked, one.usable) == ([asked, page], ["abuse@isp.example"])
    assert one.candidate("abuse@isp.example").step == 1
    assert told({asked: at_krnic()}, "203.0.113.7", pages=pages).asked == [asked]
    other = told({asked: of("203.0.113.0/24", base=APNIC)}, "203.0.113.7", pages=pages, chain=("network", "page"))
    assert other.asked == [asked]


# --- the end ----------------------------------------------------------------------------------------------------------


def test_steps_are_numbered_and_each_candidate_points_at_its_own() -> None:
    parent = ip("192.0.2.0/24")
    weak = of("192.0.2.0/28", "abuse@one.example", parent="192.0.2.0/24", **INVALID)
    above = of("192.0.2.0/24", "abuse@above.example")
    one = told({ASKED: weak, parent: above}, chain=("network", "parent"))
    assert [step.question for step in one.found.steps] == [ASKED, parent]
    assert {each.mailbox: (each.rank, each.step, each.tier) for each in one.found.answer.candidates} == {
        "abuse@one.example": (0, 0, Tier.ROLE),
        "abuse@above.example": (1, 1, Tier.PARENT),
    }
    assert one.found.answer.handle == "192.0.2.0/28"  # the network stays the address's own


def test_of_a_network_without_a_contact_the_reason_is_kept() -> None:
    nowhere = told({ASKED: of("192.0.2.0/24", "nobody@one.example")})
    assert (nowhere.found.answer.outcome, nowhere.rejected) == (
        Outcome.NO_CONTACT,
        {"nobody@one.example": "placeholder"},
    )
    unknown = told({ASKED: 404})
    assert (unknown.found.answer.outcome, unknown.found.answer.cached) == (Outcome.NOT_FOUND, None)
