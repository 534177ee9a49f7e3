"""Asking DNSBL zones: three values, and which zones may be believed, against a real name server on loopback."""

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from ipaddress import ip_address
from typing import Any

import dns.message
import dns.rrset
import pytest

from pipeline.domain import Address, Clock, Listing, ZoneAnswer, ZoneQuestion
from pipeline.net import dnsbl
from pipeline.net.dnsbl import RFC5782_IPV4, RFC5782_IPV6, Points, ZoneSource, check_zone
from pipeline.net.nameserver import DnsSettings, Nameserver
from pipeline.sandbox import dns_server
from pipeline.sandbox.dns_server import DnsTable, Listed, Zone, ZoneFault
from pipeline.sandbox.thread import in_thread

ZONE = "relays.dnsbl.example"
V4, V6 = ip_address("192.0.2.7"), ip_address("2001:db8::7")
LOOPBACK = ip_address("127.0.0.1")
Asked = Callable[..., list[ZoneAnswer]]
Log = list[tuple[datetime, str]]


@contextmanager
def nameserver(clock: Clock, zone: Zone, log: Log | None = None) -> Iterator[DnsSettings]:
    with in_thread(dns_server.serve(DnsTable((zone,)), clock, [] if log is None else log)) as port:
        yield DnsSettings((Nameserver(LOOPBACK, port),), timeout=5.0, tries=2)


def zone(fault: ZoneFault | None = None) -> Zone:
    four, six = Listed(("127.0.0.10", "127.0.0.2"), "open relay, tested"), Listed(("127.0.0.3",))
    return Zone(ZONE, {V4: four, V6: six}, fault)


def answer_to(ask: Asked, clock: Clock, fault: ZoneFault | None, address: Address = V4) -> ZoneAnswer:
    with nameserver(clock, zone(fault)) as settings:
        return ask(dnsbl.edge(settings), [ZoneQuestion(ZONE, address, want_text=True)])[0]


def test_a_listed_address_has_its_codes_in_numeric_order_and_its_text(ask: Asked, clock: Clock) -> None:
    assert answer_to(ask, clock, None) == ZoneAnswer(
        ZONE, V4, Listing.LISTED, ("127.0.0.2", "127.0.0.10"), "open relay, tested"
    )


def test_an_ipv6_address_is_asked_by_its_nibbles(ask: Asked, clock: Clock) -> None:
    log: Log = []
    with nameserver(clock, zone(), log) as settings:
        found = ask(dnsbl.edge(settings), [ZoneQuestion(ZONE, V6)])
    assert found == [ZoneAnswer(ZONE, V6, Listing.LISTED, ("127.0.0.3",))]
    nibbles = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"
    assert [question for _, question in log] == [f"{nibbles}.{ZONE}. A udp"]


def test_nxdomain_alone_is_not_listed(ask: Asked, clock: Clock) -> None:
    other = ip_address("192.0.2.8")
    assert answer_to(ask, clock, None, other) == ZoneAnswer(ZONE, other, Listing.NOT_LISTED)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (ZoneFault.SERVFAIL, "SERVFAIL"),
        (ZoneFault.REFUSED, "REFUSED"),
        (ZoneFault.NO_RECORD, "NOERROR without an address"),
        (ZoneFault.OUTSIDE, "answer outside 127.0.0.0/8"),
        (ZoneFault.ERROR_CODE, "error code 127.255.255.254"),
        (ZoneFault.WRONG_QUESTION, "wrong question"),
    ],
)
def test_everything_else_is_unknown_and_says_why(ask: Asked, clock: Clock, fault: ZoneFault, why: str) -> None:
    for address in (V4, ip_address("192.0.2.8")):
        assert answer_to(ask, clock, fault, address) == ZoneAnswer(ZONE, address, Listing.UNKNOWN, why=why)


def test_silence_is_unknown(ask: Asked, clock: Clock) -> None:
    log: Log = []
    with nameserver(clock, zone(ZoneFault.SILENT), log) as settings:
        hasty = DnsSettings(settings.nameservers, timeout=0.3, tries=2)
        found = ask(dnsbl.edge(hasty), [ZoneQuestion(ZONE, V4)])
    assert found == [ZoneAnswer(ZONE, V4, Listing.UNKNOWN, why="timeout")]
    assert len(log) == 2


def test_a_truncated_answer_is_asked_for_again_over_tcp(ask: Asked, clock: Clock) -> None:
    log: Log = []
    with nameserver(clock, zone(ZoneFault.TRUNCATED), log) as settings:
        found = ask(dnsbl.edge(settings), [ZoneQuestion(ZONE, V4)])
    assert found[0].codes == ("127.0.0.2", "127.0.0.10")
    assert [question.split()[-1] for _, question in log] == ["udp", "tcp"]


def test_more_codes_than_fit_into_a_datagram_come_whole(ask: Asked, clock: Clock) -> None:
    codes = tuple(f"127.0.0.{n}" for n in range(2, 102))
    with nameserver(clock, Zone(ZONE, {V4: Listed(codes)})) as settings:
        assert ask(dnsbl.edge(settings), [ZoneQuestion(ZONE, V4)])[0].codes == codes


@pytest.mark.parametrize(
    ("words", "why"),
    [(b"", "malformed"), (b"\x81\x80", "malformed"), (b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\xff", "malformed")],
)
def test_what_is_not_dns_is_unknown(clock: Clock, words: bytes, why: str) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)
        settings = DnsSettings((Nameserver(LOOPBACK, server.getsockname()[1]),), timeout=5.0, tries=1)
        with dnsbl.edge(settings) as edge:
            edge.ask(ZoneQuestion(ZONE, V4))
            question, client = server.recvfrom(512)
            server.sendto(question[:2] + words, client)
            assert edge.take(timeout=20) == [ZoneAnswer(ZONE, V4, Listing.UNKNOWN, why=why)]


def test_an_answer_from_another_address_is_not_taken(clock: Clock) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as server, socket.socket(type=socket.SOCK_DGRAM) as forger:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)
        forger.bind(("127.0.0.1", 0))
        settings = DnsSettings((Nameserver(LOOPBACK, server.getsockname()[1]),), timeout=10.0, tries=1)
        with dnsbl.edge(settings) as edge:
            edge.ask(ZoneQuestion(ZONE, V4))
            wire, client = server.recvfrom(512)
            query = dns.message.from_wire(wire)
            for socket_, code in ((forger, "127.0.0.66"), (server, "127.0.0.2")):
                response = dns.message.make_response(query)
                response.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", code))
                socket_.sendto(response.to_wire(), client)
            assert edge.take(timeout=20)[0].codes == ("127.0.0.2",)


def test_the_next_server_is_asked_when_the_first_refuses(ask: Asked, clock: Clock) -> None:
    with nameserver(clock, zone(ZoneFault.REFUSED)) as first, nameserver(clock, zone()) as second:
        both = DnsSettings(first.nameservers + second.nameservers, timeout=5.0, tries=2)
        assert ask(dnsbl.edge(both), [ZoneQuestion(ZONE, V4)])[0].listing is Listing.LISTED


def test_a_server_that_refused_is_not_asked_again_at_once(ask: Asked, clock: Clock) -> None:
    log: Log = []
    with nameserver(clock, zone(ZoneFault.SERVFAIL), log) as settings:
        ask(dnsbl.edge(settings), [ZoneQuestion(ZONE, V4)])
    assert len(log) == 1


def test_a_text_is_asked_only_for_listed_addresses_and_when_wanted(ask: Asked, clock: Clock) -> None:
    log: Log = []
    with nameserver(clock, zone(), log) as settings:
        questions = [ZoneQuestion(ZONE, V4), ZoneQuestion(ZONE, ip_address("192.0.2.8"), want_text=True)]
        assert {found.text for found in ask(dnsbl.edge(settings), questions)} == {""}
    assert [question.split()[1] for _, question in log] == ["A", "A"]


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("one\r\nBcc: two\x00\x1b[31m", "one Bcc: two [31m"),
        ("a\u202eb\u200bc\u2028d", "a b c d"),
        ("é" * 300, "é" * 255),
        ("x" * 1_000, "x" * 255),
        ("   ", ""),
    ],
)
def test_a_text_is_cleaned_and_cut(ask: Asked, clock: Clock, text: str, clean: str) -> None:
    with nameserver(clock, Zone(ZONE, {V4: Listed(("127.0.0.2",), text)})) as settings:
        assert ask(dnsbl.edge(settings), [ZoneQuestion(ZONE, V4, want_text=True)])[0].text == clean


def test_a_zone_is_shown_by_its_name_and_asked_by_its_secret_one(
    ask: Asked, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Also when it fails, at the most talkative level of every library, and when a source is printed."""
    caplog.set_level(logging.DEBUG)
    log: Log = []
    shown: list[Any] = []
    for fault in (None, *ZoneFault):
        keyed = Zone("s3cret.dq.example", {V4: Listed(("127.0.0.2",), "listed")}, fault)
        with nameserver(clock, keyed, log) as settings:
            sources = {"Big list": ZoneSource("s3cret.dq.example", settings.nameservers)}
            hasty = DnsSettings((), timeout=0.2, tries=1)
            shown += [sources, check_zone("Big list", hasty, sources)]
            shown += ask(dnsbl.edge(hasty, sources), [ZoneQuestion("Big list", V4, want_text=True)])
    assert {found.zone for found in shown if isinstance(found, ZoneAnswer)} == {"Big list"}
    assert any("s3cret" in question for _, question in log)
    assert "s3cret" not in repr(shown) + caplog.text


def test_a_name_that_cannot_be_asked_is_unknown_and_not_shown(ask: Asked, clock: Clock) -> None:
    settings = DnsSettings((Nameserver(LOOPBACK, 9),), timeout=0.2, tries=1)
    found = ask(dnsbl.edge(settings, {"Big list": ZoneSource("s3cret" * 20)}), [ZoneQuestion("Big list", V4)])
    assert found == [ZoneAnswer("Big list", V4, Listing.UNKNOWN, why="zone name is not usable")]


def test_a_zone_with_its_test_points_is_healthy(clock: Clock) -> None:
    with nameserver(clock, zone()) as settings:
        health = check_zone(ZONE, settings, points=(RFC5782_IPV4, RFC5782_IPV6))
    assert (health.zone, health.healthy, health.reasons) == (ZONE, True, ())


@pytest.mark.parametrize(
    ("fault", "reasons"),
    [
        (ZoneFault.WORLD, ("127.0.0.1 must not be listed and is (127.0.0.2)",)),
        (ZoneFault.ERROR_CODE, ("127.0.0.1: error code 127.255.255.254", "127.0.0.2: error code 127.255.255.254")),
        (ZoneFault.SERVFAIL, ("127.0.0.1: SERVFAIL", "127.0.0.2: SERVFAIL")),
        (ZoneFault.REFUSED, ("127.0.0.1: REFUSED", "127.0.0.2: REFUSED")),
        (ZoneFault.OUTSIDE, ("127.0.0.1: answer outside 127.0.0.0/8", "127.0.0.2: answer outside 127.0.0.0/8")),
        (ZoneFault.NO_RECORD, ("127.0.0.1: NOERROR without an address", "127.0.0.2: NOERROR without an address")),
    ],
)
def test_a_zone_that_cannot_be_believed_says_why(clock: Clock, fault: ZoneFault, reasons: tuple[str, ...]) -> None:
    with nameserver(clock, zone(fault)) as settings:
        health = check_zone(ZONE, settings)
    assert (health.healthy, health.reasons) == (False, reasons)


def test_an_emptied_zone_is_not_believed(clock: Clock) -> None:
    with nameserver(clock, Zone(ZONE, test_points=False)) as settings:
        health = check_zone(ZONE, settings, points=(RFC5782_IPV4, RFC5782_IPV6))
    assert health.reasons == ("127.0.0.2 must be listed and is not", "::ffff:7f00:2 must be listed and is not")


def test_a_zone_with_points_of_its_own_is_checked_by_them(clock: Clock) -> None:
    own = Zone(ZONE, {LOOPBACK: Listed(("127.0.0.1",))}, test_points=False)
    points = Points(listed=(LOOPBACK,), unlisted=(ip_address("127.0.0.200"),))
    with nameserver(clock, own) as settings:
        assert not check_zone(ZONE, settings).healthy
        assert check_zone(ZONE, settings, points=(points,)).healthy


@pytest.mark.parametrize("points", [(), (Points((LOOPBACK,), ()),), (Points((), (LOOPBACK,)),)])
def test_a_check_that_could_prove_nothing_is_refused(points: tuple[Points, ...]) -> None:
    with pytest.raises(ValueError, match="must be listed"):
        check_zone(ZONE, DnsSettings(()), points=points)
