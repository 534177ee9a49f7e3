"""The plan of a wave: which of its letters would go if it were sent now, which would not and why, and until when.

Every letter that is still to go is put to the gate that the claim asks (judge.py), in one read transaction.
Reads: the wave's letters, holds, what the gate needs, budgets.  Writes nothing, locks nothing: safe at any time.
"""

import hashlib
import heapq
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from pipeline.domain import Progress
from pipeline.send import canary, forecast, pace, warmup, windows
from pipeline.send.forecast import End, Spent
from pipeline.send.gate import Decision, Gate
from pipeline.send.judge import judge
from pipeline.send.mail_servers import TAKES_NONE
from pipeline.send.work import SendSettings
from pipeline.store import brakes, mail_domains
from pipeline.store import letters as store
from pipeline.store.budgets import Limit
from pipeline.store.db import Connection
from pipeline.store.mail_domains import MailDomain, domain_of

SAMPLES = 10
UNWELCOME = ("inhibited", "too_soon")
NO_MAIL = Decision(Gate.WITHDRAW, "no_mail")


@dataclass(slots=True)
class SendPlan:
    """What would go.

    `going` has for each letter its id, the SHA-256 of its bytes, and why which cases would leave it; `kept` those that
    would not go, with why; `withheld` counts them by (rule, reason).  `shut` says when the windows open that are shut now,
    by country.  `go_on`: it is the plan for when a person lets the wave go on after its first letters; `waits_after`: so
    many letters leave before the wave waits for a person (0: it does not).  `known` is what the DNS said of domains,
    `unasked` how many of the recipients' it has said nothing of, or not lately.  `cap` is today's quota of the warm-up
    (0: none).  `sampled` are ids of letters, the same ones for the same wave.
    """

    going: list[dict[str, Any]] = field(default_factory=list)
    kept: list[dict[str, Any]] = field(default_factory=list)
    withheld: Counter[tuple[str, str]] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    domains: Counter[str] = field(default_factory=Counter)
    countries: Counter[str] = field(default_factory=Counter)
    shrunk: int = 0
    later: int = 0
    shut: dict[str, datetime] = field(default_factory=dict)
    sampled: list[int] = field(default_factory=list)
    known: dict[str, MailDomain] = field(default_factory=dict)
    limits: list[Limit] = field(default_factory=list)
    box_every: timedelta = timedelta(0)
    warm_up: Mapping[int, int] = field(default_factory=dict)
    cap: int = 0
    spent: dict[str, Spent] = field(default_factory=dict)
    go_on: bool = False
    waits_after: int = 0
    unasked: int = 0
    end: End | None = None
    sha256: str = ""


def plan(
    connection: Connection,
    wave: Mapping[str, Any],
    settings: SendSettings,
    now: datetime,
    progress: Progress,
    *,
    go_on: bool = False,
    size: int = store.PAGE,
) -> SendPlan:
    """Return the plan of a wave, judged as of now; `go_on`: as if a person let it go on after its first letters.

    `size` letters are looked at together.
    """
    pauses = brakes.pausing(connection, wave["id"]) if go_on else ()
    made = SendPlan(go_on=go_on, waits_after=_waits_after(connection, wave["id"], settings))
    judged, total, done = set[int](), store.to_go_count(connection, wave["id"]), 0
    for page in store.to_go(connection, wave["id"], now, pauses, size):
        free = [one for one in page if not one.held]
        decisions = judge(connection, {wave["id"]: wave}, [one.due for one in free], settings, now, judged, lock=False)
        decided = {due.id: decision for due, decision in decisions}
        known = {domain_of(one.due.mailbox) for one in page} - made.known.keys()
        made.known |= mail_domains.known(connection, known)
        for one in page:
            decision = (
                NO_MAIL if _takes_none(made.known.get(domain_of(one.due.mailbox)), now) else decided.get(one.due.id)
            )
            _count(made, one, decision, now)
        done += len(page)
        progress("letters put to the gate", done, total)
    said = {domain for domain, known in made.known.items() if known.until > now}
    made.unasked = len(made.domains.keys() - said)
    made.sampled = _sampled(bytes(wave["manifest_sha256"] or b""), [letter["letter"] for letter in made.going])
    _forecast(connection, wave, made, settings, now)
    made.sha256 = digest(wave, made)
    return made


def rule(decision: Decision) -> tuple[str, str]:
    """Return which rule keeps a letter from going, and its reason there.  Pure."""
    if decision.gate is Gate.SUPPRESS:
        return "suppressed", decision.reason
    if decision.gate is Gate.EXPIRE:
        return "expired", decision.reason
    if decision.reason in UNWELCOME:
        return "unwelcome", decision.reason
    if decision.reason != "no_case_left":
        return decision.reason, decision.reason
    whys = set((decision.dropped or {}).values())
    only = whys.pop() if len(whys) == 1 else "no_case_left"
    return (only if only in ("stale", "excluded") else "evidence"), only


def digest(wave: Mapping[str, Any], made: SendPlan) -> str:
    """Return the plan's SHA-256 in hexadecimal: over canonical JSON of the wave, its manifest, the letters, the limits.

    Times are not in it: the same letters under the same limits are the same plan, whenever they would leave.  Pure.
    """
    whole = {
        "campaign": wave["campaign"],
        "wave": wave["number"],
        "mode": wave["mode"],
        "manifest": bytes(wave["manifest_sha256"] or b"").hex(),
        "letters": made.going,
        "limits": [[one.key, one.per_second, one.per_minute, one.per_hour, one.per_day] for one in made.limits],
        "box_every": made.box_every.total_seconds(),
        "warm_up": {str(day): cap for day, cap in made.warm_up.items()},
        "go_on": made.go_on,
        "waits_after": made.waits_after,
    }
    return hashlib.sha256(json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _waits_after(connection: Connection, wave_id: int, settings: SendSettings) -> int:
    """Return how many first letters of a wave leave before it waits for a person; 0 once a person was asked."""
    if settings.canary is None or wave_id in brakes.paused(connection, [wave_id]):
        return 0
    return canary.size(brakes.sizes(connection, [wave_id]).get(wave_id, 0), settings.canary)


def _takes_none(known: MailDomain | None, now: datetime) -> bool:
    """True if a domain said within the last day that it takes no mail (turns.py).  Pure."""
    return known is not None and known.route in TAKES_NONE and known.until > now


def _count(made: SendPlan, one: store.ToGo, decision: Decision | None, now: datetime) -> None:
    """Count a letter where it belongs; `decision` is None where the gate was not asked about it."""
    due = one.due
    if one.held or decision is None or decision.gate not in (Gate.GO, Gate.SHRINK):
        why = ("held", "held") if one.held else rule(decision) if decision else ("unwelcome", "too_soon")
        made.withheld[why] += 1
        made.kept.append({"letter": due.id, "rule": why[0], "why": why[1]})
        return
    dropped = {str(case): why for case, why in sorted((decision.dropped or {}).items())}
    made.going.append({"letter": due.id, "sha256": due.sha256.hex(), "dropped": dropped})
    made.shrunk += bool(dropped)
    made.later += one.due_at is not None and one.due_at > now
    made.languages[one.locales] += 1
    made.domains[domain_of(due.mailbox)] += 1
    made.countries[due.country] += 1


def _sampled(seed: bytes, ids: Sequence[int]) -> list[int]:
    """Return ten letters by a draw that anybody can repeat: those whose SHA-256(manifest's hash, id) is lowest.  Pure."""
    return sorted(heapq.nsmallest(SAMPLES, ids, key=lambda i: hashlib.sha256(seed + str(i).encode()).digest()))


def _forecast(
    connection: Connection, wave: Mapping[str, Any], made: SendPlan, settings: SendSettings, now: datetime
) -> None:
    """Add the limits in force, what is spent of them, which countries' windows are shut, and the earliest end."""
    paces, campaign, warm_up = settings.paces, wave["campaign_id"], settings.paces.warm_up
    every = pace.limits(paces, settings.relay, "*", "*", campaign)
    groups = [rates.limit(f"mail:mx:{group}") for group, rates in sorted(paces.mx_groups.items())]
    relays = [pace.limits(paces, relay.name, "", "", 0)[pace.RELAY] for relay in settings.over]
    made.limits = [*every[:2], *groups, every[2], *relays, every[4]]
    made.box_every, made.warm_up = paces.box_every, warm_up
    made.spent = {key: Spent(*row) for key, row in store.spent(connection, "mail:", now).items()}
    caps = {}
    for relay in settings.over if warm_up else ():
        today = warmup.day(mail_domains.first_left(connection, relay.name), now)
        caps[f"mail:relay:{relay.name}"] = partial(_cap_of, warm_up, today)
    of_each = [cap(0) for cap in caps.values()]
    made.cap = sum(of_each) if all(of_each) else 0
    made.end = forecast.end(_counts(made, settings, campaign), made.spent, now, caps)
    opens = {country: windows.opens_at(country, now, settings.window) for country in made.countries}
    made.shut = {country: at for country, at in opens.items() if at is not None}
    open_until = now + windows.time_needed(made.countries, settings.rate, now, settings.window)
    if open_until > made.end.at:
        made.end = End(open_until, "window")


def _cap_of(warm_up: Mapping[int, int], today: int, days: int) -> int:
    return warmup.cap(warm_up, today + days)


def _counts(made: SendPlan, settings: SendSettings, campaign_id: int) -> Iterator[tuple[Limit, int]]:
    """Yield the limits that may decide, with how many letters each has.  Pure.

    Of many domains under the same rates, and of many providers, the one with the most letters decides, unless others are
    waited for already.
    """
    paces, groups = settings.paces, Counter[str]()
    for domain, letters in made.domains.items():
        known = made.known.get(domain)
        groups[known.mx_group if known is not None else domain] += letters
    whole, weights = len(made.going), sum(relay.weight for relay in settings.over)
    for limit in pace.limits(paces, settings.relay, "", "", campaign_id)[2 :: pace.RELAY - 1]:
        yield limit, whole
    for relay in settings.over:
        yield pace.limits(paces, relay.name, "", "", 0)[pace.RELAY], -(-whole * relay.weight // weights)
    for place, kind, counts in ((0, "mail:domain:", made.domains), (1, "mail:mx:", groups)):
        deciding = {name for name, _ in counts.most_common(1)}
        deciding |= {name for name in counts if kind + name in made.spent or name in paces.mx_groups}
        for name in deciding:
            yield pace.limits(paces, settings.relay, name, name, campaign_id)[place], counts[name]
