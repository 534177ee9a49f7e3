"""The pure rules of asking over HTTP: which URLs are asked, how long to wait, how long an answer lasts."""

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.domain import PermanentFailure, TemporaryFailure
from pipeline.net import http

AT = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30),
        (" 0 ", 0),
        ("99999999999999999999", 86_400),
        ("Sun, 01 Mar 2026 10:02:00 GMT", 120),
        ("Sun, 01 Mar 2026 09:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("Sun, 99 Mar 2026 10:02:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_at_most_a_day(text: str, seconds: int | None) -> None:
    assert http.retry_after(text, AT) == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Cache-Control": "public, max-age=600"}, 600),
        ({"Cache-Control": "max-age=600", "Age": "100"}, 500),
        ({"Cache-Control": "max-age=600", "Age": "700"}, 0),
        ({"Cache-Control": "max-age=600", "Expires": "Sun, 01 Mar 2026 10:01:00 GMT"}, 600),
        ({"Cache-Control": "no-store", "Expires": "Sun, 01 Mar 2026 10:01:00 GMT"}, 0),
        ({"Cache-Control": "max-age=x", "Expires": "Sun, 01 Mar 2026 10:01:00 GMT"}, 60),
        ({"Expires": "Sun, 01 Mar 2026 10:01:00 GMT"}, 60),
        ({"Expires": "0"}, None),
        ({}, None),
    ],
)
def test_max_age_counts_before_expires(headers: dict[str, str], seconds: int | None) -> None:
    assert http.expiry(headers, AT) == (None if seconds is None else AT + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("location", "absolute"),
    [
        ("https://other.example/ip/192.0.2.1", "https://other.example/ip/192.0.2.1"),
        ("/ip/192.0.2.1", "https://registry.example/ip/192.0.2.1"),
        ("192.0.2.2", "https://registry.example/rdap/ip/192.0.2.2"),
        ("//other.example/x", "https://other.example/x"),
        ("http://10.0.0.1/x", "http://10.0.0.1/x"),  # named here, refused when it is asked
        ("", ""),
        ("https://[broken/", ""),
        ("https://other.example/\u202e", ""),
        ("https://other.example/" + "x" * 3_000, ""),
    ],
)
def test_a_location_is_made_absolute(location: str, absolute: str) -> None:
    assert http.location("https://registry.example/rdap/ip/192.0.2.1", {"Location": location}) == absolute


@pytest.mark.parametrize(
    ("url", "loopback", "code"),
    [
        ("https://registry.example/ip/192.0.2.1", False, ""),
        ("http://registry.example/ip/192.0.2.1", False, "forbidden-scheme"),
        ("http://registry.example/ip/192.0.2.1", True, "forbidden-scheme"),
        ("http://127.0.0.1:8080/x", False, "forbidden-scheme"),
        ("http://127.0.0.1:8080/x", True, ""),
        ("http://localhost:8080/x", True, ""),
        ("http://[::1]:8080/x", True, ""),
        ("http://127.0.0.1.example/x", True, "forbidden-scheme"),
        ("ftp://registry.example/x", True, "forbidden-scheme"),
        ("https://user:word@registry.example/x", False, "bad-url"),
        ("https:///x", False, "bad-url"),
        ("https://registry.example/\r\nX: y", False, "bad-url"),
        ("https://registry.example/" + "x" * 3_000, False, "bad-url"),
        ("", False, "bad-url"),
    ],
)
def test_only_https_is_asked_and_plain_http_of_loopback_where_allowed(url: str, loopback: bool, code: str) -> None:
    try:
        http.admitted(url, loopback)
    except Exception as error:  # noqa: BLE001 - what it means is what is tested
        failure = http.failure_of(error)
        assert (failure.code, type(failure)) == (code, PermanentFailure)
    else:
        assert code == ""


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, None),
        (404, None),  # an answer: nothing there
        (302, PermanentFailure),  # without a Location
        (403, TemporaryFailure),
        (429, TemporaryFailure),
        (500, TemporaryFailure),
        (503, TemporaryFailure),
        (400, PermanentFailure),
        (410, PermanentFailure),
        (501, PermanentFailure),
    ],
)
def test_a_status_says_whether_asking_again_may_help(status: int, kind: type | None) -> None:
    failure = http.refusal(status, {}, AT)
    assert failure is None if kind is None else isinstance(failure, kind)
    assert failure is None or failure.code == str(status)


@pytest.mark.parametrize(
    ("url", "lane"),
    [
        ("https://Registry.example/ip/192.0.2.1", "registry.example"),
        ("https://registry.example:443/ip/192.0.2.1", "registry.example"),
        ("https://registry.example:8443/", "registry.example:8443"),
        ("https://registry.example?x=/y", "registry.example"),
        ("http://[::1]:8080/x", "[::1]:8080"),
        ("https:///x", ""),
        ("", ""),
    ],
)
def test_one_host_has_one_lane_however_it_is_written(url: str, lane: str) -> None:
    assert http.lane(url) == lane
