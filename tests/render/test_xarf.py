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

from pipeline.domain import EvidenceLevel
from pipeline.render import letter, xarf
from pipeline.render.values import Agency, Ended, LetterValues
from tests.render.written import SEEN, face, finding, sources, values

# Recommended, and left out: a level of confidence would be an invented number, evidence stays in our record.
LEFT_OUT = {f"'{name}' is a required property" for name in ("confidence", "evidence", "source_port")}


def faults(report: dict[str, Any]) -> list[str]:
    """What the format's own package finds; fields that it does not know are faults as well."""
    found = parse(report, strict=False)
    strict = [error.message for error in parse(report, strict=True).errors]
    return [error.message for error in found.errors] + [fault for fault in strict if fault not in LEFT_OUT]


def _reports(notice: LetterValues, most: int = 50) -> list[dict[str, Any]]:
    return [json.loads(data) for _, data in _files(notice, most)]


def _files(notice: LetterValues, most: int = 50) -> list[tuple[str, bytes]]:
    groups = letter.draft(notice, sources(notice.kind)).told.groups
    return xarf.reports(notice, groups, ["open mail relay (reported) / relais ouvert (signalé)"] * len(groups), most)


@pytest.mark.parametrize(
    ("level", "address", "port", "topic"),
    list(product(EvidenceLevel, ("192.0.2.1", "2001:db8::25"), (0, 8080), ("open_relay", "open_proxy"))),
)
def test_every_report_is_valid_and_claims_no_more_than_its_evidence(
    level: EvidenceLevel, address: str, port: int, topic: str
) -> None:
    service = "any" if not port else "smtp" if topic == "open_relay" else "socks5"
    [report] = _reports(values(finding(address, topic, level, port=port, service=service)))
    assert faults(report) == []
    first_hand = level in (EvidenceLevel.E2, EvidenceLevel.E4)
    kind = ("vulnerability", "open_service") if first_hand else ("reputation", "blocklist")
    assert (report["category"], report["type"]) == kind
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


def test_names_of_files_are_plain_and_never_alike() -> None:
    names = [name for name, _ in _files(values(finding(), finding("2001:db8::1"), finding(topic="open_proxy")))]
    assert len(set(names)) == 3
    assert all(re.fullmatch(r"xarf-\d{4}-[0-9a-f.-]+\.json", name) for name in names)


@settings(max_examples=50)
@given(st.text(max_size=300), st.text(max_size=300), st.text(min_size=1, max_size=400))
def test_no_value_breaks_the_format(network: str, source: str, agency: str) -> None:
    try:
        shown = face(agencies=(Agency({"en": agency, "fr": agency}),))
    except letter.ConfigurationError:
        return  # a name that no letter could bear
    for report in _reports(values(finding(network=network, sources=(source,)), face=shown)):
        assert faults(report) == []
