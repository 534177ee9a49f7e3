"""What an RDAP answer says: the outcome, the network, and the mailboxes with their reasons."""

import json
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pytest

from pipeline.domain import Answer, NetworkAnswer, Outcome, PermanentFailure, TemporaryFailure
from pipeline.resolve import rdap_answer
from pipeline.resolve.choose import usable
from pipeline.resolve.scope import ScopeCaps

NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
CAPS = ScopeCaps()
QUERIED = ip_address("192.0.2.70")

Json = dict[str, Any]


def reply(body: bytes, status: int = 200, failure: TemporaryFailure | PermanentFailure | None = None) -> Answer:
    return Answer("https://rdap.example/ip/192.0.2.70", status, "application/rdap+json", body, NOW, failure)


def read(data: object, queried: str | int = "192.0.2.70", registry: str = "arin") -> NetworkAnswer:
    about = queried if isinstance(queried, int) else ip_address(queried)
    return rdap_answer.read(reply(json.dumps(data).encode()), about, registry=registry, caps=CAPS)


def network(*entities: Json, **more: Any) -> Json:
    base = {
        "objectClassName": "ip network",
        "handle": "NET-192-0-2-0-1",
        "startAddress": "192.0.2.0",
        "endAddress": "192.0.2.255",
        "ipVersion": "v4",
        "name": "EXAMPLE-NET",
        "country": "CA",
        "entities": list(entities),
    }
    return base | more


def email(text: object, **parameters: Any) -> list[Any]:
    return ["email", parameters, "text", text]


def entity(roles: list[str], *properties: list[Any], kind: str = "group", **more: Any) -> Json:
    vcard = [
        "vcard",
        [["version", {}, "text", "4.0"], ["fn", {}, "text", "Some Name"], ["kind", {}, "text", kind], *properties],
    ]
    return {"objectClassName": "entity", "handle": "H1", "roles": roles, "vcardArray": vcard} | more


def mailboxes(answer: NetworkAnswer) -> list[str]:
    return [candidate.mailbox for candidate in usable(answer)]


def reasons(answer: NetworkAnswer) -> dict[str, str]:
    return {candidate.mailbox: candidate.rejected for candidate in answer.candidates}


ABUSE = entity(["abuse"], email("abuse@isp.example"))

# --- outcomes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (404, Outcome.NOT_FOUND),
        (429, Outcome.REFUSED),
        (403, Outcome.REFUSED),
        (503, Outcome.REFUSED),
        (500, Outcome.UNUSABLE),
        (501, Outcome.UNUSABLE),
        (302, Outcome.UNUSABLE),
        (0, Outcome.UNUSABLE),
    ],
)
def test_the_status_decides_before_the_body_is_read(status: int, outcome: Outcome) -> None:
    body = json.dumps(network(ABUSE)).encode()
    answer = rdap_answer.read(reply(body, status), QUERIED, registry="arin", caps=CAPS)
    assert (answer.outcome, answer.registered, answer.candidates) == (outcome, None, ())


def test_a_failed_request_is_unusable_and_a_refused_one_refused() -> None:
    cut = reply(json.dumps(network(ABUSE)).encode(), 200, TemporaryFailure("cut"))
    slow = reply(b"", 429, TemporaryFailure("429"))
    assert rdap_answer.read(cut, QUERIED, registry="arin", caps=CAPS).outcome is Outcome.UNUSABLE
    assert rdap_answer.read(slow, QUERIED, registry="arin", caps=CAPS).outcome is Outcome.REFUSED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"<html><body>Maintenance</body></html>",
        b'{"objectClassName": "ip network",}',
        json.dumps(network(ABUSE)).encode()[:-40],
        b"[]",
        b"7",
        b"null",
        b'{"a":' * 200_000,
        b"[" * 200_000,
        b"\xff\xfe\x00",
        b'{"startAutnum": ' + b"9" * 5000 + b"}",
        b" " * (1 << 20) + b"{}",
    ],
)
def test_a_body_that_is_not_one_whole_json_object_is_unusable(body: bytes) -> None:
    assert rdap_answer.read(reply(body), QUERIED, registry="arin", caps=CAPS).outcome is Outcome.UNUSABLE


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        ({"errorCode": 404, "title": "not found"}, Outcome.NOT_FOUND),
        ({"errorCode": 429, "title": "slow down"}, Outcome.REFUSED),
        ({"errorCode": "403"}, Outcome.REFUSED),
        ({"errorCode": 501, "title": "501 Not Implemented"}, Outcome.UNUSABLE),
        ({"errorCode": 200}, Outcome.UNUSABLE),
        ({"errorCode": None}, Outcome.UNUSABLE),
        ({"errorCode": 429.0}, Outcome.REFUSED),
        ({"errorCode": "503", "lang": "en", "rdapConformance": ["rdap_level_0"]}, Outcome.REFUSED),
        (network(ABUSE, errorCode=None), Outcome.CONTACTS),
        ({"title": "Error", "description": ["You have exceeded your daily quota"]}, Outcome.REFUSED),
        ({"notices": [{"title": "Error", "description": "Query rate limit exceeded"}]}, Outcome.REFUSED),
        ({"title": "Query limit exceeded"}, Outcome.REFUSED),
        ({"title": "hello"}, Outcome.UNUSABLE),
        ({"title": "404 Not Found", "description": ["No such network"]}, Outcome.NOT_FOUND),
        ({"title": "Where to go if your page was not found"}, Outcome.UNUSABLE),
        (network(ABUSE, notices=[{"title": "Rate Limit Notice", "description": ["Wait."]}]), Outcome.REFUSED),
    ],
)
def test_an_error_object_or_a_limit_notice_is_no_answer(data: Json, outcome: Outcome) -> None:
    assert read(data).outcome is outcome


def test_a_refusal_in_plain_text_is_a_refusal() -> None:
    answer = rdap_answer.read(reply(b"<h1>429 Too Many Requests</h1>"), QUERIED, registry="arin", caps=CAPS)
    assert answer.outcome is Outcome.REFUSED


def test_a_spoiled_answer_is_no_refusal_though_its_terms_speak_of_limits() -> None:
    terms = [{"title": "Terms", "description": ["Access is denied to those who exceed the rate limit."]}]
    body = json.dumps(network(ABUSE, notices=terms)).encode()[:-1] + b",}"
    assert rdap_answer.read(reply(body), QUERIED, registry="arin", caps=CAPS).outcome is Outcome.UNUSABLE


@pytest.mark.parametrize(
    ("data", "queried", "why"),
    [
        (network(ABUSE), "203.0.113.9", "wrong-network"),
        (network(ABUSE), "2001:db8::1", "wrong-network"),
        (network(ABUSE, endAddress=None), "192.0.2.70", "wrong-network"),
        (network(ABUSE, startAddress="192.0.2.255", endAddress="192.0.2.0"), "192.0.2.70", "wrong-network"),
        (network(ABUSE, cidr0_cidrs=[{"v4prefix": "203.0.113.0", "length": 24}]), "192.0.2.70", "wrong-network"),
        (network(ABUSE, objectClassName="entity"), "192.0.2.70", "wrong-class"),
        (network(ABUSE, objectClassName="domain"), "192.0.2.70", "wrong-class"),
        (network(ABUSE), 64500, "wrong-class"),
        ({"objectClassName": "autnum", "startAutnum": 64501, "endAutnum": 64510}, 64500, "wrong-network"),
        ({"objectClassName": "autnum", "handle": "AS64501"}, 64500, "wrong-network"),
    ],
)
def test_an_answer_for_something_else_is_unusable(data: Json, queried: str | int, why: str) -> None:
    answer = read(data, queried)
    assert (answer.outcome, answer.why, answer.candidates) == (Outcome.UNUSABLE, why, ())


def test_special_purpose_space_has_nobody_to_ask() -> None:
    assert read(network(ABUSE, type="IANA SPECIAL USE")).outcome is Outcome.SPECIAL
    assert read(network(ABUSE, name="PRIVATE-ADDRESS-ABLK-RFC1918-IANA-RESERVED")).outcome is Outcome.SPECIAL
    assert read(network(ABUSE, name="SPECIAL-IPV4-FUTURE-USE-IANA-RESERVED")).outcome is Outcome.SPECIAL
    assert read(network(ABUSE, name="SPECIAL-SCHOOL-NET")).outcome is Outcome.CONTACTS


# --- the network ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"startAddress": "192.000.002.000", "endAddress": "192.000.002.255"},
        {"startAddress": "192.0.2.0/32", "endAddress": "192.0.2.255/32"},
        {"handle": None, "parentHandle": None},
        {"ipVersion": None},
        {"ipVersion": "v6"},
        {"objectClassName": None},
        {"objectClassName": ""},
        {"objectClassName": " IP Network "},
        {"endAddress": None, "cidr0_cidrs": [{"v4prefix": "192.0.2.0", "length": 24}]},
        {"startAddress": None, "endAddress": None, "handle": "192.0.2.0 - 192.0.2.255"},
        {"startAddress": None, "endAddress": None, "handle": "192.0.2.0/24"},
        {"entities": [ABUSE, None, 7, "x", [], {}]},
        {"entities": ABUSE},
        {"remarks": None, "notices": {}, "status": None, "links": 7, "events": "x"},
    ],
)
def test_the_range_is_read_however_it_is_written(more: Json) -> None:
    answer = read(network(ABUSE, **more))
    assert answer.registered == (ip_address("192.0.2.0"), ip_address("192.0.2.255"))
    assert mailboxes(answer) == ["abuse@isp.example"]


def test_of_a_range_and_its_prefixes_the_narrower_one_counts() -> None:
    answer = read(network(ABUSE, cidr0_cidrs=[{"v4prefix": "192.0.2.64", "length": "26"}, None, {"v4prefix": 7}]))
    assert answer.registered == (ip_address("192.0.2.64"), ip_address("192.0.2.127"))


def test_several_touching_prefixes_are_one_range() -> None:
    blocks = [{"v4prefix": "192.0.2.64", "length": 26}, {"v4prefix": "192.0.2.128", "length": 25}]
    answer = read(network(ABUSE, startAddress="192.0.2.64", cidr0_cidrs=blocks))
    assert answer.registered == (ip_address("192.0.2.64"), ip_address("192.0.2.255"))


def test_a_wide_answer_is_cached_for_the_cap_around_the_address_only() -> None:
    answer = read(network(ABUSE, startAddress="192.0.0.0", endAddress="192.255.255.255"))
    assert answer.registered == (ip_address("192.0.0.0"), ip_address("192.255.255.255"))
    assert answer.cached == (ip_address("192.0.0.0"), ip_address("192.0.15.255"))
    assert (
        answer.cached
        != read(network(ABUSE, startAddress="192.0.0.0", endAddress="192.255.255.255"), registry="lacnic").cached
    )


@pytest.mark.parametrize(
    "more",
    [
        {"name": "IANA-BLOCK", "startAddress": "0.0.0.0", "endAddress": "255.255.255.255"},
        {"name": "X", "startAddress": "0.0.0.0", "endAddress": "255.255.255.255"},
        {"name": "NON-RIPE-NCC-MANAGED-ADDRESS-BLOCK"},
    ],
)
def test_an_object_that_stands_for_knowing_nothing_names_no_contact(more: Json) -> None:
    answer = read(network(ABUSE, **more))
    assert (answer.outcome, answer.why) == (Outcome.NO_CONTACT, "registry-block")
    assert answer.cached == (ip_address("192.0.2.0"), ip_address("192.0.2.255"))
    assert reasons(answer) == {"abuse@isp.example": "registry-contact"}


def test_a_registry_block_without_a_contact_speaks_for_a_24_only() -> None:
    desk = entity(["abuse"], email("helpdesk@apnic.net"), handle="IRT-APNIC-AP")
    answer = read(network(desk, startAddress="192.0.0.0", endAddress="192.255.255.255", status=["administrative"]))
    assert (answer.why, answer.cached) == ("registry-block", (ip_address("192.0.2.0"), ip_address("192.0.2.255")))


def test_the_registry_is_the_one_that_answered() -> None:
    assert read(network(ABUSE, port43="whois.ripe.net")).registry == "ripencc"
    assert read(network(ABUSE, port43="whois.example")).registry == "arin"
    nir = entity(["abuse"], email("irt@nic.or.kr"), handle="IRT-KRNIC-KR")
    assert read(network(nir, port43="whois.apnic.net")).registry == "krnic"


@pytest.mark.parametrize("rel", ["self", "up", None])
def test_a_record_of_the_past_names_nobody_to_write_to(rel: str | None) -> None:
    links = [
        {
            "value": "https://rdap.example/history/ip/192.0.2.0/24",
            "rel": rel,
            "href": "https://rdap.example/ip/192.0.2.0/24",
        }
    ]
    offer = [{"title": "remarks", "description": ["Email address for spam or abuse complaints : desk@isp.example"]}]
    answer = read(network(ABUSE, links=links, remarks=offer))
    assert (answer.outcome, answer.why) == (Outcome.NO_CONTACT, "historical")
    assert reasons(answer) == {"abuse@isp.example": "historical", "desk@isp.example": "historical"}
    links[0]["value"] = "https://rdap.example/ip/192.0.2.70"
    assert mailboxes(read(network(ABUSE, links=links, remarks=offer))) == ["abuse@isp.example", "desk@isp.example"]


def registrant(*properties: list[Any], **more: Any) -> Json:
    return entity(["registrant"], *properties, **more)


@pytest.mark.parametrize(
    ("entities", "more", "holder"),
    [
        ([registrant(kind="org")], {}, "Some Name"),
        ([registrant(["org", {}, "text", "The Firm"], kind="individual")], {}, "The Firm"),
        ([registrant(kind="individual", handle="EXAMPLE-MNT")], {}, "EXAMPLE-NET"),
        ([registrant(kind="individual", handle="P1"), registrant(kind="org", handle="O1")], {}, "Some Name"),
        ([ABUSE], {"remarks": [{"title": "description", "description": ["The Firm", "Street 1"]}]}, "The Firm"),
        ([ABUSE], {}, "EXAMPLE-NET"),
        ([entity(["registrar"], kind="org")], {}, "EXAMPLE-NET"),
    ],
)
def test_the_holder_is_the_registrant_else_the_description_else_the_name(
    entities: list[Json], more: Json, holder: str
) -> None:
    assert read(network(*entities, **more)).holder == holder


@pytest.mark.parametrize(
    ("address", "country", "region"),
    [
        (["adr", {}, "text", ["", "", "Rue 1", "Québec", "QC", "G1V 2M2", "Canada"]], "CA", "QC"),
        (["adr", {"label": "Rue 1\nMontréal\nQC\nH3A 1A1\nCanada"}, "text", [""] * 7], "CA", "QC"),
        (["adr", {"label": "1 Street\\nTown\\nWA\\n98052\\nUNITED STATES"}, "text", [""] * 7], "US", "WA"),
        (["adr", {"cc": "fr"}, "text", ["", "", "", "", "", "", ""]], "FR", ""),
        (["adr", {"label": "Street 1, 720065, Bishkek, Kyrgyzstan"}, "text", None], "KG", ""),
        (["adr", {"label": "Street 1, Town, Armenia, 1101"}, "text", [""] * 7], "AM", ""),
        (["adr", {"label": "Street 1, Town, Georgia, 30301"}, "text", [""] * 7], "", ""),
        (["adr", {}, "text", None], "", ""),
        (["adr", None, None, [None, 7, [], {}, "QC", None, 9]], "", "QC"),
    ],
)
def test_country_and_region_are_read_from_the_holder_where_the_network_has_none(
    address: list[Any], country: str, region: str
) -> None:
    answer = read(network(registrant(address, kind="org"), country=None))
    assert (answer.country, answer.region) == (country, region)


def test_the_networks_own_country_counts_first() -> None:
    assert read(network(registrant(["adr", {"cc": "FR"}, "text", None], kind="org"))).country == "CA"
    assert read(network(ABUSE, country="EU")).country == "EU"
    assert read(network(ABUSE, country=7)).country == ""


# --- contacts ---------------------------------------------------------------------------------------------------------


def nested(*inner: Json, roles: list[str] | None = None, **more: Any) -> Json:
    return entity(roles or ["registrant"], kind="org", handle="ORG", entities=list(inner), **more)


def test_an_abuse_role_is_found_however_deep_it_is_nested() -> None:
    answer = read(network(nested(nested(ABUSE, roles=["sponsor"]))))
    (only,) = usable(answer)
    assert (only.mailbox, only.source, only.tier) == ("abuse@isp.example", "nested-role", 1)
    assert only.path == "entities[0].entities[0].entities[0].vcardArray[1][3]"


def test_nesting_is_followed_to_a_depth_of_eight() -> None:
    deep = ABUSE
    for _ in range(7):
        deep = nested(deep)
    assert mailboxes(read(network(deep))) == ["abuse@isp.example"]
    assert mailboxes(read(network(nested(deep)))) == []


def test_the_networks_own_contact_comes_before_the_organisations() -> None:
    organisation = nested(entity(["abuse"], email("org@isp.example"), handle="A1"))
    own = entity(["technical", "abuse"], email("own@isp.example"), handle="A2")
    assert mailboxes(read(network(organisation, own))) == ["own@isp.example", "org@isp.example"]


def test_entities_without_a_handle_or_with_the_same_one_are_all_read() -> None:
    technical = entity(["technical"], email("noc@isp.example"), handle="X")
    assert mailboxes(read(network(registrant(handle=None), technical, ABUSE | {"handle": "X"}))) == [
        "abuse@isp.example"
    ]


@pytest.mark.parametrize(
    ("properties", "chosen"),
    [
        ([email("a@isp.example"), email("b@isp.example", type="abuse")], ["b@isp.example"]),
        ([email("a@isp.example"), email("b@isp.example", type=["work", "ABUSE"])], ["b@isp.example"]),
        ([email("a@isp.example"), email("b@isp.example", pref="1")], ["b@isp.example"]),
        ([email("a@isp.example", pref=2), email("b@isp.example", pref=1)], ["b@isp.example"]),
        ([email("a@isp.example", pref=1), email("b@isp.example", type="abuse")], ["b@isp.example"]),
        ([email("a@isp.example"), email("b@isp.example")], ["a@isp.example", "b@isp.example"]),
        ([email("a@isp.example"), email(None, type="abuse"), email("", pref=1)], ["a@isp.example"]),
        ([email("a@isp.example"), email("noreply@isp.example", type="abuse")], []),
        ([email("none"), email(7), email([]), email({}), email(["a@isp.example"])], ["a@isp.example"]),
        ([["EMAIL", {}, "uri", "mailto:a@isp.example?subject=x"]], ["a@isp.example"]),
        ([["contact-uri", {}, "uri", "mailto:a@isp.example"]], ["a@isp.example"]),
        ([email("a@isp.example; b@isp.example.")], ["a@isp.example", "b@isp.example"]),
        ([email("a@isp.example/b@isp.example")], ["a@isp.example", "b@isp.example"]),
        ([email("b@isp.example"), ["item1.EMAIL", {"TYPE": "Abuse"}, "text", "a@isp.example"]], ["a@isp.example"]),
        ([email("b@isp.example"), email("a@isp.example", type="work,abuse")], ["a@isp.example"]),
        ([email("b@isp.example"), email("a@isp.example", type="abuse-mailbox")], ["a@isp.example"]),
        ([email("b@isp.example"), email("a@isp.example", type=["work", "pref"])], ["a@isp.example"]),
        ([email("b@isp.example", pref=1.5), email("a@isp.example", pref=["1"])], ["a@isp.example"]),
        ([email("b@isp.example", pref=True), email("a@isp.example", pref=1.0)], ["a@isp.example"]),
        ([email("Desk <abuse@exämple.example>")], ["abuse@xn--exmple-cua.example"]),
        ([email("abuse＠isp.example")], ["abuse@isp.example"]),
    ],
)
def test_of_an_abuse_contact_type_abuse_counts_then_preference_then_all(
    properties: list[Any], chosen: list[str]
) -> None:
    assert mailboxes(read(network(entity(["Abuse "], *properties)))) == chosen


@pytest.mark.parametrize(
    ("contact", "reason"),
    [
        (entity(["technical"], email("x@isp.example")), "technical"),
        (entity(["technical"], email("x@isp.example"), kind="individual"), "personal"),
        (entity(["registrant"], email("x@isp.example"), kind="org"), "not-abuse"),
        (entity(["registrar"], email("x@isp.example")), "registrar"),
        (entity(["registrar", "abuse"], email("x@isp.example")), "registrar"),
        (nested(entity(["abuse"], email("x@isp.example")), roles=["registrar"]), "registrar"),
        (entity(["abuse"], email("x@isp.example"), handle="IRT-CNNIC-CN"), "registry-contact"),
        (
            entity(
                ["abuse"], email("x@isp.example"), remarks=[{"description": ["We are not empowered", "to investigate"]}]
            ),
            "registry-contact",
        ),
    ],
)
def test_a_mailbox_that_is_not_for_abuse_is_kept_with_the_reason(contact: Json, reason: str) -> None:
    answer = read(network(contact))
    assert answer.outcome is Outcome.NO_CONTACT
    assert reasons(answer) == {"x@isp.example": reason}
    assert answer.cached is not None


def test_a_mailbox_named_for_abuse_counts_without_a_role_but_less() -> None:
    holder = registrant(email("noc@isp.example"), email("abuse@isp.example"), kind="org")
    (only,) = usable(read(network(holder)))
    assert (only.mailbox, only.tier, only.source) == ("abuse@isp.example", 3, "mailbox-name")
    assert only.confidence < 60


@pytest.mark.parametrize("roles", [None, [], {}])
def test_without_any_role_a_contact_is_known_by_its_name_unless_it_is_a_person(roles: object) -> None:
    desk = entity([], email("desk@isp.example")) | {"roles": roles}
    desk["vcardArray"][1][1][3] = "Firm Abuse Desk"
    person = entity([], email("abe@isp.example"), kind="individual") | {"roles": roles}
    person["vcardArray"][1][1][3] = "Abe Abuse"
    answer = read(network(desk, person), registry="afrinic")
    (only,) = usable(answer)
    assert (only.mailbox, only.tier) == ("desk@isp.example", 3)
    assert reasons(answer)["abe@isp.example"] == "personal"
    assert mailboxes(read(network(desk | {"roles": ["technical"]}))) == []


@pytest.mark.parametrize(
    ("handle", "text"),
    [
        ("IRT-KRNIC-KR", "irt@nic.or.kr"),
        ("IRT-JPNIC-JP", "hostmaster@nic.ad.jp"),
        ("IRT-CNNIC-CN", "ipas@cnnic.cn"),
        ("IRT-VNNIC-AP", "abuse@vnnic.vn"),
        ("IRT-TWNIC-AP", "hostmaster@twnic.tw"),
        ("IRT-IDNIC-ID", "desk@isp.example"),
        ("IRT-IRINN-IN", "desk@isp.example"),
        ("X1", "abuse@idnic.net"),
        ("X1", "abuse@irinn.in"),
        ("X1", "abuse@afrinic.net"),
        ("X1", "abuse@lacnic.net"),
        ("X1", "cert@cert.br"),
        ("X1", "Abuse@RIPE.net"),
    ],
)
def test_a_registrys_desk_gives_way_to_the_remark_of_the_network_or_its_contacts(handle: str, text: str) -> None:
    desk = entity(["abuse"], email(text), handle=handle)
    assert read(network(desk)).why == "registry-contact"
    offer = [{"title": "remarks", "description": ["send spam or abuse report to", "abuse@isp.example"]}]
    technical = entity(["technical", "administrative"], email("ip@isp.example"), remarks=offer)
    for data in (network(desk, technical), network(desk, remarks=offer)):
        assert mailboxes(read(data)) == ["abuse@isp.example"]


def test_a_registrys_desk_is_right_for_the_registrys_own_network_unless_another_registry_says_so() -> None:
    desk = entity(["abuse"], email("helpdesk@apnic.net"))
    holder = registrant(kind="org")
    holder["vcardArray"][1][1][3] = "Asia Pacific Network Information Centre"
    own = network(holder, desk, name="APNIC-LABS")
    assert mailboxes(read(own, registry="apnic")) == ["helpdesk@apnic.net"]
    assert read(own, registry="arin").why == "registry-contact"
    for name in ("APNIC", "APNIC-LABS"):
        assert mailboxes(read(network(desk, name=name), registry="apnic")) == ["helpdesk@apnic.net"]
    asking = entity(["abuse"], email("search-apnic-not-arin@apnic.net"))
    assert read(network(holder, asking, name="APNIC-192"), registry="apnic").why == "placeholder"


@pytest.mark.parametrize(
    ("name", "mailbox", "described"),
    [
        ("IDNIC-HOLDER-ID", "abuse@idnic.net", None),
        ("IDNIC-HOLDER-ID", "abuse@idnic.net", "The Firm"),
        ("CNNIC-HOLDER-CN-NET-AP", "ip@cnnic.cn", "The Firm"),
        ("IRINN-HOLDER-IN", "desk@irinn.in", None),
        ("APNIC-ERX-192-0-2-0", "helpdesk@apnic.net", "The University"),
    ],
)
def test_a_network_named_after_the_registry_that_gave_it_out_is_its_holders(
    name: str, mailbox: str, described: str | None
) -> None:
    remarks = [{"title": "description", "description": [described]}] if described else []
    answer = read(network(entity(["abuse"], email(mailbox)), name=name, remarks=remarks), registry="apnic")
    assert (answer.outcome, answer.why) == (Outcome.NO_CONTACT, "registry-contact")


def test_of_two_mailboxes_in_one_value_only_the_one_that_is_named_for_abuse_counts() -> None:
    answer = read(network(entity(["technical"], email("noc@isp.example, abuse@isp.example"))))
    assert reasons(answer) == {"abuse@isp.example": "", "noc@isp.example": "technical"}


def test_a_mailbox_marked_for_abuse_counts_in_a_technical_contact() -> None:
    (only,) = usable(
        read(network(entity(["technical"], email("noc@isp.example"), email("desk@isp.example", type="abuse"))))
    )
    assert (only.mailbox, only.source) == ("desk@isp.example", "abuse-mailbox")


def test_a_remark_of_the_network_or_a_contact_may_name_the_desk() -> None:
    offer: list[Any] = [{"title": "remarks", "description": ["Send spam reports to", "desk@isp.example"]}]
    for data in (
        network(remarks=offer),
        network(entity(["technical"], remarks=offer)),
        network(remarks=offer[0]),
        network(remarks=[{"description": "Send spam reports to desk@isp.example"}]),
        network(remarks=["Send spam reports to desk@isp.example", None, 7]),
    ):
        (only,) = usable(read(data))
        assert (only.mailbox, only.source, only.tier) == ("desk@isp.example", "remark", 2)


@pytest.mark.parametrize(
    ("remark", "note"),
    [
        ({"title": "remarks", "description": ["abuse@isp.example is invalid"]}, "marked-invalid"),
        ({"title": "Unvalidated POC", "description": ["..."]}, "unvalidated"),
        ({"title": "remarks", "description": ["abuse@isp.example was validated on 2026-01-01"]}, ""),
    ],
)
def test_what_the_registry_says_against_a_contact_lowers_the_confidence(remark: Json, note: str) -> None:
    (sure,) = usable(read(network(ABUSE)))
    (only,) = usable(read(network(ABUSE | {"remarks": [remark]})))
    assert only.note == note
    assert (only.confidence < sure.confidence) is (note != "")


def test_a_failed_validation_in_the_networks_remarks_holds_for_its_contact() -> None:
    said = "Abuse contact for '192.0.2.0 - 192.0.2.255' is 'abuse@isp.example'\nAbuse-mailbox validation failed."
    (only,) = usable(read(network(ABUSE, remarks=[{"description": [said]}])))
    assert (only.mailbox, only.note) == ("abuse@isp.example", "marked-invalid")
    assert only.confidence < 50


@pytest.mark.parametrize(
    "card",
    [
        {"@type": "Card", "emails": {"e1": {"address": "abuse@isp.example"}}},
        {"emails": {"e1": {"address": "noc@isp.example"}, "e2": {"address": "abuse@isp.example", "label": "abuse"}}},
        {
            "emails": {
                "e1": {"address": "noc@isp.example", "pref": 9},
                "e2": {"address": "abuse@isp.example", "pref": 1},
            }
        },
        {"emails": {"e1": None, "e2": [], "e3": {"address": None}, "e4": {"address": "abuse@isp.example"}}},
        {"emails": [{"address": "abuse@isp.example"}]},
        {"emails": {"e1": {"email": "abuse@isp.example"}}},
        {"emails": {"e1": "abuse@isp.example"}},
        {"emails": "mailto:abuse@isp.example"},
        {
            "emails": {
                "a": {"address": "noc@isp.example"},
                "b": {"address": "abuse@isp.example", "contexts": {"abuse": True}},
            }
        },
        {"links": {"l": {"kind": "contact", "uri": "mailto:abuse@isp.example"}}},
    ],
)
@pytest.mark.parametrize("member", ["jscard", "jsCard", "jscontact_card"])
def test_a_jscontact_card_is_read_like_a_jcard(card: Json, member: str) -> None:
    contact = {"objectClassName": "entity", "roles": ["abuse"], member: card}
    assert mailboxes(read(network(contact))) == ["abuse@isp.example"]


def test_of_a_jcard_and_a_jscontact_card_the_marked_mailbox_counts() -> None:
    card = {"emails": {"e": {"address": "ABUSE@isp.example", "label": "Abuse"}}}
    assert mailboxes(read(network(entity(["abuse"], email("noc@isp.example"), jscard=card)))) == ["abuse@isp.example"]


@pytest.mark.parametrize(
    ("card", "holder", "place"),
    [
        (
            {"kind": "org", "name": {"full": "The Firm"}, "addresses": {"a": {"countryCode": "ca"}}},
            "The Firm",
            ("CA", ""),
        ),
        (
            {
                "kind": "org",
                "name": {"components": [{"value": "The"}, {"kind": "separator", "value": "-"}, {"value": "Firm"}]},
                "addresses": {
                    "a": {"components": [{"kind": "region", "value": "QC"}, {"kind": "country", "value": "Canada"}]}
                },
            },
            "The Firm",
            ("CA", "QC"),
        ),
        (
            {"kind": "org", "fullName": "The Firm", "addresses": {"a": {"full": "Rue 1\nParis\nFrance"}}},
            "The Firm",
            ("FR", ""),
        ),
        ({"organizations": {"o": {"name": "The Firm"}}, "addresses": [None, {"countryCode": 7}]}, "The Firm", ("", "")),
        ({"name": None, "kind": 7, "addresses": None, "organizations": "x", "emails": None}, "EXAMPLE-NET", ("", "")),
    ],
)
def test_a_jscontact_card_says_who_and_where_the_holder_is(card: Json, holder: str, place: tuple[str, str]) -> None:
    answer = read(network({"roles": ["registrant"], "jscard": card}, country=None))
    assert (answer.holder, (answer.country, answer.region)) == (holder, place)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (network(entity(["abuse"], ["contact-uri", {}, "uri", "https://isp.example/report"])), "web-form"),
        (network(redacted=[{"name": {"description": "Abuse e-mail"}, "method": "removal"}]), "redacted"),
        (network(redacted=[{"prePath": "$.entities[0].vcardArray[1][?(@[0]=='email')]"}]), "redacted"),
        (network(redacted=[{"prePath": ["$.entities[0].jscard.emails"]}]), "redacted"),
        (network(redacted={"name": {"type": "Abuse Email"}, "method": "emptyValue"}), "redacted"),
        (network(redacted=["e-mail"]), "redacted"),
        (network(redacted=[None, 7, {"name": None, "prePath": {}}]), "no-mailbox"),
        (network(entity(["abuse"], email("")), redacted=[{"name": {"description": "E-mail"}}]), "redacted"),
        (network(entity(["abuse"], email("redacted@isp.example")), redacted=[{"name": "email"}]), "redacted"),
        (
            network(entity(["abuse"], email("a***@isp.example")), redacted=[{"replacementPath": "$.x.email"}]),
            "redacted",
        ),
        (network(remarks=[{"type": "object truncated due to server policy"}]), "truncated"),
        (network({"roles": ["abuse"], "handle": "ABUSE1-ARIN"}), "abuse-handle ABUSE1-ARIN"),
        (network({"roles": ["abuse"], "handle": "../x?y=1"}), "no-mailbox"),
        (network(entity(["abuse"], email("irt@nic.or.kr"), handle="IRT-KRNIC-KR")), "registry-contact"),
        (network(), "no-mailbox"),
    ],
)
def test_an_answer_without_a_contact_says_why(data: Json, why: str) -> None:
    answer = read(data)
    assert (answer.outcome, answer.why) == (Outcome.NO_CONTACT, why)


def test_an_as_number_has_no_range_and_its_contacts_come_fifth() -> None:
    data = {
        "objectClassName": "autnum",
        "handle": "AS64500",
        "startAutnum": "64496",
        "endAutnum": 64511,
        "entities": [ABUSE],
    }
    answer = read(data, 64500)
    assert (answer.outcome, answer.registered, answer.cached) == (Outcome.CONTACTS, None, None)
    assert [(each.mailbox, each.tier) for each in usable(answer)] == [("abuse@isp.example", 5)]


def test_an_abuse_contact_that_was_only_named_can_be_read_by_itself() -> None:
    def read_entity(data: Json, handle: str) -> NetworkAnswer:
        return rdap_answer.read_entity(reply(json.dumps(data).encode()), handle, registry="arin")

    contact = entity([], email("noc@isp.example"), email("desk@isp.example", type="abuse"), handle="ABUSE1-ARIN")
    answer = read_entity(contact, "abuse1-arin")
    assert (answer.outcome, answer.holder, mailboxes(answer)) == (Outcome.CONTACTS, "Some Name", ["desk@isp.example"])
    assert answer.candidates[0].path == "vcardArray[1][4]"
    assert read_entity(contact, "ABUSE2-ARIN").outcome is Outcome.UNUSABLE
    assert read_entity(network(ABUSE), "NET-192-0-2-0-1").outcome is Outcome.UNUSABLE
    assert read_entity({"errorCode": 404}, "ABUSE1-ARIN").outcome is Outcome.NOT_FOUND
