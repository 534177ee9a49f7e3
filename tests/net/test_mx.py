"""How mail for a domain is routed, against a real name server on loopback."""

from collections.abc import Callable
from ipaddress import ip_address

import dns.message
import pytest

from pipeline.domain import Clock
from pipeline.net import mx
from pipeline.net.mx import MailRoute, MxQuestion, MxReply, mail_route
from pipeline.net.nameserver import DnsSettings, Nameserver
from pipeline.sandbox import dns_server
from pipeline.sandbox.dns_server import DnsTable, Zone, ZoneFault
from pipeline.sandbox.thread import in_thread

RECORDS = {
    ("holder.example", "MX"): ("20 second.holder.example.", "10 FIRST.holder.example."),
    ("own.example", "A"): ("192.0.2.25",),
    ("six.example", "AAAA"): ("2001:db8::25",),
    ("null.example", "MX"): ("0 .",),
    ("null.example", "A"): ("192.0.2.25",),
    ("text.example", "TXT"): ('"nothing here takes mail"',),
}
Asked = Callable[..., list[MxReply]]


def reply_to(ask: Asked, clock: Clock, domain: str, fault: ZoneFault | None = None) -> MxReply:
    table = DnsTable((Zone("broken.example", fault=fault),), RECORDS)
    with in_thread(dns_server.serve(table, clock, [])) as port:
        settings = DnsSettings((Nameserver(ip_address("127.0.0.1"), port),), timeout=1.0, tries=1)
        return ask(mx.edge(settings), [MxQuestion("key", domain)])[0]


@pytest.mark.parametrize(
    ("domain", "route", "hosts", "why"),
    [
        ("holder.example", MailRoute.MX, ("first.holder.example", "second.holder.example"), ""),
        ("own.example", MailRoute.ADDRESS, ("own.example",), ""),
        ("six.example", MailRoute.ADDRESS, ("six.example",), ""),
        ("null.example", MailRoute.NULL_MX, (), "null MX"),
        ("text.example", MailRoute.NONE, (), "neither MX nor address"),
        ("gone.example", MailRoute.NONE, (), "no such domain"),
        ("x" * 64 + ".example", MailRoute.NONE, (), "not a domain name"),
        ("a..example", MailRoute.NONE, (), "not a domain name"),
    ],
)
def test_the_route_is_mx_then_address_and_a_null_mx_takes_no_mail(
    ask: Asked, clock: Clock, domain: str, route: MailRoute, hosts: tuple[str, ...], why: str
) -> None:
    assert reply_to(ask, clock, domain) == MxReply("key", domain, route, hosts, why)


def test_hosts_come_in_the_order_of_their_preference() -> None:
    answer = dns.message.from_text("""id 1
opcode QUERY
rcode NOERROR
flags QR
;QUESTION
holder.example. IN MX
;ANSWER
holder.example. 300 IN MX 20 c.example.
holder.example. 300 IN MX 5 b.example.
holder.example. 300 IN MX 10 a.example.
""")
    assert mail_route(answer) == (MailRoute.MX, ("b.example", "a.example", "c.example"), "")


@pytest.mark.parametrize(
    ("fault", "why"),
    [(ZoneFault.SERVFAIL, "SERVFAIL"), (ZoneFault.SILENT, "timeout"), (ZoneFault.WRONG_QUESTION, "wrong question")],
)
def test_what_could_not_be_found_out_is_unknown_and_never_no_mail(
    ask: Asked, clock: Clock, fault: ZoneFault, why: str
) -> None:
    assert reply_to(ask, clock, "mail.broken.example", fault) == MxReply(
        "key", "mail.broken.example", MailRoute.UNKNOWN, (), why
    )
