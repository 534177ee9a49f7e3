"""The pace of questions to one server: none waits for a turn at its edge, and none piles up where a server stands still."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Generic, TypeVar

import pytest

from pipeline.domain import RdapQuestion, RdapReply, WhoisQuestion, WhoisReply, Wire
from pipeline.net.http import HttpSettings
from pipeline.net.whois import WhoisSettings
from pipeline.resolve.run import Resolving, resolve
from pipeline.resolve.work import PACED_AT_HOST, SILENCE
from pipeline.sandbox.networks import RdapFault
from pipeline.sandbox.streams import listening
from pipeline.sandbox.thread import in_thread
from pipeline.store.db import Database
from tests import cases as seed
from tests.resolve.small_internet import HTTP, SETTINGS, Internet, clock, internet, network, resolving, run, spread

FAST = 1_000.0  # questions a second: a limit that hardly waits


Asked = TypeVar("Asked")
Heard = TypeVar("Heard")


@dataclass
class Counted(Generic[Asked, Heard]):
    """A wire that notes the most questions that were handed over and not answered."""

    wire: Wire[Asked, Heard]
    under_way: int = 0
    most: int = field(default=0)

    def room(self) -> bool:
        return self.wire.room()

    def ask(self, question: Asked) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        self.wire.ask(question)

    def tell_all(self, messages: Sequence[Asked]) -> None:
        self.wire.tell_all(messages)

    def take(self, timeout: float) -> Sequence[Heard]:
        replies = self.wire.take(timeout)
        self.under_way -= len(replies)
        return replies

    def done(self, count: int = 1) -> None:
        self.wire.done(count)


Counts = tuple[Resolving, Counted[RdapQuestion, RdapReply], Counted[WhoisQuestion, WhoisReply]]


def counted(run: Resolving) -> Counts:
    by_rdap, by_whois = Counted(run.rdap), Counted(run.whois)
    return replace(run, rdap=by_rdap, whois=by_whois), by_rdap, by_whois


@pytest.mark.parametrize(("turns", "rate", "most"), [(1, FAST, 1), (3, FAST, 3), (50, FAST, PACED_AT_HOST), (3, 0, 12)])
def test_no_more_questions_with_a_limit_are_handed_over_than_may_leave_at_once(
    sqlite: Database, turns: int, rate: float, most: int
) -> None:
    """One that waited for its turn would leave after its slot, beside that of another worker."""
    prefixes = spread("2001:db8::/32", 36, 12)  # each looked up by itself
    seed.cases(sqlite, clock(), 1, [ip_address(prefix.partition("/")[0]) for prefix in prefixes])
    networks = [network(prefix, "abuse@one.example", RdapFault.FORBIDDEN) for prefix in prefixes]
    settings = replace(SETTINGS, rate=rate, whois_rate=rate, rdap_turns=turns, whois_turns=turns)
    with (
        internet([network(prefix, "") for prefix in prefixes], whois_networks=networks) as net,
        resolving(sqlite, net, 1, settings=settings, http=replace(HTTP, concurrency=turns)) as prepared,
    ):
        one, by_rdap, by_whois = counted(prepared)
        resolve(one)
    assert len(net.asked) == len(net.whois_log) == 12
    assert by_rdap.most == most
    assert by_whois.most <= most


@dataclass
class Still:
    """What reached a server that stands still from its first question on, and when it went on."""

    arrivals: list[datetime] = field(default_factory=list)
    went_on: datetime | None = None
    port: int = 0


@contextmanager
def standing_still(questions: int, time: timedelta) -> Iterator[Still]:
    """A registry that answers nothing until it has so many questions and that time has passed, and then at once."""
    still, go_on = Still(), asyncio.Event()

    def wake() -> None:
        still.went_on = clock()
        go_on.set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            still.arrivals.append(clock())
            if len(still.arrivals) == questions:
                asyncio.get_running_loop().call_later(time.total_seconds(), wake)
            await go_on.wait()
            address = head.decode().split(" ")[1].rpartition("/")[2]
            body = json.dumps({"objectClassName": "ip network", "startAddress": address, "endAddress": address})
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
            await writer.drain()

    with in_thread(listening(converse, "127.0.0.1", 0)) as still.port:
        yield still


@pytest.mark.parametrize(("rate", "most"), [(1.5, 1), (2.0, 2), (5.0, 3)])
def test_a_server_that_stands_still_finds_few_questions_when_it_goes_on_and_is_then_left_alone_for_a_second(
    sqlite: Database, rate: float, most: int
) -> None:
    """Two workers' questions, read in one second, are no more than the limit and two."""
    assert 2 * most <= rate + 2
    seed.cases(sqlite, clock(), 1, [ip_address(f"2001:db8:{n}000::1") for n in range(most + 2)])
    with standing_still(most, SILENCE * 1.2) as still:
        registries = {6: {"services": [[["2001:db8::/32"], [f"http://127.0.0.1:{still.port}/ripencc/"]]]}}
        settings = replace(SETTINGS, rate=rate)
        assert run(sqlite, Internet(""), 1, registries=registries, settings=settings).questions == most + 2
    assert still.went_on is not None
    before = [at for at in still.arrivals if at <= still.went_on]
    after = [at for at in still.arrivals if at > still.went_on]
    assert len(before) == most
    if most > 1:  # one alone is counted by its own slot
        assert after[0] - still.went_on >= SILENCE


def test_turns_are_no_more_than_the_edges_have_by_default() -> None:
    assert SETTINGS.rdap_turns <= HttpSettings("test").concurrency
    assert SETTINGS.whois_turns <= WhoisSettings().concurrency


# --- what a registry said to one worker holds for all ----------------------------------------------------------------


REFUSALS = [
    RdapFault.RATE_LIMITED_UNTIL,  # 429, with a date
    RdapFault.UNAVAILABLE,  # 503, with a date
    RdapFault.BUSY,  # 503
    RdapFault.FORBIDDEN,  # 403
    RdapFault.RATE_NOTICE,  # 200
]


@pytest.mark.parametrize("rate", [0.0, 2.0])
@pytest.mark.parametrize("fault", REFUSALS)
def test_a_registry_that_refused_one_worker_is_asked_by_no_other_until_its_time(
    db: Database, fault: RdapFault, rate: float
) -> None:
    now, campaign = clock(), seed.campaign(db, clock())
    networks = [network("192.0.2.0/24", fault=fault), network("198.51.100.0/24", "abuse@one.example")]
    settings = replace(SETTINGS, rate=rate)
    brief = {"patience": timedelta(milliseconds=500)}
    with internet(networks) as net:
        seed.cases(db, now, campaign, [ip_address("192.0.2.1")])
        run(db, net, seed.worker(db, now), settings=settings, by=brief)
        seed.cases(db, now, campaign, [ip_address("198.51.100.1")])
        other = run(db, net, seed.another_worker(db, now), settings=settings, by=brief)
        assert net.asked == ["/ripencc/ip/192.0.2.1"]
    assert (other.questions, other.cases, other.why) == (0, 1, "rdap:127.0.0.1")
    assert other.wait is not None
    assert other.wait - now > timedelta(seconds=50)
    assert seed.all_cases(db)[1]["due_at"] == other.wait


def test_a_days_quota_is_spent_for_whoever_comes_later(db: Database) -> None:
    now, campaign = clock(), seed.campaign(db, clock())
    networks = [network(prefix, "abuse@one.example") for prefix in spread("2001:db8::/32", 36, 4)]
    settings = replace(SETTINGS, per_day={"127.0.0.1": 3})
    with internet(networks) as net:
        seed.cases(db, now, campaign, [ip_address(f"2001:db8:{n}000::1") for n in range(2)])
        assert run(db, net, seed.worker(db, now), settings=settings).questions == 2
        seed.cases(db, now, campaign, [ip_address(f"2001:db8:{n}000::1") for n in (2, 3)])
        later = run(db, net, seed.another_worker(db, now), settings=settings)
    assert (later.questions, later.why, len(net.asked)) == (1, "rdap:127.0.0.1", 3)
