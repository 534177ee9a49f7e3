"""`tocsin send` pauses a wave after its first letters, shows how they were answered, and goes on when a person says so."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain import Event, WaveState
from pipeline.sandbox.mail_rules import REFUSE, Rule
from pipeline.sandbox.mail_server import MailServer, serve
from pipeline.sandbox.thread import in_thread
from pipeline.store import brakes, lives, waves
from pipeline.store.db import Database
from tests.cli.conftest import CONFIG, Tocsin
from tests.seed import wave_of_letters

SETTINGS = """\
[mail]
sender = "bounces@agency.example"
rate = 0
per_domain_rate = 0
[mail.relay]
port = %d
tls = "none"
[mail.canary]
least = 3
[mail.brakes]
floor = 10
[safety]
guests = [".example"]
"""


def approved(db: Database, count: int) -> None:
    """Make a wave of letters that somebody has approved."""
    now = datetime.now(UTC)
    wave = wave_of_letters(db, now, count, state=WaveState.PLANNED)
    given: dict[str, Any] = {"person_id": None, "method": "training", "signature": "", "reason": ""}
    with db.write() as connection:
        waves.seal_manifest(connection, wave, now, "tocsin")
        waves.record(connection, waves.by_id(connection, wave), accepted=True, by="system:test", now=now, **given)
        waves.approve(connection, waves.by_id(connection, wave), now, "system:test")


@contextmanager
def relay(folder: Path, tmp_path: Path, rules: Mapping[str, Rule]) -> Iterator[MailServer]:
    with in_thread(serve(rules, tmp_path / "mail")) as server:
        (folder / "config.toml").write_text(CONFIG + SETTINGS % server.port, encoding="utf-8")
        yield server


def refusing(count: int) -> dict[str, Rule]:
    return {f"abuse@isp{n}.example": REFUSE for n in range(1, count + 1)}


def test_a_wave_waits_for_a_person_after_its_first_letters(
    tocsin: Tocsin, folder: Path, installed: Database, tmp_path: Path
) -> None:
    approved(installed, 8)
    with relay(folder, tmp_path, refusing(1)) as server:
        ran = tocsin("send", "test", "--execute", "--yes")
        assert ran.code == 0, ran.err
        assert "The first letters of the wave have left; the others wait for you." in ran.out
        assert "tocsin send test --wave 1 --go-on" in ran.out
        assert len(server.messages()) == 2  # the third was refused

        shown = tocsin("send", "test", "--json").data
        assert shown["first_letters"]["letters"] == 3
        assert shown["first_letters"]["domains"]["isp1.example"] == {"refused": 1}

        refused = tocsin("send", "test", "--execute", "--yes")
        assert refused.code == 6
        assert "--go-on" in refused.err
        assert len(server.messages()) == 2

        went_on = tocsin("send", "test", "--go-on", "--execute", "--yes", "--json")
        assert went_on.code == 0, went_on.err
        assert (went_on.data["sent"], went_on.data["left"], went_on.data["first_letters"]) == ({"handed": 5}, 0, None)
        assert len(server.messages()) == 7


def test_a_wave_that_does_not_wait_cannot_be_told_to_go_on(
    tocsin: Tocsin, folder: Path, installed: Database, tmp_path: Path
) -> None:
    approved(installed, 8)
    with relay(folder, tmp_path, {}) as server:
        ran = tocsin("send", "test", "--go-on", "--execute", "--yes")
        assert ran.code == 6
        assert server.messages() == []


@pytest.mark.parametrize(
    ("language", "before", "after"),
    [
        (
            "en",
            "once its first 3 letters have an answer, the wave waits for a person",
            "this is the plan for letting the wave go on, as --go-on does",
        ),
        (
            "fr",
            "dès que ses 3 premières lettres auront une réponse, la vague attendra une personne",
            "voici le plan si la vague continue, comme avec --go-on",
        ),
    ],
)
def test_the_plan_with_go_on_shows_what_would_go_and_its_hash_is_bound_to_it(
    tocsin: Tocsin, folder: Path, installed: Database, tmp_path: Path, language: str, before: str, after: str
) -> None:
    approved(installed, 8)
    with relay(folder, tmp_path, {}) as server:
        assert before in tocsin("--lang", language, "send", "test").out
        assert tocsin("send", "test", "--go-on").code == 6
        tocsin("send", "test", "--execute", "--yes")
        held, going = (tocsin("send", "test", *flags, "--json").data for flags in ((), ("--go-on",)))
        assert (held["would_go"], held["go_on"]) == (0, False)
        assert (going["would_go"], going["go_on"], going["withheld"]) == (5, True, [])
        assert going["plan"] != held["plan"]
        shown = tocsin("--lang", language, "send", "test", "--go-on").out
        command = f"tocsin send test --wave 1 --go-on --plan {going['plan']} --execute"
        assert (after in shown, before in shown, command in shown) == (True, False, True), shown
        assert tocsin("send", "test", "--plan", going["plan"], "--execute", "--yes").code == 6
        assert tocsin("send", "test", "--go-on", "--plan", held["plan"], "--execute", "--yes").code == 6
        assert len(server.messages()) == 3
        assert tocsin(*command.split()[1:], "--yes", "--json").data["sent"] == {"handed": 5}
        assert len(server.messages()) == 8


def test_going_on_lifts_no_hold_of_a_person_in_the_plan_either(
    tocsin: Tocsin, folder: Path, installed: Database, tmp_path: Path
) -> None:
    approved(installed, 8)
    with relay(folder, tmp_path, {}):
        tocsin("send", "test", "--execute", "--yes")
        assert tocsin("hold", "--domain", "isp8.example", "--reason", "they asked").code == 0
        going = tocsin("send", "test", "--go-on", "--json").data
        assert (going["would_go"], [row["letters"] for row in going["withheld"]]) == (4, [1])


def test_release_lets_a_wave_go_on_too(tocsin: Tocsin, folder: Path, installed: Database, tmp_path: Path) -> None:
    approved(installed, 8)
    with relay(folder, tmp_path, {}) as server:
        tocsin("send", "test", "--execute", "--yes")
        assert tocsin("release", "--campaign", "test", "--wave", "1", "--reason", "looks well").code == 0
        assert tocsin("send", "test", "--execute", "--yes").code == 0
        assert len(server.messages()) == 8


SAID: list[tuple[str, tuple[str, ...]]] = [
    (
        "en",
        (
            "8 of 13 letters were refused or returned; the relay's words: 550 5.1.1 No such mailbox here",
            "look into it first",
        ),
    ),
    (
        "fr",
        (
            "8 lettres sur 13 ont été refusées ou retournées",
            "550 5.1.1 No such mailbox here",
            "cherchez d'abord la cause",
        ),
    ),
]


def test_holds_of_the_program_say_why_and_what_next_in_both_languages(
    tocsin: Tocsin, folder: Path, installed: Database, tmp_path: Path
) -> None:
    approved(installed, 16)  # 3 are looked at, and count no more
    with relay(folder, tmp_path, refusing(11)):
        tocsin("send", "test", "--execute", "--yes")
        tocsin("send", "test", "--go-on", "--execute", "--yes")
        for language, texts in SAID:
            ran = tocsin("--lang", language, "holds")
            for text in texts:
                assert text in ran.out + ran.err
            assert texts[0] in tocsin("--lang", language, "status").out
            assert "tocsin release --campaign test --reason" in ran.err
    holds = tocsin("holds", "--json").data["holds"]
    assert [(row["by"], row["code"], row["data"]) for row in holds] == [
        ("system:brakes", "brakes.refused", {"count": 8, "of": 13})
    ]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_warning_is_shown_by_send_and_status(
    tocsin: Tocsin, folder: Path, installed: Database, tmp_path: Path, language: str
) -> None:
    now = datetime.now(UTC)
    approved(installed, 3)
    data: dict[str, Any] = {"count": 8, "of": 50}
    with installed.write() as connection:
        lives.advance(connection, [1], Event.WAVE_RELEASED, now, "system:test")
        brakes.warn(connection, 1, "refused", data, now)
    with relay(folder, tmp_path, {}):
        said = {"en": "8 of 50 letters were refused", "fr": "8 lettres sur 50 ont été refusées"}[language]
        assert said in tocsin("--lang", language, "status").out
        assert said in tocsin("--lang", language, "send", "test").out
