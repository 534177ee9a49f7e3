"""Where a WHOIS answer sends the asker, and what the server there is asked."""

from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain import Address, Answer, TemporaryFailure
from pipeline.resolve import referral

NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
V4, V6 = ip_address("192.0.2.7"), ip_address("2001:db8::7")

ARIN = """\
NetRange:       192.0.2.0 - 192.0.2.255
CIDR:           192.0.2.0/24
NetName:        EXAMPLE
ReferralServer: {}
ResourceLink:   https://portal.isp.example/whois
ResourceLink:  whois.stranger.example
Organization:   Example Firm
"""

MIRRORED = """\
% [whois.apnic.net]

inetnum:        192.0.2.0 - 192.0.2.255
netname:        EXAMPLE
remarks:        This information has been partially mirrored by APNIC from
remarks:        {}. To obtain more specific information, please use the
remarks:        {} whois server at {}.
source:         {}
"""


def said(text: str | bytes, status: int = 200) -> Answer:
    body = text if isinstance(text, bytes) else text.encode()
    return Answer("whois://whois.arin.net:43/n + 192.0.2.7", status, "text/plain", body, NOW)


def found(target: str, **more: bool) -> tuple[str, int, str] | None:
    return referral.find(said(ARIN.format(target)), "arin", **more)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("whois://whois.apnic.net", ("whois.apnic.net", 43, "whois")),
        ("whois://whois.ripe.net:43", ("whois.ripe.net", 43, "whois")),
        ("whois://whois.ripe.net:43/", ("whois.ripe.net", 43, "whois")),
        ("rwhois://rwhois.isp.example:4321", ("rwhois.isp.example", 4321, "rwhois")),
        ("rwhois://rwhois.isp.example", ("rwhois.isp.example", 4321, "rwhois")),
        ("RWHOIS://RWHOIS.ISP.example.:4321", ("rwhois.isp.example", 4321, "rwhois")),
        ("rwhois://rwhois.isp.example:43", ("rwhois.isp.example", 43, "rwhois")),
        ("rwhois://rwhois.isp.example:1024", ("rwhois.isp.example", 1024, "rwhois")),
        ("whois.afrinic.net", ("whois.afrinic.net", 43, "whois")),
        ("whois://whois.isp.example:4321", ("whois.isp.example", 4321, "whois")),
    ],
)
def test_a_referral_names_host_port_and_protocol(target: str, expected: tuple[str, int, str]) -> None:
    assert found(target) == expected


@pytest.mark.parametrize(
    "target",
    [
        "whois://whois.arin.net",  # itself
        "whois://whois.isp.example:25",
        "whois://whois.isp.example:8080",
        "rwhois://rwhois.isp.example:25",
        "rwhois://rwhois.isp.example:1023",
        "rwhois://rwhois.isp.example:65536",
        "rwhois://rwhois.isp.example:0",
        "rwhois://10.0.0.1:4321",
        "rwhois://192.168.1.1",
        "whois://127.0.0.1:43",
        "whois://127.0.0.1:4343",
        "whois://169.254.169.254",
        "rwhois://[::1]:4321",
        "rwhois://[fd00::1]:4321",
        "rwhois://[::ffff:10.0.0.1]:4321",
        "rwhois://[2002:0a00:0001::]:4321",
        "rwhois://192.0.2.9:4321",
        "rwhois://0x7f.1:4321",
        "rwhois://2130706433:4321",
        "rwhois://localhost:4321",
        "rwhois://whois.localhost",
        "rwhois://db.internal:4321",
        "rwhois://rwhois:4321",
        "rwhois://-x.example",
        "rwhois://a..example",
        "rwhois://user@rwhois.isp.example",
        "rwhois://rwhois.isp.example/auth-area=.",
        "http://whois.isp.example",
        "https://whois.isp.example:4321",
        "file:///etc/passwd",
        "rwhois://" + "a" * 64 + ".example",
        "rwhois://" + "a." * 140 + "example",
        "rwhois://",
        ":4321",
    ],
)
def test_a_referral_that_must_not_be_followed_is_none(target: str) -> None:
    assert found(target) is None


def test_a_public_address_may_be_referred_to() -> None:
    assert found("rwhois://192.0.2.9:4321", allow_documentation=True) == ("192.0.2.9", 4321, "rwhois")
    assert found("rwhois://[2001:db8::9]", allow_documentation=True) == ("2001:db8::9", 4321, "rwhois")
    assert found("rwhois://10.0.0.1", allow_documentation=True) is None


def test_the_sandbox_may_be_referred_to_this_host_with_any_port() -> None:
    assert found("whois://127.0.0.1:40043", allow_loopback=True) == ("127.0.0.1", 40043, "whois")
    assert found("rwhois://[::1]:40043", allow_loopback=True) == ("::1", 40043, "rwhois")
    assert found("whois://127.0.0.1:25", allow_loopback=True) is None
    assert found("whois://10.0.0.1:43", allow_loopback=True) is None


def test_a_providers_own_server_goes_before_another_registrys() -> None:
    text = ARIN.format("whois://whois.apnic.net") + "\nReferralServer: rwhois://rwhois.isp.example:4321\n"
    assert referral.find(said(text), "arin") == ("rwhois.isp.example", 4321, "rwhois")


def test_an_unfit_referral_does_not_hide_a_fit_one() -> None:
    text = ARIN.format("rwhois://10.0.0.1:4321") + "\nReferralServer: rwhois://rwhois.isp.example:4321\n"
    assert referral.find(said(text), "arin") == ("rwhois.isp.example", 4321, "rwhois")


def test_iana_refers_to_a_registry() -> None:
    text = "% IANA WHOIS server\n\nrefer:        whois.ripe.net\n\ninetnum:      192.0.0.0 - 192.255.255.255\n"
    one = referral.find(said(text), "iana")
    assert one == ("whois.ripe.net", 43, "whois")
    assert one is not None
    assert one.registry == "ripencc"


@pytest.mark.parametrize(
    ("name", "host", "registry"),
    [
        ("JPNIC", "whois.nic.ad.jp", "jpnic"),
        ("KRNIC", "whois.krnic.net", "krnic"),
        ("KRNIC", "whois.kisa.or.kr", "krnic"),
        ("TWNIC", "whois.twnic.net", "twnic"),
        ("IDNIC", "WHOIS.idnic.net", "idnic"),
    ],
)
def test_apnic_names_a_national_registry_in_its_remarks(name: str, host: str, registry: str) -> None:
    one = referral.find(said(MIRRORED.format(name, name, host, name)), "apnic")
    assert one == (host.lower(), 43, "whois")
    assert one is not None
    assert one.registry == registry


def test_lacnic_names_its_national_registries_in_a_comment() -> None:
    text = "% Joint Whois - whois.lacnic.net\n% Brazilian resource: whois.registro.br\n\ninetnum: 192.0.2.0/24\n"
    assert referral.find(said(text), "lacnic") == ("whois.registro.br", 43, "whois")


def test_only_a_national_registry_is_taken_from_free_text() -> None:
    text = MIRRORED.format("X", "X", "whois.stranger.example", "X") + "% [whois.ripe.net]\n"
    assert referral.find(said(text), "apnic") is None


@pytest.mark.parametrize("asked", ["ripencc", "arin", "jpnic", ""])
def test_only_registries_with_national_ones_below_them_refer_by_free_text(asked: str) -> None:
    assert referral.find(said(MIRRORED.format("JPNIC", "JPNIC", "whois.nic.ad.jp", "JPNIC")), asked) is None


@pytest.mark.parametrize("answer", [said("", 0), said(b"\xff\xfe\x00"), said(""), said(ARIN.format(""))])
def test_an_answer_without_a_referral_has_none(answer: Answer) -> None:
    assert referral.find(answer, "arin") is None


def test_a_failed_answer_refers_nowhere() -> None:
    body = ARIN.format("rwhois://rwhois.isp.example").encode()
    assert referral.find(Answer("x", 0, "", body, NOW, TemporaryFailure("timeout")), "arin") is None


@pytest.mark.parametrize(
    ("registry", "protocol", "asked", "line"),
    [
        ("arin", "whois", V4, "n + 192.0.2.7"),
        ("arin", "whois", V6, "n + 2001:db8::7"),
        ("arin", "whois", 64496, "a + 64496"),
        ("ripencc", "whois", V4, "-r 192.0.2.7"),
        ("ripencc", "whois", 64496, "-r AS64496"),
        ("jpnic", "whois", V4, "192.0.2.7/e"),
        ("jpnic", "whois", 64496, "AS 64496/e"),
        ("krnic", "whois", V4, "192.0.2.7"),
        ("apnic", "whois", V6, "2001:db8::7"),
        ("apnic", "whois", 64496, "AS64496"),
        ("lacnic", "whois", V4, "192.0.2.7"),
        ("registro.br", "whois", V4, "192.0.2.7"),
        ("", "whois", V4, "192.0.2.7"),
        ("arin", "rwhois", V4, "192.0.2.7"),
        ("", "rwhois", V6, "2001:db8::7"),
    ],
)
def test_each_server_is_asked_in_its_own_words(registry: str, protocol: str, asked: Address | int, line: str) -> None:
    assert referral.text(registry, protocol, asked) == line


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="rwhois:/.[]0123456789abc@-_\x00 \nRef", max_size=80), st.booleans())
def test_any_referral_is_a_name_or_a_public_address_with_a_usual_port(target: str, loopback: bool) -> None:
    one = referral.find(said(f"ReferralServer: {target}\nrefer: {target}\n"), "arin", allow_loopback=loopback)
    if one is not None:
        assert one.port in (43, 4321) or (1024 <= one.port <= 65535 and (loopback or one.protocol == "rwhois"))
        assert one.host.isascii()
        assert one.host.isprintable()
        assert len(one.host) <= 253


@pytest.mark.parametrize(
    "body",
    [
        b"ReferralServer: " + b"a." * 500_000,
        b"remarks: " + b"whois." * 150_000,
        b"remarks: whois.nic.ad.jp\n" * 40_000,
        b"ReferralServer:\n" * 60_000,
    ],
)
def test_a_large_hostile_text_is_read_within_bounds(body: bytes) -> None:
    one = referral.find(said(body), "apnic")
    assert one in (None, ("whois.nic.ad.jp", 43, "whois"))
