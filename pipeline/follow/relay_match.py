"""Which of our letters the lines of a relay's log speak of: by queue id, Message-ID or envelope sender, and recipient.

Pure: facts and what is known of letters and queue ids in, what is to be stored out.  A queue id may come back for another
message: it stands for a letter from the line that names it until it is removed or named again.  A delivery to anybody but
the letter's recipient (a copy that the relay makes for itself) says nothing of the letter.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pipeline.follow.relay_line import Active, Fact, Named, Removed, Status, Tried, clean, mark

SECOND = timedelta(seconds=1)  # one form of a log has whole seconds, another microseconds
LONGEST = timedelta(days=100)  # that a message stays in a queue (Postfix: maximal_queue_lifetime)
MAX_KEPT = 4_096  # characters of a line


@dataclass(slots=True)
class Queue:
    """A queue id that had a letter, from `at` until `ended_at`; `changed`: to be stored."""

    letter_id: int
    relay: str
    queue_id: str
    at: datetime
    ended_at: datetime | None = None
    changed: bool = False

    def has(self, at: datetime) -> bool:
        """True if the queue id stood for the letter at that time."""
        if at < self.at - SECOND or at > self.at + LONGEST:
            return False
        return self.ended_at is None or at <= self.ended_at + SECOND


@dataclass(slots=True)
class Known:
    """What is known of our letters: by Message-ID, by envelope sender, their recipients, and their queue ids."""

    by_message_id: Mapping[str, int]
    by_sender: Callable[[str], int | None]
    recipients: Mapping[int, str]
    queues: dict[tuple[str, str], list[Queue]] = field(default_factory=lambda: defaultdict(list))

    def of(self, relay: str, queue_id: str, at: datetime) -> Queue | None:
        """Return the queue entry that had one of our letters at that time."""
        return next((one for one in reversed(self.queues.get((relay, queue_id), [])) if one.has(at)), None)

    def letter_of(self, message_id: str, sender: str) -> int | None:
        """Return the letter of a Message-ID or else an envelope sender, if there is one."""
        letter = self.by_message_id.get(message_id) or (self.by_sender(sender) if sender else None)
        return letter if letter in self.recipients else None


def matched(facts: Sequence[tuple[Fact, bytes]], known: Known) -> list[dict[str, Any]]:
    """Return the deliveries that facts (each with its line) tell of our letters; queue ids are kept in `known`."""
    found = []
    for fact, line in facts:
        if isinstance(fact, Named):
            _named(fact, known)
        elif isinstance(fact, Removed):
            if queue := known.of(fact.relay, fact.queue_id, fact.at):
                _end(queue, fact.at)
        else:
            letter = _active(fact, known) if isinstance(fact, Active) else _tried(fact, known)
            if letter is not None:
                found.append(_row(fact, letter, line))
    return found


def _named(fact: Named, known: Known) -> None:
    """A queue id has a message: one of ours from here on, or another one, and ours no longer."""
    letter = known.letter_of(fact.message_id, "")
    before = known.of(fact.relay, fact.queue_id, fact.at)
    if before is not None and before.letter_id == letter:
        return
    if before is not None and before.at + SECOND < fact.at:
        _end(before, fact.at - SECOND)
    if letter is not None:
        _open(known, fact, letter)


def _active(fact: Active, known: Known) -> int | None:
    queue = known.of(fact.relay, fact.queue_id, fact.at)
    if queue is None and (letter := known.letter_of("", fact.sender)) is not None:
        queue = _open(known, fact, letter)
    return queue.letter_id if queue is not None else None


def _tried(fact: Tried, known: Known) -> int | None:
    queue = known.of(fact.relay, fact.queue_id, fact.at) if fact.queue_id else None
    letter = queue.letter_id if queue is not None else known.letter_of(fact.message_id, fact.sender)
    if letter is None:
        return None
    ours = same(known.recipients[letter])
    return letter if not fact.recipients or ours in map(same, fact.recipients) else None


def _open(known: Known, fact: Named | Active, letter: int) -> Queue:
    queue = Queue(letter, fact.relay, fact.queue_id, fact.at, changed=True)
    known.queues.setdefault((fact.relay, fact.queue_id), []).append(queue)
    return queue


def _end(queue: Queue, at: datetime) -> None:
    if queue.ended_at is None:
        queue.ended_at, queue.changed = at, True


def _row(fact: Active | Tried, letter: int, line: bytes) -> dict[str, Any]:
    if isinstance(fact, Tried):
        said = {name: getattr(fact, name) for name in ("agent", "host", "dsn", "words")} | {"status": fact.status.value}
    else:
        said = {"agent": "qmgr", "host": "", "dsn": "", "words": "", "status": Status.QUEUED.value}
    return {
        "letter_id": letter,
        "at": fact.at,
        "relay": fact.relay,
        "queue_id": fact.queue_id,
        **said,
        "mark": mark(fact),
        "text": clean(line.decode("utf-8", "replace"), MAX_KEPT),
    }


def same(mailbox: str) -> str:
    """Return a form that two spellings of one mailbox share: lower case, the domain as A-labels."""
    local, _, domain = mailbox.strip().rpartition("@")
    try:
        label = domain.lower().encode("idna").decode()
    except UnicodeError:
        label = domain.lower()
    return f"{local.lower()}@{label}"
