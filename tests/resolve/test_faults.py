"""Every fault of a registry's server, by its name, in a whole run over real sockets: what comes of it, and what is kept.

The database is SQLite alone: what is stored does not differ by the fault, and test_run.py stores on both.
"""

import socket
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from pipeline.domain import CaseState
from pipeline.sandbox import recorded
from pipeline.sandbox.dns_server import DnsTable, Zone, ZoneFault
from pipeline.sandbox.networks import Autnum, Fault, RdapFault, WhoisFault
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests import cases as seed
from tests.namespace import alone
from tests.resolve.small_internet import (
    HTTP,
    ORIGIN,
    Internet,
    clock,
    internet,
    network,
    run,
    whois_saying,
    whole_chain,
    zones,
)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PREFIX, ADDRESS = "192.0.2.0/28", "192.0.2.1"
QUICK = replace(HTTP, timeout=1.0)


@pytest.fixture
def store(sqlite: Database) -> Database:
    """A database with a case about ADDRESS, and a worker, whose id is 1."""
    seed.cases(sqlite, clock(), 1, [ip_address(ADDRESS)])
    return sqlite


def case_of(db: Database) -> dict[str, Any]:
    [case] = seed.all_cases(db)
    assert case["worker_id"] is None
    return case


def count(db: Database, table: Any) -> int:
    with db.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def paused_for(db: Database, key: str) -> timedelta | None:
    """For how long nobody is asked who goes by that budget."""
    with db.read() as connection:
        until = connection.execute(select(t.budgets.c.next_at).where(t.budgets.c.key == key)).scalar()
    return None if until is None else until - clock()


def is_about(found: timedelta | None, meant: timedelta | None) -> bool:
    if found is None or meant is None:
        return found is meant
    return meant - MINUTE < found <= meant


def stays_open(db: Database, later: timedelta) -> None:
    """Nothing is concluded and nothing kept: the case is looked at again later."""
    case = case_of(db)
    assert (case["state"], case["event"], case["netblock_id"]) == (CaseState.SEEN, None, None)
    assert is_about(case["due_at"] - clock(), later)
    assert count(db, t.netblocks) == 0
    with db.read() as connection:  # where a redirect led to is kept for a day
        assert not connection.execute(select(t.raw_answers.c.source).where(t.raw_answers.c.status != 302)).all()


def time_goes_by(db: Database, time: timedelta) -> None:
    with db.write() as connection:
        connection.execute(update(t.cases).values(due_at=clock()))
        connection.execute(update(t.budgets).values(next_at=clock()))
        connection.execute(update(t.raw_answers).values(at=clock() - time))


# --- RDAP: what says nothing of the network ---------------------------------------------------------------------------


OPEN: list[tuple[RdapFault, timedelta, timedelta | None]] = [  # looked at again after, its server is left alone for
    (RdapFault.REDIRECT_LOOP, DAY, None),
    (RdapFault.REDIRECT_PRIVATE, DAY, None),  # 302 to 10.0.0.1
    (RdapFault.REDIRECT_MAPPED, DAY, None),
    (RdapFault.REDIRECT_PLAIN, DAY, None),
    (RdapFault.RATE_LIMITED, 15 * MINUTE, timedelta(seconds=1)),
    (RdapFault.RATE_LIMITED_UNTIL, 15 * MINUTE, 2 * MINUTE),
    (RdapFault.FORBIDDEN, 15 * MINUTE, MINUTE),
    (RdapFault.UNAVAILABLE, 15 * MINUTE, 2 * MINUTE),
    (RdapFault.BUSY, 15 * MINUTE, MINUTE),
    (RdapFault.RATE_NOTICE, 15 * MINUTE, MINUTE),  # with status 200
    (RdapFault.NOT_IMPLEMENTED, DAY, None),
    (RdapFault.INVALID_JSON, DAY, None),
    (RdapFault.WRONG_NETWORK, DAY, None),
    (RdapFault.TOO_LARGE, DAY, None),
    (RdapFault.GZIP_BOMB, DAY, None),
    (RdapFault.CUT_BODY, HOUR, None),
    (RdapFault.SLOW_BODY, HOUR, None),
    (RdapFault.NO_ANSWER, HOUR, None),
]


@pytest.mark.parametrize(("fault", "later", "pause"), OPEN, ids=[str(fault) for fault, *_ in OPEN])
def test_a_fault_of_an_rdap_server_concludes_nothing_and_is_never_cached(
    store: Database, fault: RdapFault, later: timedelta, pause: timedelta | None
) -> None:
    faults = {"ripencc": Fault(fault)}
    with internet([network(PREFIX, "abuse@one.example")], faults=faults) as net:
        run(store, net, 1, by={"patience": timedelta(milliseconds=500)}, http=QUICK)
        assert net.asked == [f"/ripencc/ip/{ADDRESS}"]
        stays_open(store, later)
        assert is_about(paused_for(store, "rdap:127.0.0.1"), pause)

        faults.clear()
        time_goes_by(store, later)
        run(store, net, 1)
        assert net.asked == [f"/ripencc/ip/{ADDRESS}"] * 2
    assert case_of(store)["mailbox"] == "abuse@one.example"


def test_every_fault_of_an_rdap_server_has_its_test() -> None:
    told = {RdapFault.NOT_FOUND, RdapFault.NULL_MEMBERS, RdapFault.WRONG_TYPE}  # below
    assert {fault for fault, *_ in OPEN} | told == set(RdapFault)


HTML = "<html><body><h1>Welcome</h1>abuse@one.example</body></html>"
OTHER: dict[str, tuple[str, int, str, timedelta]] = {  # body, status, media type, looked at again after
    "html-200": (HTML, 200, "text/html", DAY),
    "html-200-that-refuses": ("<html><h1>Access denied</h1></html>", 200, "text/html", 15 * MINUTE),
    "html-403": (HTML, 403, "text/html", 15 * MINUTE),
    "json-html": (HTML, 200, "application/rdap+json", DAY),
    "wrong-class": ('{"objectClassName": "autnum", "startAutnum": 1, "endAutnum": 2}', 200, "", DAY),
    "error-object-501": ('{"errorCode": 501, "title": "Not Implemented"}', 501, "", DAY),
    "error-object-in-200": ('{"errorCode": 429, "title": "Too many"}', 200, "", 15 * MINUTE),
    "empty": ("", 200, "", DAY),
    "a-list": ("[1, 2]", 200, "", DAY),
    "depth": ('{"entities":' + "[" * 100_000, 200, "", DAY),
}


@pytest.mark.parametrize("name", OTHER)
def test_a_body_that_is_no_answer_concludes_nothing(store: Database, tmp_path: Path, name: str) -> None:
    body, status, kind, later = OTHER[name]
    (tmp_path / "body").write_text(body)
    (tmp_path / "index.csv").write_text(
        f"registry,query,file,status,content_type\nripencc,{PREFIX},body,{status},{kind}\n"
    )
    with internet([network(PREFIX)], recorded=recorded.load(tmp_path)) as net:
        run(store, net, 1)
    stays_open(store, later)


def test_a_server_that_is_not_there_concludes_nothing(store: Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    registries = {4: {"services": [[[PREFIX], [f"http://127.0.0.1:{port}/ripencc/"]]]}}
    run(store, Internet(""), 1, registries=registries)
    stays_open(store, HOUR)


# --- RDAP: what is an answer all the same -----------------------------------------------------------------------------


def test_an_answer_that_is_called_html_is_read_by_what_it_is(store: Database) -> None:
    with internet([network(PREFIX, "abuse@one.example", RdapFault.WRONG_TYPE)]) as net:
        run(store, net, 1)
    assert case_of(store)["mailbox"] == "abuse@one.example"


def test_null_in_place_of_members_is_a_network_that_names_nobody(store: Database) -> None:
    with internet([network(PREFIX, "abuse@one.example", RdapFault.NULL_MEMBERS)]) as net:
        run(store, net, 1)
    assert case_of(store)["event"] == ("case.no_contact", "no_contact")


def test_404_holds_for_a_week_and_for_that_address_alone(store: Database) -> None:
    seed.cases(store, clock(), 1, [ip_address("192.0.2.2")])
    with internet([network(PREFIX, fault=RdapFault.NOT_FOUND)]) as net:
        run(store, net, 1)
        assert len(net.asked) == 2
        seed.again(store, clock())
        assert run(store, net, 1).questions == 0
    found = seed.all_cases(store)
    assert {case["event"] for case in found} == {("case.no_contact", "not_found")}
    assert all(is_about(case["due_at"] - clock(), 7 * DAY) for case in found)


def test_a_redirect_from_one_registry_to_another_is_followed(store: Database) -> None:
    with internet([network(PREFIX, "abuse@one.example", bootstrap="arin")]) as net:
        run(store, net, 1)
    assert net.asked == [f"/arin/ip/{ADDRESS}", f"/ripencc/ip/{ADDRESS}"]
    assert case_of(store)["mailbox"] == "abuse@one.example"


# --- WHOIS ------------------------------------------------------------------------------------------------------------


SAYS_NOTHING = [
    *(WhoisFault.QUOTA, WhoisFault.SILENT, WhoisFault.CLOSES),
    *(WhoisFault.DRIPS, WhoisFault.TOO_LARGE, WhoisFault.RESET, WhoisFault.ENDS_EARLY),
]
READABLE = [WhoisFault.CRLF, WhoisFault.ISO_2022_JP]


@pytest.mark.parametrize("fault", SAYS_NOTHING)
def test_a_fault_of_a_whois_server_is_never_taken_for_no_contact(store: Database, fault: WhoisFault) -> None:
    one = network(PREFIX, "abuse@one.example", RdapFault.FORBIDDEN, whois_fault=fault)
    with internet([one], whois_networks=[one]) as net:
        run(store, net, 1, patience=0.5)
    assert [text for _, text in net.whois_log] == [f"-r {ADDRESS}"]
    stays_open(store, 15 * MINUTE)
    assert is_about(paused_for(store, "whois:127.0.0.1"), 15 * MINUTE if fault is WhoisFault.QUOTA else None)


@pytest.mark.parametrize("fault", READABLE)
def test_a_whois_text_is_read_in_its_charset_and_with_its_line_ends(store: Database, fault: WhoisFault) -> None:
    one = network(PREFIX, "abuse@one.example", RdapFault.FORBIDDEN, whois_fault=fault, holder="例の会社")
    with internet([one], whois_networks=[one]) as net:
        run(store, net, 1)
    assert case_of(store)["mailbox"] == "abuse@one.example"
    with store.read() as connection:
        assert connection.execute(select(t.netblocks.c.holder)).scalar_one() == "例の会社"


def test_every_fault_of_a_whois_server_has_its_test() -> None:
    assert {*SAYS_NOTHING, *READABLE} == set(WhoisFault)


def test_a_whois_text_in_latin_1_keeps_its_accents(store: Database) -> None:
    text = f"inetnum: 192.0.2.0 - 192.0.2.15\ndescr: Société\n\n% Abuse contact for '{PREFIX}' is 'abuse@one.example'\n"
    said: list[Any] = []
    with (
        internet([network(PREFIX, fault=RdapFault.FORBIDDEN)]) as net,
        whois_saying({f"-r {ADDRESS}": text.encode("latin-1")}, said) as ripe,
    ):
        run(store, net, 1, by={"whois_hosts": {"ripencc": ripe}})
    assert case_of(store)["mailbox"] == "abuse@one.example"
    with store.read() as connection:
        assert connection.execute(select(t.netblocks.c.holder)).scalar_one() == "Société"


ARIN = "NetRange: 192.0.2.0 - 192.0.2.15\nCIDR: 192.0.2.0/28\nNetName: NET\nReferralServer: rwhois://{}:{}\n"


@pytest.mark.parametrize("text", ["", "%error 401 Unable to process query", "%rwhois V-1.5\nlimit exceeded"])
def test_an_rwhois_server_that_does_not_tell_leaves_what_the_registry_said(store: Database, text: str) -> None:
    said: list[Any] = []
    with (
        internet([network(PREFIX, registry="arin")]) as net,
        whois_saying({ADDRESS: text}, said, "127.0.0.3") as rwhois,
        whois_saying({f"n + {ADDRESS}": ARIN.format(*rwhois)}, said, "127.0.0.2") as arin,
    ):
        run(store, net, 1, by={"whois_hosts": {"arin": arin}, "allow_loopback": True})
    assert [text for _, text in said] == [f"n + {ADDRESS}", ADDRESS]
    assert case_of(store)["event"] == ("case.no_contact", "no_contact")


def kinds_of_steps(db: Database) -> list[str]:
    with db.read() as connection:
        return list(connection.execute(select(t.lookup_steps.c.kind).order_by(t.lookup_steps.c.number)).scalars())


@pytest.mark.parametrize(
    ("host", "port"),
    [
        *[("10.0.0.1", 4321), ("127.0.0.1", 25), ("127.0.0.1", 22), ("[::ffff:10.0.0.1]", 4321), ("0x7f.1", 4321)],
        *[("localhost", 4321), ("rwhois.isp.example", 25), ("rwhois.isp.example", 22)],
    ],
)
def test_an_rwhois_server_in_private_space_or_at_another_services_port_is_not_asked(
    store: Database, host: str, port: int
) -> None:
    said: list[Any] = []
    with (
        internet([network(PREFIX, registry="arin")]) as net,
        whois_saying({f"n + {ADDRESS}": ARIN.format(host, port)}, said) as arin,
    ):
        run(store, net, 1, by={"whois_hosts": {"arin": arin}, "allow_loopback": True})
    assert case_of(store)["event"] == ("case.no_contact", "no_contact")
    assert kinds_of_steps(store) == ["network", "whois"]


@pytest.mark.parametrize("inside", ["10.0.0.1", "169.254.169.254"])
def test_an_rwhois_server_whose_name_leads_into_private_space_is_not_connected_to(
    store: Database, tmp_path: Path, inside: str
) -> None:
    name, url = "rwhois.isp.example", store.engine.url.render_as_string()
    referral = ARIN.format(name, 4321)
    said = alone(tmp_path, {name: inside}, "tests.resolve.led_inside", url, PREFIX, ADDRESS, referral)
    assert said == [f"n + {ADDRESS}"]
    assert case_of(store)["event"] == ("case.no_contact", "no_contact")
    assert kinds_of_steps(store) == ["network", "whois", "whois"]
    with store.read() as connection:
        why = t.lookup_steps.c.why
        assert connection.execute(select(why).order_by(t.lookup_steps.c.number.desc())).scalars().first() == FORBIDDEN


FORBIDDEN = "failed forbidden-address"


# --- the DNS ----------------------------------------------------------------------------------------------------------


NOBODY_SAYS = [ZoneFault.SERVFAIL, ZoneFault.REFUSED, ZoneFault.SILENT, ZoneFault.WRONG_ID, ZoneFault.WRONG_QUESTION]


@pytest.mark.parametrize("fault", NOBODY_SAYS)
def test_a_fault_of_the_dns_is_never_taken_for_an_address_that_nobody_announces(
    store: Database, fault: ZoneFault
) -> None:
    dns = DnsTable(zones=(Zone(ORIGIN, fault=fault),))
    with internet([network(PREFIX)], dns=dns) as net:
        run(store, net, 1, by=whole_chain(net, chain=("network", "origin")), patience=0.5)
    case = case_of(store)
    assert (case["state"], case["event"]) == (CaseState.SEEN, None)
    assert is_about(case["due_at"] - clock(), HOUR)


def test_a_domain_of_which_the_dns_cannot_say_is_written_to_all_the_same(store: Database) -> None:
    dns = DnsTable(zones=(Zone("one.example", fault=ZoneFault.SERVFAIL),))
    with internet([network(PREFIX, "abuse@one.example")], dns=dns) as net:
        run(store, net, 1, by=whole_chain(net, chain=("network",)))
    assert case_of(store)["mailbox"] == "abuse@one.example"


# --- a link to the network above, and the AS, are as hostile as any ---------------------------------------------------


@pytest.mark.parametrize("fault", [fault for fault, later, _ in OPEN if later == DAY])
def test_a_network_above_that_cannot_be_read_is_gone_on_from(store: Database, fault: RdapFault) -> None:
    networks = [network(PREFIX), network("192.0.2.0/24", "abuse@above.example", fault)]
    with internet(networks) as net:
        run(store, net, 1, by={"chain": ("network", "parent")}, http=QUICK)
    assert case_of(store)["event"] == ("case.no_contact", "no_contact")


def test_a_link_up_into_private_space_is_not_followed(store: Database, tmp_path: Path) -> None:
    body = '{"objectClassName": "ip network", "startAddress": "192.0.2.0", "endAddress": "192.0.2.15", "links": [LINK]}'
    link = '{"rel": "up", "href": "https://10.0.0.1/ip/192.0.2.0/24", "type": "application/rdap+json"}'
    (tmp_path / "up.json").write_text(body.replace("LINK", link))
    (tmp_path / "index.csv").write_text(f"registry,query,file\nripencc,{PREFIX},up.json\n")
    with internet([network(PREFIX)], recorded=recorded.load(tmp_path)) as net:
        run(store, net, 1, by={"chain": ("network", "parent")})
    assert case_of(store)["event"] == ("case.no_contact", "no_contact")
    with store.read() as connection:
        why = connection.execute(select(t.lookup_steps.c.why).where(t.lookup_steps.c.kind == "parent")).scalar_one()
    assert why == FORBIDDEN


def test_an_as_whose_registry_refuses_leaves_the_case_open(store: Database) -> None:
    origins, autnums = zones({PREFIX: "64500"}), [Autnum(64500, 64500, "arin", "AS64500", abuse="abuse@as.example")]
    faults = {"arin": Fault(RdapFault.FORBIDDEN)}
    with internet([network(PREFIX)], dns=DnsTable(origins=origins), autnums=autnums, faults=faults) as net:
        run(store, net, 1, by=whole_chain(net, chain=("network", "origin"), check_mail=False))
    case = case_of(store)
    assert (case["state"], case["event"]) == (CaseState.SEEN, None)
    assert is_about(case["due_at"] - clock(), HOUR)
