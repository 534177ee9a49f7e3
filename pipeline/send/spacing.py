"""How the pace of final dots is kept: when their slots are taken, how far ahead, and how exactly.  Pure: values in and out.

A claim is no slot: a relay may keep a letter waiting for long, and what it did not use would be lost to all.  The slot of a
dot is taken from the budgets that all workers share when the relay waits for the message, in the transaction that commits
the dot.  Slots are taken a little ahead, so that a commit that takes long keeps no dot from its time; the edge writes each
at its time, or not at all (net/smtp_dots.py).  So in no second does one worker write more than the pace and two, nor
several together more than the pace and two for each.  Where a pace is less than one letter a second, slots are taken when
letters are claimed: no relay is to be kept waiting for one that another worker then takes.
"""

from dataclasses import dataclass
from datetime import timedelta
from math import inf

NONE = timedelta(0)
SLOW = timedelta(seconds=1)  # between two dots: from here on slots are taken by claims
FINE = timedelta(milliseconds=2)  # between two dots: what is quicker than that is kept on average alone
AHEAD = timedelta(milliseconds=250)  # slots are taken so far ahead, or two of them
LATE = 3  # letters of the pace, which is little enough for two workers that share it
LATEST = timedelta(seconds=1)
AGAIN = timedelta(milliseconds=20)  # whoever found no slot asks again no sooner
LONGEST_LEAD = timedelta(milliseconds=100)


@dataclass(slots=True)
class Spacing:
    """The dots of one worker, `apart` from each other and from those of all other workers; 0: no pace.

    `lead`: half the time from the beginning of a round until the edge hears of its dots, as of late; no slot is taken
    before that.
    """

    apart: timedelta = NONE
    lead: timedelta = NONE

    @property
    def at_dot(self) -> bool:
        """True if slots are taken with the dots, and not by claims."""
        return NONE < self.apart < SLOW

    @property
    def ahead(self) -> timedelta:
        return min(max(AHEAD, 2 * self.apart), 2 * SLOW)

    @property
    def rate(self) -> float:
        """Letters a second that the edge keeps to; 0: it writes dots as they come."""
        return 1 / self.apart.total_seconds() if self.apart >= FINE else 0.0

    @property
    def late(self) -> float:
        """Seconds after its slot in which a dot may still be written."""
        return min(LATE * self.apart, LATEST).total_seconds() if self.apart >= FINE else inf

    def took(self, round_: timedelta) -> None:
        """A round took so long.  Half of it is enough of a lead: a dot may be late a little, and slots lie ahead mostly."""
        if self.apart >= FINE:
            self.lead = min(self.lead + (round_ / 2 - self.lead) / 5, LONGEST_LEAD)

    def share(self, room: int) -> int:
        """Return how many of the slots that there are a worker may take at once: the others are to find some, too."""
        return max((room + 1) // 2, 1)
