"""Why a target is or is not in each campaign: what counts and what does not, level, stops, contact, and what happens next.

Pure.  The rules are those that verify and the wave plan themselves go by: the caller hands them in (weigh.Rules), so that
an explanation can never differ from the deed.  The sentences are in explained.py.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipeline.audit.objected import after, is_current, objection, taken_back
from pipeline.audit.record import Record, Rows
from pipeline.audit.weigh import UNFINISHED, Contacts, Ready, Rules, counting
from pipeline.domain import NO_WISH, Wish

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Explanation:
    """One target in one campaign.  `case` None: there is none.  `verdict` and `next`: codes of explained.py."""

    target: Row
    campaign: Row
    verdict: str
    next: str
    counting: Sequence[tuple[Row, str]]
    case: Row | None = None
    check: Row | None = None
    reaches: bool = False
    network: Row | None = None
    contact: Row | None = None
    wish: Wish = NO_WISH
    stopped: bool = False  # a person's word, or the do-not-write list, keeps its contact from being written to
    letter: Row | None = None
    special: str = ""  # the kind of special-purpose addresses it lies in, where nobody can be asked
    exclusions: Rows = field(default_factory=list)
    suppressions: Rows = field(default_factory=list)
    holds: Rows = field(default_factory=list)
    values: Mapping[str, Any] = field(default_factory=dict)  # of the sentence of `next`

    @property
    def inside(self) -> bool:
        """True if the target is told of, or will be unless something changes."""
        return self.verdict.startswith("in.")


def explain(
    record: Record, campaigns: Rows, contacts: Contacts, port: int | None, rules: Rules, now: datetime
) -> list[Explanation]:
    """Return an explanation for each target of the record (with that port, if one is given) in each campaign.

    `campaigns`: all there are.
    """
    made = []
    for target in record.targets:
        if port is not None and target["port"] != port:
            continue
        for campaign in campaigns:
            case = next((c for c in record.cases if _is(c, campaign, target)), None)
            if case is not None or campaign["closed_at"] is None:
                made.append(_one(record, campaign, target, case, contacts, rules, now))
    return made


def _is(case: Row, campaign: Row, target: Row) -> bool:
    return bool(case["campaign_id"] == campaign["id"] and case["target_id"] == target["id"])


def _one(
    record: Record,
    campaign: Row,
    target: Row,
    case: Row | None,
    contacts: Contacts,
    rules: Rules,
    now: datetime,
) -> Explanation:
    weighed = counting(record.claims, target, rules, now)
    if case is None:
        about = target["topic"] in json.loads(campaign["topics"])
        verdict, next_ = ("out.no_case", "ingest") if about else ("out.topic", "nothing")
        return Explanation(target, campaign, verdict, next_, weighed)
    link = next((row for row in record.candidates if row["id"] == case["netblock_contact_id"]), None)
    contact = next((row for row in record.contacts if link and row["id"] == link["contact_id"]), None)
    letter, wave = _letter(record, case)
    facts: dict[str, Any] = {
        "case": case,
        "check": next((row for row in reversed(record.checks) if row["case_id"] == case["id"]), None),
        "reaches": rules.meets(case["level"], campaign["minimum_level"]),
        "network": next((row for row in record.networks if row["id"] == case["netblock_id"]), None),
        "contact": contact,
        "wish": contacts.wishes.get(contact["id"], NO_WISH) if contact else NO_WISH,
        "stopped": contact is not None and contact["id"] in contacts.stopped,
        "letter": letter,
        "special": _special(record, case),
        "exclusions": _in_force(record.exclusions, now),
        "suppressions": [row for row in record.suppressions if row["lifted_at"] is None and _hits(row, contact)],
        "holds": [row for row in record.holds if row["released_at"] is None and _holds(row, case, contact, wave)],
    }
    objected = _objection(record, case, facts, link, campaign, contacts, rules, now)
    verdict, next_, values = _judge(case, campaign, letter, wave, objected, now)
    if verdict == "out.objection":
        next_, values = after(objected, campaign, target, facts["wish"], (next_, values))
    if verdict != "in.told" and facts["exclusions"] and case["state"] != "excluded":
        verdict = "out.excluded"
    return Explanation(target, campaign, verdict, next_, weighed, values=values, **facts)


def _special(record: Record, case: Row) -> str:
    found = (e["why"] for e in record.events if e["what"] == "case.no_contact" and e["subject_id"] == case["id"])
    kinds = [why.removeprefix("special:") for why in found if why.startswith("special:")]
    return kinds[-1] if kinds and case["state"] == "no_contact" else ""


def _letter(record: Record, case: Row) -> tuple[Row | None, Row | None]:
    """Return the newest letter that still speaks of a case, and the wave of its newest notice."""
    notices = {row["notice_id"] for row in record.told if row["case_id"] == case["id"] and row["dropped_at"] is None}
    letter = next((row for row in reversed(record.letters) if row["notice_id"] in notices), None)
    wave_ids = {row["wave_id"] for row in record.notices if row["id"] in notices}
    wave = next((row for row in reversed(record.waves) if row["id"] in wave_ids), None)
    return letter, wave


def _in_force(exclusions: Rows, now: datetime) -> Rows:
    return [row for row in exclusions if row["lifted_at"] is None and (row["until"] is None or row["until"] > now)]


def _hits(suppression: Row, contact: Row | None) -> bool:
    """True if an entry is about addresses (the record has only those that cover it) or about this contact's mailbox."""
    if suppression["first_address"] is not None:
        return True
    if contact is None:
        return False
    mailbox, domain = contact["mailbox"], contact["mailbox"].rpartition("@")[2]
    named = suppression["domain"]
    return bool(suppression["mailbox"] == mailbox or (named and (domain == named or domain.endswith("." + named))))


def _holds(hold: Row, case: Row, contact: Row | None, wave: Row | None) -> bool:
    if hold["domain"]:
        domain = contact["mailbox"].rpartition("@")[2] if contact else ""
        if domain != hold["domain"] and not domain.endswith("." + hold["domain"]):
            return False
    named = ((hold["contact_id"], contact), (hold["wave_id"], wave))
    if any(wanted is not None and (row is None or row["id"] != wanted) for wanted, row in named):
        return False
    return hold["campaign_id"] in (None, case["campaign_id"])


def _objection(
    record: Record,
    case: Row,
    facts: Mapping[str, Any],
    link: Row | None,
    campaign: Row,
    known: Contacts,
    rules: Rules,
    now: datetime,
) -> str:
    """Return why the next wave would not take the case up, or an empty text; asked only of open cases with a contact."""
    contact = facts["contact"]
    if contact is None or link is None or case["exposure"] != "open" or case["exposure_at"] is None:
        return ""
    if taken_back(record, facts["check"]):
        return "stale"
    ready = Ready(
        level=case["level"] or 0,
        checked_at=case["exposure_at"],
        contact_dead=contact["state"] == "dead",
        suppressed=bool(facts["suppressions"]) or facts["stopped"],
        excluded=bool(facts["exclusions"]),
        told_before=False,
        tier=link["tier"],
        current=is_current(record, case, link, now),
        wish=facts["wish"],
    )
    told = {kind for of, whom, kind in known.told if (of, whom) == (campaign["id"], contact["id"])}
    return objection(ready, campaign["minimum_level"], told, rules, now)


STANDS = {"seen": "in.unresolved", "no_contact": "out.no_contact", "excluded": "out.excluded", "fixed": "out.fixed",
          "dormant": "out.dormant", "exhausted": "out.exhausted"}  # fmt: skip
OF_WAVE = {"planned": "render", "rendered": "approve", "approved": "release", "sending": "send"}
LOST = ("refused", "bounced", "expired")  # the contact was written to, and does not have the letter
ENDED = (*LOST, "withdrawn", "suppressed")


def _judge(
    case: Row, campaign: Row, letter: Row | None, wave: Row | None, objected: str, now: datetime
) -> tuple[str, str, dict[str, Any]]:
    """Return the verdict, what is next, and the values of that sentence."""
    if campaign["closed_at"] is not None:
        return "out.closed", "nothing", {}
    state, later = case["state"], case["due_at"] is not None and case["due_at"] > now
    if state == "seen":
        return "in.unresolved", "resolve_later" if later else "resolve", _step("tocsin resolve", case["due_at"])
    checked = ("verify_later" if later else "verify"), _step("tocsin verify", case["due_at"])
    if state == "noticed":
        return ("out.not_sent" if letter and letter["state"] in ENDED else "in.told"), *checked
    if state != "resolved":
        again = "seen_again" if state in ("fixed", "dormant") else "nothing"
        return (STANDS[state], *checked) if state == "exhausted" else (STANDS[state], again, {})
    if case["exposure"] == "unchecked":
        return "in.unchecked", *checked
    if letter is not None and letter["state"] == "uncertain":
        return "in.letter", "settle", _step(f"tocsin letter settle {letter['id']} OUTCOME --reason ...", None)
    if wave is not None and wave["state"] in UNFINISHED and (letter is None or letter["state"] not in ENDED):
        return "in.letter", *_of_wave(letter, wave, now)
    if case["exposure"] != "open":
        return "out.exposure", *checked
    if letter is not None and letter["state"] in LOST:
        return "out.not_sent", *checked
    if objected:
        return "out.objection", *checked
    return "in.ready", "plan", _step(f"tocsin wave plan {campaign['name']}", None)


def _of_wave(letter: Row | None, wave: Row, now: datetime) -> tuple[str, dict[str, Any]]:
    named = f"{wave['campaign']} --wave {wave['number']}"
    commands = {
        "render": "tocsin render",
        "approve": f"tocsin approve show {named}",
        "release": f"tocsin send {named} --execute",
        "send": "tocsin run",
    }
    step = OF_WAVE[wave["state"]]
    if step == "send" and letter and letter["due_at"] is not None and letter["due_at"] > now:
        return "send_later", _step("tocsin run", letter["due_at"])
    return step, _step(commands[step], None)


def _step(command: str, at: datetime | None) -> dict[str, Any]:
    return {"command": command, "at": at}
