"""What the words beside an address say of it."""

import pytest

from pipeline.resolve.remarks import MAX_LINE, MAX_TEXT, Doubt, disclaims, doubts, is_abuse_name, mentions

OFFERED, NO, TOLD = "", "not-abuse", "told-not-to"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Please send abuse reports to desk@isp.example", [("desk@isp.example", OFFERED)]),
        ("All abuse reporting can be done via\ndesk@isp.example", [("desk@isp.example", OFFERED)]),
        ("Send spam complaints\nto the following\naddress: desk@isp.example.", [("desk@isp.example", OFFERED)]),
        (
            "Complaints can also be sent to the Abuse desk\n(desk@isp.example)\nbut may take longer",
            [("desk@isp.example", OFFERED)],
        ),
        ("Pour tout abus, écrire à bureau@isp.example", [("bureau@isp.example", OFFERED)]),
        ("Reportar abusos a: redes@isp.example", [("redes@isp.example", OFFERED)]),
        ("*** abuse@isp.example ***", [("abuse@isp.example", OFFERED)]),
        ("Peering: peering@isp.example", [("peering@isp.example", NO)]),
        (
            "Support: help@isp.example\nAbuse: desk@isp.example\nPeering: peer@isp.example",
            [("help@isp.example", NO), ("desk@isp.example", OFFERED), ("peer@isp.example", NO)],
        ),
        (
            "For SPAM and other abuse issues, please contact:\n* desk@isp.example.\n\n"
            "To report vulnerabilities in our products, please contact:\n* secure@isp.example.\n\n"
            "For legal and law enforcement requests, please contact:\n* legal@isp.example\n\n"
            "For routing, please\ncontact:\n* noc@isp.example",
            [
                ("desk@isp.example", OFFERED),
                ("secure@isp.example", NO),
                ("legal@isp.example", NO),
                ("noc@isp.example", NO),
            ],
        ),
        ("Abuse reports: https://isp.example/abuse\nNOC: noc@isp.example", [("noc@isp.example", NO)]),
        ("Report abuse via https://isp.example/abuse\n* noc@isp.example", [("noc@isp.example", NO)]),
        ("How to report abuse\nPeering desk: peer@isp.example", [("peer@isp.example", NO)]),
        ("To report abuse, see our web site.\nQuestions go to info@isp.example", [("info@isp.example", NO)]),
        ("Abuse: a@isp.example, b@isp.example", [("a@isp.example", OFFERED), ("b@isp.example", OFFERED)]),
        ("Abuse contacts:\na@isp.example\nb@isp.example", [("a@isp.example", OFFERED), ("b@isp.example", OFFERED)]),
        ("a@isp.example for spam, b@isp.example for routing", [("a@isp.example", OFFERED), ("b@isp.example", NO)]),
        ("b@isp.example - for abuse use a@isp.example", [("b@isp.example", NO), ("a@isp.example", OFFERED)]),
        ("Only for whois information correction, send mail to ip@isp.example", [("ip@isp.example", TOLD)]),
        ("Only for abuse: desk@isp.example", [("desk@isp.example", OFFERED)]),
        ("Do not send abuse reports to noc@isp.example", [("noc@isp.example", TOLD)]),
        ("Please never write to abuse@isp.example", [("abuse@isp.example", TOLD)]),
        ("noc@isp.example (not for abuse)", [("noc@isp.example", TOLD)]),
        ("abuse@isp.example is no longer monitored", [("abuse@isp.example", TOLD)]),
        ("Ne pas envoyer d'abus à noc@isp.example", [("noc@isp.example", TOLD)]),
        ("desk@isp.example was validated on 2024-04-15", []),
        ("desk@isp.example is invalid", []),
        ("abuse@localhost", []),
        ("Missbrauchsmeldungen: desk@isp.example", [("desk@isp.example", OFFERED)]),
        ("Bitte keine Abuse-Meldungen an desk@isp.example", [("desk@isp.example", TOLD)]),
        ("N'envoyez pas les abus à desk@isp.example", [("desk@isp.example", TOLD)]),
        ("Não envie spam para desk@isp.example", [("desk@isp.example", TOLD)]),
        ("Segnalazioni abusi: desk@isp.example", [("desk@isp.example", OFFERED)]),
        ("Жалобы на спам: desk@isp.example", [("desk@isp.example", OFFERED)]),
        ("Не отправляйте жалобы на desk@isp.example", [("desk@isp.example", TOLD)]),
        ("スパムの報告は desk@isp.example まで", [("desk@isp.example", OFFERED)]),
        ("垃圾邮件举报 desk@isp.example", [("desk@isp.example", OFFERED)]),
        ("請勿將垃圾郵件報告寄至 desk@isp.example", [("desk@isp.example", TOLD)]),
        ("스팸 신고: desk@isp.example", [("desk@isp.example", OFFERED)]),
        (
            "In case of scans, probes, spam, etc. please\nwrite to desk@isp.example",
            [("desk@isp.example", OFFERED)],
        ),
        ("Abuse: desk@isp.example. Mail to other addresses will be ignored", [("desk@isp.example", OFFERED)]),
        ("Abuse related mail to any other address will not be read: desk@isp.example", [("desk@isp.example", OFFERED)]),
        ("Spam reports sent to desk@isp.example will be ignored", [("desk@isp.example", TOLD)]),
        ("Abuse: desk@isp.example\nThis mailbox is not monitored", [("desk@isp.example", TOLD)]),
        ("Abuse: desk@isp.example\nThis network is not monitored", [("desk@isp.example", OFFERED)]),
        ("Please contact the abuse department:\n\ndesk@isp.example", [("desk@isp.example", OFFERED)]),
        ("We care about abuse\n\ndesk@isp.example", [("desk@isp.example", NO)]),
        ("NOC: noc@isp.example | Abuse: desk@isp.example", [("noc@isp.example", NO), ("desk@isp.example", OFFERED)]),
        (
            "No abuse to noc@isp.example, use desk@isp.example",
            [("noc@isp.example", TOLD), ("desk@isp.example", OFFERED)],
        ),
        ("No abuse to noc@isp.example or x@isp.example", [("noc@isp.example", TOLD), ("x@isp.example", TOLD)]),
        (
            "No abuse to noc@isp.example, contact legal@isp.example for subpoenas",
            [("noc@isp.example", TOLD), ("legal@isp.example", NO)],
        ),
        (
            "desk@isp.example for abuse and noc@isp.example for the rest",
            [("desk@isp.example", OFFERED), ("noc@isp.example", NO)],
        ),
        (
            "Abuse reports to a@isp.example or b@isp.example are ignored",
            [("a@isp.example", TOLD), ("b@isp.example", TOLD)],
        ),
        ("Please report abuse to desk@isp.example. We do not answer calls", [("desk@isp.example", OFFERED)]),
        ("Abuse reports to desk@isp.example\nwill not be processed", [("desk@isp.example", TOLD)]),
        ("Spam? Write to desk@isp.example", [("desk@isp.example", OFFERED)]),
        ("Misuse of this network: desk@isp.example", [("desk@isp.example", OFFERED)]),
        ("Incidentes de segurança: desk@isp.example", [("desk@isp.example", OFFERED)]),
        ("不正利用: desk@isp.example", [("desk@isp.example", OFFERED)]),
        ("no address here", []),
        ("", []),
    ],
)
def test_the_words_beside_an_address_decide(text: str, found: list[tuple[str, str]]) -> None:
    assert [(mention.text, mention.rejected) for mention in mentions(text)] == found


@pytest.mark.parametrize(
    "text",
    [
        "Abuse mail to desk@isp.example is ignored",
        "desk@isp.example does not accept abuse complaints",
        "desk@isp.example isn't for abuse",
        "desk@isp.example is not the right address for abuse",
        "Please refrain from sending abuse reports to desk@isp.example",
        "No abuse reports to desk@isp.example",
        "desk@isp.example (non-abuse matters)",
        "For everything except abuse: desk@isp.example",
        "You should not send spam reports to desk@isp.example",
        "Abuse reports cannot be handled by desk@isp.example",
        "Abuse: desk@isp.example bounces",
        "desk@isp.example is for whois corrections only, abuse goes to our form",
        "N'envoyez jamais d'abus à desk@isp.example",
        "Aucune plainte pour abus à desk@isp.example",
        "Les abus envoyés à desk@isp.example ne seront pas traités",
        "desk@isp.example no atiende reportes de abuso",
        "Los abusos enviados a desk@isp.example serán ignorados",
        "desk@isp.example não trata de abuso",
        "desk@isp.example へスパムの苦情を送らないでください",
        "desk@isp.example では迷惑メールの苦情は受け付けておりません",
        "勿发垃圾邮件举报至 desk@isp.example",
        "스팸 신고를 desk@isp.example 로 보내지 마십시오",
        "desk@isp.example не принимает жалобы на спам",
    ],
)
def test_a_text_that_turns_reports_away_is_heeded_however_it_says_so(text: str) -> None:
    assert [(mention.text, mention.rejected) for mention in mentions(text)] == [("desk@isp.example", TOLD)]


@pytest.mark.parametrize(
    "text",
    [
        "Please do not hesitate to report abuse to desk@isp.example",
        "N'hésitez pas à signaler un abus à desk@isp.example",
        "If you do not get an answer to your abuse report, write to desk@isp.example",
        "We do not tolerate spam, report it to desk@isp.example",
        "These addresses are not static, abuse reports go to desk@isp.example",
        "Abuse reports not sent to desk@isp.example will be ignored",
        "Abuse reports to any address other than desk@isp.example are ignored",
        "Abuse: desk@isp.example - reports without logs are ignored",
        "To report abuse, do not use our form, mail desk@isp.example",
        "To report abuse mail desk@isp.example (not for technical support)",
        "To report abuse mail desk@isp.example (phone calls are not accepted)",
        "Incomplete reports are ignored, abuse goes to desk@isp.example",
    ],
)
def test_a_not_that_is_about_something_else_is_no_refusal(text: str) -> None:
    assert [(mention.text, mention.rejected) for mention in mentions(text)] == [("desk@isp.example", OFFERED)]


@pytest.mark.parametrize(
    "text",
    [
        "Abuse: desk (at) isp (dot) example",
        "Abuse: desk[at]isp[dot]example",
        "Abuse: desk {at} isp.example",
        "Abuse: desk{|)isp.example",
        "Abuse: desk<|)isp.example",
        "Abuse: desk(|)isp.example",
        "Abuse: desk (@) isp.example",
        "Abuse: desk[ AT ]isp{DOT}example",
        "Abuse: desk＠isp.example",
        "Abuse: desk@isp(dot)example",
        "Abuse: desk at isp dot example",
        "Abuse: desk AT isp DOT example",
        "Abuse: desk (arroba) isp (punto) example",
        "Abuse: desk (arobase) isp (point) example",
        "Abuse: desk(a)isp.example",
        "Abuse: desk_at_isp.example",
        "Abuse: desk -at- isp -dot- example",
        "Abuse: desk *at* isp *dot* example",
        "Abuse: desk&#64;isp&#46;example",
        "Abuse: desk @ isp.example",
        "Abuse: desk@ isp.example",
    ],
)
def test_a_disguised_address_is_found_and_said_to_be_disguised(text: str) -> None:
    assert [(m.text, m.rejected, m.disguised) for m in mentions(text)] == [("desk@isp.example", OFFERED, True)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Write to abuse at isp dot example", ["abuse@isp.example"]),
        ("Please send complaints to abuse at isp.example", ["abuse@isp.example"]),
        ("Abuse: abuse-desk at isp.example", ["abuse-desk@isp.example"]),
        ("* abuse at mail.isp.example", ["abuse@mail.isp.example"]),
        ("Report abuse to us at isp.example", []),
        ("Report abuse at isp.example", []),
        ("Report abuse at www.isp.example/form", []),
        ("Send reports to abuse at isp.example/form", []),
        ("Meet us at isp dot example", []),
        ("Report abuse @ isp.example", []),
        ("Abuse: https://look-at-isp.example", []),
        ("Abuse: see (a) our.pages", []),
    ],
)
def test_a_spoken_at_is_undone_only_for_a_name_that_says_abuse(text: str, found: list[str]) -> None:
    assert [mention.text for mention in mentions(text)] == found


def test_one_text_yields_at_most_forty_addresses() -> None:
    assert len(mentions("\n".join(f"abuse@isp{number}.example" for number in range(200)))) == 40


@pytest.mark.parametrize(
    ("mailbox", "says_abuse"),
    [
        ("abuse@isp.example", True),
        ("Abuse@isp.example", True),
        ("resolver-abuse@isp.example", True),
        ("abuse-cust17@isp.example", True),
        ("abuse2@isp.example", True),
        ("netabuse@isp.example", True),
        ("abuso@isp.example", True),
        ("anti-spam@isp.example", True),
        ("csirt@isp.example", True),
        ("disabuse@isp.example", False),
        ("noc@abuse.example", False),
        ("security@isp.example", False),
        ("hostmaster@isp.example", False),
    ],
)
def test_a_mailbox_may_say_by_its_name_that_it_takes_abuse_reports(mailbox: str, says_abuse: bool) -> None:
    assert is_abuse_name(mailbox) is says_abuse


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("desk@isp.example is invalid", [Doubt("desk@isp.example", "marked-invalid")]),
        ("Abuse-mailbox validation failed. Please refer to ORG-EX1-RIPE", [Doubt("", "marked-invalid")]),
        (
            "Unvalidated POC\nARIN has attempted to validate the data for this POC, but has received\nno response",
            [Doubt("", "unvalidated")],
        ),
        ("desk@isp.example was validated on 2024-04-15", []),
        ("this is invalid", []),
        ("<desk@isp.example> has been marked as invalid.", [Doubt("desk@isp.example", "marked-invalid")]),
        ("desk@isp.example is unvalidated", [Doubt("desk@isp.example", "unvalidated")]),
        ("see a@b.example c@d.example is invalid", [Doubt("c@d.example", "marked-invalid")]),
    ],
)
def test_what_the_registry_says_against_a_mailbox_is_read(text: str, found: list[Doubt]) -> None:
    assert list(doubts(text)) == found


@pytest.mark.parametrize(
    ("text", "is_desk"),
    [
        ("We do not operate the referring network and\nare unable to investigate complaints of network abuse.", True),
        ("We are not empowered to investigate", True),
        ("We investigate every report", False),
    ],
)
def test_a_desk_that_cannot_investigate_says_so(text: str, is_desk: bool) -> None:
    assert disclaims(text) is is_desk


def test_a_line_that_is_too_long_gives_no_shortened_mailbox() -> None:
    text = "Abuse: " + "x" * (MAX_LINE - 20) + " desk@isp.example"
    assert [each.address for each in mentions(text)] == []
    assert [each.address for each in mentions("y " * (MAX_TEXT // 2 - 10) + "abuse@isp.example")] == []
