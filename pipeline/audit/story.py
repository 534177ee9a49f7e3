"""The story of a record, in order, for a reader who has never seen the program: from the first report to what it means now.

Pure.  Each chapter is a file of its own.  Nothing is said that a row does not bear out, and what is not known is said to be
not known.
"""

from datetime import datetime

from pipeline.audit.logged import event_lines
from pipeline.audit.networks import candidate_lines, network_lines
from pipeline.audit.now import now_lines
from pipeline.audit.record import Record
from pipeline.audit.reported import claim_lines, decision_lines
from pipeline.audit.say import Chapter, say
from pipeline.audit.stopped import stop_lines
from pipeline.audit.written import written_lines


def story(record: Record, now: datetime) -> list[Chapter]:
    """Return the chapters of a record, in the order of what happened."""
    chapters = (
        (say("What was reported"), claim_lines(record)),
        (say("What was decided, and why"), decision_lines(record)),
        (say("Whose network it is"), network_lines(record)),
        (say("Who was chosen to be written to, and who was not"), candidate_lines(record)),
        (say("What was written, and what came of it"), written_lines(record)),
        (say("What stops it, or has stopped it"), stop_lines(record)),
        (say("Everything in order, from the log"), event_lines(record)),
        (say("What it means now"), now_lines(record, now)),
    )
    made = [Chapter(title, tuple(lines)) for title, lines in chapters]
    return [chapter for chapter in made if chapter.lines]
