"""XARF reports: valid by the format's own package, no stronger than the letter, the same in every process."""

import json
import re
import uuid
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xarf import parse

from pipeline.domain import ConfigurationError, EvidenceLevel
from pipeline.render import letter, xarf
from pipeline.render.evidence import Group, Wording
from pipeline.render.values import Agency, Ended, LetterValues
from tests.render.written import SEEN, TEMPLATES, face, finding, sources, values

HEADING = "open mail relay (reported) / relais ouvert (signalé)"
# Recommended, and left out: a level of confidence would be an invented number, evidence stays in our record.
LEFT_OUT = {f"'{name}' is a required property" for name in ("confidence", "evidence", "source_port")}


def faults(report: dict[str, Any]) -> list[str]:
    """What the format's own package finds; fields that it does not know are faults as well."""
    found = parse(report, strict=False)
    strict = [error.message for error in parse(report, strict=True).errors]
    unread = [] if found.report else ["not of a known kind"]
    return [error.message for error in found.errors] + [fault for fault in strict if fault not in LEFT_OUT] + unread


def _reports(notice: LetterValues, most: int = 50, heading: str = HEADING) -> list[dict[str, Any]]:
    return [json.loads(data) for _, data in _files(notice, most, heading)]


def _files(notice: LetterValues, most: int = 50, heading: str = HEADING) -> list[tuple[str, bytes]]:
    groups = letter.draft(notice, sources(notice.kind)).told.groups
    return xarf.reports(notice, groups, [heading] * len(groups), most)


@pytest.mark.parametrize(
    ("level", "address", "port", "kind"),
    list(
        product(
            EvidenceLevel,
            ("192.0.2.1", "2001:db8::25"),
            (0, 1, 65535),
            (
                *(("open_relay", service) for service in ("smtp", "any")),
                *(("open_proxy", service) for service in ("http", "socks4", "socks5", "any")),
            ),
        )
    ),
)
def test_every_report_is_valid_and_claims_no_more_than_its_evidence(
    level: EvidenceLevel, address: str, port: int, kind: tuple[str, str]
) -> None:
    topic, service = kind
    [report] = _reports(values(finding(address, topic, level, port=port, service=service)))
    assert faults(report) == []
    first_hand = level in (EvidenceLevel.E2, EvidenceLevel.E4)
    told = ("vulnerability", "open_service") if first_hand else ("reputation", "blocklist")
    assert (report["category"], report["type"]) == told
    assert report.get("service") == (None if not first_hand else topic if service == "any" else service)
    assert report.get("threat_type") == (None if first_hand else topic)
    assert report["source_identifier"] == address
    assert report.get("source_port", 0) == port
    assert report["timestamp"].startswith("2026-10-2")
    assert report["reporter"]["contact"] == "questions@agency.example"
    assert uuid.UUID(report["report_id"]).version == 4


def test_a_report_lacking_what_the_schema_wants_is_found_out() -> None:
    [report] = _reports(values())
    del report["threat_type"]
    assert faults(report) != []


def test_the_same_letter_gives_the_same_ids_and_another_target_or_letter_another() -> None:
    notice = values(finding(), finding(topic="open_proxy"), finding("192.0.2.11"))
    assert _files(notice) == _files(notice)
    ids = [report["report_id"] for report in _reports(notice)]
    ids += [report["report_id"] for report in _reports(values(reference="TOC-0000-0000"))]
    assert len(set(ids)) == 4
    assert _reports(values())[0]["report_id"] == ids[0]


def test_beyond_the_cap_there_are_none_as_a_part_would_read_like_the_whole() -> None:
    notice = values(*(finding(f"192.0.2.{n}") for n in range(1, 52)))
    assert _files(notice, 50) == []
    assert len(_files(notice, 51)) == 51


def test_what_has_ended_is_reported_no_more() -> None:
    assert _files(values(finding(ended=Ended(SEEN)), kind="thanks")) == []


def test_a_report_is_canonical_json_that_mail_leaves_as_it_is() -> None:
    for _, data in _files(values(finding(), finding("2001:db8::1", level=4))):
        read = json.loads(data)
        assert list(read) == sorted(read)
        assert data.isascii()
        assert data.endswith(b"}\r\n")
        assert data.count(b"\n") == data.count(b"\r\n") == len(read) + 2
        assert max(map(len, data.split(b"\r\n"))) < 998


def test_the_agency_is_named_in_english_or_else_in_its_own_words_and_found_in_the_dns() -> None:
    french = face(agencies=(Agency({"fr": "Agence d'exemple"}),), contact_mailbox="questions@exämple.example")
    [both], [alone] = _reports(values()), _reports(values(face=french), heading="relais ouvert (signalé)")
    assert both["reporter"] == both["sender"]
    assert both["reporter"]["org"] == "Example Network Agency"
    assert alone["reporter"] == {
        "contact": "questions@xn--exmple-cua.example",
        "domain": "xn--exmple-cua.example",
        "org": "Agence d'exemple",
    }


def test_a_mailbox_that_nobody_can_write_to_stops_the_letter() -> None:
    with pytest.raises(ConfigurationError, match="contact_mailbox"):
        _files(values(face=face(contact_mailbox="questions@localhost")))


@pytest.mark.parametrize(
    ("changes", "marks"),
    [
        ({}, []),
        ({"training": True}, ["status:training"]),
        ({"kind": "test"}, ["status:test"]),
        ({"kind": "test", "training": True}, ["status:training", "status:test"]),
    ],
)
def test_what_is_not_in_earnest_is_marked_for_programs_too(changes: dict[str, Any], marks: list[str]) -> None:
    [report] = _reports(values(**changes))
    assert report["tags"] == ["reference:toc-7k3m-q2xa", "topic:open_relay", *marks]
    assert faults(report) == []


@pytest.mark.parametrize("topic", ["Open Relay", "relais_éxposé", "_x", "", "a:b"])
def test_a_topic_of_any_name_gives_a_valid_report(topic: str) -> None:
    notice = values(finding(topic=topic, level=2))
    group = Group(Wording.OBSERVED, (topic,), notice.findings)
    [(_, data)] = xarf.reports(notice, [group], [HEADING], 50)
    assert faults(json.loads(data)) == []


def test_a_description_is_whole_or_left_out_never_cut_before_how_certain_it_is() -> None:
    [whole], [long] = _reports(values()), _reports(values(), heading="n" * 990)
    assert whole["description"] == f"{HEADING} [TOC-7K3M-Q2XA]"
    assert "description" not in long
    assert faults(long) == []


def test_every_field_is_explained() -> None:
    page = (TEMPLATES.parent / "docs" / "reference" / "attachments.md").read_text("utf-8")
    explained = set(re.findall("`([a-z_]+)`", page.partition("## The reports")[2])) | {"xarf_version"}
    found = {field for report in _reports(values(finding(), finding(level=4))) for field in report}
    assert found <= explained


def test_names_of_files_are_plain_and_never_alike() -> None:
    names = [name for name, _ in _files(values(finding(), finding("2001:db8::1"), finding(topic="open_proxy")))]
    assert len(set(names)) == 3
    assert all(re.fullmatch(r"xarf-\d{4}-[0-9a-f.-]+\.json", name) for name in names)


OUTSIDE = st.text(max_size=300) | st.sampled_from(['"},{"a":"', "\\", "\ud800", "\r\n", "</script>", "\u2028"])


@settings(max_examples=50, deadline=None)
@given(OUTSIDE, OUTSIDE, st.text(min_size=1, max_size=400), OUTSIDE)
def test_no_value_breaks_the_format(network: str, source: str, agency: str, heading: str) -> None:
    try:
        shown = face(agencies=(Agency({"en": agency, "fr": agency}),))
    except ConfigurationError:
        shown = face()  # a name that no letter could bear
    notice = values(finding(network=network, sources=(source,)), finding("192.0.2.11", level=4), face=shown)
    keys = [set(report) for report in _reports(values(finding(), finding("192.0.2.11", level=4)))]
    found = _files(notice, heading=heading)
    assert [set(json.loads(data)) for _, data in found] == keys
    for _, data in found:
        assert faults(json.loads(data)) == []
        assert data.isascii()
        assert data.count(b"\n") == data.count(b"\r\n") == len(json.loads(data)) + 2
