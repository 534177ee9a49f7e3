"""An explanation in sentences, and as plain data.  Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.audit import codes
from pipeline.audit.codes import meaning
from pipeline.audit.explain import Explanation
from pipeline.audit.held import reason
from pipeline.audit.networks import why_none
from pipeline.audit.record import Rows, plain_row
from pipeline.audit.reported import check_lines, claim, target
from pipeline.audit.say import Chapter, Exact, Line, Say, Word, counted, say
from pipeline.domain import Wish

MOST_TOLD = 20  # reports in a text; --json has them all

VERDICTS = {
    "in.told": "In the campaign: a letter about it was handed over.",
    "in.letter": "In the campaign: a letter about it is under way.",
    "in.ready": "In the campaign: the next wave takes it up.",
    "in.unresolved": "In the campaign: its contact has still to be found.",
    "in.unchecked": "In the campaign: it has still to be checked.",
    "out.topic": "Not in the campaign: the campaign is not about this.",
    "out.closed": "Not in the campaign: the campaign is closed.",
    "out.no_case": "Not in the campaign yet: no case has been made.",
    "out.excluded": "Not in the campaign: it is excluded.",
    "out.no_contact": "Not in the campaign: nobody is known to write to.",
    "out.exposure": "Not in the campaign now: its exposure is not open.",
    "out.objection": "Not in the campaign now: {why}.",
    "out.exhausted": "No longer in the campaign: every contact was tried.",
    "out.fixed": "No longer in the campaign: it is fixed.",
    "out.dormant": "No longer in the campaign: no source reports it any longer.",
    "out.not_sent": "In the campaign, and its letter did not reach anybody.",
}

NEXT = {
    "nothing": "Nothing happens by itself.",
    "ingest": "A case is made when the next delivery is taken in.",
    "resolve": "Its network is asked for a contact: {command}",
    "resolve_later": "Its network is asked for a contact after {at}: {command}",
    "verify": "It is checked: {command}",
    "verify_later": "It is checked again after {at}: {command}",
    "plan": "A wave is planned: {command}",
    "plan_later": "A wave planned after {at} takes it up: {command}",
    "plan_others": "A wave of others is planned, and approved by itself: {command}",
    "exclusion": "It comes back when the exclusion ends or is lifted: {command}",
    "suppression": "Nobody is written to about it unless a person lifts that: {command}",
    "another": "A person looks for another contact: {command}",
    "render": "The letters of its wave are written: {command}",
    "approve": "Its wave waits for approval: {command}",
    "release": "Its wave is approved and waits to be released: {command}",
    "send": "Its letter is sent when the limits allow it: {command}",
    "send_later": "Its letter is tried again after {at}: {command}",
    "settle": "A person says what became of its letter: {command}",
    "seen_again": "It comes back by itself when a source reports it again.",
}


def chapter(made: Explanation) -> Chapter:
    """Return one explanation as a chapter."""
    campaign, mode = made.campaign["name"], Word("mode", made.campaign["mode"])
    title = say("{target}, campaign {campaign} ({mode})", target=target(made.target), campaign=campaign, mode=mode)
    lines = [Line(_verdict(made)), *_reports(made.counting)]
    if made.case is not None:
        lines += [*_evidence(made, made.case), *_contact(made), *_stops(made), *_case(made, made.case)]
    return Chapter(title, (*lines, Line(say("What is next: {next}", next=meaning(NEXT, made.next, made.values)))))


def without_target(counting: Sequence[tuple[Mapping[str, Any], str]]) -> Chapter:
    """Return a chapter about reports that make no target."""
    first = Line(say("No campaign can have a case about it: no report that counts speaks of it."))
    return Chapter(say("No target"), (first, *_reports(counting)))


def _verdict(made: Explanation) -> Say | Exact:
    why = meaning(codes.OBJECTIONS, made.values.get("objection", ""), {"at": made.values.get("at")})
    return meaning(VERDICTS, made.verdict, {"why": why})


def _reports(counting: Sequence[tuple[Mapping[str, Any], str]]) -> Iterator[Line]:
    count = sum(not why for _, why in counting)
    yield Line(counted("{count} report counts today.", "{count} reports count today.", count))
    for row, why in counting[:MOST_TOLD]:
        yield Line(claim(row), row["observed_at"], depth=1)
        yield Line(meaning(codes.COUNTING, why), depth=2)
    if len(counting) > MOST_TOLD:
        left = len(counting) - MOST_TOLD
        yield Line(
            counted(
                "{count} older one is left out; --json has it.",
                "{count} older ones are left out; --json has them.",
                left,
            ),
            depth=1,
        )


def _evidence(made: Explanation, case: Mapping[str, Any]) -> Iterator[Line]:
    values = {"level": codes.level(case["level"]), "minimum": f"E{made.campaign['minimum_level']}"}
    if case["level"] is None and made.check is None:
        yield Line(say("It has not been checked yet; the campaign's minimum is {minimum}.", minimum=values["minimum"]))
    elif made.reaches:
        yield Line(say("Its level, {level}, reaches the campaign's minimum, {minimum}.", **values))
    else:
        yield Line(say("Its level, {level}, does not reach the campaign's minimum, {minimum}.", **values))
    if made.check is not None:
        yield from check_lines([made.check])


def _contact(made: Explanation) -> Iterator[Line]:
    if made.contact is not None:
        yield Line(say("Its contact: {mailbox}.", mailbox=made.contact["mailbox"]))
        if made.contact["state"] == "dead":
            yield Line(meaning(codes.MAILBOXES, "dead"), depth=1)
        if made.stopped and not made.suppressions:
            yield Line(meaning(codes.REJECTED, "by-person"), depth=1)
        yield from (Line(wished, depth=1) for wished in _wishes(made.wish))
    elif made.special:
        yield Line(say("special-purpose addresses ({kind})", kind=made.special))
    elif made.network is None:
        yield Line(say("Its network has not been read yet."))
    else:
        yield Line(meaning(codes.OUTCOMES, made.network["outcome"]))
        if made.network["why"]:
            yield Line(say("why: {why}", why=why_none(made.network["why"])), depth=1)


def _wishes(wish: Wish) -> Iterator[Say]:
    if wish.inhibited_until is not None:
        yield say("It wants no letter before {at}.", at=wish.inhibited_until)
    if not wish.cadence:
        return
    yield counted(
        "It asked for no more than one letter in {count} day.",
        "It asked for no more than one letter in {count} days.",
        wish.cadence.days,
    )
    if wish.last_letter_at is None:
        yield say("It has had no letter yet.")
    else:
        yield say("Its last letter: {at}.", at=wish.last_letter_at)


def _stops(made: Explanation) -> Iterator[Line]:
    if not made.exclusions:
        yield Line(say("No exclusion covers it."))
    for row in made.exclusions:
        yield Line(say("An exclusion covers it: {reason}.", reason=Word("reason", row["reason"])), row["at"])
    if not made.suppressions:
        yield Line(say("The do-not-write list has neither its contact nor its address."))
    for row in made.suppressions:
        yield Line(say("The do-not-write list covers it: {reason}.", reason=Word("reason", row["reason"])), row["at"])
    for row in made.holds:
        yield Line(say("A hold covers it: {reason}", reason=reason(row)), row["at"])


def _case(made: Explanation, case: Mapping[str, Any]) -> Iterator[Line]:
    state, exposure = Word("case", case["state"]), Word("exposure", case["exposure"])
    yield Line(say("Case {case}: {state}; exposure: {exposure}.", case=case["id"], state=state, exposure=exposure))
    if made.letter is not None:
        now = Word("letter", made.letter["state"])
        yield Line(say("Letter {letter} about it: {state}.", letter=made.letter["id"], state=now), depth=1)


def plain(made: Explanation) -> dict[str, Any]:
    """Return an explanation for JSON."""
    row = {name: getattr(made, name) for name in ("case", "check", "network", "contact", "letter")}
    rows: dict[str, Rows] = {name: getattr(made, name) for name in ("exclusions", "suppressions", "holds")}
    return {
        "target": plain_row(dict(made.target)),
        "campaign": plain_row(dict(made.campaign)),
        "inside": made.inside,
        "verdict": made.verdict,
        "why": made.values.get("objection", ""),
        "next": {"code": made.next, "command": made.values.get("command", ""), "at": made.values.get("at")},
        "reaches_minimum": made.reaches,
        "special": made.special,
        "wish": {
            "inhibited_until": made.wish.inhibited_until,
            "cadence_days": made.wish.cadence.days,
            "last_letter_at": made.wish.last_letter_at,
        },
        "stopped": made.stopped,
        **{name: plain_row(dict(value)) if value is not None else None for name, value in row.items()},
        **{name: [plain_row(value) for value in found] for name, found in rows.items()},
        "reports": plain_reports(made.counting),
    }


def plain_reports(counting: Sequence[tuple[Mapping[str, Any], str]]) -> list[dict[str, Any]]:
    """Return weighed reports for JSON, the newest first."""
    return [{**plain_row(dict(row)), "counts": not why, "why_not": why} for row, why in counting]
