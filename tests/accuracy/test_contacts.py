"""Real registry answers against what a careful reader takes from them.  Skipped where the shared data is absent.

The files are read only; nothing in them is written to, connected to, or written down here.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain import Answer, NetworkAnswer, Outcome
from pipeline.resolve import bootstrap, choose, rdap_answer, whois_answer
from pipeline.resolve.scope import ScopeCaps, read_range

DATA = Path(__file__).parents[2].parent / "shared" / "data"
NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
OUTCOME_OF_ERROR = {
    "rate-limited": Outcome.REFUSED,
    "not-found": Outcome.NOT_FOUND,
    "invalid-json": Outcome.UNUSABLE,
    "rdap-error": Outcome.UNUSABLE,
}
GENERIC = frozenset({"inc", "ltd", "llc", "the", "net", "network", "corp", "company"})

Row = dict[str, Any]


def rows(kind: str) -> list[Row]:
    return [json.loads(line) for line in (DATA / kind / "expected.jsonl").read_text(encoding="utf-8").splitlines()]


def answer(kind: str, name: str) -> Answer:
    return Answer(f"file:{name}", 200, "", (DATA / kind / name).read_bytes(), NOW)


def read_rdap(row: Row) -> NetworkAnswer:
    """An entity that was asked for by its handle has neither an address nor an AS number."""
    reply, registry = answer("rdap", row["file"]), row["registry"] or ""
    if row["query_ip"] is None and "query_asn" not in row:
        match = re.fullmatch(r"entity-[a-z]+-([A-Z0-9]+)-.*", row["file"])
        if match is not None:
            return rdap_answer.read_entity(reply, f"{match.group(1)}-RIPE", registry=registry)
    queried = ip_address(row["query_ip"]) if row["query_ip"] else row.get("query_asn", 0)
    return rdap_answer.read(reply, queried, registry=registry, caps=ScopeCaps())


def read_whois(row: Row) -> NetworkAnswer:
    queried = ip_address(row["query_ip"]) if row["query_ip"] else row.get("query_asn", 0)
    return whois_answer.read(answer("whois", row["file"]), queried, registry=row["registry"] or "", caps=ScopeCaps())


def lowered(addresses: list[str]) -> set[str]:
    return {address.lower() for address in addresses}


def is_exact(row: Row, found: NetworkAnswer) -> bool:
    """Every expected mailbox and no other, but those that may be used in addition; an error is its outcome."""
    if "error" in row:
        return found.outcome is OUTCOME_OF_ERROR[row["error"]] and not choose.usable(found)
    got = {candidate.mailbox for candidate in choose.usable(found)}
    expected = lowered(row["abuse_emails"])
    return expected <= got <= expected | lowered(row["also_ok"])


def words(text: str) -> set[str]:
    return {word for word in re.findall(r"[^\W_]{3,}", text.lower()) if word not in GENERIC}


def agreements(row: Row, found: NetworkAnswer) -> Counter[str]:
    """What else agrees, of what can be compared: `x` out of `x of`."""
    if found.outcome not in (Outcome.CONTACTS, Outcome.NO_CONTACT):
        return Counter()
    expected_range = read_range(row.get("range") or row["cidr"] or "")
    named = words(f"{found.holder} {found.name}")
    compared = [
        ("holder", row["org"], bool(words(row["org"] or "") & named)),
        ("country", row["country"], row["country"] == found.country),
        ("registry", row["registry"], row["registry"] == found.registry),
        ("range", expected_range, expected_range == found.registered),
    ]
    counted: Counter[str] = Counter()
    for name, expected, agrees in compared:
        if expected:
            counted[f"{name} of"] += 1
            counted[name] += agrees
    return counted


def measure(kind: str, read: Callable[[Row], NetworkAnswer], show: Callable[[str], None]) -> int:
    """Return how many rows are exact, after showing each; a mailbox that must not be used fails at once."""
    exact = 0
    agreed: Counter[str] = Counter()
    for row in rows(kind):
        found = read(row)
        forbidden = {each.mailbox for each in choose.usable(found)} & lowered(row["must_not"])
        assert not forbidden, f"{row['file']}: {len(forbidden)} mailbox that must never be written to"
        good = is_exact(row, found)
        exact += good
        agreed += agreements(row, found)
        show(f"{'exact' if good else 'OTHER':6}{row['file']:44}{found.outcome:12}{found.why}")
    show(f"{kind}: {exact} of {len(rows(kind))} exact, 0 forbidden")
    for name in ("holder", "country", "registry", "range"):
        show(f"    {name}: {agreed[name]} of {agreed[f'{name} of']} agree")
    return exact


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    def printed(line: str) -> None:
        with capsys.disabled():
            print(line)

    printed("")
    return printed


@pytest.mark.skipif(not (DATA / "rdap").is_dir(), reason="the shared RDAP answers are not here")
def test_rdap_answers_give_the_contacts_a_careful_reader_takes(show: Callable[[str], None]) -> None:
    # the one that differs: a JPNIC network whose own remark offers a mailbox "for spam or abuse complaints"; we take it
    assert measure("rdap", read_rdap, show) >= 40


@pytest.mark.skipif(not (DATA / "whois").is_dir(), reason="the shared WHOIS answers are not here")
def test_whois_answers_give_the_contacts_a_careful_reader_takes(show: Callable[[str], None]) -> None:
    assert measure("whois", read_whois, show) >= 31


@pytest.mark.skipif(not (DATA / "rdap" / "bootstrap").is_dir(), reason="the shared bootstrap files are not here")
def test_the_bootstrap_files_select_the_expected_server() -> None:
    files = {
        name: json.loads((DATA / "rdap" / "bootstrap" / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("ipv4", "ipv6", "asn")
    }
    lines = (DATA / "rdap" / "bootstrap-expected.jsonl").read_text(encoding="utf-8").splitlines()
    for row in map(json.loads, lines):
        queried = int(row["asn"]) if "asn" in row else ip_address(row["ip"])
        name = "asn" if isinstance(queried, int) else f"ipv{queried.version}"
        url = bootstrap.choose(files[name], queried)
        assert ([] if url is None else [url]) == row["base_urls"], row
    assert len(lines) == 38
