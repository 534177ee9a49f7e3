"""What waits for what: why nothing is being sent, when it goes on, and the command to type next.

Pure: figures and settings in, a list of waits out, in the order of the stages.  What a person must do comes with a command;
what comes by itself comes with a time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pipeline.audit.held import LETTERS, why_held
from pipeline.audit.limits import NOBODY, limit_name, limit_said
from pipeline.audit.say import Say, say
from pipeline.audit.written import letter_reason

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StatusSettings:
    """What a status needs of the settings: approvals needed, and each budget's (per second, per UTC day), 0: no limit."""

    approvers_needed: int
    limits: Mapping[str, tuple[float, int]]


@dataclass(frozen=True, slots=True)
class Budget:
    """One limit: how much of today's quota is used, and until when it gives nothing (None: it gives now)."""

    key: str
    per_second: float
    per_day: int
    used: int
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What was counted (store/status.py)."""

    deliveries: Sequence[Row]
    targets: int
    campaigns: Sequence[Row]
    cases: Sequence[Row]
    due: Mapping[str, tuple[int, datetime | None]]
    under_way: Mapping[int, int]
    contacts: Mapping[str, int]
    notices: int
    waves: Sequence[Row]
    letters: Sequence[Row]
    withheld: Sequence[Row]
    uncertain: int | None
    attempts: Mapping[str, int]
    holds: Sequence[Row]
    held_deliveries: Sequence[int]
    budgets: Sequence[Row]
    domains_waiting: tuple[int, datetime | None]
    shut: Sequence[Row] = ()
    limited: Sequence[Row] = ()
    warnings: Sequence[Row] = ()
    objections: Mapping[int, str] = field(default_factory=dict)  # wave: why it may not be sent as it stands now


@dataclass(frozen=True, slots=True)
class Wait:
    """Something that waits: a code of WAITS with its values, the command that moves it on, when it moves by itself."""

    code: str
    values: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    at: datetime | None = None


WAITS = {
    "delivery.held": ("{count} delivery is held back.", "{count} deliveries are held back."),
    "case.unresolved": ("{count} case waits for a contact.", "{count} cases wait for a contact."),
    "case.unchecked": ("{count} case waits for a check.", "{count} cases wait for a check."),
    "case.ready": (
        "{campaign}: {count} open case is in no wave yet.",
        "{campaign}: {count} open cases are in no wave yet.",
    ),
    "resolve.later": ("The next case is looked up then.", ""),
    "verify.later": ("The next case is checked then.", ""),
    "wave.planned": ("{campaign}, wave {wave}: its letters are not written yet.", ""),
    "wave.unapproved": ("{campaign}, wave {wave}: approved by {given} of {needed}.", ""),
    "wave.rejected": ("{campaign}, wave {wave}: rejected by {by}.", ""),
    "wave.unreleased": ("{campaign}, wave {wave}: approved, and not released for sending.", ""),
    "letter.due": (
        "{campaign}, wave {wave}: {count} letter can go now.",
        "{campaign}, wave {wave}: {count} letters can go now.",
    ),
    "letter.held": (
        "{campaign}, wave {wave}: {count} letter is held.",
        "{campaign}, wave {wave}: {count} letters are held.",
    ),
    "wave.refused": ("{campaign}, wave {wave}: nothing is sent: {why}.", ""),
    "letter.later": (
        "{campaign}, wave {wave}: {count} letter is tried later.",
        "{campaign}, wave {wave}: {count} letters are tried later.",
    ),
    "letter.limit": (
        "{campaign}, wave {wave}: {count} letter waits: {limit}.",
        "{campaign}, wave {wave}: {count} letters wait: {limit}.",
    ),
    "letter.limits": (
        "{campaign}, wave {wave}: {count} letter waits for another limit.",
        "{campaign}, wave {wave}: {count} letters wait for other limits.",
    ),
    "letter.window": (
        "{campaign}, wave {wave}: {count} letter waits, outside its recipient's working hours or on a quiet day.",
        "{campaign}, wave {wave}: {count} letters wait, outside their recipients' working hours or on a quiet day.",
    ),
    "letter.uncertain": (
        "Whether {count} letter arrived is not known; a person must say.",
        "Whether {count} letters arrived is not known; a person must say.",
    ),
    "hold": ("A hold on {what} stops sending: {reason}", ""),
    "hold.own": ("Tocsin itself holds {what}: {why}.", ""),
    "warning": ("{campaign}, a warning: {why}.", ""),
    "training": ("{campaign} is in training mode: only the guest list gets letters.", ""),
    "withheld": (
        "{campaign}: {count} letter was withdrawn: {why}.",
        "{campaign}: {count} letters were withdrawn: {why}.",
    ),
    "budget.day": ("The limit for {what} is used up for today: {used} of {per_day}.", ""),
    "budget.pace": ("The limit for {what} gives no slot before then.", ""),
    "budget.domains": (
        "{count} recipient domain has no slot before then.",
        "{count} recipient domains have no slot before then.",
    ),
    "nothing": ("Nothing waits.", ""),
}


OPTIONS = {"campaign": "campaign", "wave": "wave", "mailbox": "contact", "domain": "domain"}


def waits(figures: Figures, settings: StatusSettings, now: datetime) -> list[Wait]:
    """Return what waits, in the order of the stages; one wait `nothing` if nothing does."""
    found = [
        *_deliveries(figures),
        *_cases(figures),
        *_waves(figures, settings),
        *_letters(figures),
        *_stops(figures),
        *_budgets(budgets(figures, settings, now), figures, now),
    ]
    return found or [Wait("nothing")]


def sentence(wait: Wait, campaigns: Mapping[str, str] = NOBODY) -> Say:
    """Return a wait in words, without its command and time.  `campaigns`: names by id, as a limit's key has ids."""
    one, many = WAITS[wait.code]
    values = dict(wait.values)
    if wait.code == "withheld":
        values["why"] = letter_reason(values["reason"])
    elif wait.code == "letter.limit":
        values["limit"] = limit_said(values["limit"], campaigns)
    elif wait.code in ("budget.day", "budget.pace"):
        values["what"] = limit_name(values["key"], campaigns)
    elif wait.code in ("hold", "hold.own"):
        values["what"] = held(values)
    if wait.code in ("hold.own", "warning"):
        values = {**values, "why": why_held(values.get("why"), values, values.get("words", "")), "count": None}
    return Say(one, values, many)


def budgets(figures: Figures, settings: StatusSettings, now: datetime) -> list[Budget]:
    """Return every budget that has been used or has a limit, with what is left of it."""
    stored = {row["key"]: row for row in figures.budgets}
    made = []
    for key in sorted(stored.keys() | settings.limits.keys()):
        row, (per_second, per_day) = stored.get(key), settings.limits.get(key, (0.0, 0))
        used = row["used"] if row is not None and row["day"] == f"{now:%Y-%m-%d}" else 0
        until = row["next_at"] if row is not None and row["next_at"] is not None and row["next_at"] > now else None
        if per_day and used >= per_day:
            until = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        made.append(Budget(key, per_second, per_day, used, until))
    return made


def _deliveries(figures: Figures) -> Iterator[Wait]:
    held = sum(row["snapshots"] for row in figures.deliveries if row["verdict"] == "held")
    if held:
        yield Wait(
            "delivery.held", {"count": held}, f"tocsin snapshot release {figures.held_deliveries[0]} --reason ..."
        )


def _cases(figures: Figures) -> Iterator[Wait]:
    for stage, code in (("resolve", "case.unresolved"), ("verify", "case.unchecked")):
        count, later = figures.due[stage]
        if count:
            yield Wait(code, {"count": count}, f"tocsin {stage}")
        elif later is not None:
            yield Wait(f"{stage}.later", {}, f"tocsin {stage}", later)
    for campaign in figures.campaigns:
        mine = (row for row in figures.cases if row["campaign_id"] == campaign["id"])
        ready = sum(row["cases"] for row in mine if (row["state"], row["exposure"]) == ("resolved", "open"))
        ready -= figures.under_way.get(campaign["id"], 0)
        if ready > 0 and campaign["closed_at"] is None:
            yield Wait(
                "case.ready", {"campaign": campaign["name"], "count": ready}, f"tocsin wave plan {campaign['name']}"
            )


def _waves(figures: Figures, settings: StatusSettings) -> Iterator[Wait]:
    for wave in figures.waves:
        which = {"campaign": wave["campaign"], "wave": wave["number"]}
        named = f"{wave['campaign']} --wave {wave['number']}"
        if wave["state"] == "planned":
            yield Wait("wave.planned", which, "tocsin render")
        elif wave["state"] == "rendered" and wave["rejected_by"]:
            yield Wait("wave.rejected", {**which, "by": tuple(wave["rejected_by"])}, f"tocsin wave show {named}")
        elif wave["state"] == "rendered":
            needed = 1 if wave["mode"] == "training" else settings.approvers_needed
            given = {"given": len(wave["accepted_by"]), "needed": needed}
            yield Wait("wave.unapproved", {**which, **given}, f"tocsin approve show {named}")
        elif (why := figures.objections.get(wave["id"])) and wave["state"] in ("approved", "sending"):
            yield Wait("wave.refused", {**which, "why": why}, f"tocsin send {named}")
        elif wave["state"] == "approved":
            yield Wait("wave.unreleased", which, f"tocsin send {named} --execute")


def _letters(figures: Figures) -> Iterator[Wait]:
    for wave in figures.waves:
        if wave["state"] != "sending":
            continue
        mine = [
            row for row in figures.letters if row["wave_id"] == wave["id"] and row["state"] in ("approved", "deferred")
        ]
        which = {"campaign": wave["campaign"], "wave": wave["number"]}
        due = sum(row["due"] for row in mine)
        if due and any(_covers(hold, wave) for hold in figures.holds):
            yield Wait("letter.held", {**which, "count": due})
        elif due and wave["id"] not in figures.objections:
            yield Wait("letter.due", {**which, "count": due}, "tocsin run")
        shut = [row for row in figures.shut if row["wave_id"] == wave["id"]]
        waiting = sum(row["letters"] for row in shut)
        limited = [row for row in figures.limited if row["wave_id"] == wave["id"]]
        held_back = waiting + sum(row["letters"] for row in limited)
        if later := sum(row["letters"] - row["due"] for row in mine) - held_back:
            at = min((row["next_at"] for row in mine if row["next_at"] is not None), default=None)
            yield Wait("letter.later", {**which, "count": later}, "tocsin run", at)
        for row in limited:
            values = {**which, "count": row["letters"]} | ({"limit": row["reason"]} if row["reason"] else {})
            yield Wait("letter.limit" if row["reason"] else "letter.limits", values, "tocsin run", row["next_at"])
        if waiting:
            opens = min(row["opens_at"] for row in shut)
            yield Wait("letter.window", {**which, "count": waiting}, "tocsin run", opens)
    unknown = sum(row["letters"] for row in figures.letters if row["state"] == "uncertain")
    if unknown:
        yield Wait(
            "letter.uncertain", {"count": unknown}, f"tocsin letter settle {figures.uncertain} OUTCOME --reason ..."
        )


def _covers(hold: Row, wave: Row) -> bool:
    """True if a hold covers every letter of a wave."""
    if hold["mailbox"] or hold["domain"] or hold["campaign"] not in (None, wave["campaign"]):
        return False
    return hold["wave"] in (None, wave["number"])


def _stops(figures: Figures) -> Iterator[Wait]:
    for hold in figures.holds:
        scope, release = {name: hold[name] for name in OPTIONS}, ends_with(hold)
        if why_held(hold.get("code"), hold.get("data") or {}) is None:
            yield Wait("hold", {**scope, "reason": hold["reason"]}, release)
            continue
        if hold["code"] == LETTERS:
            release = f"tocsin send {hold['campaign']} --wave {hold['wave']} --go-on --execute"
        yield Wait("hold.own", {**scope, "why": hold["code"], "words": hold["reason"], **hold["data"]}, release)
    names = {row["id"]: row["name"] for row in figures.campaigns}
    for row in figures.warnings:
        values = {"campaign": names[row["campaign_id"]], "why": f"brakes.{row['code']}", **row["data"]}
        yield Wait("warning", values, f"tocsin hold --campaign {values['campaign']} --reason ...", None)
    for campaign in figures.campaigns:
        if campaign["mode"] == "training" and campaign["closed_at"] is None:
            yield Wait("training", {"campaign": campaign["name"]})
    for row in figures.withheld:
        yield Wait(
            "withheld", {"campaign": names[row["campaign_id"]], "count": row["letters"], "reason": row["reason"]}
        )


def ends_with(hold: Row) -> str:
    """Return the command that ends a hold (store/holds.held)."""
    named = "".join(f" --{option} {hold[name]}" for name, option in OPTIONS.items() if hold[name])
    return f"tocsin release{named} --reason ..."


def held(hold: Row) -> object:
    """Return what a hold covers, in words (store/holds.held)."""
    if hold["mailbox"] or hold["domain"]:
        return hold["mailbox"] or hold["domain"]
    if hold["wave"] is not None:
        return say("wave {wave}", wave=hold["wave"])
    return say("campaign {campaign}", campaign=hold["campaign"]) if hold["campaign"] else say("everything")


def _budgets(found: Sequence[Budget], figures: Figures, now: datetime) -> Iterator[Wait]:
    for budget in found:
        if budget.until is None:
            continue
        if budget.per_day and budget.used >= budget.per_day:
            values = {"key": budget.key, "used": budget.used, "per_day": budget.per_day}
            yield Wait("budget.day", values, "", budget.until)
        elif budget.until - now > timedelta(seconds=1):  # a slot within a second is no wait
            yield Wait("budget.pace", {"key": budget.key}, "", budget.until)
    count, next_at = figures.domains_waiting
    if count:
        yield Wait("budget.domains", {"count": count}, "", next_at)
