"""A sender of 3,000 letters over ten connections is killed at random moments, also inside the narrow ones: none is taken
twice, none is lost, at most one for each connection is in doubt after each kill, and the relay's log settles those.

TOCSIN_SOAK: a hundred kills on each database; else fifteen.
"""

import random
import sys
from collections import Counter
from dataclasses import dataclass, field

import pytest

from tests.soak import KILLS
from tests.system import dying
from tests.system.conftest import Databases
from tests.system.forked import Commands, Running
from tests.system.mailing import SEND, Mailing, mailing

LETTERS, CONNECTIONS = 3_000, 10
STARTS = 0.7  # seconds that a sender takes, about, before its first letter
PACE = 350  # letters a second, about
AT = ("clock", "start", "data", "body", "dot", "lost")  # what a kill waits for
KILLED = -9


@dataclass
class Killing:
    """One wave, and the kills that its senders have had."""

    mailing: Mailing
    chance: random.Random
    kills: Counter[str] = field(default_factory=Counter)
    most: int = 0  # letters in doubt after one kill
    doubtful: set[int] = field(default_factory=set)  # attempts, after all of them

    def strike(self) -> None:
        """Start a sender and kill it at a random moment; after it at most one letter of each connection is in doubt."""
        left = LETTERS - sum(self.mailing.taken().values())
        share = max(int(1.6 * left / (KILLS - self.kills.total())), 2)  # so that letters are left for the last kill
        running, at = self.mailing.start(*SEND), self.chance.choice(AT)
        self.kill(running, at, self.chance.randrange(1, share))
        if running.code == KILLED:
            self.kills[at] += 1
            new = self.mailing.open_dots() - self.doubtful
            assert len(new) <= CONNECTIONS
            self.most, self.doubtful = max(self.most, len(new)), self.doubtful | new

    def kill(self, running: Running, at: str, count: int) -> None:
        if at == "start":
            running.kill_after(self.chance.uniform(0, STARTS))
        elif at == "clock":
            running.kill_after(STARTS + count / PACE)
        else:
            self.mailing.killer.aim(running.pid, "dot" if at == "lost" else at, count, loses=at == "lost")
            assert running.end().code in (KILLED, 0)
            self.mailing.killer.left = 0

    def line(self) -> str:
        at = ", ".join(f"{at} {count}" for at, count in sorted(self.kills.items()))
        doubtful = f"{len(self.doubtful)} letters uncertain, at most {self.most} after one kill"
        return f"{self.kills.total()} kills ({at}); {doubtful}"


def test_a_sender_of_3000_letters_that_is_killed_again_and_again_sends_each_once(
    commands: Commands, databases: Databases, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = f"{'postgresql' if databases.server else 'sqlite'} {KILLS}"
    with mailing(commands, databases.new, LETTERS) as m:
        killing = Killing(m, random.Random(seed))
        while killing.kills.total() < KILLS:
            killing.strike()
        m.must(*SEND)
        taken, uncertain = m.taken(), m.uncertain()
        told = f"seed {seed!r}: {killing.line()}; {sum(taken.values())} taken"
        assert max(taken.values()) == 1, told
        assert set(m.states()) <= {"handed", "uncertain"}, told
        assert len(uncertain) == len(killing.doubtful) <= KILLS * CONNECTIONS, told
        assert len(taken) + len(set(uncertain.values()) - set(taken)) == LETTERS, told
        with capsys.disabled():  # on stderr, which the workers of pytest-xdist share
            print(f"\n{told}", file=sys.stderr)
        settle(m, uncertain)


def settle(m: Mailing, uncertain: dict[int, str]) -> None:
    """The relay's log settles what was taken; a person says of the rest that it is not in it, and it is sent."""
    taken = m.taken()
    m.must("relay-log", "import", str(m.log()))
    assert m.states()["accepted"] == len(taken)
    lost = {letter for letter, message_id in uncertain.items() if message_id not in taken}
    assert set(m.uncertain()) == lost
    m.an_hour_passes()
    for letter in lost:
        m.must("letter", "settle", str(letter), "resend", "--reason", "the relay's log does not name it")
    if lost:
        m.must(*SEND)
    assert m.states() == Counter(accepted=len(taken), handed=len(lost))
    assert Counter(m.taken().values()) == {1: LETTERS}


@pytest.mark.parametrize(
    ("when", "what", "uncertain"),
    [
        ("before", "Send", 0),  # the attempt is on record, and the relay has heard nothing
        ("after", "Send", 0),  # the relay may have heard the envelope
        ("before", "Go", 1),  # the time of the dot is on record, and the dot was not written
        ("after", "Go", 1),  # it may have been
    ],
)
def test_between_its_commit_and_its_word_to_the_edge_a_death_loses_nothing_and_sends_nothing_twice(
    commands: Commands, databases: Databases, when: str, what: str, uncertain: int
) -> None:
    with mailing(commands, databases.new, 3 * dying.CONNECTIONS) as m:
        m.release()
        url = m.db.engine.url.render_as_string(hide_password=False)
        running = m.start(when, what, url, str(m.server.port), module="tests.system.dying")
        assert running.end().code == KILLED
        doubtful = m.open_dots()
        assert bool(doubtful) == bool(uncertain)
        assert len(doubtful) <= dying.CONNECTIONS
        m.must(*SEND)
        in_doubt, taken = m.uncertain(), m.taken()
        assert len(in_doubt) == len(doubtful)
        assert set(taken.values()) == {1}
        assert m.states() == Counter(handed=12 - len(doubtful), uncertain=len(doubtful))
        if (when, what) == ("before", "Go"):
            assert not set(in_doubt.values()) & set(taken)
