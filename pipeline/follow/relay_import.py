"""Take lines of a relay's log, find our letters in them, and let them move those.

Reads: letters, queue_ids.  Writes: queue_ids, deliveries, how far a followed log has been read, states of letters, cases
NOTICED.  Safe to repeat, to kill at any line, and for two at once: a line counts once, and the place is committed together
with what was found before it.  A letter that a sender holds right now is taken up a moment later.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipeline.domain import Clock, Event, TryAgain
from pipeline.follow.relay_judge import Move, moves
from pipeline.follow.relay_line import Active, Fact, Named, Tried
from pipeline.follow.relay_log import Reader
from pipeline.follow.relay_match import Known, Queue, matched
from pipeline.store import events, lives
from pipeline.store import relay_log as store
from pipeline.store.db import Connection, Database
from pipeline.store.keys import Keys
from pipeline.store.relay_log import Place
from pipeline.store.send import noticed

PATIENCE = 300  # tries to get a letter that a sender holds, each after a pause
LOGGED = "letter.relay_told"


@dataclass(slots=True)
class Importing:
    """One import.  `pause` waits a moment, where a letter is held by a sender.  The counts are of this import."""

    db: Database
    keys: Keys
    clock: Clock
    by: str
    pause: Callable[[], None]
    new: int = 0
    moved: Counter[str] = field(default_factory=Counter)

    def take(self, reader: Reader, lines: Sequence[bytes], keep: Callable[[Connection], None] | None = None) -> None:
        """Take lines, in order.  `keep` is called in the transaction after which they need not be read again."""
        facts = [(fact, line) for line in lines if (fact := reader.read(line)) is not None]
        with self.db.read() as connection:
            known = self._known(connection, [fact for fact, _ in facts])
        told = matched(facts, known)
        queues = [_held(one) for found in known.queues.values() for one in found if one.changed]
        for _ in range(PATIENCE):
            if not (queues or told or keep):
                break
            with self.db.write() as connection:
                added = store.add(connection, queues, told, self.clock())
                if keep is not None and not added.busy:
                    keep(connection)
            self.new += added.new
            queues = [one for one in queues if one.letter_id in added.busy]
            told = [row for row in told if row["letter_id"] in added.busy]
            if not added.busy:
                break
            self.pause()
        else:
            raise TryAgain(
                "Letters are in other hands", "a sender or another import holds them", "Run the same command again."
            )
        self.weigh()

    def weigh(self) -> None:
        """Move the letters that were told of, those too that were being sent when their line was read."""
        while True:
            with self.db.read() as connection:
                if not store.waiting(connection):
                    return
            with self.db.write() as connection:
                found = store.unweighed(connection)
                self._move(connection, found)
            if not found:
                return  # others hold them, and weigh them

    def _known(self, connection: Connection, facts: Sequence[Fact]) -> Known:
        named = {f.message_id for f in facts if isinstance(f, Named | Tried) and f.message_id}
        senders = {
            f.sender: self.keys.envelope_letter(f.sender) for f in facts if isinstance(f, Active | Tried) and f.sender
        }
        by_message_id = store.letters_named(connection, named)
        keys = {(f.relay, f.queue_id) for f in facts if f.queue_id}
        queues: dict[tuple[str, str], list[Queue]] = defaultdict(list)
        for one in store.held(connection, keys):
            queues[one.relay, one.queue_id].append(Queue(one.letter_id, one.relay, one.queue_id, one.at, one.ended_at))
        ids = {*by_message_id.values(), *(i for i in senders.values() if i is not None)}
        ids |= {one.letter_id for found in queues.values() for one in found}
        return Known(by_message_id, senders.get, store.recipients(connection, ids), queues)

    def _move(self, connection: Connection, found: Sequence[dict[str, object]]) -> None:
        """Move letters, those of one fate together, one step after another; what moves nothing is logged."""
        now = self.clock()
        of_letter = defaultdict(list)
        for row in found:
            of_letter[row["letter_id"]].append(row)
        waiting = [moves(told) for told in of_letter.values()]
        while waiting := [made for made in waiting if made]:
            alike: dict[tuple[Event | None, str], list[Move]] = defaultdict(list)
            for made in waiting:
                move = made.pop(0)
                alike[move.event, move.why].append(move)
            for (event, why), together in alike.items():
                self._step(connection, event, why, together)
        store.weighed(connection, [int(str(row["id"])) for row in found], now)

    def _step(self, connection: Connection, event: Event | None, why: str, together: Sequence[Move]) -> None:
        now, said = self.clock(), {move.letter_id: {"delivery": move.delivery, "line": move.line} for move in together}
        if event is None:
            entries = [
                events.Entry(LOGGED, "letter", m.letter_id, m.campaign_id, why, said[m.letter_id]) for m in together
            ]
            events.write(connection, entries, now, self.by)
            return
        values = {"reason": why, "due_at": None}
        lives.advance(connection, list(said), event, now, self.by, why=why, data=said.__getitem__, values=values)
        if event is Event.LETTER_HANDED:
            noticed(connection, list(said), now, self.by)
        self.moved[event.value.removeprefix("letter.")] += len(said)


def _held(queue: Queue) -> store.Held:
    return store.Held(queue.letter_id, queue.relay, queue.queue_id, queue.at, queue.ended_at)


def keep_place(host: str, path: str, there: Place, clock: Clock) -> Callable[[Connection], None]:
    """Return what keeps a place within a transaction."""
    return lambda connection: store.keep_place(connection, host, path, there, clock())
