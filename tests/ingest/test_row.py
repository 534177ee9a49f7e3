"""Texts of one line to an observation: what is absent takes the default, what is wrong never does."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from pipeline.domain import ConfigurationError, Observation, Reject
from pipeline.ingest.rejects import Reason
from pipeline.ingest.row import MAX_RAW, row_rule, time_rule, whole_number
from pipeline.ingest.shape import FeedShape

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SHAPE = FeedShape(now=NOW, default_observed_at=NOW, allow_documentation=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1", 1),
        ("25", 25),
        (" 80 ", 80),
        ("65535", 65535),
        ("65536", None),
        ("-1", None),
        ("+80", None),
        ("080", None),
        ("00", None),
        ("8 0", None),
        ("80.0", None),
        ("1_0", None),
        ("0x50", None),
        ("８０", None),
        ("²", None),
        ("x", None),
        ("9" * 5_000, None),
    ],
)
def test_a_port_is_plain_ascii_digits_without_leading_zeros(text: str, expected: int | None) -> None:
    assert whole_number(text, 65_535) == expected
    row = row_rule(SHAPE)(1, b"", "192.0.2.1", text, "", "", "http_proxy", "")
    assert (row.port if isinstance(row, Observation) else row.reason) == (
        Reason.PORT_BAD if expected is None else expected
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-02-28 10:00:00", datetime(2026, 2, 28, 10, tzinfo=UTC)),
        ("2026-02-28T10:00:00", datetime(2026, 2, 28, 10, tzinfo=UTC)),
        ("2026-02-28T10:00:00Z", datetime(2026, 2, 28, 10, tzinfo=UTC)),
        ("2026-02-28 10:00 UTC", datetime(2026, 2, 28, 10, tzinfo=UTC)),
        ("2026-02-28T10:00:00+02:00", datetime(2026, 2, 28, 8, tzinfo=UTC)),
        ("2026-02-28T10:00:00.123456789-0500", datetime(2026, 2, 28, 15, 0, 0, 123456, tzinfo=UTC)),
        (" 2026-02-28 ", datetime(2026, 2, 28, tzinfo=UTC)),
        ("1772272800", datetime(2026, 2, 28, 10, tzinfo=UTC)),
        ("2026-03-01T12:10:00Z", NOW + timedelta(minutes=10)),
        ("2026-03-01T12:10:01Z", Reason.TIME_FUTURE),
        ("2026-03-01T12:00:00-00:30", Reason.TIME_FUTURE),
        ("9999-12-31", Reason.TIME_FUTURE),
        ("1999-12-31 23:59:59", Reason.TIME_TOO_OLD),
        ("0001-01-01", Reason.TIME_TOO_OLD),
        ("2000-01-01", datetime(2000, 1, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00+23:59", Reason.TIME_BAD),
        ("9999-12-31T23:59:59-23:59", Reason.TIME_BAD),
        ("2026-02-30", Reason.TIME_BAD),
        ("2026-02-28 25:00", Reason.TIME_BAD),
        ("2026-02-28T10:00:00+99:00", Reason.TIME_BAD),
        ("28/02/2026", Reason.TIME_BAD),
        ("20260228", Reason.TIME_BAD),
        ("2026-W09", Reason.TIME_BAD),
        ("２０２６-02-28", Reason.TIME_BAD),
        ("yesterday", Reason.TIME_BAD),
        ("2026-02-28 " * 1_000, Reason.TIME_BAD),
        ("", Reason.TIME_MISSING),
        ("  ", Reason.TIME_MISSING),
    ],
)
def test_a_time_without_a_zone_is_utc_and_an_impossible_one_is_rejected(text: str, expected: datetime | Reason) -> None:
    found = time_rule(NOW, None)(text)
    assert found == expected
    assert isinstance(found, Reason) or found.tzinfo is UTC


def test_only_an_absent_time_takes_the_feeds_time() -> None:
    rule = time_rule(NOW, NOW - timedelta(days=1))
    assert rule("") == NOW - timedelta(days=1)
    assert rule("nonsense") is Reason.TIME_BAD


def test_times_stay_right_when_more_of_them_come_than_are_kept() -> None:
    rule = time_rule(NOW, NOW)
    start = datetime(2020, 1, 1, tzinfo=UTC)
    for _ in range(2):
        for second in range(5_000):
            moment = start + timedelta(seconds=second)
            assert rule(moment.isoformat()) == moment
        assert rule("") == NOW


@pytest.mark.parametrize(
    ("text", "expected"), [("", 50), (" ", 50), ("0", 0), ("100", 100), ("101", None), ("0.5", None), ("high", None)]
)
def test_confidence_is_0_to_100(text: str, expected: int | None) -> None:
    row = row_rule(SHAPE)(1, b"", "192.0.2.1", "", "", "", "http_proxy", text)
    assert (row.confidence if isinstance(row, Observation) else None) == expected
    assert not isinstance(row, Reject) or row.reason == Reason.CONFIDENCE_BAD


@pytest.mark.parametrize(
    ("text", "expected"), [("", "tcp"), ("TCP", "tcp"), (" udp", "udp"), ("sctp", None), ("http", None)]
)
def test_transport_is_tcp_or_udp(text: str, expected: str | None) -> None:
    row = row_rule(SHAPE)(1, b"", "192.0.2.1", "", text, "", "http_proxy", "")
    assert (row.transport if isinstance(row, Observation) else None) == expected
    assert not isinstance(row, Reject) or row.reason == Reason.TRANSPORT_BAD


@pytest.mark.parametrize(
    ("claim", "service"),
    [
        ("open_relay", "smtp"),
        ("http_connect", "http"),
        ("http_proxy", "http"),
        ("socks4", "socks4"),
        ("socks5", "socks5"),
        ("socks", "any"),
        ("proxy", "any"),
        ("reputation", "any"),
    ],
)
def test_the_service_follows_from_the_claim(claim: str, service: str) -> None:
    row = row_rule(SHAPE)(1, b"", "192.0.2.1", "", "", "", claim, "")
    assert isinstance(row, Observation)
    assert (row.claim, row.service, row.transport) == (claim, service, "tcp")


def test_the_feeds_port_and_service_fill_what_the_line_and_the_claim_leave_open() -> None:
    shape = FeedShape(
        now=NOW, default_observed_at=NOW, default_port=8080, default_service="http", allow_documentation=True
    )
    rule = row_rule(shape)
    rows = [
        rule(1, b"", "192.0.2.1", port, "", "", claim, "")
        for port, claim in [("", "proxy"), ("0", "proxy"), ("1080", "socks5")]
    ]
    assert [(row.port, row.service) for row in rows if isinstance(row, Observation)] == [
        (8080, "http"),
        (8080, "http"),
        (1080, "socks5"),
    ]


def test_raw_is_kept_up_to_4096_bytes() -> None:
    rule = row_rule(SHAPE)
    for address in ("192.0.2.1", "nonsense"):
        assert len(rule(1, b"x" * 10_000, address, "", "", "", "proxy", "").raw) == MAX_RAW


@pytest.mark.parametrize(
    "fields",
    [
        {"default_claim": "open_door"},
        {"claims": {"x": "open_door"}},
        {"columns": {"adress": "ip"}},
        {"default_port": 65_536},
        {"default_confidence": 101},
        {"delimiter": ""},
        {"delimiter": '"'},
        {"default_observed_at": datetime(2026, 1, 1)},  # noqa: DTZ001
        {"now": datetime(2026, 1, 1)},  # noqa: DTZ001
    ],
)
def test_a_wrong_declaration_is_refused_before_the_first_line(fields: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        FeedShape(**({"now": NOW} | fields))  # type: ignore[arg-type]


def test_a_time_of_the_feed_in_another_zone_is_the_same_moment() -> None:
    here = NOW.astimezone(timezone(timedelta(hours=-5)))
    assert time_rule(here, None)("2026-03-01T12:10:00Z") == NOW + timedelta(minutes=10)
