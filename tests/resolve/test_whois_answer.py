"""What a WHOIS answer says, in each of the forms that registries use."""

from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from pipeline.domain import Answer, NetworkAnswer, Outcome, TemporaryFailure
from pipeline.resolve import whois_answer, whois_rwhois
from pipeline.resolve.choose import usable
from pipeline.resolve.scope import ScopeCaps
from pipeline.resolve.whois_text import MAX_MAILBOXES, decode

NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)

RIPE = """\
% This is a query service.

% Information related to '192.0.2.0 - 192.0.2.255'

% Abuse contact for '192.0.2.0 - 192.0.2.255' is 'abuse@isp.example'

inetnum:        192.0.2.0 - 192.0.2.255
netname:        EXAMPLE-NET
descr:          Example Firm
country:        FR # more or less
org:            ORG-EX1-RIPE
admin-c:        JD1-RIPE
tech-c:         NOC1-RIPE
notify:         notify@isp.example
source:         RIPE # Filtered

organisation:   ORG-EX1-RIPE
org-name:       The Firm
abuse-c:        AB1-RIPE
e-mail:         info@isp.example
source:         RIPE

role:           Abuse Desk
nic-hdl:        AB1-RIPE
abuse-mailbox:  abuse@isp.example
e-mail:         desk@isp.example

role:           Network Operations
nic-hdl:        NOC1-RIPE
e-mail:         noc@isp.example
abuse-mailbox:  noc-abuse@isp.example

person:         Jane Doe
nic-hdl:        JD1-RIPE
e-mail:         jane@isp.example

person:         Nobody Refers To
nic-hdl:        XX1-RIPE
e-mail:         abuse@stranger.example
"""

ARIN = """\
NetRange:       192.0.2.0 - 192.0.2.255
CIDR:           192.0.2.0/24
NetName:        UPSTREAM-BLK1
NetHandle:      NET-192-0-2-0-1
Organization:   Upstream (UPSTR-1)

OrgName:        Upstream
StateProv:      QC
Country:        CA

OrgAbuseHandle: ABUSE1-ARIN
OrgAbuseEmail:  abuse@upstream.example
Comment:        ARIN has attempted to validate the data for this POC, but has received no response

OrgTechHandle:  NOC1-ARIN
OrgTechEmail:   noc@upstream.example

RAbuseHandle:   ABUSE2-ARIN
RAbuseEmail:    net-desk@upstream.example

# start

NetRange:       192.0.2.64 - 192.0.2.79
CIDR:           192.0.2.64/28
NetName:        CUSTOMER-17
NetHandle:      NET-192-0-2-64-1

CustName:       Customer
Country:        US
Comment:        Abuse reports: desk@customer.example
"""

LACNIC = """\
% Joint Whois
inetnum:     192.0.2/24
status:      allocated
owner:       La Empresa
ownerid:     MX-EMPR-LACNIC
country:     MX
owner-c:     ABC1
tech-c:      ABC2
abuse-c:     ABC1

nic-hdl:     ABC1
person:      Someone
e-mail:      Redes@ISP.EXAMPLE

nic-hdl:     ABC2
person:      Other
e-mail:      other@isp.example
"""

JPNIC = """\
[ JPNIC database provides information regarding IP address and ASN. ]

Network Information: [ネットワーク情報]
a. [IPネットワークアドレス]     192.0.2.0/24
g. [Organization]               Example Corporation
m. [管理者連絡窓口]             JP00000001
[Abuse]                         abuse@isp.example
[電子メール]                    noc@isp.example

Less Specific Info.
----------
Other [Allocation]              192.0.0.0/16
"""

KRNIC = """\
<html><pre>
[ Network Information ]
IPv4 Address       : 192.0.0.0 - 192.0.255.255 (/16)
Organization Name  : Telecom
<div>E-Mail             : ip@telecom.example
</div>
[ Network Information ]
IPv4 Address       : 192.0.2.0 - 192.0.2.255 (/24)
Organization Name  : Customer

[ Technical Contact Information ]
E-Mail             : noc@isp.example

[ Network Abuse Contact Information ]
E-Mail             : abuse@isp.example
</pre></html>
"""

TWNIC = """\
   Netname: EXAMPLE-NET
   Netblock: 192.0.2.0/24

   Administrator contact:
      noc@isp.example

   Abuse contact:
      abuse@isp.example
"""

RWHOIS = """\
%rwhois V-1.5:003eff:00 rwhois.isp.example
network:Class-Name:network
network:ID:NET-1
network:Auth-Area:192.0.0.0/16
network:IP-Network:192.0.2.0/24
network:Org-Name:Customer
network:Country-Code:CA
network:Tech-Contact;I:noc@isp.example
network:Updated-By:changer@isp.example
contact:Abuse-Email:abuse@isp.example
contact:POC-Email:support@isp.example
%ok
"""

FORMS = {"RIPE": RIPE, "LACNIC": LACNIC, "JPNIC": JPNIC, "KRNIC": KRNIC, "TWNIC": TWNIC, "RWHOIS": RWHOIS}


def reply(body: str | bytes, status: int = 200) -> Answer:
    return Answer(
        "whois://whois.example:43/x", status, "text/plain", body.encode() if isinstance(body, str) else body, NOW
    )


def read(body: str | bytes, queried: str | int = "192.0.2.70", registry: str = "ripencc") -> NetworkAnswer:
    about = queried if isinstance(queried, int) else ip_address(queried)
    return whois_answer.read(reply(body), about, registry=registry, caps=ScopeCaps())


def mailboxes(answer: NetworkAnswer) -> list[str]:
    return [candidate.mailbox for candidate in usable(answer)]


def reasons(answer: NetworkAnswer) -> dict[str, str]:
    return {candidate.mailbox: candidate.rejected for candidate in answer.candidates}


# --- outcomes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("%ERROR:201: access denied for 192.0.2.10\n%\n% temporarily denied", Outcome.REFUSED),
        ("% Query rate limit exceeded. Reduced information.", Outcome.REFUSED),
        ("% Permission denied.", Outcome.REFUSED),
        ("You have exceeded the maximum allowable number of queries", Outcome.REFUSED),
        ("Too many requests", Outcome.REFUSED),
        ("Your address has reached its daily limit", Outcome.REFUSED),
        ("You are not allowed to query this server", Outcome.REFUSED),
        ("%ERROR:208: connections limit exceeded", Outcome.REFUSED),
        ("%ERROR:306: connections exceeded\n%\n% Number of connections has been exceeded", Outcome.REFUSED),
        ("% Maximum concurrent connections limit exceeded", Outcome.REFUSED),
        ("% Excessive querying, grace period of 600 seconds", Outcome.REFUSED),
        ("Too many simultaneous connections from your host", Outcome.REFUSED),
        ("Queried interval is too short.", Outcome.REFUSED),
        ("Request over quota", Outcome.REFUSED),
        ("You have been banned", Outcome.REFUSED),
        ("% Limite de consultas excedido", Outcome.REFUSED),
        ("% You have reached the maximum number of queries", Outcome.REFUSED),
        ("No Found", Outcome.NOT_FOUND),
        ("No whois information found.", Outcome.NOT_FOUND),
        ("% No such entry", Outcome.NOT_FOUND),
        ("No match found for n + 192.0.2.70.", Outcome.NOT_FOUND),
        ("%ERROR:101: no entries found", Outcome.NOT_FOUND),
        ("%error 230 No Objects Found", Outcome.NOT_FOUND),
        ("No match!!", Outcome.NOT_FOUND),
        ("% This query returned 0 objects.", Outcome.NOT_FOUND),
        ("No data was found", Outcome.NOT_FOUND),
        ("% Unallocated and unassigned in the registry's block", Outcome.NOT_FOUND),
        ("% ASN or IP block not allocated by the registry", Outcome.NOT_FOUND),
        ("Query matched no records", Outcome.NOT_FOUND),
        ("該当するデータがありません。", Outcome.NOT_FOUND),
        ("192.0.2.7 는 등록되어 있지 않습니다", Outcome.NOT_FOUND),
        ("Nenhum registro encontrado", Outcome.NOT_FOUND),
        ("Rate limited", Outcome.REFUSED),
        ("Your request has been throttled", Outcome.REFUSED),
        ("Your IP address is blocked", Outcome.REFUSED),
        ("% You have exceeded allowed connection rate", Outcome.REFUSED),
        ("Please wait a while and try again", Outcome.REFUSED),
        ("Requests of this client are not permitted", Outcome.REFUSED),
        ("조회 건수를 초과하였습니다", Outcome.REFUSED),
        ("% Access to this service is rate limited.\n\nNo match for 192.0.2.70", Outcome.NOT_FOUND),
        ("hello", Outcome.UNUSABLE),
        ("", Outcome.UNUSABLE),
        ("<html><body>Maintenance</body></html>", Outcome.UNUSABLE),
        ("inetnum: 203.0.113.0 - 203.0.113.255\nabuse-mailbox: abuse@isp.example\n", Outcome.UNUSABLE),
        ("inetnum: everything\n", Outcome.UNUSABLE),
        ("No match!!\n\ninetnum: 203.0.113.0 - 203.0.113.255\n", Outcome.UNUSABLE),
        ("inetnum: 192.0.2.0 - 192.0.2.255\nnetname: X\n", Outcome.NO_CONTACT),
        ("NetRange: 10.0.0.0 - 10.255.255.255\nNetType:        IANA Special Use\n", Outcome.SPECIAL),
        (RIPE, Outcome.CONTACTS),
    ],
)
def test_a_text_is_a_contact_a_refusal_no_network_or_junk(text: str, outcome: Outcome) -> None:
    assert read(text).outcome is outcome


def test_a_limit_that_left_the_contact_out_is_a_refusal_and_one_beside_a_contact_is_not() -> None:
    limit = "% Query rate limit exceeded. Reduced information.\n\n"
    assert read(limit + "inetnum: 192.0.2.0/24\nowner: X\n").outcome is Outcome.REFUSED
    assert read(limit + LACNIC).outcome is Outcome.CONTACTS


def test_a_refusal_is_looked_for_at_the_beginning_of_a_text_only() -> None:
    assert read("hello\n" * 100 + "Too many queries").outcome is Outcome.REFUSED
    assert read("hello\n" * 10_000 + "Too many queries").outcome is Outcome.UNUSABLE


def test_a_failed_question_or_an_endless_answer_is_unusable() -> None:
    failed = Answer("whois://whois.example:43/x", 0, "text/plain", RIPE.encode(), NOW, TemporaryFailure("timeout"))
    for answer in (failed, reply(RIPE, 0), reply(RIPE + " " * (1 << 20))):
        read_answer = whois_answer.read(answer, ip_address("192.0.2.70"), registry="ripencc", caps=ScopeCaps())
        assert read_answer.outcome is Outcome.UNUSABLE


# --- forms ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "mailbox", "source", "holder", "country"),
    [
        ("RIPE", "abuse@isp.example", "header", "The Firm", "FR"),
        ("LACNIC", "redes@isp.example", "role", "La Empresa", "MX"),
        ("JPNIC", "abuse@isp.example", "role", "Example Corporation", "JP"),
        ("KRNIC", "abuse@isp.example", "role", "Customer", "KR"),
        ("TWNIC", "abuse@isp.example", "role", "EXAMPLE-NET", "TW"),
        ("RWHOIS", "abuse@isp.example", "role", "Customer", "CA"),
    ],
)
def test_every_form_gives_its_abuse_desk_its_range_and_its_holder(
    form: str, mailbox: str, source: str, holder: str, country: str
) -> None:
    for text in (
        FORMS[form],
        FORMS[form].replace("\n", "\r\n"),
        "[Querying whois.example.net]\n[whois.example.net]\n" + FORMS[form],
    ):
        answer = read(text)
        assert answer.registered == (ip_address("192.0.2.0"), ip_address("192.0.2.255"))
        assert (usable(answer)[0].mailbox, usable(answer)[0].source) == (mailbox, source)
        assert (answer.holder, answer.country) == (holder, country)


def test_of_rpsl_only_contacts_that_are_referred_to_count_each_with_its_reason() -> None:
    answer = read(RIPE)
    assert mailboxes(answer) == ["abuse@isp.example", "noc-abuse@isp.example"]
    assert reasons(answer) == {
        "abuse@isp.example": "",
        "noc-abuse@isp.example": "",
        "desk@isp.example": "less-preferred",
        "noc@isp.example": "technical",
        "jane@isp.example": "personal",
        "info@isp.example": "not-abuse",
        "notify@isp.example": "notify",
    }


def test_the_abuse_contact_of_the_organisation_counts_where_there_is_no_header() -> None:
    answer = read(RIPE.replace("% Abuse contact", "% No contact"))
    assert (usable(answer)[0].mailbox, usable(answer)[0].source) == ("abuse@isp.example", "role")


def test_a_header_of_another_range_is_not_the_networks() -> None:
    text = RIPE.replace("% Abuse contact for '192.0.2.0 -", "% Abuse contact for '192.0.0.0 -").replace(
        "abuse-c:", "x-c:"
    )
    assert mailboxes(read(text)) == ["noc-abuse@isp.example"]


def test_a_failed_validation_below_the_header_lowers_the_confidence() -> None:
    text = RIPE.replace(
        "is 'abuse@isp.example'\n", "is 'abuse@isp.example'\n% Abuse-mailbox validation failed. See ORG-X\n"
    )
    header = next(
        each for each in read(text.replace("abuse-c:", "x-c:")).candidates if each.mailbox == "abuse@isp.example"
    )
    assert (header.note, header.confidence) == ("marked-invalid", 30)


def test_the_irt_object_is_the_abuse_desk_unless_it_is_the_registrys() -> None:
    text = (
        "inetnum: 192.0.2.0 - 192.0.2.255\nmnt-irt: IRT-ISP-AP\nchanged: hm-changed@apnic.net 20150101\nsource: APNIC\n\n"
        "irt: IRT-ISP-AP\ne-mail: desk@isp.example\nabuse-mailbox: abuse@isp.example\n"
    )
    assert mailboxes(read(text)) == ["abuse@isp.example"]
    assert reasons(read(text))["hm-changed@apnic.net"] == "changed"
    registrys = read(text.replace("IRT-ISP-AP", "IRT-KRNIC-KR"))
    assert (registrys.outcome, registrys.registry, registrys.why) == (Outcome.NO_CONTACT, "krnic", "registry-contact")


@pytest.mark.parametrize("handle", ["IRT-CNNIC-CN", "IRT-VNNIC-AP", "IRT-TWNIC-AP", "IRT-IDNIC-ID", "IRT-IRINN-IN"])
def test_a_registrys_desk_is_one_in_the_header_too_and_a_remark_stands_for_it(handle: str) -> None:
    registry = handle.split("-")[1].lower()
    text = (
        "% Abuse contact for '192.0.2.0 - 192.0.2.255' is 'desk@isp.example'\n\n"
        f"inetnum: 192.0.2.0 - 192.0.2.255\nmnt-irt: {handle}\nremarks: none\nsource: APNIC\n\n"
        f"irt: {handle}\nabuse-mailbox: desk@isp.example\n"
    )
    answer = read(text, registry="apnic")
    assert (answer.outcome, answer.why, answer.registry) == (Outcome.NO_CONTACT, "registry-contact", registry)
    assert mailboxes(read(text.replace("remarks: none", "remarks: for abuse: real@isp.example"))) == [
        "real@isp.example"
    ]


def test_a_mirror_that_names_the_registrys_team_does_not_make_the_holders_desk_the_registrys() -> None:
    text = (
        "% Abuse contact for '192.0.2.0 - 192.0.2.255' is 'abuse@isp.example'\n\n"
        "inetnum: 192.0.2.0 - 192.0.2.255\nmnt-irt: IRT-ISP-ID\nsource: APNIC\n\n"
        "irt: IRT-ISP-ID\nabuse-mailbox: abuse@isp.example\n\n"
        "inetnum: 192.0.2.0 - 192.0.2.255\nmnt-irt: IRT-IDNIC-ID\nsource: IDNIC\n\n"
        "irt: IRT-IDNIC-ID\nabuse-mailbox: desk@idnic.example\n"
    )
    assert mailboxes(read(text, registry="apnic")) == ["abuse@isp.example"]
    assert reasons(read(text, registry="apnic"))["desk@idnic.example"] == "registry-contact"


def test_no_abuse_contact_registered_is_no_contact_unless_the_object_names_one() -> None:
    text = "% No abuse contact registered for 192.0.2.0 - 192.0.2.255\n\ninetnum: 192.0.2.0 - 192.0.2.255\nnetname: X\n"
    assert read(text).outcome is Outcome.NO_CONTACT
    assert mailboxes(read(text + "remarks: abuse: desk@isp.example\n")) == ["desk@isp.example"]


def test_comments_inside_an_object_do_not_end_it() -> None:
    text = "inetnum: 192.0.2.0 - 192.0.2.255\n# a comment\n% another\nabuse-mailbox: abuse@isp.example\n"
    assert mailboxes(read(text)) == ["abuse@isp.example"]


def test_continuation_lines_belong_to_the_attribute_above() -> None:
    text = "inetnum: 192.0.2.0 - 192.0.2.255\nremarks: Send abuse reports\n+\n+ to\n  desk@isp.example\n"
    assert mailboxes(read(text.replace("+\n", ""))) == ["desk@isp.example"]


def test_the_narrowest_network_is_the_answer_and_its_parents_contacts_come_fourth() -> None:
    answer = read(ARIN, registry="arin")
    assert answer.registered == (ip_address("192.0.2.64"), ip_address("192.0.2.79"))
    assert (answer.holder, answer.handle, answer.country) == ("Customer", "NET-192-0-2-64-1", "US")
    found = [(each.mailbox, each.tier, each.note) for each in usable(answer)]
    assert found == [
        ("desk@customer.example", 2, ""),
        ("net-desk@upstream.example", 4, ""),
        ("abuse@upstream.example", 4, "unvalidated"),
    ]
    assert reasons(answer)["noc@upstream.example"] == "technical"


def test_outside_the_reassigned_part_the_wider_network_answers() -> None:
    answer = read(ARIN, "192.0.2.1", registry="arin")
    assert (answer.holder, answer.country, answer.region) == ("Upstream", "CA", "QC")
    assert mailboxes(answer) == ["net-desk@upstream.example", "abuse@upstream.example"]


def test_two_objects_for_one_range_are_one_network_of_the_nearer_registry() -> None:
    text = (
        "inetnum: 192.0.2.0 - 192.0.2.255\nnetname: A\nsource: APNIC\n\n"
        "inetnum: 192.0.2.0 - 192.0.2.255\nnetname: B\nabuse-mailbox: abuse@isp.example\nsource: IDNIC\n"
    )
    answer = read(text, registry="apnic")
    assert (answer.registry, answer.name, mailboxes(answer)) == ("idnic", "A", ["abuse@isp.example"])


def test_a_range_that_is_no_prefix_is_registered_whole_and_cached_cut() -> None:
    answer = read("inetnum: 192.0.1.128 - 192.0.34.15\nabuse-mailbox: abuse@isp.example\n")
    assert answer.registered == (ip_address("192.0.1.128"), ip_address("192.0.34.15"))
    assert answer.cached == (ip_address("192.0.1.128"), ip_address("192.0.15.255"))


def test_special_space_around_a_network_does_not_make_it_special() -> None:
    wide = "NetRange: 192.0.0.0 - 192.255.255.255\nNetType:        IANA Reserved\n\n"
    assert read(wide + ARIN).outcome is Outcome.CONTACTS
    assert read(wide + ARIN, "192.9.9.9").outcome is Outcome.SPECIAL
    assert read(wide.replace("192.", "198.") + ARIN).outcome is Outcome.CONTACTS


def test_neighbours_that_jpnic_lists_are_not_the_network() -> None:
    text = JPNIC.replace("Less Specific Info.", "下位情報").replace("Other [Allocation]  ", "[SUBA]  ")
    narrow = text.replace("192.0.0.0/16", "192.0.2.64/28")
    answer = read(narrow)
    assert answer.registered == (ip_address("192.0.2.0"), ip_address("192.0.2.255"))
    assert mailboxes(answer) == ["abuse@isp.example"]


def test_lines_that_only_html_parts_are_lines() -> None:
    for end in ("<br>", "<BR />", "<br>\n", "<br>\r\n"):
        assert mailboxes(read("<html><body>" + RIPE.replace("\n", end)))[0] == "abuse@isp.example"


def test_an_ipv6_network_is_read() -> None:
    answer = read("inet6num: 2001:0DB8:010c::/48\nabuse-mailbox: abuse@isp.example\n", "2001:db8:10c::1")
    assert answer.registered is not None
    assert str(answer.registered[0]) == "2001:db8:10c::"
    assert mailboxes(answer) == ["abuse@isp.example"]


def test_an_rwhois_handle_in_place_of_a_mailbox_is_handed_on() -> None:
    text = "network:IP-Network:192.0.2.0/24\nnetwork:Abuse-Contact;I:ABUSE1-ARIN\n"
    assert read(text).why == "abuse-handle ABUSE1-ARIN"
    assert mailboxes(read(text.replace("ABUSE1-ARIN", "abuse@isp.example"))) == ["abuse@isp.example"]


@pytest.mark.parametrize(
    "text",
    [
        "inetnum: 192.0.2.0/24\nowner: X\nabuse-c: AB1\n",
        "inetnum: 192.0.2.0 - 192.0.2.255\norg: O1\n\norganisation: O1\nabuse-c: AB1\n",
        "NetRange: 192.0.2.0 - 192.0.2.255\n\nOrgName: X\n\nOrgAbuseHandle: AB1\n",
    ],
)
def test_an_abuse_contact_that_is_only_named_is_handed_on(text: str) -> None:
    answer = read(text)
    assert (answer.outcome, answer.why) == (Outcome.NO_CONTACT, "abuse-handle AB1")


def test_an_rwhois_answer_for_another_customer_is_unusable() -> None:
    assert read(RWHOIS.replace("IP-Network:192.0.2.0/24", "IP-Network:192.0.2.0/29")).outcome is Outcome.UNUSABLE


def test_an_rwhois_contact_of_its_own_is_told_by_what_the_network_refers_to_it_as() -> None:
    text = (
        "network:Class-Name:network\nnetwork:IP-Network:192.0.2.0/24\nnetwork:Abuse-Contact;I:AB.isp\n"
        "network:Tech-Contact;I:TC.isp\n\ncontact:Class-Name:contact\ncontact:ID:AB.isp\ncontact:Email:desk@isp.example\n"
        "contact:Updated-By:changer@isp.example\n\ncontact:Class-Name:contact\ncontact:ID:TC.isp\n"
        "contact:Email:tech@isp.example\n"
    )
    assert reasons(read(text)) == {"desk@isp.example": "", "changer@isp.example": "changed"}
    assert read(text.replace("ID:AB.isp", "ID:other")).why == "abuse-handle AB.isp"


def test_one_rwhois_contact_is_read_once_however_often_it_is_referred_to() -> None:
    text = (
        "network:IP-Network:192.0.2.0/24\n"
        + "network:Abuse-Contact;I:A\n" * 60
        + "contact:Class-Name:contact\ncontact:ID:A\n"
    )
    lines = (text + "contact:Email:desk@isp.example\n" * 2000).splitlines()
    (one,) = whois_rwhois.read(lines, ip_address("192.0.2.7"), "rwhois")
    assert len(one.network.found) == MAX_MAILBOXES


@pytest.mark.parametrize("begun", ["network:Class-Name:network", "network:ID:NET-2"])
def test_each_rwhois_object_is_a_network_of_its_own_with_spaces_or_without(begun: str) -> None:
    narrow = f"{begun}\nnetwork:IP-Network:192.0.2.64/28\nnetwork:Org-Name:Narrow\n"
    for text in (RWHOIS + narrow, (RWHOIS + narrow).replace("network:", "network: ")):
        answer = read(text)
        assert answer.registered == (ip_address("192.0.2.64"), ip_address("192.0.2.79"))
        assert answer.holder == "Narrow"
        assert [(each.mailbox, each.tier) for each in usable(answer)] == [("abuse@isp.example", 4)]


def test_a_technicians_mailbox_that_is_named_for_abuse_counts_and_the_one_beside_it_does_not() -> None:
    both = "noc@isp.example, abuse@isp.example"
    for text in (
        ARIN.replace("OrgAbuse", "OrgNOC")
        .replace("abuse@", "noc2@")
        .replace("RAbuse", "RTech")
        .replace("noc@upstream.example", both),
        RWHOIS.replace("contact:Abuse-Email:abuse@isp.example\n", "").replace("noc@isp.example", both),
        TWNIC.replace("noc@isp.example", both).replace("Abuse contact:\n      abuse@isp.example", ""),
        RIPE.replace("% Abuse contact", "% X")
        .replace("abuse-c:", "x-c:")
        .replace("abuse-mailbox:", "x-mailbox:")
        .replace("noc@isp.example", both),
    ):
        answer = read(text, "192.0.2.7")
        assert [(each.mailbox, each.source) for each in usable(answer)] == [("abuse@isp.example", "mailbox-name")]
        assert reasons(answer)["noc@isp.example"] == "technical"


def test_a_desk_for_spam_is_one_for_abuse() -> None:
    text = TWNIC.replace("Abuse contact", "Spam contact").replace("abuse@isp.example", "desk@isp.example")
    assert mailboxes(read(text)) == ["desk@isp.example"]


def test_what_lacnic_hands_on_of_nic_br_is_nic_brs() -> None:
    text = LACNIC.replace("nic-hdl:", "nic-hdl-br:") + "\n% Security issues also to cert@cert.br\n"
    answer = read(text, registry="lacnic")
    assert (answer.registry, mailboxes(answer)) == ("registro.br", ["redes@isp.example"])
    assert "cert@cert.br" not in reasons(answer)
    assert read(LACNIC, registry="lacnic").registry == "lacnic"


def test_krnics_english_name_of_a_holder_goes_before_its_korean_one() -> None:
    korean = "IPv4주소 : 192.0.2.0 - 192.0.2.255 (/24)\n기관명 : 예\n전자우편 : noc@isp.example\n\n"
    assert read(korean).holder == "예"
    assert read(korean + KRNIC).holder == "Customer"
    assert mailboxes(read(korean + KRNIC)) == ["abuse@isp.example"]


@pytest.mark.parametrize("form", ["JPNIC", "KRNIC", "TWNIC", "RWHOIS"])
def test_technical_mailboxes_of_the_other_forms_are_kept_as_rejected(form: str) -> None:
    answer = read("\n".join(line for line in FORMS[form].splitlines() if "abuse@" not in line))
    assert answer.outcome is Outcome.NO_CONTACT
    assert reasons(answer)["noc@isp.example"] == "technical"


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("% Abuse contact for 'AS64500' is 'abuse@isp.example'\n\naut-num: AS64500\nas-name: X\n", Outcome.CONTACTS),
        ("aut-num: AS64501\nabuse-mailbox: abuse@isp.example\n", Outcome.UNUSABLE),
        ("ASNumber: 64496 - 64511\nASName: X\n\nOrgAbuseEmail: abuse@isp.example\n", Outcome.CONTACTS),
        ("ASNumber: 64501\nASName: X\n\nOrgAbuseEmail: abuse@isp.example\n", Outcome.UNUSABLE),
        (RIPE, Outcome.UNUSABLE),
    ],
)
def test_an_as_number_is_answered_by_its_own_object_only(text: str, outcome: Outcome) -> None:
    answer = read(text, 64500)
    assert answer.outcome is outcome
    assert [(each.mailbox, each.tier) for each in usable(answer)] == [("abuse@isp.example", 5)] * (
        outcome is Outcome.CONTACTS
    )


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("Montréal".encode(), "Montréal"),
        ("\ufeffMontréal".encode(), "Montréal"),
        ("Montréal".encode("latin-1"), "Montréal"),
        ("組織名".encode("iso2022_jp"), "組織名"),
        ("組織名　ー".encode("cp932"), "組織名　ー"),
        ("組織名　ー".encode("euc_jp"), "組織名　ー"),
        ("[ 네트워크 ]".encode("euc_kr"), "[ 네트워크 ]"),
        ("기관명 : 똠".encode("cp949"), "기관명 : 똠"),
        ("組織名".encode("cp932") + b"\x83", "組織名\ufffd"),
        ("ソ".encode("cp932"), "ソ".encode("cp932").decode("latin-1")),  # no label of a registry: it could be anything
        ("Montréal".encode().decode("latin-1").encode(), "Montréal"),
        ("Montréal".encode() + b"\n" + "Québec".encode("latin-1"), "Montréal"),
        ("SÃO PAULO".encode(), "SÃO PAULO"),
        (
            b"<pre>Abuse: &lt;desk@isp.example&gt; <desk@isp.example></pre>",
            "Abuse: <desk@isp.example> <desk@isp.example>",
        ),
    ],
)
def test_the_character_set_is_told_by_escapes_else_utf_8_else_by_a_registrys_own_labels_else_latin_1(
    body: bytes, line: str
) -> None:
    assert decode(body)[0] == line


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r\r\n", b"\r"])
def test_a_line_ends_however_the_server_ends_it(end: bytes) -> None:
    assert decode(b"inetnum: x" + end + b"owner: y") == ["inetnum: x", "owner: y"]


@pytest.mark.parametrize("charset", ["iso2022_jp", "cp932", "euc_jp", "utf-8"])
def test_jpnic_in_its_own_character_sets_is_read(charset: str) -> None:
    for text in (JPNIC, JPNIC.replace("[Organization]               Example Corporation", "[組織名] 株式会社例ー")):
        answer = read(text.encode(charset))
        assert mailboxes(answer) == ["abuse@isp.example"]
        assert answer.registered == (ip_address("192.0.2.0"), ip_address("192.0.2.255"))
        assert answer.holder in ("Example Corporation", "株式会社例ー")
