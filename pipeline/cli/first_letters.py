"""The first letters of a wave, as a person looks at them before the others leave (send/canary.py).

Reads: how they were answered, by recipient domain.  Writes: the end of the hold that waits for that person.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.cli import context, show, words
from pipeline.cli.context import Ground
from pipeline.cli.states import said
from pipeline.domain import RefusedBySafety
from pipeline.send.canary import by_domain
from pipeline.store import brakes, waves
from pipeline.store.db import Connection

STATES = ("handed", "accepted", "deferred", "refused", "bounced", "uncertain", "expired", "claimed")
MOST = 20  # domains that are listed


def waiting(connection: Connection, wave_id: int) -> dict[str, Any] | None:
    """Return how the first letters of a wave that waits for a person were answered, None for a wave that does not wait."""
    if brakes.paused(connection, [wave_id]).get(wave_id, True) is not None:
        return None
    domains = by_domain(brakes.answered(connection, wave_id))
    letters = sum((counts.total() for counts in domains.values()), 0)
    return {"letters": letters, "domains": {domain: dict(counts) for domain, counts in domains.items()}}


def told(first: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield the answers as a table: a row for all of them, one for each domain, a column for each state that occurs."""
    if first is None:
        return
    domains: Mapping[str, Mapping[str, int]] = first["domains"]
    states = [state for state in STATES if any(state in counts for counts in domains.values())]
    every = {state: sum(counts.get(state, 0) for counts in domains.values()) for state in states}
    listed = dict(list(domains.items())[:MOST])
    rows = [
        (name, *(words.number(counts[state]) if counts.get(state) else "-" for state in states))
        for name, counts in {words.text("in all"): every, **listed}.items()
    ]
    yield ""
    yield words.text("The first letters of the wave have left; the others wait for you.")
    yield from show.table((words.text("recipient domain"), *(said("letter", state) for state in states)), rows)
    if others := len(domains) - len(listed):
        yield words.plural("{count} other domain", "{count} other domains", others)


def must_wait(connection: Connection, wave: Mapping[str, Any]) -> None:
    """Raise RefusedBySafety unless a wave waits for a person after its first letters: only then can it be let go on."""
    if waiting(connection, wave["id"]) is None:
        raise RefusedBySafety(
            f"Wave {wave['number']} of {wave['campaign']} does not wait for a person",
            "only a wave that is held after its first letters can be told to go on",
            "Run: tocsin holds",
        )


def decide(ground: Ground, wave_id: int, *, go_on: bool) -> None:
    """Let a wave go on, or make sure that it need not wait.  Raises RefusedBySafety where the two do not fit."""
    by, now = ground.by(), context.clock()
    with ground.db.write() as connection:
        wave = waves.locked(connection, wave_id)
        waits = waiting(connection, wave_id) is not None
        if waits and not go_on:
            raise RefusedBySafety(
                f"Wave {wave['number']} of {wave['campaign']} waits for a person",
                "its first letters have left, and somebody has to look at how they were answered",
                f"Run: tocsin send {wave['campaign']} --wave {wave['number']} --go-on --execute",
            )
        if go_on:
            must_wait(connection, wave)
            brakes.go_on(connection, wave["campaign_id"], wave_id, now, by)
