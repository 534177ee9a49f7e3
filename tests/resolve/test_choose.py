"""How mailboxes are judged and ranked, and which registries' desks are nobody's."""

import tomllib
from datetime import UTC, datetime
from importlib import resources

import pytest

from pipeline.domain import Candidate, NetworkAnswer, Outcome
from pipeline.resolve import choose, placeholders
from pipeline.resolve.choose import Found, judge, usable
from pipeline.resolve.rules import ENOUGH

NOBODY: frozenset[str] = frozenset()


def found(text: str, source: str = choose.ROLE, **more: str | int) -> Found:
    return Found(text, source, "entities[0]", **more)  # type: ignore[arg-type]


def kept(*values: Found, own: frozenset[str] = NOBODY) -> list[str]:
    return [each.mailbox for each in judge(values, own, {}) if not each.rejected]


def test_the_best_source_comes_first_and_ranks_count_from_zero() -> None:
    candidates = judge(
        [
            found("name@isp.example", choose.MAILBOX_NAME),
            found("remark@isp.example", choose.REMARK),
            found("nested@isp.example", choose.NESTED_ROLE),
            found("role@isp.example"),
            found("parent@isp.example", tier=choose.PARENT_TIER),
            found("origin@isp.example", tier=choose.ORIGIN_TIER),
        ],
        NOBODY,
        {},
    )
    names = [each.mailbox.split("@")[0] for each in candidates]
    assert names == ["role", "nested", "remark", "origin", "name", "parent"]
    assert [each.rank for each in candidates] == list(range(6))
    assert [each.tier for each in candidates] == [1, 1, 2, 5, 3, 4]


def test_a_doubted_mailbox_falls_behind_a_sound_remark_but_may_still_be_used() -> None:
    values = [found("stale@isp.example"), found("remark@isp.example", choose.REMARK)]
    first, second = judge(values, NOBODY, {"stale@isp.example": "marked-invalid"})
    assert (first.mailbox, second.mailbox, second.note) == ("remark@isp.example", "stale@isp.example", "marked-invalid")
    assert 0 < second.confidence < 50


@pytest.mark.parametrize("source", list(choose.TIER_OF_SOURCE))
def test_an_unvalidated_mailbox_is_not_enough_wherever_it_stands_and_an_invalid_one_is_less(source: str) -> None:
    confidence = {
        note: judge([found("stale@isp.example", source)], NOBODY, {"stale@isp.example": note} if note else {})[
            0
        ].confidence
        for note in ("", "unvalidated", "marked-invalid")
    }
    assert confidence[""] >= ENOUGH > confidence["unvalidated"] >= confidence["marked-invalid"] >= choose.LEAST
    if source == choose.ROLE:
        assert confidence["unvalidated"] > confidence["marked-invalid"]


def test_one_mailbox_in_several_places_is_one_candidate_from_the_best_of_them() -> None:
    (only,) = judge(
        [found("Abuse@ISP.example", choose.REMARK), found("abuse@isp.example"), found("ABUSE@isp.example")], NOBODY, {}
    )
    assert (only.mailbox, only.source, only.spelling) == ("abuse@isp.example", choose.ROLE, "abuse@isp.example")


def test_a_mailbox_that_is_taken_somewhere_is_not_also_listed_as_rejected() -> None:
    values = [found("desk@isp.example", choose.MAILBOX_NAME, rejected="technical"), found("desk@isp.example")]
    assert [each.rejected for each in judge(values, NOBODY, {})] == [""]


def test_a_text_that_says_not_to_write_to_a_contact_is_heeded_where_there_is_another_one() -> None:
    told = found("noc@isp.example", choose.REMARK, rejected="told-not-to")
    values = [found("noc@isp.example"), told, found("abuse@isp.example", choose.REMARK)]
    assert kept(*values) == ["abuse@isp.example"]
    (_, refused) = judge(values, NOBODY, {})
    assert (refused.mailbox, refused.rejected, refused.confidence) == ("noc@isp.example", "told-not-to", 0)
    assert kept(*values[:2]) == ["noc@isp.example"]


def test_rejected_mailboxes_are_kept_with_the_text_as_it_stood_and_the_reason() -> None:
    (only,) = judge([found("Jane.Doe@ISP.example", choose.MAILBOX_NAME, rejected="personal")], NOBODY, {})
    assert (only.mailbox, only.rejected, only.confidence) == ("Jane.Doe@ISP.example", "personal", 0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no-reply@isp.example", "placeholder"),
        ("Do_Not_Reply@isp.example", "placeholder"),
        ("noreply-abuse@isp.example", "placeholder"),
        ("nobody@isp.example", "placeholder"),
        ("no-email@isp.invalid", "placeholder"),
        ("root@localhost", "placeholder"),
        ("unread@ripe.net", "placeholder"),
        ("bitbucket@ripe.net", "placeholder"),
        ("abuse@iana.org", "placeholder"),
        ("abuse@192.0.2.1", "malformed"),
        ("abuse@isp.example?bcc=x@y.example", "malformed"),
        ("hostmaster@apnic.net", "registry-contact"),
        ("irt@mail.nic.or.kr", "registry-contact"),
    ],
)
def test_a_mailbox_of_nobody_or_of_the_registry_is_rejected(text: str, reason: str) -> None:
    assert [each.rejected for each in judge([found(text)], NOBODY, {})] == [reason]


def test_a_registry_desk_is_known_by_its_handle_whatever_the_domain() -> None:
    assert kept(found("desk@isp.example", handle="IRT-KRNIC-KR")) == []
    assert kept(found("desk@isp.example", handle="IRT-ISP-KR")) == ["desk@isp.example"]


def test_a_registry_desk_in_one_place_is_one_in_every_place() -> None:
    assert kept(found("desk@isp.example", choose.HEADER), found("desk@isp.example", handle="irt-jpnic-jp")) == []


def test_a_registry_that_holds_the_network_itself_may_be_written_to_with_less_confidence() -> None:
    (only,) = judge([found("helpdesk@apnic.net", handle="IRT-APNICLABS-AU")], frozenset({"apnic"}), {})
    assert (only.rejected, only.note) == ("", "registry-holder")
    assert only.confidence < 60
    assert kept(found("helpdesk@apnic.net", handle="IRT-APNIC-AP"), own=frozenset({"apnic"})) == []


@pytest.mark.parametrize(
    ("texts", "own"),
    [
        (("APNIC-LABS",), {"apnic"}),
        (("", "Asia Pacific Network Information Centre"), {"apnic"}),
        (("JPNIC",), {"jpnic"}),
        (("IIJ-JPNIC-JP-20000308",), set()),
        (("APNICA-NET",), set()),
        (("NON-RIPE-NCC-MANAGED-ADDRESS-BLOCK",), set()),
        (("RIPE-NCC-NET",), {"ripencc"}),
    ],
)
def test_a_registry_holds_a_network_that_begins_with_its_name(texts: tuple[str, ...], own: set[str]) -> None:
    assert placeholders.registries_named(*texts) == own


@pytest.mark.parametrize(
    ("name", "is_empty"),
    [
        ("IANA-BLOCK", True),
        ("NON-RIPE-NCC-MANAGED-ADDRESS-BLOCK", True),
        ("IANA-NETBLOCK-8", True),
        ("EXAMPLE-NET", False),
    ],
)
def test_the_networks_that_registries_answer_with_when_they_know_nothing_are_known(name: str, is_empty: bool) -> None:
    assert placeholders.is_empty_network(name) is is_empty


def test_at_most_sixty_four_candidates_are_kept_and_the_usable_ones_first() -> None:
    values = [found(f"person{number}@isp.example", choose.MAILBOX_NAME, rejected="personal") for number in range(200)]
    candidates = judge([*values, found("abuse@isp.example")], NOBODY, {})
    assert len(candidates) == choose.MAX_CANDIDATES
    assert candidates[0].mailbox == "abuse@isp.example"


def test_only_an_answer_with_contacts_has_usable_ones_and_they_come_best_first() -> None:
    good = [
        Candidate(f"{name}@isp.example", "", 1, rank, 90, choose.ROLE, "")
        for rank, name in ((2, "c"), (0, "a"), (1, "b"))
    ]
    bad = Candidate("d@isp.example", "", 1, 3, 0, choose.ROLE, "", rejected="personal")
    contacts = NetworkAnswer(Outcome.CONTACTS, candidates=(*good, bad))
    assert [each.mailbox[0] for each in usable(contacts)] == ["a", "b", "c"]
    for outcome in set(Outcome) - {Outcome.CONTACTS}:
        assert usable(NetworkAnswer(outcome, candidates=(*good, bad))) == []


def test_every_fact_about_a_registry_says_where_and_when_it_was_read() -> None:
    data = tomllib.loads(resources.files("pipeline").joinpath("data/placeholders.toml").read_text(encoding="utf-8"))
    for row in [data["nobody"], data["networks"], *data["registry"]]:
        assert row["source"]
        assert datetime.strptime(row["date"], "%Y-%m-%d").replace(tzinfo=UTC)
