"""Whatever bytes come: no exception, at most one record for a line, in order, and never more bytes than came in."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain import Observation, Reject
from pipeline.ingest.parsers import PARSERS
from pipeline.ingest.rejects import Reason
from pipeline.ingest.row import EARLIEST, MAX_RAW
from pipeline.ingest.shape import FeedShape
from tests.ingest.written import NOW, numbered
from tests.soak import IS_SOAK, LONGER

PIECES = st.sampled_from(
    [
        b"192.0.2.1",
        b"2001:db8::1",
        b"10.0.0.1",
        b"192.0.2.0/24",
        b"[",
        b"]",
        b":",
        b",",
        b"|",
        b'"',
        b'""',
        b"\\",
        b"\n",
        b"\r",
        b"\0",
        b"#",
        b"/",
        b"://",
        b"http",
        b"socks5",
        b"@",
        b" ",
        b"\t",
        b"80",
        b"065",
        b"2026-02-28",
        b"T10:00:00Z",
        b"timestamp",
        b"ip",
        b"port",
        b"tag",
        b"Proxy list (#1) updated at ",
        b"\xff",
        b"\xe9",
        b"=> fail",
        b"x" * 70_000,
    ]
)
TEXT = st.one_of(st.lists(PIECES, max_size=60).map(b"".join), st.binary(max_size=400))
HEADS = {
    "csv": b"ip,port,tag,timestamp\n",
    "shadowserver": b'"timestamp","ip","port","tag","http_code"\n',
    "ip": b"",
    "ip_port": b"",
}


@pytest.mark.parametrize("parser", sorted(PARSERS))
@settings(max_examples=150 * LONGER, deadline=None, derandomize=not IS_SOAK)
@given(text=TEXT, with_head=st.booleans(), with_claim=st.booleans())
def test_no_input_raises_and_output_is_bounded_by_it(
    parser: str, text: bytes, with_head: bool, with_claim: bool
) -> None:
    lines = numbered((HEADS[parser] if with_head else b"") + text)
    shape = FeedShape(
        now=NOW,
        columns={"address": "ip", "port": "port", "claim": "tag", "observed_at": "timestamp"}
        if parser == "csv"
        else {},
        default_claim="proxy" if with_claim else "",
        default_observed_at=datetime(2026, 1, 1, tzinfo=UTC),
        allow_documentation=True,
    )
    found = list(PARSERS[parser](lines, shape))
    numbers = [row.line for row in found]
    assert numbers == sorted(set(numbers))
    assert set(numbers) <= {number for number, _, _ in lines}
    assert sum(len(row.raw) for row in found) <= sum(len(raw) + 1 for _, raw, _ in lines)
    for row in found:
        assert len(row.raw) <= MAX_RAW
        if isinstance(row, Reject):
            assert row.reason in set(Reason)
        else:
            assert isinstance(row, Observation)
            assert 0 <= row.port <= 65_535
            assert EARLIEST <= row.observed_at <= NOW
            assert row.claim in shape.kinds
