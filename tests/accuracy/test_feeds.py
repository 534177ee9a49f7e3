"""Real feeds, read by the parsers, against the counts that came with them.  Skipped where the shared data is absent.

The files are read only; no address in them is asked, connected to, or written down here.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain import Observation, Reject
from pipeline.ingest.lines import Line, read
from pipeline.ingest.parsers import PARSERS
from pipeline.ingest.rejects import Reason
from pipeline.ingest.shape import FeedShape

HITS = Path(__file__).parents[2].parent / "shared" / "data" / "hits"
NOW = datetime(2026, 11, 24, tzinfo=UTC)
HOST = re.compile(rb"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
SIMULATED = {
    "open_relay": "open_relay",
    "http_connect_proxy": "http_connect",
    "http_proxy": "http_proxy",
    "socks4_proxy": "socks4",
    "socks5_proxy": "socks5",
}
HONEST = {
    "http_connect_proxy": "http_connect",
    "http_proxy": "http_proxy",
    "socks_proxy": "socks",
    "socks4_proxy": "socks4",
    "socks5_proxy": "socks5",
    "spam_source": "reputation",
    "attacker": "reputation",
    "reputation": "reputation",
    "tor_exit": "reputation",
}

pytestmark = pytest.mark.skipif(not HITS.is_dir(), reason="the shared data is not here")

Found = tuple[list[Observation], list[Reject]]


def parsed(parser: str, lines: Iterator[Line], **fields: Any) -> Found:
    feed = FeedShape(**({"now": NOW, "default_observed_at": datetime(2026, 8, 22, tzinfo=UTC)} | fields))
    rows = list(PARSERS[parser](lines, feed))
    return [row for row in rows if isinstance(row, Observation)], [row for row in rows if isinstance(row, Reject)]


def counted(name: str) -> dict[str, int]:
    """Return what the manifest counts in a file."""
    with (HITS / "manifest.csv").open(encoding="utf-8", newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["file"] == name)
    return {key: int(row[key]) for key in ("records", "distinct_single_ips") if row[key]}


def show(name: str, found: Found) -> None:
    observations, rejects = found
    claims = Counter(row.claim for row in observations)
    reasons = Counter(str(row.reason) for row in rejects)
    print(f"{name:60} {len(observations):7} observations {dict(claims)}  {len(rejects):5} rejects {dict(reasons)}")


@pytest.mark.parametrize(
    ("file", "claim"),
    [
        ("ercin_http_2026-08-22.txt", "http_proxy"),
        ("ercin_https_2026-08-22.txt", "http_connect"),
        ("ercin_socks4_2026-08-22.txt", "socks4"),
        ("clarketm_spys_2023-03-24.txt", "http_proxy"),
        ("clarketm_status_2023-03-24.txt", "http_proxy"),
    ],
)
def test_every_entry_of_a_proxy_list_is_read_and_only_impossible_addresses_are_rejected(file: str, claim: str) -> None:
    name = f"proxies/{file}"
    found = observations, rejects = parsed("ip_port", read(HITS / name), default_claim=claim)
    show(name, found)
    expected = counted(name)
    prose = [row for row in rejects if row.reason == Reason.ADDRESS_BAD]
    assert all(not HOST.match(row.raw) for row in prose)
    assert len(observations) + len(rejects) - len(prose) == expected["records"]
    rows: list[Observation | Reject] = [*observations, *rejects]
    hosts = [HOST.match(row.raw) for row in rows]
    assert len({match[0] for match in hosts if match}) == expected["distinct_single_ips"]
    assert {row.reason for row in rejects} <= {
        Reason.ADDRESS_SPECIAL,
        Reason.ADDRESS_MULTICAST,
        Reason.ADDRESS_BAD,
        Reason.NOT_OPEN,
    }
    assert len(prose) <= 2


def test_the_spys_text_dates_its_rows_and_the_status_text_says_which_have_failed() -> None:
    rows, _ = parsed("ip_port", read(HITS / "proxies" / "clarketm_spys_2023-03-24.txt"), default_claim="http_proxy")
    assert {row.observed_at for row in rows} == {datetime(2023, 3, 24, 4, 58, 1, tzinfo=UTC)}
    path = HITS / "proxies" / "clarketm_status_2023-03-24.txt"
    _, rejects = parsed("ip_port", read(path), default_claim="http_proxy")
    assert sum(row.reason == Reason.NOT_OPEN for row in rejects) == path.read_bytes().count(b"=> failure")


def test_a_list_in_another_format_gives_no_observation() -> None:
    name = "proxies/monosans_proxies_2026-08-22.json"
    observations, rejects = parsed("ip_port", read(HITS / name), default_claim="proxy")
    assert (observations, len(rejects)) == ([], 1)


@pytest.mark.parametrize("part", [1, 2, 3, 4])
def test_the_scale_files_are_read_by_their_simulated_and_by_their_honest_claims(part: int) -> None:
    path = HITS / "scale" / f"hits-scale-{part}of4.csv.gz"
    columns = {"address": "ip", "observed_at": "observed_at", "confidence": "confidence"}
    simulated = columns | {"port": "sim_port", "claim": "sim_type"}
    found = observations, rejects = parsed("csv", islice(read(path), 20_000), columns=simulated, claims=SIMULATED)
    show(path.name, found)
    assert len(observations) + len(rejects) == 19_999
    assert len(rejects) <= 5
    shares = {claim: count / len(observations) for claim, count in Counter(row.claim for row in observations).items()}
    expected = {"open_relay": 0.18, "http_connect": 0.40, "http_proxy": 0.12, "socks4": 0.12, "socks5": 0.18}
    assert shares == pytest.approx(expected, abs=0.03)
    assert all(row.port for row in observations)

    honest = columns | {"port": "port", "claim": "type"}
    found = again, rejects = parsed("csv", islice(read(path), 20_000), columns=honest, claims=HONEST)
    show(path.name, found)
    assert [row.line for row in again] == [row.line for row in observations]
    assert sum(row.claim == "reputation" for row in again) > len(again) / 2


@pytest.mark.parametrize("path", sorted((HITS / "shadowserver").glob("*.csv")), ids=lambda path: path.name)
def test_every_row_of_a_report_is_counted_and_private_addresses_are_rejected(path: Path) -> None:
    name = f"shadowserver/{path.name}"
    found = observations, rejects = parsed("shadowserver", read(path), allow_documentation=True)
    show(name, found)
    header = int(any(row.reason == Reason.HEADER_MISSING for row in rejects))
    assert len(observations) + len(rejects) - header == counted(name)["records"]
    assert all(
        not row.address.is_private or row.address.is_reserved for row in observations if row.claim != "reputation"
    )


@pytest.mark.parametrize(
    ("report", "claims"),
    [("scan_http_proxy", ["http_connect"] * 3), ("scan_socks", ["socks4", "socks5", "socks4"])],
)
def test_scan_reports_are_exposures_once_their_addresses_are_public(report: str, claims: list[str]) -> None:
    lines = read(HITS / "shadowserver" / f"2023-10-31-{report}-sample-intelmq.csv")
    public = ((line, raw.replace(b"192.168.0.", b"192.0.2."), offset) for line, raw, offset in lines)
    observations, rejects = parsed("shadowserver", public, allow_documentation=True, default_observed_at=None)
    assert ([row.claim for row in observations], rejects) == (claims, [])
    assert all(row.observed_at.year == 2010 for row in observations)


def test_the_blocklist_report_is_reputation_and_its_network_rejected() -> None:
    path = HITS / "shadowserver" / "2023-10-31-blocklist-sample-intelmq.csv"
    observations, rejects = parsed("shadowserver", read(path))
    assert [row.claim for row in observations] == ["reputation", "reputation"]
    assert [row.reason for row in rejects] == [Reason.ADDRESS_NETWORK]
