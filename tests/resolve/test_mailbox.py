"""Which texts are one safe address, and how several are found in one value."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.resolve.mailbox import MAX_FIELD, clean, normalise, split, within


@pytest.mark.parametrize(
    ("text", "key", "spelling"),
    [
        ("abuse@isp.example", "abuse@isp.example", "abuse@isp.example"),
        ("Abuse.Desk+NOC@ISP.Example", "abuse.desk+noc@isp.example", "Abuse.Desk+NOC@ISP.Example"),
        ("abuse@exämple.example", "abuse@xn--exmple-cua.example", "abuse@xn--exmple-cua.example"),
        ("abuse@XN--EXMPLE-CUA.example", "abuse@xn--exmple-cua.example", "abuse@XN--EXMPLE-CUA.example"),
        ("o'brien@isp.example", "o'brien@isp.example", "o'brien@isp.example"),
        ("abuse@a.b.c.isp.example", "abuse@a.b.c.isp.example", "abuse@a.b.c.isp.example"),
    ],
)
def test_the_key_is_lower_case_in_a_labels_and_the_spelling_is_kept(text: str, key: str, spelling: str) -> None:
    assert normalise(text) == (key, spelling)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "none",
        "abuse",
        "@isp.example",
        "abuse@",
        "abuse@@isp.example",
        "abuse@isp",
        "abuse@localhost",
        "abuse@host.localhost",
        "abuse@isp.invalid",
        "abuse@printer.local",
        "abuse@mail.corp",
        "abuse@1.168.192.in-addr.arpa",
        "abuse@192.0.2.1",
        "abuse@[192.0.2.1]",
        "abuse@[IPv6:2001:db8::1]",
        "abuse@isp.example.",
        ".abuse@isp.example",
        "abuse.@isp.example",
        "ab..use@isp.example",
        "-abuse@isp.example",
        "abuse@-isp.example",
        "abuse@isp-.example",
        "abuse@is_p.example",
        "abuse@isp.e",
        "abuse@isp.123",
        "abuse @isp.example",
        "abuse@isp. example",
        "abuse@isp.example ",
        "abuse@isp.example\n",
        "abuse@isp.example\r\nBcc: victim@other.example",
        "abuse@isp.example%0abcc:victim@other.example",
        "abuse@isp.example?bcc=victim@other.example",
        "abuse?x@isp.example",
        "victim%other.example@isp.example",
        "other.example!victim@isp.example",
        "@other.example:victim@isp.example",
        '"abuse desk"@isp.example',
        "abuse@isp.example,victim@other.example",
        "<abuse@isp.example>",
        "mailto:abuse@isp.example",
        "abus\u00e9@isp.example",
        "abuse\u200b@isp.example",
        "abuse\x00@isp.example",
        "|reboot@isp.example",
        "../etc@isp.example",
        "a" * 65 + "@isp.example",
        "abuse@" + "a" * 64 + ".example",
        "abuse@" + "a." * 130 + "example",
        "abuse@stra\u00dfe.example",  # one domain by IDNA 2003, another by IDNA 2008
    ],
)
def test_what_is_not_one_safe_address_is_refused(text: str) -> None:
    assert normalise(text) is None


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("abuse@isp.example", ["abuse@isp.example"]),
        ("  abuse@isp.example.  ", ["abuse@isp.example"]),
        ("mailto:Abuse@ISP.Example?subject=report", ["Abuse@ISP.Example"]),
        ("MAILTO:abuse@isp.example", ["abuse@isp.example"]),
        ("mailto:a%62use@isp.example", ["abuse@isp.example"]),
        ("mailto:abuse%40isp.example", ["abuse@isp.example"]),
        ("mailto:abuse%40isp.example?bcc=x%40other.example", ["mailto:abuse%40isp.example?bcc=x%40other.example"]),
        ("abuse%40isp.example", []),
        ('"Abuse Desk" <abuse@isp.example>; noc@isp.example.', ["abuse@isp.example", "noc@isp.example"]),
        ('"victim@other.example" <abuse@isp.example>', ["abuse@isp.example"]),
        ('"victim@other.example, Desk" <abuse@isp.example>', ["abuse@isp.example"]),
        ("victim@other.example <abuse@isp.example>", ["abuse@isp.example"]),
        ("Doe, Jane <abuse@isp.example>", ["abuse@isp.example"]),
        ("abuse@a.example, abuse@b.example;abuse@c.example", ["abuse@a.example", "abuse@b.example", "abuse@c.example"]),
        ("abuse@a.example abuse@b.example", ["abuse@a.example", "abuse@b.example"]),
        ("abuse@a.example or abuse@a.example", ["abuse@a.example"]),
        ("e-mail:abuse@isp.example", ["abuse@isp.example"]),
        ("(abuse@isp.example)", ["abuse@isp.example"]),
        ("abuse@[192.0.2.1]", ["abuse@[192.0.2.1]"]),
        ("none", []),
        ("", []),
        ("   ", []),
        ("see https://isp.example/abuse", []),
    ],
)
def test_the_addresses_in_one_value_are_found(text: str, parts: list[str]) -> None:
    assert split(text) == parts


@pytest.mark.parametrize(
    "text",
    [
        "mailto:abuse@isp.example?bcc=victim@other.example",
        "mailto:abuse@isp.example?subject=x&cc=victim@other.example",
        "abuse@isp.example?to=victim@other.example",
        "abuse@isp.example\r\nBcc: victim@other.example",
        "abuse@isp.example\x00victim@other.example",
        "mailto:abuse@isp.example%0d%0aBcc:victim@other.example",
    ],
)
def test_a_value_that_smuggles_recipients_yields_no_address(text: str) -> None:
    assert [normalise(part) for part in split(text)] == [None]


def test_one_value_yields_at_most_twenty_addresses() -> None:
    assert len(split(" ".join(f"a{number}@isp.example" for number in range(300)))) == 20


def test_a_shown_text_has_one_line_no_control_characters_and_a_limit() -> None:
    assert clean("  Isp\r\n\x1b[31mLtd\u202e\ud800 \x00 ", 50) == "Isp [31mLtd"
    assert clean("x" * 500, 200) == "x" * 200


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.text(st.sampled_from('abuse.@-_+ ,;:<>"\\[]()\r\n\x00?&=%é'), max_size=60))
def test_no_text_makes_an_unsafe_address(text: str) -> None:
    for part in [text, *split(text)]:
        address = normalise(part)
        if address is not None:
            assert address[0].isascii()
            assert address[0].count("@") == address[1].count("@") == 1
            assert not set(address[1]) & set(' ,;:<>"\\[]()\r\n\x00?%')
            assert not address[1].startswith("-")
            assert normalise(address[1]) == address


@pytest.mark.parametrize(
    ("text", "limit", "kept"),
    [
        ("abuse@isp.example", 17, "abuse@isp.example"),
        ("to abuse@isp.example", 19, "to"),
        ("to abuse@isp.example now", 20, "to abuse@isp.example"),
        ("a@isp.example,b@isp.example", 20, "a@isp.example"),
        ("abuse@isp.example", 12, ""),
    ],
)
def test_a_text_is_never_cut_in_the_middle_of_a_mailbox(text: str, limit: int, kept: str) -> None:
    assert within(text, limit) == kept


def test_a_long_field_gives_whole_mailboxes_or_none() -> None:
    names = [f"desk{number}@isp{number}.example" for number in range(500)]
    long = "x" * (MAX_FIELD - 30) + ", " + ", ".join(names)
    assert split(long) == [names[0]]
