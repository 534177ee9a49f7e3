"""Watch how letters are answered: hold or warn where the brakes say so, and pause a wave after its first letters.

Reads: how letters of the campaigns under way were judged (store/brakes.py), no more often than it pays.  Writes, within the
caller's transaction: holds and warnings, each with its event.  Safe to repeat: what is held or warned of already is not
again, and what a person has released is not held against a campaign again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipeline.send import canary
from pipeline.send.brakes import MOST_WORDS, Answer, Brake, BrakeSettings, Finding, counted, findings, refusals_of_us
from pipeline.send.pace import Pace
from pipeline.store import brakes as store
from pipeline.store import waves
from pipeline.store.db import Connection

if TYPE_CHECKING:
    from pipeline.send.work import Sending

EVERY = timedelta(seconds=5)  # between two looks, unless so many letters were answered before
ANSWERS = 1_000  # a look at 10,000 letters takes some 25 ms
LOOK_BACK = 3  # attempts read for each that the breaker needs: those that say nothing of us are passed over


@dataclass(slots=True)
class Watch:
    """What one run remembers between looks: when it looked, what it knows of waves, which answers count no more."""

    at: datetime | None = None
    answers: int = 0
    since: dict[int, tuple[datetime | None, int]] = field(default_factory=dict)  # campaign: release, its last attempt
    sizes: dict[int, int] = field(default_factory=dict)  # wave: its first letters, 0 for no pause
    released: dict[int, datetime] = field(default_factory=dict)  # wave: when a person let it go on


def look(run: "Sending", connection: Connection, now: datetime, *, last: bool = False) -> None:
    """Look whether a campaign under way has to be held, or a person warned; mostly it is not time for that.

    The `last` look of a run is taken in any case where letters were answered since the one before.
    """
    rules, watch = run.settings.brakes, run.watch
    answers = sum(run.tally.values())
    if rules is None or not (_is_time(watch, answers, now) or (last and answers > watch.answers)):
        return
    watch.at, watch.answers = now, answers
    for campaign_id in sorted({wave["campaign_id"] for wave in waves.sending(connection)}):
        _judge(connection, watch, campaign_id, rules, now)


def _is_time(watch: Watch, answers: int, now: datetime) -> bool:
    if watch.at is None:
        return True
    return answers - watch.answers >= ANSWERS or (answers > watch.answers and abs(now - watch.at) >= EVERY)


def _judge(connection: Connection, watch: Watch, campaign_id: int, rules: BrakeSettings, now: datetime) -> None:
    since = _since(connection, watch, campaign_id)
    found = store.judged(connection, campaign_id, since, rules.recent, rules.window)
    recent = counted([_answer(row) for row in found if row.recent])
    first = min((row.first for row in found), default=0)
    complaints = store.complaints(connection, campaign_id, first) if found else 0
    whole = counted([_answer(row) for row in found], complaints)
    last = store.last_answers(connection, campaign_id, since, max(rules.breaker * LOOK_BACK, 1))
    answers = [Answer(r["outcome"], r["stage"], r["reply"], r["enhanced"], r["reply_text"]) for r in last]
    for finding in findings(refusals_of_us(answers), [recent, whole], rules):
        data = {"count": finding.count, "of": finding.of}
        if finding.hold:
            words = _words(finding, answers)
            store.brake(connection, campaign_id, finding.brake.value, data, words, now)
            return  # one reason is enough
        store.warn(connection, campaign_id, finding.brake.value, data, now)


def _since(connection: Connection, watch: Watch, campaign_id: int) -> int:
    """Return the attempt after which answers count: the last one before a person released what was held here."""
    at = store.released_at(connection, campaign_id)
    known = watch.since.get(campaign_id)
    if known is None or known[0] != at:
        known = watch.since[campaign_id] = (at, store.last_attempt(connection, at))
    return known[1]


def _answer(row: store.Judged) -> Answer:
    return Answer(row.outcome, row.stage, row.reply, row.enhanced, bounced=row.bounced, count=row.count)


def _words(finding: Finding, answers: Sequence[Answer]) -> str:
    """Return the relay's own words: of the last answer that is a refusal, for a brake that refusals set."""
    if finding.brake is Brake.COMPLAINTS:
        return ""
    for answer in answers:
        if answer.reply >= 400:
            return f"{answer.reply} {answer.enhanced} {answer.text}".replace("  ", " ").strip()[:MOST_WORDS]
    return ""


# --- the first letters of a wave -------------------------------------------------------------------------------------


def rooms(
    run: "Sending", connection: Connection, sending: Mapping[int, Mapping[str, Any]], now: datetime
) -> dict[int, int]:
    """Return {wave: letters not tried before that may leave} for waves of which a person has not seen the first letters.

    A wave is held once all its first letters have been answered; until then those under way are waited for.
    """
    settings, watch = run.settings.canary, run.watch
    if settings is None:
        return {}
    if new := [wave for wave in sending if wave not in watch.sizes]:
        letters = store.sizes(connection, new)
        watch.sizes |= {wave: canary.size(letters.get(wave, 0), settings) for wave in new}
    asking = [wave for wave in sending if watch.sizes[wave] and wave not in watch.released]
    seen = store.paused(connection, asking) if asking else {}
    watch.released |= {wave: at for wave, at in seen.items() if at is not None}
    unseen = [wave for wave in asking if wave not in seen]
    found = store.first_letters(connection, unseen) if unseen else {}
    for wave, (tried, under_way) in found.items():
        if tried >= watch.sizes[wave] and not under_way:
            whole = store.sizes(connection, [wave])[wave]
            store.pause(connection, sending[wave]["campaign_id"], wave, tried, whole, now)
    return {wave: watch.sizes[wave] - tried for wave, (tried, _) in found.items()}


def eased(run: "Sending", wave_ids: Iterable[int], now: datetime) -> dict[int, Pace]:
    """Return {wave: its limits} for waves that a person let go on not long ago: a share of the rate, which doubles."""
    settings, whole = run.settings.canary, run.settings.paces
    rates = [rate for rate in (whole.every.per_second, whole.relay.per_second, whole.campaign.per_second) if rate]
    if settings is None or not rates:
        return {}
    shares = {
        wave: canary.pace(run.watch.released[wave], now, settings) for wave in wave_ids if wave in run.watch.released
    }
    return {
        wave: replace(whole, campaign=replace(whole.campaign, per_second=min(rates) * share))
        for wave, share in shares.items()
        if share < 1
    }
