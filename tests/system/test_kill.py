"""A campaign whose every command is killed at random moments loses nothing and sends nothing twice.

Each command is started, killed with SIGKILL at a moment drawn uniformly over the time that it takes, and started again
until it ends.  TOCSIN_SOAK: a hundred kills on each database; else fifteen.
"""

import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import update

from pipeline.domain import LetterState
from pipeline.sandbox.mail_rules import Rule
from pipeline.store.tables import letters
from tests.ran import Ran
from tests.soak import KILLS
from tests.system import campaign
from tests.system.campaign import (
    BULK,
    BULK_LINES,
    CONNECTIONS,
    LIST_1,
    LIST_2,
    NAME,
    Site,
    contact,
)
from tests.system.conftest import Databases, NewDatabase
from tests.system.forked import Commands

AGAIN, KILLED = 75, -9
SEND = ("send", NAME, "--execute", "--yes")
RUN = ("run", "--once")

# How often each command is killed in one campaign.
PLAN = {
    "ingest list": 1,
    "ingest bulk": 2,
    "resolve": 2,
    "verify": 1,
    "wave plan": 1,
    "render": 1,
    "approve": 1,
    "send": 7,
    "run finds": 1,
    "run renders": 1,
    "run sends": 1,
}


@dataclass
class Tally:
    """What was done to the campaigns of one test, and what came of it."""

    kills: Counter[str] = field(default_factory=Counter)
    escaped: int = 0  # commands that ended before their kill
    again: int = 0  # commands that said: temporary, try again
    letters: Counter[str] = field(default_factory=Counter)
    asked_again: int = 0
    campaigns: int = 0

    def lines(self) -> str:
        kills = ", ".join(f"{step} {count}" for step, count in self.kills.items())
        return (
            f"{self.campaigns} campaigns, {self.kills.total()} kills ({kills}); {self.escaped} ended first, "
            f"{self.again} said try again; letters {dict(self.letters)}; {self.asked_again} questions asked again"
        )


@dataclass
class Killing:
    """One campaign under way, and the moments at which its commands are killed."""

    site: Site
    tally: Tally
    chance: random.Random
    seconds: Mapping[
        str, float
    ]  # that each step takes when it is left alone; "start": that a command takes to do nothing

    def step(self, name: str, *line: str, fine: tuple[int, ...] = (0,)) -> Ran:
        """Kill the command as often as planned, then run it to its end; `fine` are the exit codes of success."""
        for at_work, delay in moments(self.chance, self.seconds["start"], self.seconds[name], PLAN[name]):
            running = self.site.start_working(*line) if at_work else self.site.start(*line)
            ran = running.kill_after(delay)
            assert ran.code in (*fine, AGAIN, KILLED), (name, ran)
            if ran.code == KILLED:
                self.tally.kills[name] += 1
            else:
                self.tally.escaped += 1
        return self.finish(*line, fine=fine)

    def finish(self, *line: str, fine: tuple[int, ...] = (0,)) -> Ran:
        """Run a command until it is done, as a person does who is told to try again."""
        for _ in range(60):
            ran = self.site.run(*line)
            if ran.code != AGAIN:
                assert ran.code in fine, (line, ran)
                return ran
            self.tally.again += 1
            time.sleep(1)
        raise AssertionError(f"it cannot be done: {ran}")


def moments(chance: random.Random, start: float, whole: float, kills: int) -> Iterator[tuple[bool, float]]:
    """Yield when each kill comes: (False, seconds after the start) or (True, seconds after the work has begun).

    Moments are uniform over the whole; each run goes on from where the kills before it let the work get.
    """
    done = start
    for moment in sorted(chance.uniform(0, max(whole, start)) for _ in range(kills)):
        yield (False, moment) if moment < start else (True, moment - done)
        done = max(moment, start)


def work(site: Site, step: Callable[..., object]) -> None:
    """The campaign from its first list to its last letter.  `step(name, *line)` runs one command."""
    done = (0, 6)  # 6: a killed command had done it already, and is told so
    step("ingest list", "ingest", site.file(LIST_1), "--feed", "scan")
    step("ingest bulk", "ingest", site.file(BULK), "--feed", "rumours")
    step("resolve", "resolve")
    step("verify", "verify")
    step("wave plan", "wave", "plan", NAME)
    step("render", "render")
    step("approve", "approve", "accept", NAME, fine=done)
    step("send", *SEND, fine=done)
    site.must("ingest", site.file(LIST_2), "--feed", "scan")
    step("run finds", *RUN)
    site.must("wave", "plan", NAME)
    step("run renders", *RUN)
    site.must("approve", "accept", NAME)
    running = site.start(*SEND)
    site.until("SELECT count(*) FROM waves WHERE number = 2 AND state = 'sending'")
    running.kill()
    step("run sends", *RUN)


def measured(commands: Commands, databases: Databases) -> dict[str, float]:
    """Run the campaign and kill nothing; returns how many seconds each step takes."""
    seconds: dict[str, float] = {}
    with campaign.site(commands, databases.new) as site:
        site.prepare()

        def step(name: str, *line: str, fine: tuple[int, ...] = (0,)) -> None:
            began = time.monotonic()
            site.must(*line)
            seconds[name] = time.monotonic() - began

        starts = []
        for _ in range(3):
            step("start", *RUN)
            starts.append(seconds["start"])
        work(site, step)
        seconds["start"] = min(starts)
        assert_all_is_well(site, Tally(), uncertain=CONNECTIONS)
    return seconds


def assert_all_is_well(site: Site, tally: Tally, uncertain: int) -> None:
    """Nothing twice, nothing lost, nothing asked twice, and the log tells of every state."""
    campaign.assert_nothing_twice_and_nothing_lost(site)
    campaign.assert_every_target_has_its_case(site)
    campaign.assert_events_tell_every_state(site)
    campaign.assert_seals_fit_the_log_and_letters_carry_them(site)
    campaign.assert_lines_are_stored_once(site, {LIST_1: 120, LIST_2: 24, BULK: BULK_LINES})
    found = site.letters()
    assert found[LetterState.UNCERTAIN] <= uncertain
    tally.letters += found
    tally.asked_again += campaign.assert_no_stored_answer_was_asked_again(site)
    tally.campaigns += 1


def killed_campaign(site: Site, tally: Tally, seed: str, seconds: Mapping[str, float]) -> None:
    """One campaign, every command of which is killed as PLAN says."""
    before = Counter(tally.kills)
    site.prepare()
    killing = Killing(site, tally, random.Random(seed), seconds)
    work(site, killing.step)
    while tally.kills.total() - before.total() < sum(PLAN.values()) - 1:  # some ended before their kill
        ran = site.start(*RUN).kill_after(killing.chance.uniform(0, seconds["start"]))
        tally.kills["run idles"] += ran.code == KILLED
    site.letters_are_due()
    killing.finish(*RUN)
    in_send = {step: tally.kills[step] - before[step] for step in ("send", "run sends")}
    assert in_send["send"] >= 5
    assert_all_is_well(site, tally, (sum(in_send.values()) + 1) * CONNECTIONS)
    assert set(site.letters()) <= {LetterState.HANDED, LetterState.REFUSED, LetterState.UNCERTAIN}


def test_kills_at_random_moments_lose_nothing_and_send_nothing_twice(
    commands: Commands, databases: Databases, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds, tally = measured(commands, databases), Tally()
    while tally.kills.total() < KILLS:
        with campaign.site(commands, databases.new) as site:
            killed_campaign(site, tally, f"{site.db.dialect} {tally.campaigns}", seconds)
    with capsys.disabled():  # on stderr, which the workers of pytest-xdist share
        print(f"\n{site.db.dialect}: {tally.lines()}", file=sys.stderr)
    uncertain, handed = tally.letters[LetterState.UNCERTAIN], tally.letters[LetterState.HANDED]
    assert uncertain <= CONNECTIONS * sum(tally.kills[step] + 1 for step in ("send", "run sends"))
    assert handed + uncertain + tally.letters[LetterState.REFUSED] == tally.letters.total()
    if KILLS == 100:  # as many kills among fewer letters leave more in doubt
        assert handed > 0.9 * (handed + uncertain)


def kill_with_one_letter_open(site: Site, rule: Rule, hangs: Callable[[Site], bool]) -> None:
    """Send until every letter but one has arrived, which hangs as `rule` says, and kill it once it does.

    It is the last to leave: the commands of a later one would stand behind its dot, and hang with it.
    """
    with site.db.write() as connection:
        connection.execute(update(letters).where(letters.c.recipient == contact(47)).values(send_order=2**62))
    site.town.mail.rules.rules = {contact(47): rule}
    running = site.start(*SEND)
    site.until(campaign.ONE_OPEN)
    deadline = time.monotonic() + 60
    while not hangs(site):  # it is claimed, and may still be on its way to where it hangs
        assert time.monotonic() < deadline, list(site.town.mail.commands)[-5:]
        time.sleep(0.01)
    running.kill()
    site.must(*SEND)
    campaign.assert_nothing_twice_and_nothing_lost(site)
    campaign.assert_events_tell_every_state(site)


def has_its_dot(site: Site) -> bool:
    return len(site.sink()) == 8


def has_said_data(site: Site) -> bool:
    said = list(site.town.mail.commands)
    named = [place for place, (_, line) in enumerate(said) if contact(47) in line]
    return bool(named) and (said[named[-1]][0], "DATA") in said[named[-1] :]


def test_a_letter_whose_dot_was_written_when_we_died_is_uncertain_and_is_not_sent_again(
    commands: Commands, new_approved: NewDatabase
) -> None:
    with campaign.site(commands, new_approved) as site:
        kill_with_one_letter_open(site, Rule("stall", "dot", keep=True), has_its_dot)
        assert site.letters() == {"handed": 7, "uncertain": 1}
        [letter] = site.query("SELECT recipient FROM letters WHERE state = 'uncertain'")
        assert letter["recipient"] == contact(47)
        assert len(site.sink()) == 8


def test_a_letter_whose_dot_was_not_written_when_we_died_is_sent(commands: Commands, new_approved: NewDatabase) -> None:
    with campaign.site(commands, new_approved) as site:
        kill_with_one_letter_open(site, Rule("stall", "data", times=1), has_said_data)
        assert site.letters() == {"handed": 8}
        assert len(site.sink()) == 8


def test_an_init_that_was_killed_is_completed_by_the_next(commands: Commands, tmp_path: Path) -> None:
    chance = random.Random("init")
    began = time.monotonic()
    assert commands.start(tmp_path / "x", "init", str(tmp_path / "whole")).end().code == 0
    whole = time.monotonic() - began
    for number in range(KILLS // 3):
        folder = tmp_path / str(number)
        commands.start(tmp_path / "x", "init", str(folder)).kill_after(chance.uniform(0, whole))
        assert commands.start(tmp_path / "x", "init", str(folder)).end().code == 0
        for name in ("config.toml", "credentials.toml"):
            assert len((folder / name).read_bytes()) == len((tmp_path / "whole" / name).read_bytes())
        assert commands.start(folder / "config.toml", "db", "status").end().code == 0
