"""Shadowserver's report files: scan_http_proxy, scan6_http_proxy, scan_socks and others with a tag.

Columns come and go and change places, so they are found by name; times are UTC without saying so.  A tag says what was
found; `...-closed` (population_http_proxy) and an answer 407 say that the proxy asks for a login: no exposure.  The
blocklist report (source, reason, no port) is reputation, and its `ip` may be a network, which is rejected.
Pure and streaming.  Source: the publisher's report pages and its schema of columns.
"""

from collections.abc import Iterable, Iterator, Mapping

from pipeline.data.topic import REPUTATION
from pipeline.domain import Observation, Reject
from pipeline.ingest.csv_feed import Cells, ClaimRule, as_read, table
from pipeline.ingest.lines import Line
from pipeline.ingest.rejects import Reason
from pipeline.ingest.shape import FeedShape

COLUMNS = {"address": "ip", "port": "port", "transport": "protocol", "observed_at": "timestamp", "claim": "tag"}
TAGS = {"http-connect-proxy": "http_connect", "socks4": "socks4", "socks5": "socks5"}
CLOSED = "-closed"
LOGIN_DEMANDED = "407"  # RFC 9110 15.5.8


def parse(lines: Iterable[Line], feed: FeedShape) -> Iterator[Observation | Reject]:
    """Yield one record for each row.  `feed.claims` adds tags to the known ones; `feed.columns` renames columns."""
    return table(lines, feed, COLUMNS, by_tag)


def by_tag(feed: FeedShape, places: Mapping[str, int], names: Cells) -> ClaimRule:
    """Return the rule that reads a claim from a row's tags, and from what its other columns say."""
    if {"reason", "source"} <= set(names) and "port" not in places:
        return lambda cells: REPUTATION
    known = {as_read(word).lower(): claim for word, claim in (TAGS | dict(feed.claims)).items()}
    tag = places.get("claim", len(names))
    answer = names.index("http_code") if "http_code" in names else len(names)

    def rule(cells: Cells) -> str | Reason:
        if cells[answer].strip() == LOGIN_DEMANDED:
            return Reason.NOT_OPEN
        tags = [word.strip() for word in cells[tag].lower().split(";")]
        found = next((known[word] for word in tags if word in known), None)
        if found is not None:
            return found
        if any(word.endswith(CLOSED) for word in tags):
            return Reason.NOT_OPEN
        return Reason.CLAIM_UNKNOWN if any(tags) else feed.default_claim or Reason.CLAIM_MISSING

    return rule
