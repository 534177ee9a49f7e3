"""Put off the letters whose recipients are not at work now.

Reads: letters found due.  Writes, within the caller's transaction: when those to a country whose window is shut are due
again, all of the waves' at once.  Safe to repeat: what was put off is not due.  Neither gate nor budget is asked about
them; both are when the window opens, with evidence, wishes and the five days of a letter that was tried as they are then.
"""

from collections.abc import Sequence
from datetime import datetime

from pipeline.send.windows import WindowRules, opens_at
from pipeline.store import send as store
from pipeline.store.db import Connection


def in_window(
    connection: Connection, wave_ids: Sequence[int], found: Sequence[store.Due], rules: WindowRules, now: datetime
) -> list[store.Due]:
    """Return those of the letters that may leave now by their windows, in their order; the others are put off."""
    opens = {country: opens_at(country, now, rules) for country in {due.country for due in found}}
    for country, until in sorted(opens.items()):
        if until is not None:
            store.put_off(connection, wave_ids, country, now, until)
    return [due for due in found if opens[due.country] is None]
