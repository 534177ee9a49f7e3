"""A scenario folder: what a good one gives, and that every mistake names its file, its line and itself."""

import shutil
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from pipeline.domain import ConfigurationError
from pipeline.sandbox import routing
from pipeline.sandbox.dns_server import Listed, ZoneFault
from pipeline.sandbox.networks import Fault, RdapFault, WhoisFault
from pipeline.sandbox.scenario import MailBehaviour, MailRule, load

GOOD = Path(__file__).with_name("scenario")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOOD, tmp_path / "scenario"))


def test_a_scenario_is_read_whole() -> None:
    scenario = load(GOOD)
    head = scenario.heading
    assert (head.title[:14], head.starts) == ("Two registries", datetime(2026, 3, 2, 8, 0, tzinfo=UTC))
    legacy, customer, north, six = scenario.networks
    assert (legacy.holder, legacy.bootstrap, legacy.language) == ("Université de l'Exemple", "arin", "fr")
    assert (str(customer.start), str(customer.end), customer.abuse) == ("192.0.2.64", "192.0.2.79", "")
    assert (north.holder, north.region) == ("North, Inc.", "QC")
    assert (north.fault, north.whois_fault) == (Fault(RdapFault.RATE_LIMITED, 2), WhoisFault.ISO_2022_JP)
    assert str(six.end) == "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"
    assert [(block.start, block.end) for block in scenario.autnums] == [(64496, 64499), (64498, 64498)]
    assert scenario.mail == (
        MailRule("abuse@universite.example", MailBehaviour.ACCEPT),
        MailRule("abuse@north.example", MailBehaviour.DEFER, 2),
        MailRule("@sixth.example", MailBehaviour.BOUNCE),
        MailRule("*", MailBehaviour.REFUSE),
    )
    assert [path.name for path in scenario.hits] == ["relays.csv"]


def test_the_servers_get_their_tables_from_it() -> None:
    scenario = load(GOOD)
    names = scenario.dns_table()
    relays, closed = names.zones
    assert relays.listed[ip_address("192.0.2.7")] == Listed(("127.0.0.2", "127.0.0.10"), "open relay, tested")
    assert (closed.fault, closed.test_points, closed.listed) == (ZoneFault.WORLD, False, {})
    assert names.records["holder.example", "MX"] == ("10 mx.holder.example.",)
    rdap, whois = scenario.rdap_table(), scenario.whois_table()
    assert (rdap.faults, whois.faults) == ({"lacnic": Fault(RdapFault.RATE_LIMITED, 3)}, {"lacnic": WhoisFault.QUOTA})
    network = rdap.networks.find(ip_address("192.0.2.70"))
    assert network is not None
    assert (network.handle, rdap.networks.parent(network)) == ("CUSTOMER-NET", scenario.networks[0])
    assert rdap.recorded is not None
    assert whois.networks.find(ip_address("2001:db8::1")) == scenario.networks[3]


def test_the_name_server_says_who_announces_an_address_and_whom_a_directory_names() -> None:
    origin, origin6, directory = load(GOOD).dns_table().origins
    assert (origin.name, origin6.name, directory.name) == (routing.ORIGIN, routing.ORIGIN6, routing.DIRECTORY)
    assert origin.texts == {
        ip_network("192.0.2.0/24"): ("64496 64498 | 192.0.2.0/24 | FR | ripencc | 2026-03-02",),
        ip_network("192.0.2.64/28"): (
            "64498 | 192.0.2.64/28 | FR | ripencc | 2026-03-02",
            "64499 | 192.0.2.64/28 |  | ripencc | 2026-03-02",
        ),
    }
    assert origin6.texts == {ip_network("2001:db8::/32"): ("64499 | 2001:db8::/32 | AU | apnic | 2026-03-02",)}
    assert directory.texts == {ip_network("192.0.2.0/24"): ("abuse@universite.example,desk@directory.example",)}


def test_every_domain_with_a_mailbox_takes_mail() -> None:
    assert load(GOOD).dns_table().mail_domains == {
        "universite.example",
        "north.example",
        "sixth.example",
        "directory.example",
    }


def test_each_table_is_a_fresh_one_that_may_be_changed() -> None:
    scenario = load(GOOD)
    scenario.dns_table().zones[0].listed.clear()
    assert scenario.dns_table().zones[0].listed


@pytest.mark.parametrize("name", ["autnums.csv", "announced.csv", "directory.csv", "hits", "recorded"])
def test_what_is_optional_may_be_missing(folder: Path, name: str) -> None:
    path = folder / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    load(folder)


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("networks.csv", "192.0.2.0/33,arin,X,,,,,,,,,", "networks.csv, line 7, network: '192.0.2.0/33'"),
        ("networks.csv", "192.0.2.1/24,arin,X,,,,,,,,,", "networks.csv, line 7, network: '192.0.2.1/24'"),
        ("networks.csv", "203.0.113.9-203.0.113.1,arin,X,,,,,,,,,", "does not end after it begins"),
        ("networks.csv", "203.0.113.0/24-203.0.113.9,arin,X,,,,,,,,,", "a prefix and a range at once"),
        ("networks.csv", "203.0.113.0-2001:db8::,arin,X,,,,,,,,,", "does not end after it begins"),
        ("networks.csv", "203.0.113.0/24,internic,X,,,,,,,,,", "line 7, registry: 'internic' is none of afrinic"),
        ("networks.csv", "203.0.113.0/24,arin,,,,,,,,,,", "line 7, handle: ''"),
        (
            "networks.csv",
            "203.0.113.0/24,arin,X,,,,,,abuse@holder.test,,,",
            "line 7, abuse: 'abuse@holder.test' is not",
        ),
        ("networks.csv", "203.0.113.0/24,arin,X,,,,,,@holder.example,,,", "line 7, abuse: '@holder.example' is not"),
        ("networks.csv", "203.0.113.0/24,arin,X,,,,,,,,explode,", "line 7, fault: 'explode'"),
        ("networks.csv", "203.0.113.0/24,arin,X,,,,,,,,forbidden:2,", "line 7, fault: 'forbidden:2'"),
        ("networks.csv", "203.0.113.0/24,arin,X,,,,,,,,,explode", "line 7, whois_fault: 'explode'"),
        ("networks.csv", "203.0.113.0/24,arin,X", "networks.csv, line 7: 3 cells under 12 columns"),
        ("networks.csv", "192.0.2.128-192.0.3.9,arin,X,,,,,,,,,", "networks.csv: X and LEGACY-NET overlap"),
        ("networks.csv", '203.0.113.0/24,arin,"X', "networks.csv is not CSV"),
        ("autnums.csv", "2,1,arin,X,,", "autnums.csv, line 4, last: '1' is not a whole number from 2"),
        ("autnums.csv", "-1,1,arin,X,,", "autnums.csv, line 4, first: '-1'"),
        ("announced.csv", "192.0.2.1/24,64496,arin,", "announced.csv, line 6, prefix: '192.0.2.1/24' is no prefix"),
        ("announced.csv", "192.0.2.0/24,AS64496,arin,", "line 6, origins: 'AS64496' are not 1 to 8 AS numbers"),
        ("announced.csv", "192.0.2.0/24,4294967296,arin,", "line 6, origins: '4294967296' are not"),
        ("announced.csv", "192.0.2.0/24,1 2 3 4 5 6 7 8 9,arin,", "line 6, origins: '1 2 3"),
        ("announced.csv", "192.0.2.0/24,,arin,", "line 6, origins: ''"),
        ("announced.csv", "192.0.2.0/24,64496,internic,", "line 6, registry: 'internic' is none of"),
        (
            "directory.csv",
            "192.0.2.0,abuse@x.test",
            "line 4, mailboxes: 'abuse@x.test' is not a mailbox under .example",
        ),
        ("directory.csv", "192.0.2.0/24,@x.example", "line 4, mailboxes: '@x.example' is not a mailbox"),
        ("zones.csv", "other.example,192.0.2.9,127.0.0.2,", "zones.csv, line 4, zone: 'other.example'"),
        ("zones.csv", "relays.dnsbl.example,192.0.2,127.0.0.2,", "zones.csv, line 4, address: '192.0.2'"),
        ("zones.csv", "relays.dnsbl.example,192.0.2.9,192.0.2.1,", "zones.csv, line 4, codes: '192.0.2.1'"),
        ("zones.csv", "relays.dnsbl.example,192.0.2.9,two,", "zones.csv, line 4, codes: 'two'"),
        ("mail.csv", "a@b.example,explode,", "mail.csv, line 6, behaviour: 'explode'"),
        ("mail.csv", "a@b.example,refuse,2", "mail.csv, line 6, times: '2' belongs to defer"),
        ("mail.csv", "a@b.test,accept,", "mail.csv, line 6, mailbox: 'a@b.test'"),
        ("mail.csv", "@b.test,accept,", "mail.csv, line 6, mailbox: '@b.test'"),
        ("mail.csv", "b.example,accept,", "mail.csv, line 6, mailbox: 'b.example'"),
        ("recorded/index.csv", "arin,203.0.113.0/24,../zones.csv,,", "index.csv, line 5, file: '../zones.csv'"),
        ("recorded/index.csv", "arin,203.0.113.0/24,missing.json,,", "index.csv, line 5, file: 'missing.json'"),
        ("recorded/index.csv", "arin,AS,net.json,,", "index.csv, line 5, query: 'AS'"),
        ("recorded/index.csv", "arin,AS1,net.json,99,", "index.csv, line 5, status: '99'"),
        ("scenario.toml", 'colour = "red"', "scenario.toml, records[1].colour: is none of name, type, data"),
        ("scenario.toml", "[registries.internic]", "scenario.toml, registries.internic: is none of arin"),
        ("scenario.toml", '[registries.arin]\nrdap_fault = "x"', "scenario.toml, registries.arin.rdap_fault"),
        ("scenario.toml", '[zones."a.example"]\nfault = "x"', "scenario.toml, zones.a.example.fault: 'x' is not"),
        ("scenario.toml", '[zones."a.example"]\ntest_points = 1', "zones.a.example.test_points: must be true or false"),
        ("scenario.toml", '[zones."a..example"]', "scenario.toml, zones.a..example.name"),
        ("scenario.toml", '[[records]]\nname = "a.example"\ntype = "A"\ndata = ["x"]', "records[2].data: no record"),
        ("scenario.toml", '[[records]]\nname = "a.example"\ntype = "A"\ndata = []', "records[2].data: must be a list"),
        (
            "scenario.toml",
            '[[records]]\nname = "holder.example"\ntype = "MX"\ndata = ["0 ."]',
            "records[2].name: holder.example MX stands twice",
        ),
        ("scenario.toml", "x = = y", "scenario.toml cannot be read"),
    ],
)
def test_a_mistake_names_the_file_the_line_and_what(folder: Path, name: str, line: str, message: str) -> None:
    with (folder / name).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ConfigurationError) as error:
        load(folder)
    assert message in error.value.what


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("zones.csv", "", "zones.csv has no header line"),
        ("zones.csv", "zone,address\n", "zones.csv, line 1: no column codes"),
        ("zones.csv", "# why\nzone,address,codes,colour\n", "zones.csv, line 2: unknown column colour"),
        ("zones.csv", "zone,address,codes,codes\n", "zones.csv, line 1: a column twice"),
        ("zones.csv", "\xff", "zones.csv cannot be read"),
        ("scenario.toml", "starts = 2026-03-02T08:00:00Z", "scenario.toml, title: must be a text"),
        (
            "scenario.toml",
            'title = "x"\nstarts = 2026-03-02T08:00:00',
            "scenario.toml, starts: must be a time with its",
        ),
        (
            "scenario.toml",
            'title = "x"\nstarts = 2026-03-02T08:00:00Z\nzones = 1',
            "scenario.toml, zones: must be a table",
        ),
        (
            "scenario.toml",
            'title = "x"\nstarts = 2026-03-02T08:00:00Z\nrecords = 1',
            "records: must be a list of tables",
        ),
    ],
)
def test_a_file_of_another_shape_is_refused(folder: Path, name: str, text: str, message: str) -> None:
    (folder / name).write_text(text, "latin-1")
    with pytest.raises(ConfigurationError) as error:
        load(folder)
    assert message in error.value.what


@pytest.mark.parametrize("name", ["scenario.toml", "networks.csv", "zones.csv", "mail.csv"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ConfigurationError, match=f"{name} cannot be read"):
        load(folder)


def test_a_holder_may_have_a_postal_address_line_by_line(folder: Path) -> None:
    table = folder / "networks.csv"
    header = "network,registry,handle,region,postal\n"
    table.write_text(
        f"{header}203.0.113.0/24,arin,ONE,QC,1 Example Street / Exampleville QC H0H 0H0 / Canada\n"
        "198.51.100.0/24,arin,NONE,,\n",
        "utf-8",
    )
    one, none = load(folder).networks
    assert one.postal == ("1 Example Street", "Exampleville QC H0H 0H0", "Canada")
    assert (one.town, none.postal, none.town) == (("Exampleville", "H0H 0H0"), (), ("", ""))
