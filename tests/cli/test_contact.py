"""What people say of contacts takes effect at once, is shown, and can be taken back; files go out and come in alike."""

import re
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from pipeline.cli.states import WORDS
from pipeline.domain import CaseState, LetterState
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests import cases as seed
from tests.cli.conftest import Tocsin
from tests.databases import ROOT
from tests.resolve.keys import PRIVATE, PUBLIC
from tests.seed import wave_of_letters

NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


@pytest.fixture
def db(installed: Database) -> Database:
    return installed


@pytest.fixture
def cases(db: Database) -> None:
    campaign = seed.campaign(db, NOW)
    seed.ready(db, NOW, campaign, "abuse@isp.example", [ip_address("192.0.2.1"), ip_address("192.0.2.2")])
    seed.cases(db, NOW, campaign, [ip_address("192.0.2.9")], state=CaseState.NO_CONTACT.value, due_at=None)
    with db.write() as connection:
        wide = update(t.netblocks).values(last_address=ip_address("192.0.2.255"), country="CH", holder="ISP")
        connection.execute(wide)


# --- words on contacts -----------------------------------------------------------------------------------------------

SET = ("contact", "set", "192.0.2.0/24", "NOC@isp.example", "--reason", "their desk asked")


def listed(tocsin: Tocsin, *more: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tocsin("contact", "list", "--json", *more).data["words"]
    return found


@pytest.mark.usefixtures("cases")
def test_a_contact_is_set_for_a_network_and_its_open_cases_are_counted(tocsin: Tocsin) -> None:
    ran = tocsin(*SET)
    assert ran.code == 0
    assert ran.out == (
        "192.0.2.0/24 is told through NOC@isp.example\n"
        "  3 open cases are looked at anew (without a contact: 1, contact found: 2)\n"
        "next: tocsin resolve\n"
    )
    [word] = listed(tocsin)
    assert (word["verdict"], word["network"], word["mailbox"], word["spelling"], word["reason"]) == (
        *("use", "192.0.2.0/24", "noc@isp.example", "NOC@isp.example", "their desk asked"),
    )


@pytest.mark.usefixtures("cases")
def test_saying_it_again_changes_nothing_and_another_mailbox_stands_beside_it(tocsin: Tocsin) -> None:
    tocsin(*SET)
    assert tocsin(*SET).out == "that was said already: noc@isp.example, 192.0.2.0/24\n"
    second = tocsin("contact", "set", "192.0.2.0/24", "desk@isp.example", "--reason", "too")
    assert "there too: to be used noc@isp.example" in second.out
    assert [word["mailbox"] for word in listed(tocsin)] == ["desk@isp.example", "noc@isp.example"]


@pytest.mark.usefixtures("cases")
def test_a_rejected_mailbox_is_said_to_be_so_where_it_is_set(tocsin: Tocsin) -> None:
    reject = tocsin("contact", "reject", "noc@isp.example", "--reason", "a person", "--until", "9998-01-01", "--json")
    assert (reject.data["verdict"], reject.data["until"], reject.data["network"]) == (
        *("reject", "9998-01-01T00:00:00Z", None),
    )
    assert "that is stronger" in tocsin(*SET).err
    tocsin("suppress", "add", "desk@isp.example", "--reason", "asked")
    assert "do-not-write list" in tocsin("contact", "set", "192.0.2.1", "desk@isp.example", "--reason", "x").err


def test_letters_that_a_rejection_for_a_network_does_not_stop_are_told(tocsin: Tocsin, db: Database) -> None:
    wave_of_letters(db, NOW, 1)
    reject = ("contact", "reject", "abuse@isp1.example", "--reason", "x")
    assert tocsin(*reject).err == ""  # rejected anywhere, it gets none of them
    with db.write() as connection:
        around = {"first_address": ip_address("198.18.0.0"), "last_address": ip_address("198.18.0.255")}
        connection.execute(update(t.netblocks).values(**around))
        connection.execute(update(t.cases).values(state=CaseState.RESOLVED.value))
    assert "1 letter to it is under way" in tocsin(*reject, "--network", "198.18.0.0/24").err
    other = ("contact", "set", "198.18.0.0/24", "noc@isp.example", "--reason", "x")
    assert "1 letter about it to another contact is under way" in tocsin(*other).err
    with db.write() as connection:
        connection.execute(update(t.letters).values(state=LetterState.HANDED.value))
    assert tocsin(*reject, "--network", "198.18.0.0/25").err == ""


def test_lifting_a_word_is_a_dry_run_until_executed(tocsin: Tocsin) -> None:
    tocsin("contact", "reject", "a@isp.example", "--reason", "x", "--network", "192.0.2.0/24")
    lift = ("contact", "lift", "A@isp.example", "--network", "192.0.2.0/24")
    assert tocsin("contact", "lift", "a@isp.example").code == 4  # it was said of a network
    dry = tocsin(*lift)
    assert (dry.code, dry.out) == (0, "would lift not to be written to a@isp.example, 192.0.2.0/24\n")
    assert "dry run" in dry.err
    assert tocsin(*lift, "--execute").code == 6
    assert len(listed(tocsin)) == 1
    assert tocsin(*lift, "--execute", "--yes", "--note", "settled").out.startswith("lifted not to be written to")
    assert listed(tocsin) == []
    assert [word["lifted_at"] is None for word in listed(tocsin, "--all")] == [False]
    assert tocsin(*lift).code == 4


@pytest.mark.parametrize(
    "arguments",
    [
        ("set", "192.0.2.0/24"),
        ("set", "192.0.2.0/24", "noc@isp.example"),
        ("set", "192.0.2.7/24", "noc@isp.example", "--reason", "x"),
        ("set", "0.0.0.0/0", "noc@isp.example", "--reason", "x"),
        ("set", "isp.example", "noc@isp.example", "--reason", "x"),
        ("set", "192.0.2.0/24", "noc@isp.example\nBcc: x@isp.example", "--reason", "x"),
        ("set", "192.0.2.0/24", "noc@isp.example", "--reason", "two\nlines"),
        ("set", "192.0.2.0/24", "noc@isp.example", "--reason", "x", "--language", "fr"),
        ("set", "192.0.2.0/24", "noc@isp.example", "--reason", "x", "--until", "2001-01-01"),
        ("set", "a@isp.example", "b@isp.example", "--source", "x", "--language", "fr"),
        ("set", "a@isp.example", "--language", "fr"),
        ("set", "a@isp.example", "--source", "x"),
        ("set", "a@isp.example", "--source", "x", "--reason", "y", "--language", "fr"),
        ("set", "a@isp.example", "--source", "x", "--language", "de"),
        ("set", "a@isp.example", "--source", "x", "--format", "html"),
        ("set", "a@isp.example", "--source", "x", "--cadence", "often"),
        ("set", "a@isp.example", "--source", "x", "--header", "Bcc: x@isp.example"),
        ("set", "a@isp.example", "--source", "x", "--header", "X-A: 1\r\nBcc: x@isp.example"),
        ("set", "a@isp.example", "--source", "x", "--header", "Precedence: high"),
        ("set", "a@isp.example", "--source", "x", "--until", "2001-01-01"),
        ("set", "a@isp.example", "--source", "x", "--inhibit-until", "2027-01-01T10:00:00"),
        ("reject", "a@isp.example"),
        ("reject", "isp.example", "--reason", "x"),
        ("reject", "a@isp.example", "--reason", "x", "--network", "AS64500"),
        ("route", "Suisse", "direct", "--reason", "x"),
        ("route", "CH", "digest", "--reason", "x"),
        ("route", "CH", "everybody", "a@isp.example", "--reason", "x"),
        ("route", "CH", "digest", "a@isp.example"),
        ("import", "contacts.txt"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error_and_changes_nothing(
    tocsin: Tocsin, db: Database, arguments: tuple[str, ...]
) -> None:
    ran = tocsin("contact", *arguments)
    assert ran.code == 2, ran
    with db.read() as connection:
        for table in (t.overrides, t.contact_preferences, t.routes, t.contacts, t.events):
            assert connection.execute(select(table)).all() == []


# --- what contacts asked for -----------------------------------------------------------------------------------------


def wishes(tocsin: Tocsin, mailbox: str = "abuse@isp.example") -> dict[str, Any]:
    found: dict[str, Any] = tocsin("contact", "show", mailbox, "--json").data["preferences"]
    return found


@pytest.mark.usefixtures("cases")
def test_wishes_are_kept_and_what_is_not_given_stays_as_it_was(tocsin: Tocsin, folder: Path) -> None:
    (folder / "key.asc").write_text(PUBLIC, encoding="ascii")
    first = tocsin(
        *("contact", "set", "abuse@isp.example", "--language", "fr-CA", "--format", "csv", "--cadence", "30d"),
        *("--pgp-key", "key.asc", "--header", "X-Desk: 7", "--header", "X-Queue: abuse"),
        *("--inhibit-until", "2027-01-01", "--source", "asked by letter"),
    )
    assert first.code == 0
    assert "2 open cases are told through it" in first.out
    tocsin(*("contact", "set", "abuse@isp.example", "--header", "X-Desk: 8", "--source", "by telephone"))
    assert wishes(tocsin) == {
        "language": "fr_CA",
        "format": "csv",
        "cadence_days": 30,
        "pgp_key": PUBLIC.strip(),
        "headers": {"X-Desk": "8", "X-Queue": "abuse"},
        "inhibited_until": "2027-01-01T00:00:00Z",
        "until": None,
        "source": "by telephone",
    }
    tocsin(
        *("contact", "set", "abuse@isp.example", "--clear", "headers", "--clear", "cadence", "--source", "took it back")
    )
    assert (wishes(tocsin)["headers"], wishes(tocsin)["cadence_days"], wishes(tocsin)["format"]) == ({}, 0, "csv")
    tocsin("contact", "set", "abuse@isp.example", "--clear", "all", "--source", "took it all back")
    assert wishes(tocsin) is None


@pytest.mark.usefixtures("cases")
def test_a_header_of_an_older_rule_is_shown_with_why_letters_leave_it_out(tocsin: Tocsin, db: Database) -> None:
    def found() -> list[dict[str, Any]]:
        return [check for check in tocsin("doctor", "--json").data["checks"] if check["check"] == "contacts"]

    tocsin("contact", "set", "abuse@isp.example", "--header", "X-Desk: 7", "--source", "x")
    assert found() == []
    with db.write() as connection:
        old = '{"X-Desk":"7","X-From":"a@isp.example"}'
        connection.execute(update(t.contact_preferences).values(headers=old))
    [warned] = found()
    assert (warned["grade"], warned["next_step"]) == ("warn", "Run: tocsin contact show abuse@isp.example")
    shown = tocsin("contact", "show", "abuse@isp.example")
    [line] = [line for line in shown.out.splitlines() if "left out of its letters" in line]
    assert ("X-From: a name begins with X-" in line, "X-Desk" in line) == (True, False)
    told = tocsin("contact", "show", "abuse@isp.example", "--json").data
    assert told["headers_left_out"] == {"X-From": "header_name"}
    tocsin("contact", "set", "abuse@isp.example", "--clear", "headers", "--source", "x")
    assert found() == []


def test_wishes_of_a_mailbox_that_nobody_has_named_are_kept_with_a_warning(tocsin: Tocsin) -> None:
    ran = tocsin("contact", "set", "abuse@isp.example", "--language", "en", "--source", "x")
    assert "check its spelling" in ran.err
    again = tocsin("contact", "set", "abuse@isp.example", "--language", "en", "--source", "x")
    assert (again.out.startswith("abuse@isp.example: nothing has changed"), again.err) == (True, "")


@pytest.mark.parametrize("text", [PRIVATE, PRIVATE.replace("PRIVATE", "PUBLIC")])
def test_a_private_key_is_refused_loudly_and_not_repeated(tocsin: Tocsin, folder: Path, text: str) -> None:
    (folder / "key.asc").write_text(text, encoding="ascii")
    ran = tocsin("contact", "set", "abuse@isp.example", "--pgp-key", "key.asc", "--source", "x")
    assert ran.code == 2
    assert "PRIVATE" in ran.err
    assert "lFgEawVQ" not in ran.out + ran.err


# --- what is shown ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("cases")
def test_a_mailbox_is_shown_with_all_that_is_known_of_it(tocsin: Tocsin, db: Database) -> None:
    tocsin("contact", "set", "abuse@isp.example", "--language", "fr", "--source", "letter")
    tocsin("contact", "set", "198.51.100.0/24", "abuse@isp.example", "--reason", "theirs too")
    tocsin("contact", "route", "CH", "digest", "abuse@isp.example", "--reason", "x")
    with db.write() as connection:
        connection.execute(update(t.contacts).values(state="bouncing", state_why="5.1.1"))
        refused = {"rank": 1, "confidence": 0, "source": "role", "valid_from": NOW, "tier": 1}
        connection.execute(
            t.netblock_contacts.insert().values(
                netblock_id=1, candidate="abuse@isp.example", rejected="personal", path="entities[0]", **refused
            )
        )
    data = tocsin("contact", "show", "Abuse@ISP.example", "--json").data
    assert (data["contact"]["state"], data["contact"]["state_why"]) == ("bouncing", "5.1.1")
    assert data["preferences"]["language"] == "fr"
    assert [(word["verdict"], word["network"]) for word in data["words"]] == [("use", "198.51.100.0/24")]
    assert data["routes"] == ["CH"]
    [named] = data["named_for"]
    assert (named["first_address"], named["tier"], named["until"]) == ("192.0.2.1", 1, None)
    [rejected] = data["rejected_for"]
    assert (rejected["rejected"], rejected["path"]) == ("personal", "entities[0]")
    assert data["open_cases"] == 2
    shown = tocsin("contact", "show", "abuse@isp.example").out
    for part in (
        "returns mail (5.1.1)",
        "language",
        "theirs too",
        "abuse role of the network",
        "a person's own mailbox",
    ):
        assert part in shown


def test_a_mailbox_is_shown_with_its_letters(tocsin: Tocsin, db: Database) -> None:
    wave_of_letters(db, NOW, 1)
    [letter] = tocsin("contact", "show", "abuse@isp1.example", "--json").data["letters"]
    assert (letter["campaign"], letter["wave"], letter["state"]) == ("test", 1, "approved")
    assert "approved" in tocsin("contact", "show", "abuse@isp1.example").out


@pytest.mark.usefixtures("cases")
def test_an_address_is_shown_with_its_words_its_route_and_its_candidates_in_order(tocsin: Tocsin, db: Database) -> None:
    tocsin(*SET)
    tocsin("contact", "route", "CH", "copy", "cert@cert.example", "--reason", "x")
    with db.write() as connection:
        second = {"rank": 1, "confidence": 40, "source": "remark", "valid_from": NOW, "tier": 2, "contact_id": 1}
        connection.execute(t.netblock_contacts.insert().values(netblock_id=1, candidate="second@isp.example", **second))
        gone = {**second, "rank": 2, "valid_to": NOW}
        connection.execute(t.netblock_contacts.insert().values(netblock_id=1, candidate="gone@isp.example", **gone))
    tocsin("contact", "reject", "abuse@isp.example", "--reason", "x")
    data = tocsin("contact", "show", "192.0.2.2", "--json").data
    assert [word["mailbox"] for word in data["words"]] == ["noc@isp.example"]
    assert data["routes"] == [{"country": "CH", "route": "copy", "mailbox": "cert@cert.example"}]
    [network] = data["networks"]
    assert network["range"] == "192.0.2.1-192.0.2.255"
    assert [(one["candidate"], one["tier"], one["suppressed"]) for one in network["candidates"]] == [
        ("abuse@isp.example", 1, "rejected"),
        ("second@isp.example", 2, "rejected"),
    ]
    shown = tocsin("contact", "show", "192.0.2.0/24").out
    for part in ("noc@isp.example", "copy to cert@cert.example", "rejected as a contact", "named in a remark"):
        assert part in shown


def test_what_is_not_known_is_not_found(tocsin: Tocsin) -> None:
    assert tocsin("contact", "show", "nobody@isp.example").code == 4
    assert tocsin("contact", "show", "192.0.2.1").code == 4
    assert tocsin("contact", "show", "isp.example").code == 2


# --- routes ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("cases")
def test_a_route_is_set_listed_and_taken_away(tocsin: Tocsin) -> None:
    route = (
        "contact",
        "route",
        "ch",
        "digest",
        "CERT@cert.example",
        "--title",
        "CERT of Example",
        "--reason",
        "agreed",
    )
    assert tocsin(*route).out == (
        "CH: the CERT alone: cert@cert.example\n"
        "  2 open cases are looked at anew (contact found: 2)\n"
        "next: tocsin resolve\n"
    )
    assert tocsin(*route).out == "CH: nothing has changed\n"
    [one] = tocsin("contact", "routes", "--json").data["routes"]
    assert (one["country"], one["route"], one["mailbox"], one["title"]) == (
        *("CH", "digest", "cert@cert.example", "CERT of Example"),
    )
    assert "CERT of Example" in tocsin("contact", "routes").out
    assert tocsin("contact", "route", "CH", "none", "--reason", "ended").code == 0
    assert tocsin("contact", "routes", "--json").data["routes"] == []
    assert tocsin("contact", "route", "CH", "none", "--reason", "ended").code == 4


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(tocsin: Tocsin, folder: Path) -> None:
    (folder / "key.asc").write_text(PUBLIC, encoding="ascii")
    for arguments in (
        ("set", "Abuse@isp.example", "--language", "fr_CA,en", "--pgp-key", "key.asc", "--source", "=lettre, « été »"),
        ("set", "desk@isp.example", "--header", "X-Desk: =1", "--header", "X-A: 1", "--cadence", "7d", "--source", "x"),
        ("set", "192.0.2.0/24", "Old@isp.example", "--reason", "first"),
        ("set", "192.0.2.0/24", "new@isp.example", "--reason", "second", "--until", "9998-01-01"),
        ("set", "2001:db8::1-2001:db8::9", "six@isp.example", "--reason", "a range"),
        ("reject", "+me@isp.example", "--reason", "-a person"),
        ("route", "CH", "copy", "cert@cert.example", "--title", "CERT", "--reason", "@agreed"),
        ("route", "FR", "direct", "--reason", "as usual"),
    ):
        assert tocsin("contact", *arguments).code == 0


def state(db: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that people said, without the keys and times of the tables."""
    kept: dict[str, list[tuple[Any, ...]]] = {}
    with db.read() as connection:
        for table in (t.overrides, t.contact_preferences, t.routes, t.contacts):
            columns = [c for c in table.c if c.name not in ("id", "at", "contact_id", "created_at")]
            query = select(*columns).order_by(table.c.country if table is t.routes else table.c.id)
            kept[table.name] = [tuple(row) for row in connection.execute(query)]
    return kept


def emptied(db: Database) -> None:
    with db.write() as connection:
        for table in (t.overrides, t.contact_preferences, t.routes, t.contacts):
            connection.execute(table.delete())


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("kind", ["csv", "toml"])
def test_what_is_exported_and_imported_again_is_the_same(tocsin: Tocsin, folder: Path, db: Database, kind: str) -> None:
    before, text = state(db), tocsin("contact", "export", "--format", kind).out
    file = folder / f"contacts.{kind}"
    file.write_bytes(text.encode())
    same = tocsin("contact", "import", file, "--json").data
    assert (same["rows"], sum(same["changed"].values()), same["problems"]) == (8, 0, [])
    emptied(db)
    made = tocsin("contact", "import", file, "--json").data
    assert made["changed"] == {"preference": 2, "use": 3, "reject": 1, "route": 2}
    assert state(db) == before
    assert tocsin("contact", "export", "--format", kind).out == text


def test_a_mailbox_that_was_read_and_never_taken_is_not_said_to_be_unnamed(tocsin: Tocsin, db: Database) -> None:
    campaign = seed.campaign(db, NOW)
    seed.ready(db, NOW, campaign, "abuse@isp.example", [ip_address("192.0.2.1")])
    refused = {"rank": 1, "confidence": 0, "source": "role", "valid_from": NOW, "tier": 1, "rejected": "no-mail"}
    with db.write() as connection:
        connection.execute(t.netblock_contacts.insert().values(netblock_id=1, candidate="dead@isp.example", **refused))
    shown = tocsin("contact", "show", "dead@isp.example").out
    assert "state       named, and never taken\n" in shown
    assert "no registry has named it" not in shown


def test_a_mailbox_that_a_country_falls_back_to_is_not_called_the_networks(tocsin: Tocsin) -> None:
    ran = tocsin("contact", "route", "CA", "direct", "cert@cert.example", "--reason", "agreed")
    assert ran.out.startswith("CA: the network's contact; where there is none: cert@cert.example\n")
    assert "the network's contact; where there is none:  cert@cert.example" in tocsin("contact", "routes").out
    assert tocsin("contact", "route", "CA", "direct", "--reason", "agreed").out.startswith(
        "CA: the network's contact\n"
    )


@pytest.mark.usefixtures("filled")
def test_a_dry_run_says_what_would_change_and_changes_nothing(tocsin: Tocsin, folder: Path, db: Database) -> None:
    text = tocsin("contact", "export").out
    emptied(db)
    (folder / "contacts.csv").write_bytes(text.encode())
    ran = tocsin("contact", "import", "contacts.csv", "--dry-run")
    assert ran.code == 0
    assert ran.out.startswith("8 rows would be taken\n8 rows would change something\n")
    assert not any(state(db).values())


BAD = """\
kind,mailbox,network,reason
use,noc@isp.example,192.0.2.0/24,asked
use,noc@isp,192.0.2.7/24,asked
reject,me@isp.example,,
"""


def test_a_file_with_a_wrong_row_is_not_taken_and_each_is_named(tocsin: Tocsin, folder: Path, db: Database) -> None:
    (folder / "contacts.csv").write_text(BAD, encoding="utf-8")
    ran = tocsin("contact", "import", "contacts.csv")
    assert ran.code == 5
    assert ran.out == "0 rows were taken\n0 rows changed something\n"
    assert "Nothing was changed" in ran.err
    assert "contacts.csv, row 3, column mailbox: noc@isp: it is not a mailbox" in ran.err
    assert "row 3, column network: 192.0.2.7/24" in ran.err
    assert "row 4, column reason: a row of this kind needs it. Correct it in the file" in ran.err
    assert not any(state(db).values())
    french = tocsin("contact", "import", "contacts.csv", "--lang", "fr").err
    assert "contacts.csv, ligne 3, colonne mailbox\u00a0: noc@isp\u00a0: ce n'est pas une boîte" in french


def test_good_rows_are_taken_where_that_was_asked_for(tocsin: Tocsin, folder: Path, db: Database) -> None:
    (folder / "contacts.csv").write_text(BAD, encoding="utf-8")
    ran = tocsin("contact", "import", "contacts.csv", "--skip-bad", "--json")
    assert ran.code == 5
    assert (ran.data["rows"], ran.data["changed"]) == (1, {"use": 1})
    assert [(one["row"], one["column"], one["code"]) for one in ran.data["problems"]] == [
        ("3", "mailbox", "mailbox"),
        ("3", "network", "network"),
        ("4", "reason", "missing"),
    ]
    assert len(state(db)["overrides"]) == 1


def test_a_file_that_cannot_be_read_is_named(tocsin: Tocsin, folder: Path) -> None:
    (folder / "contacts.csv").write_bytes("kind,raison\nuse,été".encode("latin-1"))
    assert "it is not UTF-8. Save the file as UTF-8" in tocsin("contact", "import", "contacts.csv").err
    assert tocsin("contact", "import", "none.csv").code == 3


def test_an_import_makes_cases_due_as_the_words_alone_do(
    tocsin: Tocsin, folder: Path, db: Database, cases: None
) -> None:
    (folder / "contacts.csv").write_text(BAD.partition("use,noc@isp,")[0], encoding="utf-8")
    tocsin("contact", "import", "contacts.csv")
    assert all(case["contact_due_at"] or case["due_at"] for case in seed.all_cases(db))


def test_every_reason_why_something_cannot_be_taken_has_its_words() -> None:
    found = set()
    for name in ("contact_values", "contact_rows", "contact_files"):
        source = (ROOT / "pipeline" / "resolve" / f"{name}.py").read_text(encoding="utf-8")
        found |= set(re.findall(r'Wrong\("(\w+)"\)', source))
        found |= set(re.findall(r'Problem\([^,]+, [^,]+, "(\w+)"', source))
    asked = (ROOT / "pipeline" / "data" / "asked_headers.py").read_text(encoding="utf-8")
    found |= set(re.findall(r'NotAsked\("(\w+)"\)', asked))
    assert found | {"private_key", "pgp_key", "kind", "missing"} == set(WORDS["problem"])
    assert set(WORDS["problem_next"]) - {""} <= set(WORDS["problem"])
