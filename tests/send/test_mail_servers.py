"""Whose servers take a domain's mail, asked of a real name server on loopback, kept for a day, whatever it answers."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from ipaddress import ip_address

import pytest
from sqlalchemy import text

from pipeline.domain import NameQuestion, NameReply, Wire
from pipeline.net import names
from pipeline.net.nameserver import DnsSettings, Nameserver
from pipeline.sandbox import dns_server
from pipeline.sandbox.dns_server import DnsTable, Zone, ZoneFault
from pipeline.sandbox.thread import in_thread
from pipeline.send.mail_servers import KEEP, KEEP_UNKNOWN, LOOK_AGAIN, MailServers
from pipeline.store import mail_domains
from pipeline.store.db import Database
from pipeline.store.mail_domains import MailDomain
from tests.seed import wave_of_letters

LONG_NAME = ".".join(["x" * 63] * 3 + ["y" * 53, "example"])  # 253 octets as text, 255 on the wire
RECORDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("isp1.example", "MX"): ("10 alt1.aspmx.l.google.com.", "5 aspmx.l.google.com."),
    ("isp2.example", "MX"): ("0 isp2-example.mail.protection.outlook.com.",),
    ("isp3.example", "MX"): ("10 mx7.host.example.",),
    ("isp4.example", "MX"): ("0 .",),
    ("isp5.example", "A"): ("192.0.2.5",),
    ("isp6.example", "MX"): tuple(f"{n + 10} mx{n}.many.example." for n in range(1000)),
    ("isp7.example", "MX"): (f"10 {LONG_NAME}.",),
    ("isp8.example", "MX"): (r"1 a\032b\010.google.com.", "20 mx.partly.example."),
    ("isp9.example", "MX"): (r"1 \000\127.google.com.",),
}
TABLE = DnsTable(
    (Zone("isp10.example", fault=ZoneFault.SERVFAIL), Zone("isp11.example", fault=ZoneFault.SILENT)), RECORDS
)
EXPECTED = {
    "isp1.example": ("google", "mx"),
    "isp2.example": ("microsoft", "mx"),
    "isp3.example": ("host.example", "mx"),
    "isp4.example": ("isp4.example", "null_mx"),  # RFC 7505
    "isp5.example": ("isp5.example", "address"),
    "isp6.example": ("many.example", "mx"),
    "isp7.example": (LONG_NAME.rsplit(".", 2)[-2] + ".example", "mx"),
    "isp8.example": ("partly.example", "mx"),
    "isp9.example": ("isp9.example", "none"),  # no MX names a host
    "isp10.example": ("isp10.example", "unknown"),
    "isp11.example": ("isp11.example", "unknown"),
    "isp12.example": ("isp12.example", "none"),  # no such domain
}


@contextmanager
def asked(now: datetime, log: dns_server.Log) -> Iterator[Wire[NameQuestion, NameReply]]:
    with in_thread(dns_server.serve(TABLE, lambda: now, log)) as port:
        settings = DnsSettings((Nameserver(ip_address("127.0.0.1"), port),), timeout=3.0, tries=1)
        with names.edge(settings, lambda: now) as edge:
            yield edge


def look(db: Database, servers: MailServers, domains: Sequence[str], now: datetime) -> dict[str, MailDomain | None]:
    """Look ahead until nothing is awaited; a domain that stays silent costs the time-out of a question."""
    end = time.monotonic() + 20
    while True:
        with db.write() as connection:
            servers.look_ahead(connection, [1], now)
            found = servers.of(connection, domains, now)
        if None not in found.values() or time.monotonic() > end:
            return found
        time.sleep(0.01)  # the edge has a thread of its own


def test_a_domain_belongs_to_the_provider_of_its_best_mx_host_whatever_a_stranger_answers(
    db: Database, now: datetime
) -> None:
    wave_of_letters(db, now, 12)
    log: dns_server.Log = []
    with asked(now, log) as wire:
        found = look(db, MailServers(wire), list(EXPECTED), now)
        assert {name: (one.mx_group, one.route) for name, one in found.items() if one is not None} == EXPECTED
        assert {name: one.until - now for name, one in found.items() if one is not None} == {
            name: KEEP_UNKNOWN if route == "unknown" else KEEP for name, (_, route) in EXPECTED.items()
        }
        count = len(log)
        assert look(db, MailServers(wire), list(EXPECTED), now) == found  # another run: nothing is asked again
        assert len(log) == count


def test_what_is_kept_is_asked_again_after_its_time_and_serves_until_then(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 10)
    old = [
        MailDomain("isp1.example", "before", "mx", now - KEEP, now),
        MailDomain("isp10.example", "before", "mx", now - KEEP, now),
    ]
    with db.write() as connection:
        mail_domains.keep(connection, old)
    log: dns_server.Log = []
    with asked(now, log) as wire:
        servers = MailServers(wire)
        with db.write() as connection:
            at_once = servers.of(connection, ["isp1.example"], now)["isp1.example"]
        assert at_once is not None
        assert at_once.mx_group == "before"  # no letter waits for it
        look(db, servers, list(EXPECTED)[:10], now)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            again = look(db, servers, ["isp1.example", "isp10.example"], now)
            if all(one is not None and one.asked_at == now for one in again.values()):
                break
    groups = {name: one.mx_group for name, one in again.items() if one is not None}
    assert groups == {"isp1.example": "google", "isp10.example": "before"}  # the DNS could not say: as it was


def test_letters_are_looked_at_again_for_domains_that_have_come_since(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 2)
    with asked(now, []) as wire:
        servers = MailServers(wire)
        look(db, servers, ["isp1.example"], now)
        look(db, servers, ["isp2.example"], now)
        with db.write() as connection:
            connection.execute(text("UPDATE contacts SET mailbox = 'abuse@isp3.example' WHERE id = 2"))
        later = now + LOOK_AGAIN
        end = time.monotonic() + 20
        while time.monotonic() < end:
            look(db, servers, [], later)
            with db.read() as connection:
                if mail_domains.known(connection, ["isp3.example"]):
                    return
    pytest.fail("the domain was never asked about")


def test_without_a_name_server_a_domain_stands_for_itself(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 1)
    unknown = MailDomain("isp1.example", "isp1.example", "unknown", now, now + timedelta(hours=1))
    assert look(db, MailServers(), ["isp1.example"], now) == {"isp1.example": unknown}
