"""Real registry answers against what a careful reader takes from them.  Skipped where the shared data is absent."""

import json
import re
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address

import pytest

from pipeline.domain import NetworkAnswer, Outcome
from pipeline.resolve import bootstrap
from pipeline.resolve.scope import read_range
from tests.accuracy import cases, peers
from tests.accuracy.cases import DATA, Row

GENERIC = frozenset({"inc", "ltd", "llc", "the", "net", "network", "corp", "company"})

needs_rdap = pytest.mark.skipif(not (DATA / "rdap").is_dir(), reason="the shared RDAP answers are not here")
needs_whois = pytest.mark.skipif(not (DATA / "whois").is_dir(), reason="the shared WHOIS answers are not here")


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


def measure(kind: str, read: Callable[[Row], NetworkAnswer], show: Callable[[str], None]) -> list[str]:
    """Return the files that are not exact, after showing every one; a mailbox that must not be used fails at once."""
    others: list[str] = []
    agreed: Counter[str] = Counter()
    for row in cases.rows(kind):
        found = read(row)
        verdict = cases.ours(row, found)
        assert not verdict.is_forbidden, f"{row['file']}: a mailbox that must never be written to"
        agreed += agreements(row, found)
        others += [] if verdict.is_exact else [row["file"]]
        show(f"{'exact' if verdict.is_exact else 'OTHER':6}{row['file']:44}{found.outcome:12}{found.why}")
    for name in ("holder", "country", "registry", "range"):
        show(f"    {name}: {agreed[name]} of {agreed[f'{name} of']} agree")
    return others


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    def printed(line: str) -> None:
        with capsys.disabled():
            print(line)

    printed("")
    return printed


@needs_rdap
def test_every_rdap_answer_gives_the_contacts_a_careful_reader_takes(show: Callable[[str], None]) -> None:
    assert measure("rdap", cases.read_rdap, show) == []


@needs_whois
def test_every_whois_answer_gives_the_contacts_a_careful_reader_takes(show: Callable[[str], None]) -> None:
    assert measure("whois", cases.read_whois, show) == []


@needs_rdap
def test_the_quick_path_and_ipwhois_read_every_answer_alike() -> None:
    for row in cases.rows("rdap"):
        assert cases.read_rdap(row) == cases.read_rdap(row, is_quick=False), row["file"]


@needs_rdap
@needs_whois
def test_the_table_beside_other_libraries_is_the_one_in_the_documentation(show: Callable[[str], None]) -> None:
    table = peers.table()
    show(table)
    assert table in peers.PAGE.read_text(encoding="utf-8"), "write it anew: python -m tests.accuracy.peers"


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
