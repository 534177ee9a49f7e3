"""Claims, sources and zone answers as the tests of the rules need them: everything has a plain value unless given."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from pipeline.domain import Listing, ZoneAnswer
from pipeline.verify.level import Claim
from pipeline.verify.policy import SourceState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DRONEBL, EFNET, SPAMCOP = "dnsbl.dronebl.org", "rbl.efnetrbl.org", "bl.spamcop.net"


def claim(feed: str = "a", hours_ago: float = 1, **fields: Any) -> Claim:
    observed_at = NOW - hours_ago * HOUR
    plain: dict[str, Any] = {
        "snapshot_id": 1,
        "line": 1,
        "feed": feed,
        "group": "",
        "claim": "http_proxy",
        "service": "http",
        "port": 8080,
        "observed_at": observed_at,
        "expires_at": observed_at + 7 * 24 * HOUR,
    }
    return Claim(**(plain | fields))


def answer(zone: str, listing: Listing, *codes: str, why: str = "") -> ZoneAnswer:
    return ZoneAnswer(zone, ip_address("192.0.2.1"), listing, codes, why=why)


def source(feed: str = "a", claimed: float = 200, delivered: float = 1, lifetime: float = 168) -> SourceState:
    """A feed that last claimed the target, and last delivered anything, so many hours ago."""
    return SourceState(feed, lifetime * HOUR, NOW - claimed * HOUR, NOW - delivered * HOUR)
