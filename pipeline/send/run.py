"""Send the letters of released waves, one SMTP transaction each.

Reads: letters APPROVED or DEFERRED that are due, in waves SENDING.  Writes: an attempt before the connection is used, the
time of the final dot before it is written, the reply after.  Safe to repeat: nothing is sent twice; an attempt without a
dot goes back, one with a dot and no reply is UNCERTAIN and left for proof or a person.
Standards: RFC 5321 4.2.1, 4.5.4.1; RFC 1047; RFC 3463.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.domain import Event, Go, Ready, Result, Stop, TryAgain
from pipeline.send.claim import Claimed, claim
from pipeline.send.dots import commit_dots
from pipeline.send.ended import write_replies
from pipeline.send.over import stops
from pipeline.send.watch import look
from pipeline.send.work import BY
from pipeline.send.work import Sending as Sending
from pipeline.send.work import SendSettings as SendSettings
from pipeline.store import lives, waves
from pipeline.store import send as store
from pipeline.store.db import Connection, by_keys

PATIENCE = timedelta(minutes=2)  # a pause longer than that ends the run; the next one goes on
LONGEST_DRAIN = 30.0  # seconds given to open transactions when a person stops us
QUIET = 0.001  # seconds without a word from the edge, after which a round begins with those that there were
MOST_REFUSALS_OF_US = 3  # in a row: the relay does not want us, whatever the letter


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did: letters by what became of them; and when, and why, the rest waits."""

    tally: Mapping[str, int]
    left: int
    wait: datetime | None = None
    why: str = ""


def send(run: Sending) -> Outcome:
    """Send all that is due and not held, at the pace the budgets allow, and say what is left and why.

    Raises RefusedBySafety if a wave's approvals no longer hold, TryAgain if the relay refuses us.
    """
    with run.db.write() as connection:
        recover(connection, run.clock())
        waves.withdraw_cancelled(connection, run.clock(), BY)
        run.total = store.left(connection, [wave["id"] for wave in waves.sending(connection)])
    try:
        wait, why = _work(run)
    except Exception:
        raise
    except BaseException:  # a person stopped us: finish what is open, give back the rest
        _drain(run)
        raise
    with run.db.write() as connection:
        look(run, connection, run.clock(), last=True)
        waves.withdraw_cancelled(connection, run.clock(), BY)
        waves.finish(connection, run.clock(), BY)
        ids = [wave["id"] for wave in waves.sending(connection)]
        left = store.left(connection, ids)
        why = why or store.waits_for(connection, ids)
        wait = wait or store.next_due(connection, ids)
    return Outcome(dict(run.tally), left, wait, why)


def recover(connection: Connection, now: datetime) -> int:
    """Settle what dead workers left CLAIMED; returns how many letters.

    Without a dot the letter cannot have been accepted: it goes back.  With one it is UNCERTAIN (RFC 1047).
    """
    safe, unknown, open_attempts = store.abandoned(connection, now)
    ended = [{"attempt": attempt_id, "ended_at": now, "outcome": "abandoned"} for attempt_id in open_attempts]
    store.record_replies(connection, ended)
    given_back = {"worker_id": None, "due_at": now}
    lives.advance(connection, safe, Event.LETTER_RELEASED, now, BY, why="worker_died", values=given_back)
    lives.advance(connection, unknown, Event.LETTER_UNCERTAIN, now, BY, why="worker_died", values={"worker_id": None})
    return len(safe) + len(unknown)


def _work(run: Sending) -> tuple[datetime | None, str]:
    """Claim, ask, listen and write until nothing more can go now; returns when to go on, and why then."""
    claimed = Claimed()
    while True:
        with run.unbroken():
            claimed = one_round(run, claimed)
        run.waiting(claimed.why, claimed.wait)
        run.progress("letters", sum(run.tally.values()), run.total)
        if run.under_way:
            continue
        if _unwanted(run):
            raise TryAgain("The relay refuses us", run.last_words, "Look at the relay and its log, then run it again.")
        if claimed.refused is not None:
            raise claimed.refused
        if claimed.exhausted or (claimed.wait is not None and claimed.wait - run.clock() > PATIENCE):
            return claimed.wait, claimed.why


def one_round(run: Sending, claimed: Claimed) -> Claimed:
    """Listen once, write down what was heard and who is next, then tell the edge.

    Letters are told before the dots of others: a dot may take the commands of the next letter along, whose attempt is
    in the same commit.
    """
    answers = _listen(run, claimed)
    with run.db.write() as connection:
        by_keys(connection)
        now, run.began = run.clock(), run.monotonic()
        write_replies(run, connection, [a for a in answers if isinstance(a, Result)], now)
        look(run, connection, now, last=_unwanted(run))
        if _unwanted(run) or claimed.refused is not None:
            claimed = Claimed(exhausted=True, refused=claimed.refused)
            messages: list[Go | Stop] = [Stop(letter_id) for letter_id in run.under_way]  # too late after a Go
        else:
            messages = commit_dots(run, connection, [a for a in answers if isinstance(a, Ready)], now)
            claimed = claim(run, connection, claimed, now)
    run.wire.tell_all([*claimed.letters, *messages, *stops(run)])
    run.spacing.took(timedelta(seconds=run.monotonic() - run.began))
    return claimed


def _listen(run: Sending, claimed: Claimed) -> list[Ready | Result]:
    """Return what the edge says, until each letter under way has been spoken of or it is quiet for a moment.

    A round costs little more for many answers than for one, and the replies to dots that were told together come together.
    """
    answers = run.wire.take(_patience(run, claimed))
    while answers and len(answers) < len(run.under_way) and (more := run.wire.take(QUIET)):
        answers = [*answers, *more]
    return list(answers)


def _unwanted(run: Sending) -> bool:
    return run.refusals_of_us >= MOST_REFUSALS_OF_US


def _patience(run: Sending, claimed: Claimed) -> float:
    """Return how many seconds to listen before a dot or a further letter may be due."""
    times = [at for at in (run.dots_at, claimed.wait if run.room > 0 else None) if at is not None]
    if times:
        return min(max((min(times) - run.clock()).total_seconds(), 0.0), 0.5)
    if run.room <= 0 or (run.under_way and claimed.exhausted):
        return 0.5
    return 0.02 if run.under_way else 0.0


def _drain(run: Sending) -> None:
    """A person stopped us: let transactions whose dot is committed finish, abandon the others, write what happened."""
    waited = 0.0
    run.connections.clear()  # what the round wrote that was stopped may be undone
    run.wire.tell_all([Stop(letter_id) for letter_id in run.under_way])  # too late for those that had their Go
    while run.under_way and waited < LONGEST_DRAIN:
        answers = run.wire.take(0.5)
        waited += 0 if answers else 0.5
        run.wire.tell_all([Stop(answer.letter_id) for answer in answers if isinstance(answer, Ready)])
        with run.db.write() as connection:
            write_replies(run, connection, [a for a in answers if isinstance(a, Result)], run.clock())
