"""What it means for a candidate how mail for its domain is routed."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain import Candidate, Tier
from pipeline.resolve import mail_route

ROLE = Candidate("abuse@isp.example", "abuse@isp.example", Tier.ROLE, 0, 90, "role", "x", note="unvalidated")
GUESS = replace(ROLE, tier=Tier.HOST_NAME, confidence=25, source="host-name", note="")


def body(route: str) -> bytes:
    return json.dumps({"hosts": ["mx.isp.example"], "route": route, "why": ""}).encode()


@pytest.mark.parametrize(
    ("route", "reason", "note"),
    [
        ("mx", "", "unvalidated"),
        ("address", "", "unvalidated"),
        ("null_mx", "no-mail", "null-mx"),
        ("none", "no-mail", "no-mail-server"),
        ("unknown", "", "unvalidated"),
        ("something else", "", "unvalidated"),
        ("", "", "unvalidated"),
    ],
)
def test_only_a_definite_no_rejects_a_mailbox(route: str, reason: str, note: str) -> None:
    judged = mail_route.applied(ROLE, body(route))
    assert (judged.rejected, judged.note) == (reason, note)
    assert judged.confidence == (0 if reason else 90)


@pytest.mark.parametrize(
    ("route", "reason"),
    [
        ("mx", ""),
        ("address", "no-mail"),
        ("null_mx", "no-mail"),
        ("none", "no-mail"),
        ("unknown", "mail-unknown"),
    ],
)
def test_a_mailbox_guessed_from_a_name_must_have_an_mx(route: str, reason: str) -> None:
    judged = mail_route.applied(GUESS, body(route))
    assert (judged.rejected, judged.confidence) == (reason, 0 if reason else 25)


def test_a_guess_is_not_used_before_the_dns_was_asked() -> None:
    assert mail_route.applied(GUESS, b"").rejected == "mail-unknown"
    assert mail_route.applied(ROLE, b"").rejected == ""


def test_a_rejected_mailbox_keeps_its_reason() -> None:
    rejected = replace(ROLE, rejected="told-not-to", confidence=0)
    assert mail_route.applied(rejected, body("null_mx")) == rejected


@pytest.mark.parametrize(
    "spoiled", [b"", b"{", b"[]", b"\xff", b"[" * 60_000, b'{"route": 7}', b'{"route": ["mx"]}', b"7"]
)
def test_a_damaged_body_says_nothing(spoiled: bytes) -> None:
    assert mail_route.route(spoiled) == "unknown"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_one_of_the_routes(spoiled: bytes) -> None:
    assert mail_route.route(spoiled) in {"mx", "address", "null_mx", "none", "unknown"}
