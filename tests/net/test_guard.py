"""The guard: nothing but loopback can be reached, by any door that Python has, and nothing takes it off again.

Each case runs in a process of its own, because a guard stays for good in the process that installed it.
"""

import subprocess
import sys

import pytest

from pipeline.net.guard import allowed

BEGIN = """
import asyncio, gc, socket, sys
from pipeline.net import guard
guard.install()
def refused(act, *arguments):
    try:
        act(*arguments)
    except PermissionError as error:
        return str(error)
    sys.exit(f"not refused: {arguments}")
"""


def run(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", BEGIN + script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("address", "free"),
    [
        ("127.0.0.1", True),
        ("127.255.0.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("localhost", True),
        ("192.0.2.1", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),
        ("::", False),
        ("2001:db8::1", False),
        ("::ffff:192.0.2.1", False),
        ("255.255.255.255", False),
        ("<broadcast>", False),
        ("", False),
        ("mail.example", False),
        ("127.0.0.1.example", False),
        ("localhost.example", False),
    ],
)
def test_only_loopback_is_allowed(address: str, free: bool) -> None:
    assert allowed(address) is free


def test_connect_bind_and_send_are_refused_and_name_the_address() -> None:
    out = run("""
stream, datagram = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
six = socket.socket(socket.AF_INET6)
print(refused(stream.connect, ("192.0.2.1", 25)))
print(refused(stream.connect_ex, ("10.0.0.1", 25)))
print(refused(six.connect, ("2001:db8::1", 25)))
print(refused(stream.bind, ("0.0.0.0", 0)))
print(refused(stream.bind, ("", 0)))
print(refused(datagram.sendto, b"x", ("198.51.100.7", 53)))
print(refused(datagram.sendmsg, [b"x"], [], 0, ("203.0.113.7", 53)))
""")
    shown = ["192.0.2.1", "10.0.0.1", "2001:db8::1", "0.0.0.0", "''", "198.51.100.7", "203.0.113.7"]
    for line, address in zip(out.splitlines(), shown, strict=True):
        assert address in line


def test_no_name_goes_to_a_resolver() -> None:
    out = run("""
print(refused(socket.getaddrinfo, "mail.example", 25))
print(refused(socket.gethostbyname, "mail.example"))
print(refused(socket.gethostbyname_ex, "mail.example"))
print(refused(socket.gethostbyaddr, "192.0.2.1"))
print(refused(socket.getnameinfo, ("192.0.2.1", 25), 0))
assert socket.getaddrinfo("localhost", 25) and socket.getaddrinfo("192.0.2.1", 25) and socket.getaddrinfo(None, 25)
""")
    assert len(out.splitlines()) == 5


def test_an_event_loop_is_held_too() -> None:
    run("""
async def try_it():
    loop = asyncio.get_running_loop()
    for begin in (
        lambda: asyncio.open_connection("192.0.2.1", 25),
        lambda: asyncio.open_connection("mail.example", 25),
        lambda: asyncio.start_server(print, "0.0.0.0", 0),
        lambda: loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=("192.0.2.1", 53)),
    ):
        try:
            await begin()
        except OSError as error:  # asyncio makes a plain one of it for bind
            assert "is refused" in str(error), error
            continue
        sys.exit("not refused")
asyncio.run(try_it())
""")


def test_it_cannot_be_taken_off() -> None:
    run("""
guard.install()
guard._installed.clear()
del sys.modules["pipeline.net.guard"], guard
gc.collect()
refused(socket.socket().connect, ("192.0.2.1", 25))
""")


def test_loopback_and_file_system_sockets_stay_free() -> None:
    run("""
import os, tempfile
listener = socket.create_server(("127.0.0.1", 0))
socket.create_connection(listener.getsockname()).close()
socket.create_connection(("localhost", listener.getsockname()[1])).close()
with tempfile.TemporaryDirectory() as folder:
    local = socket.socket(socket.AF_UNIX)
    local.bind(os.path.join(folder, "s")); local.listen()
    socket.socket(socket.AF_UNIX).connect(os.path.join(folder, "s"))
""")


def test_aiohttp_and_dnspython_work_on_loopback() -> None:
    run("""
import aiohttp, dns.asyncquery, dns.message
from datetime import UTC, datetime
from pipeline.sandbox import dns_server, rdap_server
from pipeline.sandbox.networks import RangeTable
clock = lambda: datetime.now(UTC)
async def talk():
    async with (
        rdap_server.serve(rdap_server.RdapTable(RangeTable([])), clock, []) as web,
        dns_server.serve(dns_server.DnsTable(), clock, []) as names,
        aiohttp.ClientSession() as session,
    ):
        async with session.get(f"http://127.0.0.1:{web}/arin/ip/192.0.2.1") as response:
            assert response.status == 404
        query = dns.message.make_query("mail.example", "MX")
        assert (await dns.asyncquery.udp(query, "127.0.0.1", 5, names)).rcode() == 3
        assert (await dns.asyncquery.tcp(query, "127.0.0.1", 5, names)).rcode() == 3
asyncio.run(talk())
""")
