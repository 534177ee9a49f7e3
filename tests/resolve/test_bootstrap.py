"""Which RDAP server a bootstrap file names for an address or an AS number."""

from ipaddress import ip_address
from typing import Any

import pytest

from pipeline.resolve.bootstrap import choose

IPV4 = {
    "version": "1.0",
    "services": [
        [["203.0.0.0/8"], ["https://wide.example/rdap/"]],
        [["198.51.100.0/24", "203.0.113.0/24"], ["http://narrow.example/", "https://narrow.example/"]],
        [["192.0.2.0/24"], ["http://plain.example/"]],
    ],
}
IPV6 = {"services": [[["2001:d00::/24"], ["https://wide.example/"]], [["2001:db8::/32"], ["https://narrow.example/"]]]}
ASN = {"services": [[["64496-64511"], ["https://range.example/"]], [["64500"], ["https://one.example/"]]]}


@pytest.mark.parametrize(
    ("registry", "queried", "url"),
    [
        (IPV4, "203.0.112.1", "https://wide.example/rdap/"),
        (IPV4, "203.0.113.1", "https://narrow.example/"),  # the longest match, and https before http
        (IPV4, "192.0.2.1", "http://plain.example/"),  # http only where there is nothing else
        (IPV4, "198.51.101.1", None),
        (IPV4, "2001:db8::1", None),
        (IPV6, "2001:db8::1", "https://narrow.example/"),
        (IPV6, "2001:db9::1", "https://wide.example/"),
        (IPV6, "203.0.113.1", None),
    ],
)
def test_the_longest_match_names_the_server(registry: dict[str, Any], queried: str, url: str | None) -> None:
    assert choose(registry, ip_address(queried)) == url


@pytest.mark.parametrize(
    ("queried", "url"), [(64496, "https://range.example/"), (64500, "https://one.example/"), (64512, None)]
)
def test_the_narrowest_range_names_the_server_for_an_as_number(queried: int, url: str | None) -> None:
    assert choose(ASN, queried) == url


@pytest.mark.parametrize(
    "registry",
    [
        {},
        {"services": None},
        {"services": {}},
        {"services": [None, [], [["203.0.0.0/8"]], [None, None], [["203.0.0.0/8"], [None, 7, "ftp://x.example/"]]]},
        {"services": [[[None, 7, "x", "203.0.113.0/99", "64500-", "-", "1-2-3"], ["https://x.example/"]]]},
    ],
)
def test_what_has_not_the_shape_of_a_bootstrap_file_names_nobody(registry: dict[str, Any]) -> None:
    assert choose(registry, ip_address("203.0.113.1")) is None
    assert choose(registry, 64500) is None


def test_an_entry_without_a_usable_url_does_not_hide_a_wider_one() -> None:
    registry = {"services": [[["203.0.113.0/24"], ["ftp://x.example/"]], [["203.0.0.0/8"], ["https://wide.example/"]]]}
    assert choose(registry, ip_address("203.0.113.1")) == "https://wide.example/"
