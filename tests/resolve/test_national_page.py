"""What the web pages of national registries say: the networks on them, and who is to be told."""

from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.domain import Answer, NetworkAnswer, Outcome, PermanentFailure, TemporaryFailure
from pipeline.resolve import ipwhois_offline, national_page
from pipeline.resolve.choose import usable
from pipeline.resolve.mailbox import normalise
from pipeline.resolve.scope import ScopeCaps, read_range

NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
CAPS = ScopeCaps()

JPNIC = """\
<HTML>
<HEAD>
<META http-equiv="Content-Type" content="text/html; charset=Shift_JIS">
<TITLE>JPNIC Whois Gateway</TITLE>
</HEAD>
<BODY>
<PRE>
[ JPNIC database provides information regarding IP address and ASN. Its use   ]
[ is restricted to network administration purposes. For further information,  ]

Network Information:
a. [Network Number]             <A HREF="./whois_gw?key=192.0.2.0/24">192.0.2.0/24</A>
b. [Network Name]               EXAMPLE-NET
g. [Organization]               Example &amp; Sons
m. [Administrative Contact]     <A HREF="./whois_gw?key=AB1234JP">AB1234JP</A>
n. [Technical Contact]          <A HREF="./whois_gw?key=AB1234JP">AB1234JP</A>
o. [Abuse]                      abuse@isp.example
p. [Nameserver]                 ns.isp.example
[Last Update]                   2015/01/14 11:50:03(JST)

Less Specific Info.
----------
Upstream [Allocation]           192.0.0.0/16

</PRE>
<A HREF="./whois_gw">Back to Whois Gateway top menu</A>
</BODY>
</HTML>
"""

KRNIC = """\
<script language="javascript">function f() {}</script>
<body><pre>query : 192.0.2.7

# ENGLISH

KRNIC is not an ISP but a National Internet Registry similar to APNIC.

[ Network Information ]
IPv4 Address       : 192.0.0.0 - 192.0.3.255 (/22)
Organization Name  : Example Telecom
Service Name       : EXAMPLENET
Address            : Example Road 90
Zip Code           : 13606
Registration Date  : 20080703

<a href="javascript:rolling('eng_isp_contact', 'x');"><img src="/plus.gif"> See the Contact Info</a>
<div id="eng_isp_contact" style="display:none;background:#F1F8F9;">Name               : IP Manager
Phone              : +82-2-500-0000
E-Mail             : {isp}
</div>
--------------------------------------------------------------------------------

More specific assignment information is as follows.

[ Network Information ]
IPv4 Address       : 192.0.2.0 - 192.0.2.63 (/26)
Organization Name  : Example Customer
Network Type       : CUSTOMER
Registration Date  : 20150317

<div id="eng_user_contact" style="display:none;background:#F1F8F9;">Name               : IP Manager
E-Mail             : {user}
</div>

- KISA/KRNIC WHOIS Service -
</pre></body></html>
"""


def page(body: str | bytes, content_type: str = "text/html") -> Answer:
    raw = body if isinstance(body, bytes) else body.encode()
    return Answer("https://registry.example/page", 200, content_type, raw, NOW)


def read(
    body: str | bytes, registry: str, queried: str = "192.0.2.7", content_type: str = "text/html"
) -> NetworkAnswer:
    return national_page.read(page(body, content_type), ip_address(queried), registry=registry, caps=CAPS)


def krnic(isp: str = "ip@isp.example", user: str = "ip@customer.example") -> str:
    return KRNIC.replace("{isp}", isp).replace("{user}", user)


def mailboxes(answer: NetworkAnswer) -> list[str]:
    return [each.mailbox for each in usable(answer)]


def test_a_jpnic_page_names_its_network_and_its_abuse_contact() -> None:
    answer = read(JPNIC, "jpnic")
    assert (answer.outcome, answer.registry, answer.country) == (Outcome.CONTACTS, "jpnic", "JP")
    assert (answer.name, answer.holder) == ("EXAMPLE-NET", "Example & Sons")
    assert answer.registered == read_range("192.0.2.0/24")
    assert mailboxes(answer) == ["abuse@isp.example"]


def test_a_jpnic_page_without_an_abuse_contact_has_none_and_nobody_is_asked_for_its_links() -> None:
    answer = read(JPNIC.replace("[Abuse]", "[Remarks]").replace("abuse@isp.example", ""), "jpnic")
    assert (answer.outcome, answer.candidates) == (Outcome.NO_CONTACT, ())
    assert answer.holder == "Example & Sons"


def test_a_krnic_page_is_of_the_narrowest_network_that_holds_the_address() -> None:
    answer = read(krnic(), "krnic")
    assert (answer.registry, answer.country, answer.holder) == ("krnic", "KR", "Example Customer")
    assert answer.registered == read_range("192.0.2.0/26")
    assert answer.name == "CUSTOMER"  # which ipwhois alone reads
    wide = read(krnic(), "krnic", "192.0.1.7")
    assert (wide.holder, wide.name, wide.registered) == ("Example Telecom", "EXAMPLENET", read_range("192.0.0.0/22"))


def test_a_manager_is_no_way_out() -> None:
    answer = read(krnic(), "krnic")
    assert (answer.outcome, answer.why) == (Outcome.NO_CONTACT, "technical")
    assert {each.mailbox: each.rejected for each in answer.candidates} == {
        "ip@customer.example": "technical",
        "ip@isp.example": "technical",
    }


def test_a_mailbox_that_is_named_for_abuse_is_taken_and_the_providers_as_a_parents() -> None:
    answer = read(krnic("abuse@isp.example", "abuse@customer.example"), "krnic")
    assert [(each.mailbox, each.tier) for each in usable(answer)] == [
        ("abuse@customer.example", 3),
        ("abuse@isp.example", 4),
    ]


def test_the_registrys_own_mailbox_is_not_taken() -> None:
    answer = read(krnic("hostmaster@nic.or.kr", "abuse@kisa.or.kr"), "krnic")
    assert mailboxes(answer) == []
    assert {each.rejected for each in answer.candidates} == {"registry-contact"}


def test_a_range_that_is_no_prefix_is_read_whole() -> None:
    wide = krnic().replace("192.0.0.0 - 192.0.3.255 (/22)", "192.0.0.0 - 192.0.2.255 (/23+/24)")
    assert read(wide, "krnic", "192.0.1.7").registered == (ip_address("192.0.0.0"), ip_address("192.0.2.255"))


def test_a_page_in_japanese_is_read_in_its_charset() -> None:
    text = JPNIC.replace("Example &amp; Sons", "株式会社例")
    for body, content_type in (
        (text.encode("cp932"), "text/html"),
        (text.encode("cp932"), "text/html; charset=Shift_JIS"),
        (text.encode("euc_jp"), 'text/html; charset="EUC-JP"'),
        (text.replace("Shift_JIS", "ISO-2022-JP").encode("iso2022_jp"), "text/html"),
        (text.replace("Shift_JIS", "UTF-8").encode(), "text/html"),
        (text.encode(), "text/html"),  # what it says of itself is wrong
    ):
        assert read(body, "jpnic", content_type=content_type).holder == "株式会社例"


def test_a_page_about_ipv6_is_read() -> None:
    v6 = JPNIC.replace("192.0.2.0/24", "2001:db8::/32")
    answer = read(v6, "jpnic", "2001:db8::7")
    assert (answer.registered, mailboxes(answer)) == (read_range("2001:db8::/32"), ["abuse@isp.example"])
    kr = krnic("abuse@isp.example").replace(
        "IPv4 Address       : 192.0.0.0 - 192.0.3.255 (/22)", "IPv6 Address : 2001:db8::/32"
    )
    assert read(kr, "krnic", "2001:db8::7").registered == read_range("2001:db8::/32")


@pytest.mark.parametrize(
    ("body", "outcome", "why"),
    [
        ("<html><body>No match!!</body></html>", Outcome.NOT_FOUND, "no-match"),
        ("<html><body>You have exceeded the limit of queries</body></html>", Outcome.REFUSED, "limit"),
        ("<html><body>Welcome</body></html>", Outcome.UNUSABLE, "no-network"),
        ("", Outcome.UNUSABLE, "empty"),
        (JPNIC.replace("192.0.2.", "198.51.100."), Outcome.UNUSABLE, "wrong-network"),
        ("x" * ((1 << 20) + 1), Outcome.UNUSABLE, "too-large"),
    ],
)
def test_a_page_without_the_network_says_why(body: str, outcome: Outcome, why: str) -> None:
    answer = read(body, "jpnic")
    assert (answer.outcome, answer.why, answer.candidates) == (outcome, why, ())


def test_a_failure_or_a_refusing_status_says_nothing_of_the_network() -> None:
    for status, failure, outcome in (
        (0, TemporaryFailure("timeout"), Outcome.UNUSABLE),
        (0, PermanentFailure("tls"), Outcome.UNUSABLE),
        (403, None, Outcome.REFUSED),
        (429, None, Outcome.REFUSED),
        (404, None, Outcome.NOT_FOUND),
        (500, None, Outcome.UNUSABLE),
    ):
        answer = Answer("x", status, "text/html", JPNIC.encode(), NOW, failure)
        found = national_page.read(answer, ip_address("192.0.2.7"), registry="jpnic", caps=CAPS)
        assert (found.outcome, found.candidates) == (outcome, ())


def test_another_registrys_page_is_read_by_our_own_reading_alone() -> None:
    text = "<html><pre>\nNetname: EXAMPLE-NET\nNetblock: 192.0.2.0/24\n\nAbuse contact:\n  abuse@isp.example\n</pre></html>"
    assert mailboxes(read(text, "twnic")) == ["abuse@isp.example"]
    assert ipwhois_offline.national_networks("twnic", text) == []


def test_the_networks_are_what_ipwhois_reads() -> None:
    (jp,) = ipwhois_offline.national_networks("jpnic", JPNIC)
    assert (jp["cidr"], jp["handle"], jp["country"]) == ("192.0.2.0/24", "EXAMPLE-NET", "JP")
    wide, narrow = ipwhois_offline.national_networks("krnic", krnic())
    assert (wide["cidr"], narrow["cidr"], narrow["name"]) == ("192.0.0.0/22", "192.0.2.0/26", "Example Customer")


HOSTILE = [
    "a. [Network Number] " * 50_000,
    "a. [Network Number] " + "<A HREF=" * 50_000,
    'a. [Network Number] <A HREF="">' + ">" * 500_000 + "</A>",
    "[Organization] " + " " * 500_000,
    "\n".join(["a. [Network Number] " + ">" * 150 + "</A>x"] * 5_000),
    "\n".join(["IPv4 Address       : " + " - " * 45 + "("] * 5_000),
    "IPv4 Address" + " " * 500_000,
    "IPv4 Address" + "\n" * 500_000,
    "\n".join(["IPv4 Address : 0.0.0.1 - 255.255.255.254 (/1)"] * 5_000),
    "\n".join(["IPv4 Address : 255.255.255.255 - 0.0.0.0 (/1)"] * 5_000),
    "\n".join(
        [
            f"IPv4 Address : 192.0.2.0 - 192.0.2.{number % 256} (x)\nE-Mail : abuse@a{number}.example"
            for number in range(9_000)
        ]
    ),
    "<" * 1_000_000,
    "[Network Number] 255.255.255.255/32\n[Network Number] ::/0\n",
]


@pytest.mark.parametrize("body", HOSTILE)
@pytest.mark.parametrize("registry", ["jpnic", "krnic"])
def test_a_hostile_page_is_read_within_bounds(body: str, registry: str) -> None:
    answer = read(f"<html><pre>\n{body[: (1 << 20) - 100]}\n</pre></html>", registry)
    assert len(answer.candidates) <= 64
    assert (answer.registered is None) == (answer.outcome not in (Outcome.CONTACTS, Outcome.NO_CONTACT))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from([("jpnic", JPNIC), ("krnic", krnic("abuse@isp.example"))]),
    st.lists(st.tuples(st.integers(0, 1500), st.binary(max_size=30), st.integers(0, 40)), max_size=5),
)
def test_a_spoiled_page_is_read_within_bounds(which: tuple[str, str], wounds: list[tuple[int, bytes, int]]) -> None:
    registry, text = which
    body = text.encode()
    for at, fragment, gone in wounds:
        body = body[:at] + fragment + body[at + gone :]
    answer = read(body, registry)
    assert all(each.rejected or normalise(each.spelling) is not None for each in answer.candidates)
    assert answer.holder.isprintable()
    assert len(answer.holder) <= 200
