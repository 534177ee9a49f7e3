"""Why the next wave would not take a case up, and what is to be done about it.

Pure.  The rule is the wave plan's own (follow/plan.py), handed in as Rules; the sentences are in codes.OBJECTIONS and in
explained.NEXT.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pipeline.audit.record import Record
from pipeline.audit.weigh import Ready, Rules
from pipeline.domain import Wish

Row = Mapping[str, Any]
Next = tuple[str, dict[str, Any]]  # a code of explained.NEXT, and the values of its sentence

KINDS = ("first", "others")  # of waves: for the networks' own contacts, and for those beyond
COMMANDS = {
    "exclusion": "tocsin exclude list",
    "suppression": "tocsin suppress list",
    "another": "tocsin resolve --explain {address}",
    "resolve": "tocsin resolve",
    "plan": "tocsin wave plan {campaign}",
    "plan_later": "tocsin wave plan {campaign}",
    "plan_others": "tocsin wave plan {campaign} --others",
}
AFTER = {  # objection -> what is next; empty: it is checked again, as ever
    "excluded": "exclusion",
    "suppressed": "suppression",
    "contact_dead": "another",
    "contact_outdated": "resolve",
    "own_contact": "plan",
    "not_own_contact": "plan_others",
    "contact_told_before": "",
    "inhibited": "plan_later",
    "too_soon": "plan_later",
    "level_too_low": "",
    "stale": "",
    "too_many_for_one_letter": "plan",
    "next_wave": "plan",
}


def objection(ready: Ready, minimum: int, told: Collection[str], rules: Rules, now: datetime) -> str:
    """Return why the next wave would not take a case up, or an empty text.  `told`: kinds of notices its contact has.

    Where its contact is not the network's own, a wave of others would take it up: what stands against that one goes first.
    """
    found = ""
    for kind in KINDS:
        asked = rules.objection(replace(ready, told_before=kind in told), minimum, now, kind)
        if asked != "not_own_contact":
            return asked or found
        found = asked
    return found


def after(objected: str, campaign: Row, target: Row, wish: Wish, checked: Next) -> Next:
    """Return what is next for a case that is objected to.  `checked`: what is, where it waits for its next check."""
    code = AFTER.get(objected, "")
    if not code:
        return checked[0], {**checked[1], "objection": objected}
    command = COMMANDS[code].format(address=target["address"], campaign=campaign["name"])
    return code, {"objection": objected, "command": command, "at": _wanted_from(objected, wish)}


def _wanted_from(objected: str, wish: Wish) -> datetime | None:
    """Return from when on its contact wants a letter again, where that is what stands against one."""
    if objected == "inhibited":
        return wish.inhibited_until
    if objected == "too_soon" and wish.last_letter_at is not None:
        return wish.last_letter_at + wish.cadence
    return None


def taken_back(record: Record, check: Row | None) -> bool:
    """True if the newest check counted a report whose delivery counts no longer."""
    if check is None:
        return False
    gone = {row["snapshot"] for row in record.claims if row["verdict"] in ("voided", "held")}
    return any(snapshot in gone for snapshot, _ in json.loads(check["transcript"]).get("quoted", []))


def is_current(record: Record, case: Row, link: Row, now: datetime) -> bool:
    """True unless the answer that names the contact is over, or a person's word has made it be looked up anew."""
    network = next((row for row in record.networks if row["id"] == link["netblock_id"]), None)
    anew = case["contact_due_at"] is not None and case["contact_due_at"] <= now
    return not anew and (network is None or (network["valid_to"] is None and network["expires_at"] > now))
