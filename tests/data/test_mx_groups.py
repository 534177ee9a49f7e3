"""Domains whose mail one provider takes are one group; any other domain is grouped by who registered its MX host."""

from pathlib import Path

import pytest

from pipeline.data.mx_groups import FILE, group, groups
from pipeline.domain import ConfigurationError

KNOWN = {"mail.big.example": "big", "example": "wide", "mx.other.example": "other"}


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (("customer-example.mail.protection.outlook.com",), "microsoft"),
        (("aspmx.l.google.com", "alt1.aspmx.l.google.com"), "google"),
        (("alt3.aspmx.l.google.com", "aspmx2.googlemail.com"), "google"),
        (("mx-eu.mail.am0.yahoodns.net",), "yahoo"),
        (("notgoogle.com",), "notgoogle.com"),  # whole labels
        (("google.com.customer.co.uk",), "customer.co.uk"),  # an ending, not a beginning
        (("mx1.isp-of-many.fr", "aspmx.l.google.com"), "isp-of-many.fr"),  # mail is brought to the first
        (("mx.city.kawasaki.jp",), "city.kawasaki.jp"),
        (("co.uk",), "co.uk"),  # a public suffix is nobody's; the host is its own group
        (("localhost",), "localhost"),
        ((), "customer.example"),
        (("",), "customer.example"),
        (("a." * 127,), "customer.example"),
    ],
)
def test_the_best_mx_host_names_the_group(hosts: tuple[str, ...], expected: str) -> None:
    assert group("customer.example", hosts) == expected


def test_the_longest_ending_decides() -> None:
    assert group("c.example", ("in.mail.big.example",), KNOWN) == "big"
    assert group("c.example", ("in.big.example",), KNOWN) == "wide"
    assert group("c.example", ("mx.other.example",), KNOWN) == "other"


def test_the_shipped_groups_are_dated_and_name_their_source() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert (
        len(set(groups().values()))
        == text.count("[[group]]")
        == text.count('\ndate = "20')
        == text.count("\nsource = ")
    )


@pytest.mark.parametrize(
    "text",
    [
        'group = ["a"]',
        '[[group]]\nname = "A B"\ntitle = "A"\ndate = "2026-11-24"\nsource = "x"\nhosts = []',
        '[[group]]\nname = "a"\ntitle = "A"\ndate = "2026-11-24"\nsource = "x"\nhosts = ["*.a.example"]',
        '[[group]]\nname = "a"\ntitle = "A"\ndate = "2026-11-24"\nsource = "x"\nhosts = ["a.example", "a.example"]',
        '[[group]]\nname = "a"\ntitle = "A"\ndate = "2026-11-24"\nsource = "x"\nhosts = []\nhost = "a.example"',
        '[[group]]\nname = "a"\ntitle = "A"\nhosts = []',
        "group = [",
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "groups.toml").write_text(text)
    with pytest.raises(ConfigurationError):
        groups(tmp_path / "groups.toml")
