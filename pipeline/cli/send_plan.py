"""What `tocsin send` would do, as data and as text, and whether it is still the plan that somebody looked at.

Reads: the plan (send/plan.py), ten letters at a glance, and a plan that was kept as JSON.  Writes nothing.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.audit import codes
from pipeline.audit.codes import meaning
from pipeline.cli import approvals, edges, show, words
from pipeline.cli.context import Ground
from pipeline.cli.progress import length
from pipeline.cli.saying import spoken
from pipeline.cli.states import WORDS, said
from pipeline.domain import Progress, RefusedBySafety
from pipeline.send.plan import SendPlan
from pipeline.send.plan import plan as look
from pipeline.store import samples
from pipeline.store.budgets import Limit
from pipeline.store.db import Connection

MOST_DOMAINS = 10
MOST_BYTES = 400_000_000  # of a kept plan: a million letters
SPANS = (("per_second", "s"), ("per_minute", "min"), ("per_hour", "h"))
AMOUNTS = (*(name for name, _ in SPANS), "per_day")
Plan = dict[str, Any]


def planned(
    ground: Ground, connection: Connection, wave: dict[str, Any], now: datetime, progress: Progress, *, go_on: bool
) -> Plan:
    """Return the plan of a wave as JSON has it; lengths of time are in seconds.  `go_on`: with the option of that name."""
    made = look(connection, wave, edges.send_settings(ground.loaded), now, progress, go_on=go_on)
    ends = made.end.at if made.end is not None else now
    return {
        "campaign": wave["campaign"],
        "wave": wave["number"],
        "state": wave["state"],
        "mode": wave["mode"],
        "kind": wave["kind"],
        "at": now,
        "plan": made.sha256,
        "go_on": made.go_on,
        "waits_for_a_person_after": made.waits_after,
        "manifest_sha256": bytes(wave["manifest_sha256"] or b"").hex(),
        "objection": approvals.Guard(ground.loaded)(connection, wave),
        "letters": len(made.going) + len(made.kept),
        "would_go": len(made.going),
        "would_go_shortened": made.shrunk,
        "due_later": made.later,
        "languages": dict(made.languages.most_common()),
        "domains": dict(made.domains.most_common(MOST_DOMAINS)),
        "domains_in_all": len(made.domains),
        "domains_not_asked": made.unasked if edges.asks_for_mail_servers(ground.loaded) else 0,
        "withheld": [{"rule": r, "why": why, "letters": n} for (r, why), n in made.withheld.most_common()],
        "windows_shut": [
            {"country": country, "letters": made.countries[country], "opens_at": at}
            for country, at in sorted(made.shut.items(), key=lambda item: (item[1], item[0]))
        ],
        "limits": [_limit(limit, made, now) for limit in made.limits],
        "between_letters_to_a_mailbox_seconds": made.box_every.total_seconds(),
        "warm_up": {str(day): cap for day, cap in sorted(made.warm_up.items())},
        "warm_up_today": made.cap,
        "ends_at": ends,
        "takes_seconds": (ends - now).total_seconds(),
        "decided_by": made.end.key if made.end is not None else "",
        "samples": [asdict(glance) for glance in samples.at_a_glance(connection, made.sampled)],
        "going": made.going,
        "kept": made.kept,
    }


def _limit(limit: Limit, made: SendPlan, now: datetime) -> dict[str, Any]:
    spent = made.spent.get(limit.key)
    return {
        "key": limit.key,
        "per_second": limit.per_second,
        "per_minute": limit.per_minute,
        "per_hour": limit.per_hour,
        "per_day": limit.per_day,
        "used_today": spent.today(now) if spent is not None else 0,
    }


# --- is it still the plan? -------------------------------------------------------------------------------------------


def require_same(plan: Plan, wanted: str) -> None:
    """Raise RefusedBySafety, with what has changed, unless `wanted` is this plan: its hash, or a file with it as JSON."""
    file = Path(wanted)
    before = _kept(file) if len(wanted) != 64 and file.is_file() else {"plan": wanted.lower()}
    if before.get("plan") == plan["plan"]:
        return
    raise RefusedBySafety(
        f"The plan of wave {plan['wave']} of {plan['campaign']} is another one by now",
        "; ".join(_changes(before, plan)) or words.text("the file is no plan as it was printed"),
        f"Look at it again: tocsin send {plan['campaign']} --wave {plan['wave']}",
    )


def _kept(file: Path) -> Plan:
    """Return a plan that was kept as JSON; what cannot be read is no plan."""
    if file.stat().st_size > MOST_BYTES:
        return {}
    try:
        found = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _changes(before: Plan, plan: Plan) -> Iterator[str]:
    """Yield what makes the two plans differ; of a hash alone, only what the plan is now can be said."""
    if not isinstance(before.get("going"), list):
        yield words.text(
            "letters that would go now: {going}, that would not: {kept}",
            going=words.number(plan["would_go"]),
            kept=words.number(len(plan["kept"])),
        )
        return
    if any(before.get(name) != plan[name] for name in ("campaign", "wave", "manifest_sha256")):
        yield words.text("it was a plan of another wave, or of other letters")
    old, new = (_letters(one["going"]) for one in (before, plan))
    if more := len(new.keys() - old.keys()):
        yield words.plural(
            "{count} letter would go that was not in it", "{count} letters would go that were not in it", more
        )
    if fewer := len(old.keys() - new.keys()):
        yield words.plural(
            "{count} letter that was in it would not go", "{count} letters that were in it would not go", fewer
        )
    if others := sum(old[letter] != new[letter] for letter in old.keys() & new.keys()):
        yield words.plural(
            "{count} letter would go with other bytes or addresses",
            "{count} letters would go with other bytes or addresses",
            others,
        )
    if any(before.get(name) != plan[name] for name in ("go_on", "waits_for_a_person_after")):
        yield words.text("whether it waits for a person after its first letters was not the same")
    if _amounts(before) != _amounts(plan):
        yield words.text("its limits were others")


def _letters(going: object) -> dict[object, object]:
    found = going if isinstance(going, list) else []
    return {
        one.get("letter"): (one.get("sha256"), json.dumps(one.get("dropped"), sort_keys=True))
        for one in found
        if isinstance(one, dict) and isinstance(one.get("letter"), int)
    }


def _amounts(plan: Plan) -> list[object]:
    found = plan.get("limits")
    limits = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    amounts = [{name: value for name, value in one.items() if name != "used_today"} for one in limits]
    return [plan.get("between_letters_to_a_mailbox_seconds"), plan.get("warm_up"), *amounts]


# --- as text ---------------------------------------------------------------------------------------------------------


def told(plan: Plan) -> Iterator[str]:
    """Yield a plan as text: tables of what would go and what would not, the limits, the end, some letters, the hash."""
    yield words.text("wave {number} of {campaign}", number=plan["wave"], campaign=plan["campaign"])
    yield from show.pairs(_figures(plan))
    count = words.text("letters")
    yield from _section(words.text("language"), count, [(languages(k), n) for k, n in plan["languages"].items()])
    yield from _section(words.text("recipient domain"), count, _domains(plan))
    if unasked := plan["domains_not_asked"]:
        yield words.plural(
            "{count} domain has not been asked lately whether it takes mail; if not, its letters are withdrawn",
            "{count} domains have not been asked lately whether they take mail; letters to one that does not are withdrawn",
            unasked,
        )
    withheld = [(why(one["rule"], one["why"]), one["letters"]) for one in plan["withheld"]]
    yield from _section(words.text("would not go, and why"), count, withheld)
    yield ""
    yield from _limits(plan)
    yield from _windows(plan)
    yield ""
    yield from _end(plan)
    yield from _first(plan)
    yield from _samples(plan)
    yield ""
    yield f"{words.text('plan')}  {plan['plan']}"


def following(plan: Plan) -> Iterator[str]:
    """Yield what to type for this plan to be carried out."""
    if plan["would_go"]:
        named = f"{plan['campaign']} --wave {plan['wave']}{' --go-on' if plan['go_on'] else ''}"
        command = f"tocsin send {named} --plan {plan['plan']} --execute"
        yield words.text("next: {command}", command=command)


def _figures(plan: Plan) -> Iterator[tuple[str, str]]:
    yield words.text("mode"), said("mode", plan["mode"])
    yield words.text("would go"), words.number(plan["would_go"])
    if plan["would_go_shortened"]:
        yield words.text("of these, without some of their addresses"), words.number(plan["would_go_shortened"])
    if plan["due_later"]:
        yield words.text("of these, tried again later"), words.number(plan["due_later"])
    yield words.text("would not go"), words.number(len(plan["kept"]))


def _section(title: str, count: str, rows: list[tuple[str, int]]) -> Iterator[str]:
    if rows:
        yield ""
        yield from show.table((title, count), [(name, words.number(number)) for name, number in rows])


def _domains(plan: Plan) -> list[tuple[str, int]]:
    rows = list(plan["domains"].items())
    others = plan["domains_in_all"] - len(rows)
    if others:
        left = plan["would_go"] - sum(plan["domains"].values())
        rows.append((words.plural("{count} other domain", "{count} other domains", others), left))
    return rows


def languages(locales: str) -> str:
    """Return the languages of a letter in words: `fr_CA,en` is French (Canada) and English."""
    names = [spoken(meaning(codes.LANGUAGES, locale)) for locale in locales.split(",") if locale]
    return f" {words.text('and')} ".join(names) if len(names) == 2 else ", ".join(names)


def why(rule: str, reason: str) -> str:
    """Return in words which rule keeps letters from going, and why."""
    if rule == "held":
        return words.text("a hold covers them")
    if rule == "training":
        return words.text("not on the guest list (training mode)")
    if rule == "no_mail":
        return words.text("their domain takes no mail")
    if rule == "expired":
        return said("letter", "expired")
    if rule == "suppressed":
        listed = words.text("on the do-not-write list")
        known = WORDS["reason"].get(reason)
        return words.text("{what}: {count}", what=listed, count=words.text(known)) if known else listed
    for kind in ("left_out", "exposure", "case"):
        if reason in WORDS[kind]:
            return said(kind, reason)
    return words.text("no case is left in them")


def _limits(plan: Plan) -> Iterator[str]:
    """Yield a table of the limits that are set, and those that are not numbers of letters."""
    found = [limit for limit in plan["limits"] if limit["key"] == "mail:all" or any(limit[name] for name in AMOUNTS)]
    yield from show.table(words.each("limit", "at most", "used today"), map(_limit_row, found))
    if plan["between_letters_to_a_mailbox_seconds"]:
        yield words.text(
            "between two letters to one mailbox: {length}", length=length(plan["between_letters_to_a_mailbox_seconds"])
        )
    if plan["warm_up_today"]:
        yield words.text("today's letters of the warm-up: {count}", count=words.number(plan["warm_up_today"]))


def _limit_row(limit: Mapping[str, Any]) -> tuple[str, str, str]:
    return limit_name(limit["key"]), at_most(limit), words.number(limit["used_today"]) if limit["per_day"] else "-"


def limit_name(key: str) -> str:
    """Return what a limit of sending covers, in words."""
    kind, _, which = key.removeprefix("mail:").partition(":")
    if key == "window":
        return words.text("the recipients' working hours")
    if kind == "all":
        return words.text("all letters")
    if kind == "domain" and which == "*":
        return words.text("each recipient domain")
    if kind == "mx":
        return words.text("each mail provider") if which == "*" else f"{words.text('mail provider')} {which}"
    if kind == "campaign":
        return words.text("campaign")
    if kind == "relay":
        return f"{words.text('relay')} {which}"
    return f"{words.text('recipient domain')} {which}" if kind == "domain" else key


def at_most(limit: Mapping[str, Any]) -> str:
    """Return how many letters a limit allows: 2/s, 5,000/day."""
    parts = [f"{words.figure(limit[name])}/{unit}" for name, unit in SPANS if limit[name]]
    if limit["per_day"]:
        parts.append(words.text("{count}/day", count=words.number(limit["per_day"])))
    return ", ".join(parts) or words.text("no limit")


def _windows(plan: Plan) -> Iterator[str]:
    """Yield a table of the countries where it is no working time now."""
    if plan["windows_shut"]:
        yield ""
        heads = words.each("no letter leaves now for", "letters", "opens at")
        rows = [
            (
                one["country"] or words.text("unknown country"),
                words.number(one["letters"]),
                show.instant(one["opens_at"]),
            )
            for one in plan["windows_shut"]
        ]
        yield from show.table(heads, rows)


def _end(plan: Plan) -> Iterator[str]:
    if not plan["would_go"]:
        return
    values = {"time": show.instant(plan["ends_at"]), "length": length(plan["takes_seconds"])}
    if plan["decided_by"]:
        yield words.text(
            "begun now, the last letter leaves at {time} at the earliest, after {length}: {limit} decides",
            limit=limit_name(plan["decided_by"]),
            **values,
        )
    else:
        yield words.text("begun now, no limit delays anything")


def _first(plan: Plan) -> Iterator[str]:
    """Yield what a person has to do with it: now, or once the wave's first letters were answered."""
    if plan["go_on"]:
        yield words.text("this is the plan for letting the wave go on, as --go-on does")
    elif first := plan["waits_for_a_person_after"]:
        yield words.plural(
            "once its first letter has an answer, the wave waits for a person",
            "once its first {count} letters have an answer, the wave waits for a person",
            first,
        )


def _samples(plan: Plan) -> Iterator[str]:
    if plan["samples"]:
        yield ""
        yield words.text("letters drawn by lot, the same ones each time")
        rows = [
            (one["letter"], one["reference"], one["recipient"], words.number(one["addresses"]), one["subject"])
            for one in plan["samples"]
        ]
        yield from show.table(words.each("letter", "reference", "recipient", "addresses", "subject"), rows)
