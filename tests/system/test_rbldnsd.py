"""DNSBL answers of a real rbldnsd, as it is run by most zones and their mirrors."""

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import pytest

from pipeline.domain import Listing, ZoneAnswer, ZoneQuestion
from pipeline.net import dnsbl
from pipeline.net.dnsbl import RFC5782_IPV4, RFC5782_IPV6, check_zone
from pipeline.net.nameserver import DnsSettings, Nameserver
from tests.system.presence import needs

DATA = {
    "four": """:127.0.0.2:open relay, see https://list.example/$
127.0.0.2
192.0.2.7
192.0.2.9 :127.0.0.5:tested
192.0.2.9 :127.0.0.10:twice
""",
    "six": ":127.0.0.3:open proxy\n::ffff:7f00:2\n2001:db8::/48\n",
    "world": ":127.0.0.2:this list has been closed\n0.0.0.0/0\n",
    "error": ":127.255.255.254:public resolver\n0.0.0.0/0\n",
}
ZONES = [
    "both.example:ip4set:four",
    "both.example:ip6trie:six",
    "world.example:ip4trie:world",
    "error.example:ip4trie:error",
]


@pytest.fixture(scope="module")
def settings() -> Iterator[DnsSettings]:
    """A running rbldnsd that has said that it serves; on another port if the one that was free is taken meanwhile."""
    program = needs("rbldnsd", shutil.which("rbldnsd", path="/usr/sbin:/sbin:/usr/local/sbin:/usr/bin"))
    folder = Path(tempfile.mkdtemp(prefix="tocsin-rbldnsd-"))  # it drops its privileges: a folder that others may read
    folder.chmod(0o755)
    for name, text in DATA.items():
        (folder / name).write_text(text)
    try:
        for _ in range(5):
            with socket.socket(type=socket.SOCK_DGRAM) as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            command = [program, "-n", "-w", str(folder), "-b", f"127.0.0.1/{port}", *ZONES]
            server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            try:
                if _serves(server, port):
                    yield DnsSettings((Nameserver(ip_address("127.0.0.1"), port),), timeout=5.0, tries=2)
                    return
            finally:
                server.terminate()
                said, _ = server.communicate(timeout=20)
        pytest.fail(f"rbldnsd does not start: {said.decode(errors='replace')}")
    finally:
        shutil.rmtree(folder)


def _serves(server: "subprocess.Popen[bytes]", port: int) -> bool:
    """Wait until it answers; False if it has ended."""
    query = dns.message.make_query("2.0.0.127.both.example", "A")
    until = time.monotonic() + 20
    while server.poll() is None and time.monotonic() < until:
        with contextlib.suppress(dns.exception.Timeout):
            dns.query.udp(query, "127.0.0.1", timeout=0.2, port=port)
            return True
    return False


def ask(settings: DnsSettings, zone: str, address: str) -> ZoneAnswer:
    with dnsbl.edge(settings) as edge:
        edge.ask(ZoneQuestion(zone, ip_address(address), want_text=True))
        [answer] = edge.take(timeout=20)
        return answer


@pytest.mark.parametrize(
    ("address", "codes", "text"),
    [
        ("192.0.2.7", ("127.0.0.2",), "open relay, see https://list.example/192.0.2.7"),
        ("192.0.2.9", ("127.0.0.5", "127.0.0.10"), "tested / twice"),
        ("2001:db8:0:7::1", ("127.0.0.3",), "open proxy"),
    ],
)
def test_a_listed_address_has_its_codes_and_its_text(
    settings: DnsSettings, address: str, codes: tuple[str, ...], text: str
) -> None:
    assert ask(settings, "both.example", address) == ZoneAnswer(
        "both.example", ip_address(address), Listing.LISTED, codes, text
    )


@pytest.mark.parametrize("address", ["192.0.2.8", "2001:db8:1::1"])
def test_an_address_that_is_not_in_the_file_is_not_listed(settings: DnsSettings, address: str) -> None:
    assert ask(settings, "both.example", address) == ZoneAnswer("both.example", ip_address(address), Listing.NOT_LISTED)


def test_a_zone_with_its_test_points_is_healthy_in_both_versions_of_ip(settings: DnsSettings) -> None:
    assert check_zone("both.example", settings, points=(RFC5782_IPV4, RFC5782_IPV6)).healthy


def test_a_zone_that_is_not_served_is_unknown_and_not_clean(settings: DnsSettings) -> None:
    answer = ask(settings, "gone.example", "192.0.2.7")
    assert (answer.listing, answer.why) == (Listing.UNKNOWN, "REFUSED")
    assert not check_zone("gone.example", settings).healthy


def test_a_zone_that_lists_the_world_is_found_out(settings: DnsSettings) -> None:
    assert ask(settings, "world.example", "192.0.2.8").listing is Listing.LISTED  # nothing in the answer shows it
    health = check_zone("world.example", settings)
    assert health.reasons == ("127.0.0.1 must not be listed and is (127.0.0.2)",)


def test_a_zone_that_answers_with_error_codes_lists_nobody(settings: DnsSettings) -> None:
    answer = ask(settings, "error.example", "192.0.2.7")
    assert (answer.listing, answer.codes, answer.why) == (Listing.UNKNOWN, (), "error code 127.255.255.254")
    assert not check_zone("error.example", settings).healthy
