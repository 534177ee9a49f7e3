"""The rule of the way of mail, over records as dnspython reads them; the wire is tried in test_names.py."""

import asyncio
from collections.abc import Sequence

import dns.name
import dns.rdata
import dns.rdatatype
import pytest

from pipeline.net.mx import MOST_HOSTS, MailRoute, Route, exchangers, mail_route
from pipeline.net.nameserver import NoAnswer

MANY = [f"{n} {n:02}.example." for n in range(MOST_HOSTS + 10)]
DOMAIN = dns.name.from_text("holder.example")


def mx(*texts: str) -> list[dns.rdata.Rdata]:
    return [dns.rdata.from_text("IN", "MX", text) for text in texts]


@pytest.mark.parametrize(
    ("records", "route"),
    [
        (
            ["20 c.example.", "5 b.example.", "10 a.example."],
            Route(MailRoute.MX, ("b.example", "a.example", "c.example")),
        ),
        (["10 B.example.", "10 a.example."], Route(MailRoute.MX, ("a.example", "b.example"))),
        (["10 a.example.", "20 a.example."], Route(MailRoute.MX, ("a.example",))),
        (["0 ."], Route(MailRoute.NULL_MX, why="null MX")),
        (["0 .", "10 a.example."], Route(MailRoute.MX, ("a.example",))),
        ([r"10 a\013b.example."], Route(MailRoute.NONE, why="no MX names a host")),
        ([r"10 a\032b.example.", "20 a.example."], Route(MailRoute.MX, ("a.example",))),
        (MANY, Route(MailRoute.MX, tuple(f"{n:02}.example" for n in range(MOST_HOSTS)))),
        ([], None),
    ],
)
def test_hosts_come_in_the_order_of_their_preference_and_only_if_they_are_hosts(
    records: list[str], route: Route | None
) -> None:
    assert exchangers(mx(*records)) == route


@pytest.mark.parametrize("fails_at", ["MX", "A", "AAAA"])
def test_a_question_without_an_answer_leaves_the_way_unknown(fails_at: str) -> None:
    async def look_up(_name: dns.name.Name, kind: dns.rdatatype.RdataType) -> Sequence[dns.rdata.Rdata]:
        if kind == dns.rdatatype.from_text(fails_at):
            raise NoAnswer("timeout")
        return ()

    assert asyncio.run(mail_route(DOMAIN, look_up)) == Route(MailRoute.UNKNOWN, why="timeout")


def test_an_address_is_not_asked_for_where_an_mx_decides() -> None:
    asked: list[str] = []

    async def look_up(_name: dns.name.Name, kind: dns.rdatatype.RdataType) -> Sequence[dns.rdata.Rdata]:
        asked.append(kind.name)
        return mx("10 a.example.")

    assert asyncio.run(mail_route(DOMAIN, look_up)) == Route(MailRoute.MX, ("a.example",))
    assert asked == ["MX"]
