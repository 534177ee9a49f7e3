"""One search for all networks below a wide one, answered with plain values: what it settles and what it leaves open."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from itertools import pairwise
from typing import Any

import pytest

from pipeline.domain import Address, Answer, Outcome, PermanentFailure, StepKind, TemporaryFailure
from pipeline.resolve import search
from pipeline.resolve.asking import PAUSE
from pipeline.resolve.lookup import look_up
from pipeline.resolve.scope import ScopeCaps
from pipeline.resolve.spoken import Spoken
from pipeline.resolve.talk import Found, Heard, Wait
from tests.resolve.scripted import INVALID, NOW, RIPE, Answers, Json, Route, Said, Told, ip, mail, of, rpsl, rules, tell

ASKED = ip("192.0.2.200")
SEARCH = f"{RIPE}ips/rirSearch1/rdap-bottom/192.0.2.0/24"
DOWN = f"{RIPE}ips/rirSearch1/rdap-down/192.0.2.0/24"
CAPS = ScopeCaps(v4=28, block_v4=28)
OFFERS: Json = {"rdapConformance": ["rdap_level_0", "rirSearch1"]}
WIDE = of("192.0.2.0/24", "abuse@wide.example", **OFFERS)


def told(answers: Answers, address: str = "192.0.2.200", **given: Any) -> Told:
    defaults: Json = {"chain": ("network",), "use_search": True, "caps": CAPS}
    return tell(look_up(ip_address(address), rules(**(defaults | given))), answers)


def listed(*networks: Json, **more: Any) -> Json:
    return {"rdapConformance": ["rirSearch1"], "ipSearchResults": list(networks), **more}


def below(*prefixes: str) -> list[Json]:
    """Networks with a mailbox each, called after the last octet that they begin with."""
    return [of(prefix, f"abuse@n{prefix.partition('/')[0].rpartition('.')[2]}.example") for prefix in prefixes]


def settled(one: Told) -> dict[str, list[str]]:
    """What the search settles beside the address: range -> mailboxes."""
    return {_range(found): [each.mailbox for each in found.answer.candidates] for found in one.found.beside}


def _range(found: Found) -> str:
    assert found.answer.cached is not None
    first, last = (str(end).rpartition(".")[2] for end in found.answer.cached)
    return f"{first}-{last}"


# --- what it settles --------------------------------------------------------------------------------------------------


def test_two_questions_settle_every_network_below_and_the_gaps_of_the_wide_one() -> None:
    one = told({ASKED: WIDE, SEARCH: listed(WIDE, *below("192.0.2.0/28", "192.0.2.32/27"))})
    assert one.asked == [ASKED, SEARCH]
    assert settled(one) == {
        "0-15": ["abuse@n0.example"],
        "32-63": ["abuse@n32.example"],
        "16-31": ["abuse@wide.example"],
    }
    assert list(map(str, one.found.answer.cached or ())) == ["192.0.2.64", "192.0.2.255"]  # wider than the cap
    assert one.usable == ["abuse@wide.example"]
    assert one.steps == [(StepKind.NETWORK, Outcome.CONTACTS), (StepKind.SEARCH, Outcome.CONTACTS)]
    assert not one.kept[SEARCH].is_shared


def test_a_network_between_answers_where_none_narrower_does() -> None:
    one = told({ASKED: WIDE, SEARCH: listed(*below("192.0.2.0/26", "192.0.2.16/28", "192.0.2.20/30"), WIDE)})
    assert settled(one) == {
        "20-23": ["abuse@n20.example"],
        "16-19": ["abuse@n16.example"],
        "24-31": ["abuse@n16.example"],
        "0-15": ["abuse@n0.example"],
        "32-63": ["abuse@n0.example"],
    }


def test_no_two_of_the_parts_overlap_and_none_holds_the_address() -> None:
    prefixes = [f"192.0.2.{start}/{length}" for length in (26, 27, 28, 30) for start in (0, 64)]
    one = told({ASKED: WIDE, SEARCH: listed(WIDE, *[of(p, "abuse@one.example") for p in prefixes])})
    parts = sorted((int(first), int(last)) for first, last in filter(None, (f.answer.cached for f in one.found.beside)))
    assert all(before[1] < after[0] for before, after in pairwise(parts))
    assert parts[-1][1] < int(ip_address("192.0.2.200"))


def test_gaps_stay_open_where_the_wide_network_is_not_listed_itself() -> None:
    one = told({ASKED: WIDE, SEARCH: listed(*below("192.0.2.0/28"))})
    assert settled(one) == {"0-15": ["abuse@n0.example"]}
    assert list(map(str, one.found.answer.cached or ())) == ["192.0.2.192", "192.0.2.207"]


def test_a_network_that_names_nobody_or_not_well_enough_is_asked_about_by_itself() -> None:
    nobody, weak = of("192.0.2.0/28"), of("192.0.2.16/28", "abuse@one.example", **INVALID)
    one = told({ASKED: WIDE, SEARCH: listed(nobody, weak, WIDE)})
    assert settled(one) == {}
    assert list(map(str, one.found.answer.cached or ())) == ["192.0.2.32", "192.0.2.255"]


def test_what_lies_outside_the_wide_network_is_cut_off() -> None:
    odd = WIDE | {"startAddress": "192.0.2.96", "endAddress": "192.0.2.203", "cidr0_cidrs": []}
    reaching_over = below("192.0.2.0/28", "192.0.2.64/27", "192.0.2.200/29")  # the search was for a prefix around it
    around = listed(*reaching_over, *below("192.0.2.96/28"), of("198.51.100.0/28", "a@b.example"))
    assert settled(told({ASKED: odd, SEARCH: around})) == {"96-111": ["abuse@n96.example"]}


def test_a_network_listed_twice_is_settled_once() -> None:
    twice = listed(WIDE, *below("192.0.2.0/28"), of("192.0.2.0/28", "abuse@other.example", handle="TWICE"))
    one = told({ASKED: WIDE, SEARCH: twice})
    assert [_range(found) for found in one.found.beside].count("0-15") == 1


def test_what_is_settled_says_which_question_it_rests_on() -> None:
    one = told({ASKED: WIDE, SEARCH: listed(WIDE, *below("192.0.2.0/28"))})
    [beside] = [found for found in one.found.beside if found.answer.handle == "192.0.2.0/28"]
    assert beside.raw.source == SEARCH
    [candidate] = beside.answer.candidates
    assert beside.steps[candidate.step].question == SEARCH


def test_not_more_parts_than_a_bound_are_remembered() -> None:
    wide = of("2001:db8::/32", "abuse@wide.example", **OFFERS)
    for gaps, remembered in ((5, 5), (search.MOST_PARTS + 6, search.MOST_PARTS)):
        every_other = [of(f"2001:db8:{2 * place + 1:x}::/48") for place in range(gaps)]
        found = listed(wide, *every_other)
        answers = {ip("2001:db8::1"): wide, f"{RIPE}ips/rirSearch1/rdap-bottom/2001:db8::/32": found}
        assert len(told(answers, "2001:db8::1", caps=ScopeCaps()).found.beside) == remembered


def test_mail_domains_below_are_asked_about_once_and_those_without_mail_settle_nothing() -> None:
    networks = [of(f"192.0.2.{start}/28", "abuse@one.example") for start in (0, 16)]
    dead = of("192.0.2.32/28", "abuse@dead.example")
    routes = {f"dns:MAIL/{name}.example": mail(way) for name, way in (("one", "mx"), ("dead", "none"), ("wide", "mx"))}
    one = told({ASKED: WIDE, SEARCH: listed(WIDE, *networks, dead)} | routes, check_mail=True)
    assert len(one.asked) == len(set(one.asked)) == 5
    assert {_range(found) for found in one.found.beside} == {"0-15", "16-31"}
    for found in [one.found, *one.found.beside]:  # each tells its own story whole
        assert [step.kind for step in found.steps] == [StepKind.NETWORK, StepKind.SEARCH, StepKind.MAIL]


@dataclass(frozen=True)
class Rejected:
    mailbox: str
    first: Address
    last: Address
    id: int = 1
    verdict: str = "reject"
    spelling: str = ""
    at: datetime = NOW
    until: datetime | None = None


def test_whom_a_person_rejected_below_settles_nothing_there() -> None:
    networks = [of(f"192.0.2.{start}/28", "abuse@one.example") for start in (0, 16, 32)]
    words = [Rejected("abuse@one.example", ip_address("192.0.2.0"), ip_address("192.0.2.19"))]
    one = told({ASKED: WIDE, SEARCH: listed(WIDE, *networks)}, spoken=Spoken(words))
    assert settled(one) == {"32-47": ["abuse@one.example"]}  # the middle one is asked about by itself, in two parts


@pytest.mark.parametrize(("kind", "mailboxes"), [("digest", ["team@cert.example"]), ("copy", ["abuse@n0.example"])])
def test_networks_below_are_told_by_the_route_of_their_own_country(kind: str, mailboxes: list[str]) -> None:
    network = of("192.0.2.0/28", "abuse@n0.example", country="CA")
    one = told({ASKED: WIDE, SEARCH: listed(WIDE, network)}, routes={"CA": Route(kind, "team@cert.example")})
    assert one.usable == ["abuse@wide.example"]
    [below] = [found for found in one.found.beside if _range(found) == "0-15"]
    assert [each.mailbox for each in below.answer.candidates if not each.rejected] == mailboxes
    passed = [each.mailbox for each in below.answer.candidates if each.rejected == "by-route"]
    assert passed == ([] if kind == "copy" else ["abuse@n0.example"])


# --- what it leaves open ----------------------------------------------------------------------------------------------


CUT = {"notices": [{"type": "result set truncated due to excessive load", "description": ["This list ends here."]}]}


@pytest.mark.parametrize(
    ("said", "is_kept"),
    [
        (listed(WIDE, *below("192.0.2.0/28"), **CUT), True),
        (listed(WIDE, {"objectClassName": "autnum"}), True),
        ("{", True),
        (404, True),
        (501, True),
        (400, True),
        (PermanentFailure("too-large"), True),
        (500, False),
        (TemporaryFailure("timeout"), False),
        (Wait(NOW + timedelta(days=1)), False),
    ],
)
def test_a_list_that_is_cut_or_none_settles_nothing_but_the_slice_around_the_address(said: Said, is_kept: bool) -> None:
    one = told({ASKED: WIDE, SEARCH: said, DOWN: said})
    assert (DOWN in one.asked) is is_kept  # nor is the other search tried where nothing is known yet
    # another slice of the network need not ask for it again, or not in this run
    assert one.kept[SEARCH].is_failure is not is_kept if not isinstance(said, Wait) else SEARCH not in one.kept
    assert one.found.beside == ()
    assert list(map(str, one.found.answer.cached or ())) == ["192.0.2.192", "192.0.2.207"]
    assert one.usable == ["abuse@wide.example"]


def test_an_empty_list_of_the_narrowest_networks_settles_nothing() -> None:
    one = told({ASKED: WIDE, SEARCH: {"ipSearchResults": []}})
    assert one.found.beside == ()
    assert list(map(str, one.found.answer.cached or ())) == ["192.0.2.192", "192.0.2.207"]


# --- where there is no list of the narrowest ones: those directly below ------------------------------------------------


@pytest.mark.parametrize("bottom", [404, 501, 400, "{", listed(WIDE, **CUT), PermanentFailure("too-large")])
def test_where_no_network_lies_directly_below_the_wide_one_answers_itself(bottom: Said) -> None:
    one = told({ASKED: WIDE, SEARCH: bottom, DOWN: listed(*below("192.0.2.0/28", "192.0.2.32/27"))})
    assert one.asked == [ASKED, SEARCH, DOWN]
    assert settled(one) == {"16-31": ["abuse@wide.example"]}  # those below may have others below: they are asked about
    assert list(map(str, one.found.answer.cached or ())) == ["192.0.2.64", "192.0.2.255"]


def test_where_the_address_lies_in_a_network_directly_below_its_slice_alone_is_known() -> None:
    one = told({ASKED: WIDE, SEARCH: 501, DOWN: listed(*below("192.0.2.128/25"))})
    assert list(map(str, one.found.answer.cached or ())) == ["192.0.2.192", "192.0.2.207"]
    assert settled(one) == {"0-127": ["abuse@wide.example"]}


def test_a_wide_network_with_nothing_below_answers_for_all_of_it() -> None:
    nothing = Heard(Answer(DOWN, 404, "application/rdap+json", b'{"ipSearchResults": []}', NOW))
    one = told({ASKED: WIDE, SEARCH: 501, DOWN: nothing})
    assert list(map(str, one.found.answer.cached or ())) == ["192.0.2.0", "192.0.2.255"]


def test_a_list_of_those_below_with_the_wide_network_in_it_settles_nothing() -> None:
    one = told({ASKED: WIDE, SEARCH: 501, DOWN: listed(WIDE, *below("192.0.2.0/28"))})
    assert one.found.beside == ()
    assert list(map(str, one.found.answer.cached or ())) == ["192.0.2.192", "192.0.2.207"]


def test_below_a_range_that_is_no_prefix_only_the_narrowest_are_asked_for() -> None:
    odd = WIDE | {"startAddress": "192.0.2.96", "endAddress": "192.0.2.203", "cidr0_cidrs": []}
    assert told({ASKED: odd, SEARCH: 501}).asked == [ASKED, SEARCH]


RATE_NOTICE = {"rdapConformance": ["rdap_level_0"], "notices": [{"title": "Rate Limit Notice"}]}


def test_a_refused_search_is_paused_for_like_any_question_and_then_done_without() -> None:
    soon = told({ASKED: WIDE, SEARCH: [429, listed(WIDE, *below("192.0.2.0/28"))]})
    assert soon.paused == [(SEARCH, PAUSE)]
    assert settled(soon) == {"0-15": ["abuse@n0.example"]}
    for refusal in (403, RATE_NOTICE, "access denied, too many queries"):
        late = told({ASKED: WIDE, SEARCH: [refusal] * 4})
        assert late.paused
        assert late.kept[SEARCH].is_failure
        assert late.found.beside == ()
        assert late.usable == ["abuse@wide.example"]


@pytest.mark.parametrize(
    ("network", "given"),
    [
        (WIDE, {"use_search": False}),
        (WIDE | {"rdapConformance": ["rdap_level_0"]}, {}),
        (of("192.0.2.192/28", "abuse@one.example", **OFFERS), {}),  # not wider than what it may speak for
        (of("192.0.2.0/24", "abuse@wide.example", **OFFERS), {"caps": ScopeCaps(v4=24)}),
        (404, {}),
    ],
)
def test_no_search_where_it_would_tell_nothing_or_is_not_offered(network: Said, given: dict[str, Any]) -> None:
    assert told({ASKED: network}, **given).asked == [ASKED]


def test_no_search_where_whois_answered() -> None:
    hosts = {"ripencc": ("whois.ripencc.example", 43)}
    text = rpsl("192.0.2.0/24", "abuse@wide.example")
    answers: Answers = {ASKED: 403, "whois://whois.ripencc.example:43/-r 192.0.2.200": text}
    assert len(told(answers, whois_hosts=hosts, chain=("network", "whois")).asked) == 2


def test_the_gaps_of_a_wide_network_without_a_contact_are_known_to_have_none() -> None:
    nobody = of("192.0.2.0/24", **OFFERS)
    one = told({ASKED: nobody, SEARCH: listed(nobody, *below("192.0.2.0/28"))})
    assert one.found.answer.outcome is Outcome.NO_CONTACT
    assert list(map(str, one.found.answer.cached or ())) == ["192.0.2.16", "192.0.2.255"]
    assert settled(one) == {"0-15": ["abuse@n0.example"]}
