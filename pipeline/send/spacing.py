"""When the final dot of a letter may be written: at its slot or later, and never in a burst.  Pure: times in, a time out.

A letter's slot is that of its dot: its envelope may be said before.  Where a relay is slow, slots pass while letters wait
for it; once it answers they leave one by one at the pace of this worker, not all at once.  A slot that passed long ago is
of no use any more: other workers have taken later ones since, so a letter that is late needs a new one.  A slot far in
the future is that of a clock which was set back since: nobody waits for it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

EARLY = timedelta(milliseconds=20)  # a dot may be committed so long before it is written: the edge keeps it until then
FURTHEST = timedelta(seconds=5)  # no slot is given so far ahead
LATE = timedelta(milliseconds=100)  # or two letters of the pace, if that is longer
CATCH_UP = 0.99  # of the time between two letters is kept where slots have passed


@dataclass(slots=True)
class Spacing:
    """The dots of one worker.  `rate`: letters a second that all of them together may send; 0: no limit."""

    rate: float = 0.0
    last: datetime | None = None

    def when(self, slot: datetime, now: datetime) -> datetime:
        """Return when the next dot may be written, now at the earliest."""
        at = now if slot - now > FURTHEST else max(slot, now)
        if self.last is None or not self.rate or self.last - now > FURTHEST:
            return at
        apart = min(timedelta(seconds=CATCH_UP / self.rate), FURTHEST)  # no relay is kept waiting for longer
        return max(at, self.last + apart)

    def late(self, slot: datetime, now: datetime) -> bool:
        """True if a slot passed so long ago that its letter needs a new one; without a pace none does."""
        return bool(self.rate) and now - slot > max(LATE, timedelta(seconds=2 / self.rate))

    def due(
        self, slots: Iterable[tuple[datetime, int]], now: datetime
    ) -> tuple[list[tuple[int, datetime]], datetime | None]:
        """Return the letters whose dots may be committed now, each with its time, and when to ask for the others.

        `slots` are those of the letters whose relay waits for the message: (slot, letter).  Those returned are spaced
        from here on.
        """
        granted: list[tuple[int, datetime]] = []
        for slot, letter_id in sorted(slots):
            at = self.when(slot, now)
            if at - now > EARLY:
                return granted, at - EARLY / 2
            granted.append((letter_id, at))
            self.last = at
        return granted, None
