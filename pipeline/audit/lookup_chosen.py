"""The mailboxes that a look-up weighed, what people decided, which one was chosen and why, what was written.  Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.audit import codes, record
from pipeline.audit.codes import meaning
from pipeline.audit.lookup import LookUp, Point, Sentence, extent, in_force
from pipeline.audit.lookup_codes import AFTER, BEFORE, ROUTES
from pipeline.audit.record import Rows
from pipeline.audit.say import Exact, Say, Word, say
from pipeline.domain import Tier

Row = Mapping[str, Any]

ALONE = ("digest", "partner")  # routes by which a country's cases go to one mailbox, before the networks' own
TIERS = {str(tier): text for tier, text in codes.TIERS.items()}


def tier(row: Row) -> Sentence:
    return meaning(TIERS, str(row["tier"]))


def usable(named: Rows) -> Rows:
    return [row for row in named if not row["rejected"]]


def stopped(found: LookUp, row: Row) -> Sentence | Word | None:
    """Return why no letter goes to a mailbox although the reading named it: what was said since.  None if nothing was."""
    if reason := found.suppressed.get(row["mailbox"] or ""):
        return Word("reason", reason)
    return meaning(codes.REJECTED, "by-person") if _is_rejected(found, row) else None


def _is_rejected(found: LookUp, row: Row) -> bool:
    return any(word["verdict"] == "reject" and word["mailbox"] == row["mailbox"] for word in found.words)


# --- who could be written to -----------------------------------------------------------------------------------------


def weighed_points(found: LookUp) -> Iterator[Point]:
    """The mailboxes that may be written to, best first."""
    named = usable(found.named(found.network))
    for row in named:
        sentences: list[Sentence] = [
            say("{mailbox}: {tier}.", mailbox=row["mailbox"] or row["candidate"], tier=tier(row))
        ]
        sentences.append(say("Confidence: {confidence} of 100.", confidence=row["confidence"]))
        if row["note"]:
            sentences.append(say("To be noted: {note}.", note=meaning(codes.NOTES, row["note"])))
        if row["state"] in codes.MAILBOXES:
            sentences.append(say("To be noted: {note}.", note=meaning(codes.MAILBOXES, row["state"])))
        if (why := stopped(found, row)) is not None:
            sentences.append(say("Today no letter goes to it: {why}.", why=why))
        yield Point(tuple(sentences), tuple(_place(found, row)))
    if any(row["tier"] for row in named):
        yield Point(tuple(_order(named)))
    if not named and found.network is not None:
        yield Point((say("Nobody was found who may be written to."),))


def _order(named: Rows) -> Iterator[Sentence]:
    """Say by which rule they stand in this order (resolve/choose.py, resolve/parent.py), and what confidence is."""
    if len(named) > 1 and any(row["note"] in ALONE for row in named):
        yield say("The order: the mailbox of the country's route; then answer by answer, as they were asked for.")
    elif len(named) > 1:
        yield say("The order: answer by answer, as they were asked for.")
    if len(named) > 1:
        yield say("Within one answer, the one that is surer to be meant for such letters comes first.")
    yield say("Confidence is set by a fixed rule, by how and where a mailbox was named; it is not a measured chance.")


def rejected_points(found: LookUp) -> Iterator[Point]:
    """The mailboxes that were read and must not be written to, each with the reason."""
    for row in found.named(found.network):
        if row["rejected"]:
            why = meaning(codes.REJECTED, row["rejected"])
            sentences: list[Sentence] = [say("{candidate}: {why}.", candidate=row["candidate"], why=why)]
            if row["note"]:
                sentences.append(say("To be noted: {note}.", note=meaning(codes.NOTES, row["note"])))
            yield Point(tuple(sentences), tuple(_place(found, row)))


def _place(found: LookUp, row: Row) -> Iterator[Sentence]:
    """Where exactly it stood."""
    step = next((one for one in found.steps if one["number"] == row["step"]), None)
    if not row["path"] or row["tier"] == 0:
        return
    if step is not None and step["answer"] is not None:
        yield say("read in answer {answer}, at {path}", answer=step["answer"], path=row["path"])
    else:
        yield say("read at {path}", path=row["path"])


def _is_newer(found: LookUp, word: Row) -> bool:
    """Was a word given after the reading in force, which is none that such a word made?"""
    network = found.network
    return network is not None and network["registry"] != "local" and word["at"] > network["valid_from"]


def word_points(found: LookUp) -> Iterator[Point]:
    """What people decided: about mailboxes, about the range, about the country."""
    for row in found.words:
        values = {"at": row["at"], "who": record.actor(found.names, row["by"]), "mailbox": row["mailbox"]}
        reason = say("The reason given: {reason}", reason=Exact(row["reason"]))
        if row["verdict"] == "use":
            said = say("On {at} {who} said that {mailbox} is to be used for {range}.", range=extent(row), **values)
        elif row["first_address"] is not None:
            said = say(
                "On {at} {who} said that {mailbox} must not be written to about {range}.", range=extent(row), **values
            )
        else:
            said = say("On {at} {who} said that {mailbox} must not be written to at all.", **values)
        late = _is_newer(found, row) and row["verdict"] == "use"
        yet = (say("It was said after the reading above, which does not follow it yet."),) if late else ()
        until = (say("That holds until {at}.", at=row["until"]),) if row["until"] is not None else ()
        yield Point((said, *until, *yet, reason))
    country = found.network["country"] if found.network is not None else ""
    if found.route is not None:
        values = {key: found.route[key] or "-" for key in ("country", "mailbox", "title")}
        who = record.actor(found.names, found.route["by"])
        decided = say("So it was decided by {who} on {at}.", who=who, at=found.route["at"])
        kind = "direct_else" if found.route["kind"] == "direct" and found.route["mailbox"] else found.route["kind"]
        yield Point((meaning(ROUTES, kind, values), decided))
    elif country:
        yield Point((say("No route is set for {country}: the order above decides.", country=country),))


# --- who was chosen --------------------------------------------------------------------------------------------------


def chosen_points(found: LookUp) -> Iterator[Point]:
    """Whom each case has for its contact today: of an earlier day, the letters say it."""
    if not found.is_today:
        return
    links = {row["id"]: row for row in found.candidates}
    for case in found.cases:
        link = links.get(case["netblock_contact_id"])
        if link is None:
            yield Point((_nobody(found, case),))
            continue
        chosen = say("For case {case}, {mailbox} was chosen.", case=case["id"], mailbox=link["mailbox"])
        yield Point((chosen, *_because(found, link), _mail(found, link)))


def _nobody(found: LookUp, case: Row) -> Say:
    if case["state"] == "seen":
        return say("For case {case}, nobody has been chosen yet.", case=case["id"])
    return say("For case {case}, nobody was chosen: there is nobody who may be written to.", case=case["id"])


def _because(found: LookUp, link: Row) -> Iterator[Sentence]:
    """Why this one: what stands before it and could not be taken, and how the next one falls short."""
    if found.network is None or link["netblock_id"] != found.network["id"]:
        yield say("That was by another reading, which held from {at} on.", at=link["valid_from"])
    same = usable([row for row in found.candidates if row["netblock_id"] == link["netblock_id"]])
    place = next(number for number, row in enumerate(same) if row["id"] == link["id"]) if link in same else 0
    if link["tier"] == 0:
        yield say("A person named it, and what a person says goes before all else.")
    elif len(same) == 1:
        yield say("It is the only one that may be written to.")
    elif place == 0:
        yield say("It comes first of the {count} that the reading found fit.", count=len(same))
    if link["note"] in ALONE:
        yield say("By the route of the country it is told, whether the network has a contact of its own or not.")
    elif link["tier"] >= Tier.PARENT:
        yield say("It is not the contact of the network itself, for whom nobody was found who may be written to.")
    for row in same[:place]:
        yield meaning(BEFORE, _skipped(found, row), {"mailbox": row["mailbox"]})
    for row in same[place + 1 : place + 2]:
        yield _after(link, row)


def _skipped(found: LookUp, row: Row) -> str:
    if row["state"] == "dead":
        return "dead"
    if _is_rejected(found, row):
        return "rejected"
    return "suppressed" if row["mailbox"] in found.suppressed else "other"


def _after(link: Row, row: Row) -> Sentence:
    values = {"mailbox": row["mailbox"], "tier": tier(row), "confidence": row["confidence"]}
    if row["step"] == link["step"] is not None and row["confidence"] < link["confidence"]:
        return meaning(AFTER, "answer", values)
    if row["tier"] > link["tier"]:
        return meaning(AFTER, "tier", values)
    if link["note"] in ALONE and row["tier"] < link["tier"]:
        return meaning(AFTER, "route", values)
    if row["tier"] == link["tier"] and row["confidence"] < link["confidence"]:
        return meaning(AFTER, "confidence", values)
    return meaning(AFTER, "order", values)


def _mail(found: LookUp, link: Row) -> Sentence:
    """Return whether its domain takes mail, as far as the DNS was asked."""
    domain = str(link["mailbox"] or "").rpartition("@")[2]
    asked = [row for row in found.steps if row["kind"] == "mail" and row["question"].endswith(f"/{domain}")]
    if not asked:
        return say("Whether its domain takes mail was not asked.")
    if asked[-1]["outcome"] == "contacts":
        return say("Its domain takes mail, as the DNS said on {at}.", at=asked[-1]["at"])
    return say("Whether its domain takes mail, the DNS could not say on {at}.", at=asked[-1]["at"])


# --- in which language, and what was written -------------------------------------------------------------------------


def language_points(found: LookUp) -> Iterator[Point]:
    links = {row["id"]: row for row in found.candidates}
    told: set[tuple[str, int]] = set()
    for case in found.cases if found.is_today else ():
        link = links.get(case["netblock_contact_id"])
        if link is None or (case["campaign"], link["contact_id"]) in told:
            continue
        told.add((case["campaign"], link["contact_id"]))
        values = {"campaign": case["campaign"], "mailbox": link["mailbox"]}
        key = (case["campaign_id"], link["contact_id"])
        chosen = next((row for row in found.languages if (row["campaign_id"], row["contact_id"]) == key), None)
        expected = found.expected.get(case["campaign"])
        if chosen is not None:
            yield Point(
                (
                    say(
                        "In the campaign {campaign}, {mailbox} is written to in: {languages}.",
                        languages=_languages(chosen),
                        **values,
                    ),
                    say("The rule: {rule}.", rule=meaning(codes.LANGUAGE_RULES, chosen["language_rule"])),
                )
            )
        elif expected is not None:
            yield Point(
                (
                    say(
                        "In the campaign {campaign}, the language for {mailbox} has not been chosen yet.",
                        **values,
                    ),
                    say("By what is known today it would be: {languages}.", languages=_languages(expected)),
                    say("The rule: {rule}.", rule=meaning(codes.LANGUAGE_RULES, expected["language_rule"])),
                )
            )


def _languages(row: Row) -> tuple[object, ...]:
    return tuple(meaning(codes.LANGUAGES, locale) for locale in row["locales"].split(","))


def letter_points(found: LookUp) -> Iterator[Point]:
    """What was written about it, and who its contact was on that day."""
    for row in found.letters:
        written = say(
            "On {at} letter {letter} to {recipient} was written, in the campaign {campaign}; it is now: {state}.",
            at=row["created_at"],
            letter=row["id"],
            recipient=row["recipient"],
            campaign=row["campaign"],
            state=Word("letter", row["state"]),
        )
        yield Point(
            (written, *_on_that_day(found, row)), (say("Message-ID {message_id}", message_id=row["message_id"]),)
        )


def _on_that_day(found: LookUp, letter: Row) -> Iterator[Sentence]:
    reading = in_force(found.networks, letter["created_at"])
    if reading is None:
        yield say("Which reading held on that day is not on record.")
        return
    mailboxes: Sequence[str] = [row["mailbox"] for row in usable(found.named(reading)) if row["mailbox"]]
    yield say("On that day the reading of {at} held, for {range}.", at=reading["valid_from"], range=extent(reading))
    if mailboxes:
        yield say("It named, best first: {mailboxes}.", mailboxes=tuple(mailboxes))
    else:
        yield say("It named nobody who could be written to.")
