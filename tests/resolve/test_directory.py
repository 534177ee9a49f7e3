"""The mailboxes that a public directory of abuse contacts names."""

import json
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain import Answer, TemporaryFailure, Tier
from pipeline.resolve import directory
from pipeline.resolve.mailbox import normalise

NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)


def said(*texts: str, status: int = 200, failure: TemporaryFailure | None = None) -> Answer:
    return Answer("dns:TXT/x", status, "application/json", json.dumps({"txt": texts}).encode(), NOW, failure)


def usable(*texts: str) -> list[str]:
    return [each.mailbox for each in directory.mailboxes(said(*texts)) if not each.rejected]


def test_the_question_is_the_address_backwards_in_either_family() -> None:
    assert directory.question(ip_address("192.0.2.7"), "contacts.example.") == "7.2.0.192.contacts.example"
    name = directory.question(ip_address("2001:db8::7"), "contacts.example")
    assert name.startswith("7.0.0.0.")
    assert name.endswith(".8.b.d.0.1.0.0.2.contacts.example")


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["abuse@isp.example"], ["abuse@isp.example"]),
        (["Abuse@ISP.example"], ["abuse@isp.example"]),
        (["abuse@isp.example,abuse@other.example"], ["abuse@isp.example", "abuse@other.example"]),
        (["abuse@isp.example; abuse@other.example"], ["abuse@isp.example", "abuse@other.example"]),
        (["abuse@isp.example", "abuse@other.example"], ["abuse@isp.example", "abuse@other.example"]),
        (["technical@isp.example", "abuse@isp.example"], ["abuse@isp.example", "technical@isp.example"]),
        (["abuse@isp.example", "ABUSE@isp.example"], ["abuse@isp.example"]),
        (["hostmaster@apnic.net", "abuse@ripe.net", "abuse@isp.example"], ["abuse@isp.example"]),
        (["noreply@isp.example", "nobody@apnic.net", "abuse@localhost"], []),
        (["abuse@[192.0.2.1]", "abuse at isp.example", "none", ""], []),
        (["abuse@isp.example?bcc=victim@other.example"], []),
        (["mailto:abuse@isp.example"], ["abuse@isp.example"]),
    ],
)
def test_each_mailbox_is_weighed_as_a_registrys_would_be(texts: list[str], expected: list[str]) -> None:
    assert usable(*texts) == expected


def test_a_mailbox_of_a_directory_says_so_and_counts_for_little() -> None:
    named, other, desk = directory.mailboxes(said("technical@isp.example,abuse@isp.example", "hostmaster@apnic.net"))
    assert (named.tier, named.source, named.confidence, named.path) == (Tier.DIRECTORY, "directory", 40, "txt[0]")
    assert (other.mailbox, other.confidence) == ("technical@isp.example", 25)
    assert (desk.rejected, desk.confidence) == ("registry-contact", 0)
    assert [each.rank for each in (named, other, desk)] == [0, 1, 2]


def test_a_failure_or_a_definite_nothing_names_nobody() -> None:
    assert directory.mailboxes(said(status=404)) == ()
    assert directory.mailboxes(said("abuse@isp.example", status=0, failure=TemporaryFailure("SERVFAIL"))) == ()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(alphabet='abuse@isp.example,;<>"?= \r\n\x00[]:', max_size=400), max_size=60))
def test_any_text_gives_only_safe_mailboxes(texts: list[str]) -> None:
    found = directory.mailboxes(said(*texts))
    assert len(found) <= 64
    assert all(each.rejected or normalise(each.spelling) is not None for each in found)
