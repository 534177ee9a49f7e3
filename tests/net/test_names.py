"""Texts, ways of mail and names of addresses, asked of a real name server on loopback."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from pipeline.domain import Clock, NameKind, NameQuestion, NameReply, TemporaryFailure
from pipeline.net import names
from pipeline.net.names import LONGEST_TEXT, MOST_NAMES, MOST_TEXTS
from pipeline.net.nameserver import DnsSettings, Nameserver
from pipeline.sandbox import dns_server
from pipeline.sandbox.dns_server import DnsTable, OriginZone, Zone, ZoneFault
from pipeline.sandbox.thread import in_thread

Asked = Callable[..., list[NameReply]]
LONG_NAME = ".".join(["x" * 63] * 3 + ["y" * 53, "example"])  # 253 octets as text, 255 on the wire
HOSTILE = (r"a\032b.example.", r"a\010b.example.", r"\000.example.", r"a\.b.example.", "-x.example.")
RECORDS: dict[tuple[str, str], tuple[str, ...]] = {
    # mail
    ("holder.example", "MX"): ("20 second.holder.example.", "10 FIRST.holder.example."),
    ("own.example", "A"): ("192.0.2.25",),
    ("six.example", "AAAA"): ("2001:db8::25",),
    ("null.example", "MX"): ("0 .",),
    ("null.example", "A"): ("192.0.2.25",),
    ("both.example", "MX"): ("0 .", "10 mx.both.example."),
    ("hostile.example", "MX"): (r"10 a\032b.example.", r"20 a\010b.example."),
    ("partly.example", "MX"): (r"10 a\032b.example.", "20 mx.partly.example."),
    ("alias.example", "CNAME"): ("holder.example.",),
    ("xn--bcher-kva.example", "MX"): ("10 mx.holder.example.",),
    ("circle.example", "CNAME"): ("again.circle.example.",),
    ("again.circle.example", "CNAME"): ("circle.example.",),
    # texts
    ("text.example", "TXT"): ('"v=1" "; two strings"', '"another"'),
    ("control.example", "TXT"): (r'"a\000b\010c\027[31m\127d" "  e"',),
    ("latin.example", "TXT"): (r'"caf\233"',),
    ("many.example", "TXT"): tuple(f'"{n:02}"' for n in range(MOST_TEXTS + 5)),
    ("long.example", "TXT"): (" ".join(['"' + "x" * 250 + '"'] * 5),),
    # names of addresses
    ("25.2.0.192.in-addr.arpa", "PTR"): ("mx.holder.example.", "other.holder.example."),
    ("mx.holder.example", "A"): ("198.51.100.1", "192.0.2.25"),
    ("other.holder.example", "A"): ("198.51.100.1",),
    ("26.2.0.192.in-addr.arpa", "PTR"): ("other.holder.example.",),
    ("27.2.0.192.in-addr.arpa", "PTR"): (*HOSTILE, LONG_NAME + "."),
    (LONG_NAME, "A"): ("192.0.2.27",),
    ("28.2.0.192.in-addr.arpa", "PTR"): tuple(f"{n}.many.example." for n in range(MOST_NAMES + 4)),
    **{(f"{n}.many.example", "A"): ("192.0.2.28",) for n in range(MOST_NAMES + 4)},
    ("29.2.0.192.in-addr.arpa", "PTR"): ("x.servfail.example.",),
    ("30.2.0.192.in-addr.arpa", "PTR"): ("x.servfail.example.", "sure.example."),
    ("sure.example", "A"): ("192.0.2.30",),
    ("31.2.0.192.in-addr.arpa", "CNAME"): ("31.0/25.2.0.192.in-addr.arpa.",),  # RFC 2317
    ("31.0/25.2.0.192.in-addr.arpa", "PTR"): ("sure31.example.",),
    ("sure31.example", "A"): ("192.0.2.31",),
    ("5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "PTR"): ("six.example.",),
}
FAULTS = {
    "servfail.example": ZoneFault.SERVFAIL,
    "refused.example": ZoneFault.REFUSED,
    "silent.example": ZoneFault.SILENT,
    "other-question.example": ZoneFault.WRONG_QUESTION,
    "other-id.example": ZoneFault.WRONG_ID,
}
TABLE = DnsTable(
    tuple(Zone(name, fault=fault) for name, fault in FAULTS.items()),
    RECORDS,
    (
        OriginZone(
            "origin.example",
            {
                ip_network("192.0.2.0/24"): ("64496 64497 | 192.0.2.0/24 | CA | arin | 2001-02-03",),
                ip_network("192.0.2.128/25"): ("64498 | 192.0.2.128/25 | CA | arin | 2001-02-03",),
                ip_network("2001:db8::/32"): ("64499 | 2001:db8::/32 | CA | arin | 2001-02-03",),
            },
        ),
    ),
)


def reply_to(ask: Asked, clock: Clock, kind: NameKind, name: str, log: dns_server.Log | None = None) -> NameReply:
    with in_thread(dns_server.serve(TABLE, clock, [] if log is None else log)) as port:
        settings = DnsSettings((Nameserver(ip_address("127.0.0.1"), port),), timeout=0.5, tries=1)
        return ask(names.edge(settings, clock), [NameQuestion("key", kind, name)])[0]


def body(reply: NameReply) -> Any:
    assert (reply.answer.content_type, reply.answer.failure) == ("application/json", None)
    return json.loads(reply.answer.body)


@pytest.mark.parametrize(
    ("domain", "status", "route", "hosts", "why"),
    [
        ("holder.example", 200, "mx", ["first.holder.example", "second.holder.example"], ""),
        ("HOLDER.example.", 200, "mx", ["first.holder.example", "second.holder.example"], ""),
        ("own.example", 200, "address", ["own.example"], ""),
        ("six.example", 200, "address", ["six.example"], ""),
        ("null.example", 200, "null_mx", [], "null MX"),
        ("both.example", 200, "mx", ["mx.both.example"], ""),
        ("alias.example", 200, "mx", ["first.holder.example", "second.holder.example"], ""),
        ("xn--bcher-kva.example", 200, "mx", ["mx.holder.example"], ""),
        ("partly.example", 200, "mx", ["mx.partly.example"], ""),
        ("hostile.example", 404, "none", [], "no MX names a host"),
        ("text.example", 404, "none", [], "neither MX nor address"),
        ("gone.example", 404, "none", [], "no such domain"),
        ("x" * 64 + ".example", 404, "none", [], "not a domain name"),
        ("a..example", 404, "none", [], "not a domain name"),
        ("a b.example", 404, "none", [], "not a domain name"),
        ("a\r\nb.example", 404, "none", [], "not a domain name"),
        ("bücher.example", 404, "none", [], "not a domain name"),
        ("x." * 200 + "example", 404, "none", [], "not a domain name"),
        ("", 404, "none", [], "not a domain name"),
    ],
)
def test_the_route_of_mail_is_mx_then_address_and_a_null_mx_takes_none(
    ask: Asked, clock: Clock, domain: str, status: int, route: str, hosts: list[str], why: str
) -> None:
    reply = reply_to(ask, clock, NameKind.MAIL, domain)
    assert (reply.key, reply.kind, reply.name, reply.answer.status) == ("key", NameKind.MAIL, domain, status)
    assert body(reply) == {"route": route, "hosts": hosts, "why": why}


@pytest.mark.parametrize(
    ("name", "status", "addresses"),
    [
        ("own.example", 200, ["192.0.2.25"]),
        ("six.example", 200, ["2001:db8::25"]),
        ("mx.holder.example", 200, ["192.0.2.25", "198.51.100.1"]),
        ("text.example", 404, []),
        ("gone.example", 404, []),
        ("a b.example", 404, []),
    ],
)
def test_the_addresses_of_a_host_come_in_the_order_of_numbers(
    ask: Asked, clock: Clock, name: str, status: int, addresses: list[str]
) -> None:
    reply = reply_to(ask, clock, NameKind.ADDRESSES, name)
    assert (reply.answer.status, body(reply)) == (status, {"addresses": addresses})


@pytest.mark.parametrize(
    ("name", "status", "texts"),
    [
        ("text.example", 200, ["another", "v=1; two strings"]),
        ("control.example", 200, ["a b c [31m d e"]),
        ("latin.example", 200, ["caf\ufffd"]),
        ("many.example", 200, [f"{n:02}" for n in range(MOST_TEXTS)]),
        ("long.example", 200, ["x" * LONGEST_TEXT]),  # truncated over UDP, whole over TCP
        ("holder.example", 404, []),
        ("gone.example", 404, []),
        ("x" * 64 + ".example", 404, []),
        ("7.2.0.192.origin.example", 200, ["64496 64497 | 192.0.2.0/24 | CA | arin | 2001-02-03"]),
        ("129.2.0.192.origin.example", 200, ["64498 | 192.0.2.128/25 | CA | arin | 2001-02-03"]),
        ("7.100.51.198.origin.example", 404, []),
    ],
)
def test_the_texts_of_a_name_are_bounded_and_without_control_characters(
    ask: Asked, clock: Clock, name: str, status: int, texts: list[str]
) -> None:
    reply = reply_to(ask, clock, NameKind.TXT, name)
    assert (body(reply), reply.answer.status) == ({"txt": texts}, status)


@pytest.mark.parametrize(
    ("address", "status", "found"),
    [
        ("192.0.2.25", 200, ["mx.holder.example"]),  # one of its two names leads back
        ("::ffff:192.0.2.25", 200, ["mx.holder.example"]),
        ("192.0.2.26", 404, []),  # a name that leads elsewhere
        ("192.0.2.27", 200, [LONG_NAME]),  # the hostile names are not even asked
        ("192.0.2.28", 200, [f"{n}.many.example" for n in range(MOST_NAMES)]),
        ("192.0.2.30", 200, ["sure.example"]),
        ("192.0.2.31", 200, ["sure31.example"]),
        ("2001:db8::25", 200, ["six.example"]),
        ("192.0.2.99", 404, []),
        ("not an address", 404, []),
    ],
)
def test_only_names_that_lead_back_to_the_address_are_its_names(
    ask: Asked, clock: Clock, address: str, status: int, found: list[str]
) -> None:
    reply = reply_to(ask, clock, NameKind.HOST, address)
    assert (body(reply), reply.answer.status) == ({"names": found}, status)


def test_no_more_names_of_an_address_are_looked_at_than_five(ask: Asked, clock: Clock) -> None:
    log: dns_server.Log = []
    reply = reply_to(ask, clock, NameKind.HOST, "192.0.2.28", log)
    assert len(log) == reply.answer.requests == 1 + MOST_NAMES


def test_a_hostile_name_of_an_address_is_never_asked(ask: Asked, clock: Clock) -> None:
    log: dns_server.Log = []
    reply_to(ask, clock, NameKind.HOST, "192.0.2.27", log)
    assert [text for _, text in log] == ["27.2.0.192.in-addr.arpa. PTR udp", f"{LONG_NAME}. A udp"]


@pytest.mark.parametrize("kind", [NameKind.TXT, NameKind.MAIL])
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("x.servfail.example", "SERVFAIL"),
        ("x.refused.example", "REFUSED"),
        ("x.silent.example", "timeout"),
        ("x.other-question.example", "wrong question"),
        ("x.other-id.example", "wrong question"),
        ("circle.example", "CNAME loop"),
    ],
)
def test_what_the_dns_could_not_say_is_a_temporary_failure_and_never_nothing(
    ask: Asked, clock: Clock, kind: NameKind, name: str, why: str
) -> None:
    answer = reply_to(ask, clock, kind, name).answer
    assert (answer.status, answer.failure) == (0, TemporaryFailure(why.lower().replace(" ", "-"), why))
    if kind is NameKind.MAIL:
        assert json.loads(answer.body) == {"route": "unknown", "hosts": [], "why": why}
    else:
        assert answer.body == b""


def test_a_name_that_could_not_be_looked_up_leaves_the_address_in_doubt(ask: Asked, clock: Clock) -> None:
    answer = reply_to(ask, clock, NameKind.HOST, "192.0.2.29").answer
    assert (answer.status, answer.body, answer.failure) == (0, b"", TemporaryFailure("servfail", "SERVFAIL"))


def test_without_a_nameserver_nothing_is_said(ask: Asked, clock: Clock) -> None:
    answer = ask(names.edge(DnsSettings(()), clock), [NameQuestion(1, NameKind.TXT, "text.example")])[0].answer
    assert (answer.status, answer.failure) == (0, TemporaryFailure("no-nameserver", "no nameserver"))


def test_a_raw_answer_says_what_was_asked_when_and_with_how_many_questions(
    ask: Asked, clock: Clock, now: datetime
) -> None:
    answer = reply_to(ask, clock, NameKind.MAIL, "own.example").answer
    assert (answer.source, answer.at, answer.requests) == ("dns:MAIL/own.example", now, 2)
    assert answer.body == b'{"hosts":["own.example"],"route":"address","why":""}'
    assert reply_to(ask, clock, NameKind.TXT, "a\r\n\u202eb" + "x" * 900).answer.source == "dns:TXT/a b" + "x" * 250


def test_a_question_waits_for_its_slot(ask: Asked, clock: Clock) -> None:
    with in_thread(dns_server.serve(TABLE, clock, [])) as port:
        settings = replace(DnsSettings((Nameserver(ip_address("127.0.0.1"), port),)), concurrency=1)
        delays = {"third": 0.4, "first": 0.0, "second": 0.2}
        questions = [NameQuestion(key, NameKind.TXT, "text.example", delay) for key, delay in delays.items()]
        replies = ask(names.edge(settings, clock), questions)
    assert [reply.key for reply in replies] == ["first", "second", "third"]
