"""What is said for a letter, what keeps it from being said, and what arrives, byte for byte."""

import hashlib
from dataclasses import replace

import pytest

from pipeline.sandbox.mail_server import OFFERS
from pipeline.send.replies import Kind, judge
from tests.net.handed import HEAD, TEXT, Sink, hand_over, letter, settings_for


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"one\r\n.\r\ntwo\r\n",
        HEAD + b".\r\n..\r\n...\r\n.x\r\n",
        b".begins with a dot\r\n",
        b".\r\n",
        b"\r\n",
        HEAD + b"ends with a dot.\r\n.\r\n",
        HEAD + b"From the start\r\n>From a line\r\n\tFrom \r\n",
        HEAD + bytes(range(128, 256)) + b"\r\n",
        HEAD + "é\r\n.ü\r\n".encode(),
        HEAD + b"z" * 200_000 + b"\r\n" + b"." * 3000 + b"\r\n",
        HEAD + b"\r\n.".join([b"y" * 65_535] * 4) + b"\r\n",
        HEAD + b"QUIT\r\nDATA\r\nRSET\r\n",
        HEAD + b"trailing blanks \t\r\n\r\n\r\n",
        HEAD + b"\x00\x01\x1b\x7f\r\n",
    ],
)
def test_a_message_arrives_byte_for_byte(sink: Sink, data: bytes) -> None:
    server = sink()
    [result] = hand_over(settings_for(server), letter(data=data))
    assert result.reply == 250
    [kept] = server.messages()
    assert kept.sha256 == hashlib.sha256(data).hexdigest()
    assert kept.path.read_bytes() == b"Return-Path: <v1@agency.example>\r\nX-Envelope-To: abuse@isp.example\r\n" + data


@pytest.mark.parametrize("data", [b"a\nb\r\n", b"a\rb\r\n", b"a\r\n.\nb\r\n", b"no end", b"", b"a\r\r\n", b"a\n\r\n"])
def test_a_message_with_other_line_ends_is_not_offered(sink: Sink, data: bytes) -> None:
    server = sink()
    results = hand_over(settings_for(server, connections=1), letter(data=data), letter(2))
    assert (results[0].stage, results[0].reply, results[0].enhanced) == ("mail", 554, "5.6.0")
    assert results[0].text.startswith("made by us: ")
    assert results[1].reply == 250
    assert server.connections == 1


@pytest.mark.parametrize(
    ("recipient", "enhanced"),
    [
        ("ünï@isp.example", "5.6.7"),
        ("abuse@ïsp.example", "5.1.3"),
        ("abuse@\u212aelvin.example", "5.1.3"),
        ("abuse", "5.1.3"),
        ("@isp.example", "5.1.3"),
        ("abuse@", "5.1.3"),
        ("a b@isp.example", "5.1.3"),
        ("a@b@isp.example", "5.1.3"),
        ("abuse@isp..example", "5.1.3"),
        ("abuse@-isp.example", "5.1.3"),
        ("abuse@isp.example>\r\nRCPT TO:<x@isp.example", "5.1.3"),
        ("abuse@isp.example\r\n", "5.1.3"),
        ('"a\r\nb"@isp.example', "5.1.3"),
        ('"a\udcffb"@isp.example', "5.1.3"),
        ("a" * 65 + "@isp.example", "5.1.3"),
        ("a@" + ".".join(["b" * 60] * 5), "5.1.3"),
        ("<abuse@isp.example>", "5.1.3"),
        ("abuse@isp.example NOTIFY=NEVER", "5.1.3"),
    ],
)
def test_a_recipient_that_cannot_be_said_is_refused_by_us_and_leaves_the_connection_usable(
    sink: Sink, recipient: str, enhanced: str
) -> None:
    server = sink()
    bad, good = hand_over(settings_for(server, connections=1), letter(1, recipient), letter(2))
    assert (bad.stage, bad.reply, bad.enhanced, bad.dot_written) == ("rcpt", 553, enhanced, False)
    assert bad.text.startswith("made by us: ")
    assert good.reply == 250
    assert server.connections == 1
    assert [line for _, line in server.commands if line.startswith("RCPT")] == [
        "RCPT TO:<abuse@isp.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;abuse@isp.example"
    ]


@pytest.mark.parametrize("recipient", ['"a b>c"@isp.example', "o'neil+tag@isp.example", "a.b@xn--sp-1ja.example"])
def test_an_unusual_recipient_arrives_as_written(sink: Sink, recipient: str) -> None:
    server = sink()
    [result] = hand_over(settings_for(server), letter(1, recipient))
    assert result.reply == 250
    assert [kept.recipient for kept in server.messages()] == [recipient]


def test_a_sender_that_cannot_be_said_is_our_own_fault(sink: Sink) -> None:
    server = sink()
    for sender in ("", "ü@agency.example", "a@b>\r\nDATA"):
        [result] = hand_over(settings_for(server), replace(letter(), sender=sender))
        assert (result.stage, result.reply, result.enhanced) == ("mail", 553, "5.1.7")


def test_parameters_are_used_only_where_they_are_offered(sink: Sink) -> None:
    server = sink(offers=())
    assert hand_over(settings_for(server), letter(envid="9"))[0].reply == 250
    assert [line for _, line in server.commands] == [
        "EHLO out.agency.example",
        "MAIL FROM:<v1@agency.example>",
        "RCPT TO:<abuse@isp.example>",
        "DATA",
        "QUIT",
    ]


def test_dsn_and_size_are_asked_for_where_offered(sink: Sink) -> None:
    server = sink()
    assert hand_over(settings_for(server), letter(1, "a+b=c@isp.example", envid="N 1+2="))[0].reply == 250
    mail, rcpt = [line for _, line in server.commands][1:3]
    assert mail == f"MAIL FROM:<v1@agency.example> SIZE={len(TEXT % 1)} RET=HDRS ENVID=N+201+2B2+3D"
    assert rcpt == "RCPT TO:<a+b=c@isp.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;a+2Bb+3Dc@isp.example"


def test_8bitmime_is_said_only_of_a_message_that_needs_it_and_such_a_message_is_sent_nowhere_else(sink: Sink) -> None:
    eight_bit = letter(1, data=HEAD + b"\xc3\xa9\r\n")
    server = sink()
    assert hand_over(settings_for(server), eight_bit)[0].reply == 250
    assert "BODY=8BITMIME" in [line for _, line in server.commands][1]
    plain = sink(offers=("PIPELINING",))
    [result] = hand_over(settings_for(plain), eight_bit)
    assert (result.stage, result.reply, result.enhanced) == ("mail", 554, "5.6.3")


def test_a_local_part_outside_ascii_goes_where_smtputf8_is_offered(sink: Sink) -> None:
    server = sink(offers=(*OFFERS, "SMTPUTF8"))
    [result] = hand_over(settings_for(server), letter(1, "ünï@isp.example"))
    assert result.reply == 250
    assert [kept.recipient for kept in server.messages()] == ["ünï@isp.example"]
    assert [line for _, line in server.commands][2] == "RCPT TO:<ünï@isp.example> NOTIFY=FAILURE,DELAY"


INTERNATIONAL = (
    "From: a@agency.example\r\nTo: ünï@isp.example\r\nMessage-ID: <1@agency.example>\r\n\r\nHello\r\n".encode()
)


def test_a_header_outside_ascii_goes_where_smtputf8_is_offered_and_arrives_as_written(sink: Sink) -> None:
    server = sink(offers=("PIPELINING", "SMTPUTF8", "8BITMIME"))
    to_it, beside = hand_over(
        settings_for(server, connections=1),
        letter(1, "ünï@isp.example", data=INTERNATIONAL),
        letter(2, data=INTERNATIONAL),
    )
    assert (to_it.reply, beside.reply) == (250, 250)
    assert {kept.sha256 for kept in server.messages()} == {hashlib.sha256(INTERNATIONAL).hexdigest()}
    mails = [line for _, line in server.commands if line.startswith("MAIL")]
    assert mails == [f"MAIL FROM:<v{n}@agency.example> BODY=8BITMIME SMTPUTF8" for n in (1, 2)]


def test_where_smtputf8_is_not_offered_a_letter_that_needs_it_is_refused_for_good_and_nothing_of_it_is_said(
    sink: Sink,
) -> None:
    for number, offers in enumerate(((), OFFERS)):
        server = sink(offers=offers, folder=f"sink{number}")
        first, second, good = hand_over(
            settings_for(server, connections=1),
            letter(1, "ünï@isp.example", data=INTERNATIONAL),
            letter(2, data=INTERNATIONAL),
            letter(3),
        )
        assert (first.stage, first.reply, first.enhanced) == ("rcpt", 553, "5.6.7")
        assert first.text == "made by us: the relay does not offer SMTPUTF8"
        assert judge(first.stage, first.reply, first.enhanced, first.text, first.dot_written).kind is Kind.REFUSED
        assert (second.stage, second.reply, second.enhanced) == ("mail", 554, "5.6.7")
        assert good.reply == 250
        named = [line.split(" NOTIFY")[0] for _, line in server.commands if line.startswith("RCPT")]
        assert named == ["RCPT TO:<abuse@isp.example>"]
