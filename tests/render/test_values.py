import unicodedata
from datetime import datetime
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain import ConfigurationError
from pipeline.render.values import MAX_FINDINGS, clean, said, utc_second
from tests.render.written import SEEN, face, finding, values


@pytest.mark.parametrize(
    ("outside", "shown"),
    [
        ("Example\r\nBcc: all@net.example", "Example Bcc: all@net.example"),
        ("a\u202eb\u2066c\u200fd", "a b c d"),  # bidirectional controls
        ("zero\u200bwidth\ufeff", "zero width"),
        ("line\u2028para\u2029next\x85\x00", "line para next"),
        ("  many \t  spaces\u00a0\u2003here ", "many spaces here"),
        ("- item", "item"),
        ("== HEADING", "HEADING"),
        ("e\u0301", "é"),
        ("x" * 500, "x" * 200),
        ("", ""),
    ],
)
def test_an_outside_value_becomes_one_short_visible_line(outside: str, shown: str) -> None:
    assert clean(outside) == shown


@given(st.text())
def test_no_control_or_format_character_survives_cleaning(outside: str) -> None:
    shown = clean(outside)
    assert len(shown) <= 200
    assert shown == shown.strip()
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_outside_values_are_clean_as_soon_as_the_record_is_made() -> None:
    assert finding(network="NET\n\nX", sources=("A\u202e",)).network == "NET X"
    assert finding(sources=("A\u202e",)).sources == ("A",)
    assert values(holder="Holder\r\nX").holder == "Holder X"
    assert values(watermark="w" * 99).watermark == "w" * 40
    assert values(country="Canada").country == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"port": 65536},
        {"port": -1},
        {"last_seen": datetime(2026, 1, 1)},  # noqa: DTZ001
        {"level": 4, "confirmed_at": None},
        {"confirmed_at": SEEN},
        {"level": 4, "confirmed_at": datetime(2026, 1, 1)},  # noqa: DTZ001
        {"source_count": 0, "sources": ()},
        {"level": 3, "source_count": 0, "sources": ()},
        {"sources": ("A", "B"), "source_count": 1},
        {"service": "smtp\n"},
    ],
)
def test_a_finding_that_contradicts_itself_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        finding(**changes)


def test_a_first_hand_finding_needs_no_source() -> None:
    assert finding(level=2, sources=(), source_count=0).source_count == 0


@pytest.mark.parametrize(
    "changes", [{"reference": "toc-1234"}, {"reference": "A\nB1"}, {"kind": "last"}, {"kind": "thanks"}]
)
def test_a_notice_whose_parts_have_not_their_form_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        values(**changes)


def test_a_letter_speaks_of_a_bounded_number_of_findings() -> None:
    one = finding()
    assert len(values(*[one] * 20_000).findings) == 20_000
    with pytest.raises(ValueError, match="500001"):
        values(*[one] * (MAX_FINDINGS + 1))


@pytest.mark.parametrize(
    "changes",
    [
        {"agencies": ()},
        {"operation": {"en": "Two\nlines", "fr": "Deux"}},
        {"operation": {"en": " ", "fr": "Nom"}},
        {"guidance": {"en": "javascript:alert(1)", "fr": "https://agency.example/"}},
        {"guidance": {"en": "https://agency.example/a b", "fr": "https://agency.example/"}},
        {"reply_to": "replies@agency.example\r\nBcc: x@y.example"},
        {"contact_mailbox": "nobody"},
        {"signature": {"en": ("one", "two\u202e"), "fr": ("un",)}},
    ],
)
def test_a_setting_that_cannot_stand_in_a_letter_is_refused_not_mended(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        face(**changes)


def test_a_setting_is_said_in_the_locale_else_in_its_language_else_not_at_all() -> None:
    assert said("x", {"fr": "France", "fr_CA": "Canada"}, "fr_CA") == "Canada"
    assert said("x", {"fr": "France"}, "fr_CA") == "France"
    with pytest.raises(ConfigurationError, match=r"no x in fr_CA"):
        said("x", {"en": "English"}, "fr_CA")


def test_evidence_times_are_iso_8601_in_utc_to_the_second() -> None:
    assert utc_second(datetime.fromisoformat("2026-11-03T01:02:03.999999+05:30")) == "2026-11-02T19:32:03Z"


def test_an_ipv6_address_is_told_in_its_short_form() -> None:
    assert str(finding("2001:0db8:0000::0001").address) == str(ip_address("2001:db8::1"))
