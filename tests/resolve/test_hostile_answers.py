"""Whatever bytes come: never an exception, never more than the bounds, never an unsafe mailbox."""

import copy
import json
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.domain import Address, Answer, NetworkAnswer, Outcome
from pipeline.resolve import choose, rdap_answer, whois_answer
from pipeline.resolve.mailbox import normalise
from pipeline.resolve.scope import ScopeCaps, read_address
from tests.soak import IS_SOAK, LONGER

NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
CAPS = ScopeCaps()
QUERIED = ip_address("192.0.2.70")

RDAP: dict[str, Any] = {
    "objectClassName": "ip network",
    "handle": "NET-192-0-2-0-1",
    "startAddress": "192.000.002.000",
    "endAddress": "192.0.2.255",
    "ipVersion": "v4",
    "name": "EXAMPLE-NET",
    "type": "ALLOCATED PA",
    "country": "CA",
    "status": ["active"],
    "port43": "whois.example",
    "cidr0_cidrs": [{"v4prefix": "192.0.2.0", "length": 24}],
    "notices": [{"title": "Terms", "description": ["..."]}],
    "remarks": [{"title": "description", "description": ["Firm", "send abuse to desk (at) isp.example"]}],
    "redacted": [{"name": {"description": "e-mail"}, "prePath": "$.x"}],
    "entities": [
        {
            "handle": "ORG1",
            "roles": ["registrant"],
            "remarks": [{"description": ["abuse@isp.example is invalid"]}],
            "vcardArray": [
                "vcard",
                [
                    ["fn", {}, "text", "The Firm"],
                    ["kind", {}, "text", "org"],
                    ["adr", {"label": "Rue\nQC\nH1A\nCanada"}, "text", ["", "", "", "", "QC", "", "Canada"]],
                    ["email", {"type": ["work"], "pref": "1"}, "text", "info@isp.example"],
                ],
            ],
            "entities": [
                {
                    "handle": "AB1",
                    "roles": ["abuse", "noc"],
                    "vcardArray": ["vcard", [["email", {"type": "abuse"}, "text", "abuse@isp.example"]]],
                    "jscard": {"emails": {"e": {"address": "x@isp.example", "contexts": {"work": True}}}},
                }
            ],
        }
    ],
}

AUTNUM: dict[str, Any] = {**RDAP, "objectClassName": "autnum", "startAutnum": 64496, "endAutnum": 64511}

WHOIS = [
    "% Abuse contact for '192.0.2.0 - 192.0.2.255' is 'abuse@isp.example'\n\ninetnum: 192.0.2.0 - 192.0.2.255\norg: O1\n"
    "mnt-irt: I1\nremarks: spam to desk@isp.example\n\norganisation: O1\nabuse-c: A1\n\nrole: x\nnic-hdl: A1\n"
    "abuse-mailbox: role@isp.example\n\nirt: I1\ne-mail: irt@isp.example\nremarks: irt@isp.example is invalid\n",
    "NetRange: 192.0.2.0 - 192.0.2.255\nCIDR: 192.0.2.0/24\nComment: spam: d@isp.example\n\nOrgAbuseEmail: a@isp.example\n",
    "inetnum: 192.0.2/24\nowner: X\nabuse-c: A1\n\nnic-hdl: A1\nperson: P\ne-mail: a@isp.example\n",
    "network:Class-Name:network\nnetwork:IP-Network:192.0.2.0/24\ncontact:Abuse-Email:a@isp.example\n",
    "a. [Network Number] 192.0.2.0/24\n[Abuse] a@isp.example\n",
    "<pre>[ Network Abuse ]\nIPv4 Address : 192.0.2.0 - 192.0.2.255 (/24)\nE-Mail : a@isp.example\n</pre>",
    "Netname: X\nNetblock: 192.0.2.0/24\nAbuse contact:\n a@isp.example\n",
]

JUNK: list[Any] = [
    None,
    True,
    -1,
    10**400,
    1.5,
    float("nan"),
    "",
    " ",
    "\ud800",
    "\x00\r\n",
    "x" * 3000,
    "a@b.example\r\nBcc: c@d.example",
    "mailto:a@b.example?bcc=c@d.example",
    "abuse",
    "192.0.2.0/99",
    "::",
    [],
    [[[[]]]],
    {},
    {"a": {"a": None}},
    ["abuse", None, 7],
]
FRAGMENTS = [
    b"\x00",
    b"\xff\xfe",
    b"\x1b$B",
    b"\r",
    b"\n\n",
    b"@",
    b"'",
    b":",
    b" ",
    b"<pre>",
    b"192.0.2.0/24",
    b"-",
    b"#",
    b"%",
]

quick = settings(
    max_examples=60 * LONGER,
    deadline=None,
    derandomize=not IS_SOAK,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every member and item below a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, inner in items for found in [(*path, key), *places(inner, (*path, key))]]


def damaged(value: dict[str, Any], wounds: list[tuple[int, Any]]) -> dict[str, Any]:
    """A copy in which some members, chosen by number, are replaced."""
    result = copy.deepcopy(value)
    for number, junk in wounds:
        *above, last = places(result)[number % max(1, len(places(result)))] if places(result) else ("x",)
        owner: Any = result
        for key in above:
            owner = owner[key]
        owner[last] = copy.deepcopy(junk)
    return result


def answer_of(body: bytes) -> Answer:
    return Answer("https://rdap.example/ip/192.0.2.70", 200, "", body, NOW)


def check(answer: NetworkAnswer, queried: Address | int) -> None:
    """Every bound that a reader of an answer relies on."""
    texts = [answer.why, answer.registry, answer.handle, answer.name, answer.holder, answer.country, answer.region]
    texts += answer.postal.split("\n")
    assert len(answer.postal) <= 8 * 81
    texts += [text for each in answer.candidates for text in (each.mailbox, each.spelling, each.path, each.note)]
    assert all(len(text) <= 320 and (text.isprintable() or not text) for text in texts)
    assert len(answer.country) in (0, 2)
    assert len(answer.candidates) <= choose.MAX_CANDIDATES
    assert [each.rank for each in answer.candidates] == list(range(len(answer.candidates)))
    for each in choose.usable(answer):
        assert normalise(each.spelling) == (each.mailbox, each.spelling)
        assert 0 < each.confidence <= 100
    assert (answer.outcome is Outcome.CONTACTS) is bool(choose.usable(answer))
    if answer.registered is None:
        assert answer.cached is None
        return
    assert answer.outcome in (Outcome.CONTACTS, Outcome.NO_CONTACT)
    assert answer.cached is not None
    assert isinstance(queried, type(answer.cached[0]))
    bounds = [
        int(address)
        for address in (answer.registered[0], answer.cached[0], queried, answer.cached[1], answer.registered[1])
    ]
    assert bounds == sorted(bounds)
    assert bounds[3] - bounds[1] < 1 << (queried.max_prefixlen - CAPS.prefix(queried.version, answer.registry, False))


wounds = st.lists(st.tuples(st.integers(0, 500), st.sampled_from(JUNK)), min_size=1, max_size=4)


@quick
@given(wounds)
def test_an_rdap_answer_with_damaged_members_is_read_within_bounds(found: list[tuple[int, Any]]) -> None:
    body = json.dumps(damaged(RDAP, found)).encode()
    check(rdap_answer.read(answer_of(body), QUERIED, registry="arin", caps=CAPS), QUERIED)


@quick
@given(wounds)
def test_an_autnum_answer_with_damaged_members_is_read_within_bounds(found: list[tuple[int, Any]]) -> None:
    body = json.dumps(damaged(AUTNUM, found)).encode()
    check(rdap_answer.read(answer_of(body), 64500, registry="arin", caps=CAPS), 64500)
    check(rdap_answer.read_entity(answer_of(body), "NET-192-0-2-0-1", registry="arin"), 64500)


written = st.one_of(
    st.ip_addresses().map(str),
    st.ip_addresses(v=4).map(lambda address: ".".join(f"{int(octet):03}" for octet in str(address).split("."))),
    st.ip_addresses(v=6).map(lambda address: address.exploded.upper()),
    st.ip_addresses().map(lambda address: f" {address}/32 "),
    st.sampled_from(
        ["", "192.0.2", "192.0.2.256", "192.0.2.0", "192.0.2.255", "fe80::1%eth0", "::ffff:192.0.2.1", "٣.0.2.0"]
    ),
)


@quick
@given(written, written, st.ip_addresses(), st.sampled_from([None, "v4", "v6", "x"]), st.booleans())
def test_the_quick_path_and_ipwhois_read_any_network_alike(
    start: str, end: str, queried: Address, version: str | None, is_inside: bool
) -> None:
    data = RDAP | {"startAddress": start, "endAddress": end, "ipVersion": version}
    del data["cidr0_cidrs"]
    first = read_address(start)
    about = first if is_inside and first is not None else queried
    answers = [
        rdap_answer.read(answer_of(json.dumps(data).encode()), about, registry="arin", caps=CAPS, is_quick=is_quick)
        for is_quick in (True, False)
    ]
    assert answers[0] == answers[1]
    check(answers[0], about)


@quick
@given(wounds)
def test_the_quick_path_and_ipwhois_read_a_damaged_answer_alike(found: list[tuple[int, Any]]) -> None:
    answer = answer_of(json.dumps(damaged(RDAP, found)).encode())
    assert rdap_answer.read(answer, QUERIED, registry="arin", caps=CAPS) == rdap_answer.read(
        answer, QUERIED, registry="arin", caps=CAPS, is_quick=False
    )


@quick
@given(st.integers(0, 3000), st.sampled_from(FRAGMENTS), st.integers(0, 3000))
def test_a_cut_or_spoiled_rdap_body_is_read_within_bounds(at: int, fragment: bytes, end: int) -> None:
    body = json.dumps(RDAP).encode()
    spoiled = (body[:at] + fragment + body[at:])[: max(at, end)]
    check(rdap_answer.read(answer_of(spoiled), QUERIED, registry="arin", caps=CAPS), QUERIED)


@quick
@given(
    st.sampled_from(WHOIS),
    st.lists(st.tuples(st.integers(0, 600), st.sampled_from(FRAGMENTS), st.integers(0, 3)), min_size=1, max_size=5),
)
def test_a_spoiled_whois_text_is_read_within_bounds(text: str, found: list[tuple[int, bytes, int]]) -> None:
    body = text.encode()
    for at, fragment, dropped in found:
        at %= len(body) + 1
        body = body[:at] + fragment + body[at + dropped :]
    check(whois_answer.read(answer_of(body), QUERIED, registry="ripencc", caps=CAPS), QUERIED)


@quick
@given(st.binary(max_size=300))
def test_any_bytes_are_read_within_bounds(body: bytes) -> None:
    for queried in (QUERIED, 64500):
        check(rdap_answer.read(answer_of(body), queried, registry="", caps=CAPS), queried)
        check(whois_answer.read(answer_of(body), queried, registry="", caps=CAPS), queried)


def test_the_undamaged_fixtures_name_their_contact() -> None:
    assert choose.usable(rdap_answer.read(answer_of(json.dumps(RDAP).encode()), QUERIED, registry="", caps=CAPS))
    assert choose.usable(rdap_answer.read(answer_of(json.dumps(AUTNUM).encode()), 64500, registry="", caps=CAPS))
    for text in WHOIS:
        assert choose.usable(whois_answer.read(answer_of(text.encode()), QUERIED, registry="", caps=CAPS))


LINES = [
    "inetnum: 192.0.2.0 - 192.0.2.255\n\n",
    "% Abuse contact for '192.0.2.0 - 192.0.2.255' is 'a@b.example'\n",
    "e-mail: a@b.example\n",
    "OrgAbuseEmail: a@b.example\n",
    "IPv4 Address : 192.0.2.0 - 192.0.2.255\n",
    "network:abuse-email:a@b.example\n",
    "remarks: abuse (at) b dot example is invalid @@@@ ((( \n",
    "descr: descr: ",
    " " * 999 + "\n",
]


@pytest.mark.parametrize("line", LINES)
def test_a_long_text_of_one_line_is_read_within_bounds(line: str) -> None:
    head = "inetnum: 192.0.2.0 - 192.0.2.255\nNetRange: 192.0.2.0 - 192.0.2.255\n"
    body = (head + line * ((1 << 18) // len(line)))[: 1 << 18].encode()
    check(whois_answer.read(answer_of(body), QUERIED, registry="ripencc", caps=CAPS), QUERIED)


@pytest.mark.parametrize(
    "text",
    [
        *("@", "a@", "abuse at ", "(at)", "x" * 70 + "@", "abuse@x.example ", "is invalid ", "a@" + "b" * 253 + " is "),
        *("abuse: a at b dot ", "( at ", "<@", "[dot]", "etc. ", "not ", "@valid", "this address ", "＠", "|)"),
    ],
)
def test_long_remarks_are_read_within_bounds(text: str) -> None:
    remark = {"description": [(text * 60_000)[:60_000]]}
    body = json.dumps({**RDAP, "remarks": [remark] * 4}).encode()
    check(rdap_answer.read(answer_of(body), QUERIED, registry="arin", caps=CAPS), QUERIED)
