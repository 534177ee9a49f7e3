"""suppress, exclude, hold and release on the command line: dry runs are dry, what is named is read strictly."""

from ipaddress import ip_address

import click
import pytest

from pipeline.cli.place import place
from pipeline.cli.stops import moment
from pipeline.store.stops import Place
from tests.cli.conftest import Tocsin


def places(tocsin: Tocsin, kind: str = "suppress") -> list[str]:
    data = tocsin(kind, "list", "--json").data
    return [row["place"] for row in data["suppressions" if kind == "suppress" else "exclusions"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Abuse@ISP.example", Place(mailbox="abuse@isp.example")),
        ("ISP.example.", Place(domain="isp.example")),
        ("bücher.example", Place(domain="xn--bcher-kva.example")),
        ("192.0.2.7", Place(range=(ip_address("192.0.2.7"), ip_address("192.0.2.7")))),
        ("192.0.2.0/30", Place(range=(ip_address("192.0.2.0"), ip_address("192.0.2.3")))),
        ("192.0.2.1-192.0.2.9", Place(range=(ip_address("192.0.2.1"), ip_address("192.0.2.9")))),
        ("2001:db8::/127", Place(range=(ip_address("2001:db8::"), ip_address("2001:db8::1")))),
        ("as64500", Place(asn=64_500)),
    ],
)
def test_a_place_is_read_as_what_it_is(text: str, expected: Place) -> None:
    assert place(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "192.0.2.7/24",
        "192.0.2.9-192.0.2.1",
        "192.0.2.1-2001:db8::1",
        "192.0.2.256",
        "192.0.2",
        "2001:db8:::1",
        "AS0",
        "AS4294967296",
        "a@b",
        "a b@isp.example",
        "a@isp.example\nbcc:x",
        "isp",
        "..example",
        "",
        "-",
    ],
)
def test_a_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        place(text)


def test_lifting_a_suppression_is_a_dry_run_until_executed(tocsin: Tocsin) -> None:
    tocsin("suppress", "add", "a@isp.example", "--reason", "asked")
    dry = tocsin("suppress", "remove", "a@isp.example")
    assert (dry.code, dry.out) == (0, "would lift a@isp.example\n")
    assert "dry run" in dry.err
    assert places(tocsin) == ["a@isp.example"]
    refused = tocsin("suppress", "remove", "a@isp.example", "--execute")
    assert (refused.code, "needs --yes" in refused.err) == (6, True)
    assert places(tocsin) == ["a@isp.example"]
    assert tocsin("suppress", "remove", "a@isp.example", "--execute", "--yes").out == "lifted a@isp.example\n"
    assert places(tocsin) == []


@pytest.mark.parametrize("execute", [(), ("--execute", "--yes")])
def test_one_unknown_place_lifts_none(tocsin: Tocsin, execute: tuple[str, ...]) -> None:
    tocsin("suppress", "add", "a@isp.example", "--reason", "asked")
    assert tocsin("suppress", "remove", "a@isp.example", "b@isp.example", *execute).code == 4
    assert places(tocsin) == ["a@isp.example"]


def test_adding_twice_says_that_it_was_there(tocsin: Tocsin) -> None:
    tocsin("suppress", "add", "a@isp.example", "--reason", "asked")
    assert tocsin("suppress", "add", "A@isp.example", "--reason", "law").out == "a@isp.example was there already\n"
    assert len(places(tocsin)) == 1


def test_one_wrong_place_adds_none(tocsin: Tocsin) -> None:
    assert tocsin("suppress", "add", "a@isp.example", "AS64500", "--reason", "asked").code == 2
    assert tocsin("suppress", "add", "a@isp.example", "192.0.2.7/24", "--reason", "asked").code == 2
    assert tocsin("exclude", "add", "192.0.2.1", "isp.example", "--reason", "own").code == 2
    assert (places(tocsin), places(tocsin, "exclude")) == ([], [])


def test_an_excluded_as_is_said_not_to_be_looked_up_yet(tocsin: Tocsin) -> None:
    assert "exclude its networks too" in tocsin("exclude", "add", "AS64500", "--reason", "own").err
    assert tocsin("exclude", "add", "192.0.2.1", "--reason", "own").err == ""


def test_an_exclusion_may_end_by_itself_but_not_in_the_past(tocsin: Tocsin) -> None:
    assert tocsin("exclude", "add", "192.0.2.1", "--reason", "own", "--until", "2001-01-01").code == 2
    assert tocsin("exclude", "add", "192.0.2.1", "--reason", "own", "--until", "9998-01-01").code == 0
    assert tocsin("exclude", "list", "--json").data["exclusions"][0]["until"] == "9998-01-01T00:00:00Z"


def test_a_time_needs_a_zone_and_a_date_means_its_first_moment() -> None:
    assert moment("2027-06-30").isoformat() == "2027-06-30T00:00:00+00:00"
    assert moment("2027-06-30T14:00:00+02:00").isoformat() == "2027-06-30T12:00:00+00:00"
    for text in ("2027-06-30T14:00:00", "30.6.2027", "tomorrow"):
        with pytest.raises(click.BadParameter):
            moment(text)


def test_hold_and_release_say_what_they_stop(tocsin: Tocsin) -> None:
    assert tocsin("hold", "--reason", "wait").out == "held: everything\n"
    assert tocsin("hold", "--reason", "wait").out == "held already: everything\n"
    assert tocsin("hold", "--domain", "ISP.example", "--reason", "wait").out == "held: letters to isp.example\n"
    assert [row["domain"] for row in tocsin("holds", "--json").data["holds"]] == ["", "isp.example"]
    released = tocsin("release", "--reason", "go on")
    assert released.out == "released: everything\n"
    assert "1 other hold is in force" in released.err
    assert tocsin("release", "--reason", "go on").code == 4
    assert tocsin("release", "--domain", "isp.example", "--reason", "go on").err == ""


def test_a_hold_needs_a_reason_and_what_exists(tocsin: Tocsin) -> None:
    assert tocsin("hold").code == 2
    assert tocsin("hold", "--wave", "1", "--reason", "x").code == 2
    assert tocsin("hold", "--campaign", "none", "--reason", "x").code == 4
    assert tocsin("hold", "--contact", "a@isp.example", "--reason", "x").code == 4
    assert tocsin("hold", "--domain", "not a domain", "--reason", "x").code == 2
    assert tocsin("holds", "--json").data["holds"] == []
