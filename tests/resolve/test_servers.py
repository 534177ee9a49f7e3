"""The index over a bootstrap file answers as the search through it does."""

from ipaddress import ip_address
from typing import Any

import pytest

from pipeline.domain import Address
from pipeline.resolve import bootstrap, servers

FILE: dict[str, Any] = {
    "services": [
        [["192.0.2.0/24", "2001:db8::/32"], ["http://plain.example/", "https://wide.example/"]],
        [["192.0.2.128/25"], ["https://narrow.example"]],
        [["192.0.2.128/25"], ["https://second.example"]],  # the first of equal ones wins
        [["192.0.2.192/26"], ["ftp://unusable.example"]],  # passed over: the wider one answers
        [["198.51.100.7/24", "not a network", 7, None], ["http://plain.example/rdap/"]],
        [["203.0.113.0/24"]],
        "no service",
        [],
        [[["192.0.2.0/30"]], ["https://nested.example"]],
        [["192.0.2.0/28"], "https://text.example"],
    ]
}
ASKED = [f"192.0.2.{n}" for n in (0, 1, 127, 128, 191, 192, 255)]
ASKED += ["192.0.1.255", "198.51.100.0", "203.0.113.1", "2001:db8::1", "2001:db9::", "::"]


@pytest.mark.parametrize("address", [ip_address(text) for text in ASKED], ids=ASKED)
def test_the_index_finds_what_the_file_says(address: Address) -> None:
    known = servers.index(FILE, address.version)
    assert servers.find(known, address) == (bootstrap.choose(FILE, address) or "")


def test_a_file_of_another_shape_knows_nobody() -> None:
    for file in ({}, {"services": None}, {"services": {"a": 1}}, {"services": [[None, None]]}):
        assert servers.index(file, 4) == {}


def test_the_narrowest_prefix_is_found_first() -> None:
    assert servers.find(servers.index(FILE, 4), ip_address("192.0.2.200")) == "https://narrow.example"
    assert list(servers.index(FILE, 4)) == [25, 24]


@pytest.mark.parametrize("text", ["192.0.2.1", "198.51.100.77", "203.0.113.1"])
def test_the_entry_that_decides_is_the_longest_one_around_the_address(text: str) -> None:
    known, address = servers.index(FILE, 4), ip_address(text)
    found = servers.entry(known, address)
    assert (found[1] if found else "") == servers.find(known, address)
    assert found is None or (address in found[0] and found[0].prefixlen in known)
