import pytest

from pipeline.domain import EvidenceLevel
from pipeline.render.evidence import Wording, rows, sections, statements, wording
from tests.render.written import SEEN, finding

TOPICS = ("open_relay", "open_proxy")


@pytest.mark.parametrize(
    ("level", "word"),
    [
        (EvidenceLevel.E0, Wording.REPORTED),
        (EvidenceLevel.E1, Wording.REPORTED),
        (EvidenceLevel.E2, Wording.OBSERVED),
        (EvidenceLevel.E3, Wording.REPORTED),
        (EvidenceLevel.E4, Wording.CONFIRMED),
    ],
)
def test_each_level_has_its_wording_and_a_handshake_is_no_stronger_than_a_report(
    level: EvidenceLevel, word: Wording
) -> None:
    assert wording(level) is word


def test_statements_stand_strongest_first_and_keep_every_finding() -> None:
    findings = [finding(level=level, topic="open_proxy") for level in (0, 3, 4, 1)]
    findings.append(finding("192.0.2.2", level=2))
    groups = statements(findings, TOPICS)
    assert [group.wording for group in groups] == [Wording.CONFIRMED, Wording.OBSERVED, Wording.REPORTED]
    assert sorted(map(id, findings)) == sorted(id(told) for group in groups for told in group.findings)


def test_topics_are_joined_by_and_only_if_each_address_has_them_all() -> None:
    (together,) = statements([finding(), finding(topic="open_proxy")], TOPICS)
    (apart,) = statements([finding(), finding("192.0.2.11", "open_proxy")], TOPICS)
    assert together.every_topic_everywhere
    assert not apart.every_topic_everywhere


def test_sections_follow_wording_then_the_letters_order_of_topics() -> None:
    findings = [finding(topic="open_proxy"), finding(), finding(topic="open_proxy", level=4)]
    assert [(part.wording, part.topics) for part in sections(statements(findings, TOPICS))] == [
        (Wording.CONFIRMED, ("open_proxy",)),
        (Wording.REPORTED, ("open_relay",)),
        (Wording.REPORTED, ("open_proxy",)),
    ]


def test_rows_stand_in_address_order_one_for_each_target_with_its_latest_observation() -> None:
    addresses = ("2001:db8::2", "192.0.2.10", "192.0.2.9", "2001:db8::1", "192.0.2.9")
    findings = [finding(address, last_seen=SEEN.replace(minute=n)) for n, address in enumerate(addresses)]
    (part,) = sections(statements(findings, TOPICS))
    assert [(str(row.address), row.last_seen) for row in rows(part)] == [
        ("192.0.2.9", "2026-10-28T04:04:06Z"),
        ("192.0.2.10", "2026-10-28T04:01:06Z"),
        ("2001:db8::1", "2026-10-28T04:03:06Z"),
        ("2001:db8::2", "2026-10-28T04:00:06Z"),
    ]
