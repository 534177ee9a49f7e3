"""The mailbox of the domain that an address's confirmed name is in."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain import Answer, TemporaryFailure, Tier
from pipeline.resolve import host_name
from pipeline.resolve.mailbox import normalise

NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
V4, V6 = "192.0.2.7", "2001:db8::abcd:7"

KNOWN = host_name.suffixes("""\
// ===BEGIN ICANN DOMAINS===
example
co.example
*.town.example
!city.town.example
// ===END ICANN DOMAINS===
// ===BEGIN PRIVATE DOMAINS===
home.dyndns.example
*.compute.cloud.example
members.cloud.example
// ===END PRIVATE DOMAINS===
""")


def said(*names: str, address: str = V4, status: int = 200, failure: TemporaryFailure | None = None) -> Answer:
    body = json.dumps({"names": names}).encode()
    return Answer(f"dns:HOST/{address}", status, "application/json", body, NOW, failure)


def usable(*names: str, address: str = V4) -> list[str]:
    found = host_name.mailboxes(said(*names, address=address), KNOWN)
    return [each.mailbox for each in found if not each.rejected]


def reasons(*names: str, address: str = V4) -> list[str]:
    return [each.rejected for each in host_name.mailboxes(said(*names, address=address), KNOWN)]


@pytest.mark.parametrize(
    ("name", "mailbox"),
    [
        ("mail.isp.example", "abuse@isp.example"),
        ("mail.isp.example.", "abuse@isp.example"),
        ("MAIL.ISP.Example", "abuse@isp.example"),
        ("isp.example", "abuse@isp.example"),
        ("a.b.c.isp.co.example", "abuse@isp.co.example"),
        ("www.firm.west.town.example", "abuse@firm.west.town.example"),
        ("www.city.town.example", "abuse@city.town.example"),
        ("_x.host_1.isp.example", "abuse@isp.example"),
        ("mail.xn--bcher-kva.example", "abuse@xn--bcher-kva.example"),
        ("192-0-2-7.dyn.isp.example", "abuse@isp.example"),  # its provider made the name, and is who is told
        ("7.2.0.192.static.isp.example", "abuse@isp.example"),
        ("mail.firm.home.dyndns.example", "abuse@firm.home.dyndns.example"),
        ("www.firm.members.cloud.example", "abuse@firm.members.cloud.example"),
    ],
)
def test_the_domain_is_what_somebody_registered(name: str, mailbox: str) -> None:
    assert usable(name) == [mailbox]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("co.example", "public-suffix"),
        ("west.town.example", "public-suffix"),
        ("home.dyndns.example", "public-suffix"),
        ("members.cloud.example", "public-suffix"),
        ("192-0-2-7.home.dyndns.example", "generic-name"),
        ("ip-192-0-2-7.home.dyndns.example", "generic-name"),
        ("7-2-0-192.home.dyndns.example", "generic-name"),
        ("ec2-192-0-2-7.west-2.compute.cloud.example", "generic-name"),
        ("7.2.0.192.members.cloud.example", "generic-name"),
        ("www.192-0-2-7.members.cloud.example", "generic-name"),
        ("h192000002007.members.cloud.example", "generic-name"),
        ("c0000207.members.cloud.example", "generic-name"),
        ("h3221225991.members.cloud.example", "generic-name"),
        ("0-2-7.members.cloud.example", "generic-name"),
        ("7-2-0.members.cloud.example", "generic-name"),
        ("198-51-100-9.members.cloud.example", "generic-name"),  # of another address: made all the same
        ("vps-1234.members.cloud.example", "generic-name"),
        ("static.members.cloud.example", "generic-name"),
        ("192-0-2-7.example", "generic-name"),
        ("7.2.0.192.in-addr.arpa", "placeholder"),
        ("host.localdomain", "placeholder"),
        ("mail.isp.invalid", "placeholder"),
        ("mail.apnic.net", "registry-contact"),
    ],
)
def test_a_name_that_no_customer_has_made_is_refused(name: str, reason: str) -> None:
    assert reasons(name) == [reason]


@pytest.mark.parametrize(
    "name",
    [
        "2001-db8--abcd-7.members.cloud.example",
        "20010db80000000000000000abcd0007.members.cloud.example",
        "7000dcba00000000000000008bd01002.members.cloud.example",
        "7.0.0.0.d.c.b.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.members.cloud.example",
        "2001-0db8-0000-0000-0000-0000-abcd-0007.members.cloud.example",
    ],
)
def test_a_name_made_of_an_address_of_ipv6_is_refused(name: str) -> None:
    assert reasons(name, address=V6) == ["generic-name"]
    assert usable("mail.firm.members.cloud.example", address=V6) == ["abuse@firm.members.cloud.example"]


@pytest.mark.parametrize(
    "name",
    [
        "example",
        "localhost",
        "192.0.2.7",
        "2001:db8::7",
        "[192.0.2.7]",
        "",
        ".",
        "..example",
        "a..example",
        "-",
        "abuse@victim.example",
        "x.example, abuse@victim.example",
        "x.example\r\nBcc: victim@victim.example",
        "a b.example",
        "ü.example",
        "x." * 127 + "example",
        ("a" * 60 + ".") * 5 + "isp.example",
        "a" * 64 + ".example",
        "mail.isp.123",
    ],
)
def test_what_is_no_name_of_a_host_gives_nothing(name: str) -> None:
    assert host_name.mailboxes(said(name), KNOWN) == ()


def test_a_machine_with_names_in_many_domains_is_shared_and_none_of_them_is_told() -> None:
    assert usable("a.one.example", "b.two.example") == ["abuse@one.example", "abuse@two.example"]
    assert reasons("a.one.example", "b.two.example", "c.three.example") == ["shared-host"] * 3
    assert usable(*(f"vhost{number}.one.example" for number in range(15))) == ["abuse@one.example"]


def test_a_guess_says_so_and_a_lent_domain_counts_for_less() -> None:
    own, lent = host_name.mailboxes(said("mail.firm.home.dyndns.example", "mail.isp.example"), KNOWN)
    assert (own.mailbox, own.tier, own.source, own.confidence) == ("abuse@isp.example", Tier.HOST_NAME, "host-name", 25)
    assert (own.path, own.note) == ("mail.isp.example", "")
    assert (lent.confidence, lent.note, lent.rank) == (15, "lent-domain", 1)


def test_a_failure_or_a_definite_nothing_names_nobody() -> None:
    assert host_name.mailboxes(said(status=404), KNOWN) == ()
    failed = said("mail.isp.example", status=0, failure=TemporaryFailure("SERVFAIL"))
    assert host_name.mailboxes(failed, KNOWN) == ()


def test_without_a_readable_source_the_name_alone_decides() -> None:
    assert usable("mail.isp.example", address="x" * 300) == ["abuse@isp.example"]
    assert reasons("192-0-2-7.members.cloud.example", address="?") == ["generic-name"]


def test_the_list_that_is_installed_knows_registries_and_providers() -> None:
    known = host_name.suffixes()
    assert known.registered("www.firm.co.uk") == "firm.co.uk"
    assert known.registered("co.uk") == ""
    assert known.registered("www.firm.example") == "firm.example"
    assert known.is_lent("user.github.io")
    assert not known.is_lent("www.firm.co.uk")


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text(alphabet="abc0192.-_27 @,\r\x00é", max_size=300), max_size=30),
    st.sampled_from([V4, V6, "", "dns"]),
)
def test_any_names_give_only_safe_mailboxes(names: list[str], address: str) -> None:
    found = host_name.mailboxes(said(*names, address=address), KNOWN)
    assert len(found) <= 20
    assert all(each.rejected or normalise(each.spelling) is not None for each in found)
    assert sum(not each.rejected for each in found) <= 2
