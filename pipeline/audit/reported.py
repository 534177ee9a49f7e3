"""What was reported about a record's addresses, and what was decided on it: reports, cases, checks with their reasons.

Pure.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.audit import codes
from pipeline.audit.codes import meaning
from pipeline.audit.record import Kind, Record
from pipeline.audit.say import Exact, Line, Say, Word, counted, say

Row = Mapping[str, Any]

MOST_TOLD = 20  # reports, and checks of one case, in a text; --json has them all


def claim_lines(record: Record) -> Iterator[Line]:
    if not record.claims and record.kind is Kind.ADDRESS:
        yield Line(say("No report is on record."))
    if left_out := len(record.claims) - MOST_TOLD:
        yield from _left_out(left_out, at_least="claims" in record.cut)
    for row in record.claims[-MOST_TOLD:]:
        yield Line(claim(row), row["observed_at"])
        yield from (Line(line, depth=1) for line in claim_details(row))


def claim(row: Row) -> Say:
    """Return what one report says."""
    said = meaning(codes.CLAIMS, row["claim"])
    if row["port"] == 0:
        return say(
            "Feed {feed} reported {address}, port not stated: {claim}.",
            feed=row["feed"],
            address=row["address"],
            claim=said,
        )
    return say(
        "Feed {feed} reported {address}, port {port}: {claim}.",
        feed=row["feed"],
        address=row["address"],
        port=row["port"],
        claim=said,
    )


def claim_details(row: Row) -> Iterator[Say | Exact]:
    yield say(
        "line {line} of delivery {snapshot} ({file}), received {at}",
        line=row["line"],
        snapshot=row["snapshot"],
        file=row["file"],
        at=row["received_at"],
    )
    yield say("SHA-256 of that delivery: {sha256}", sha256=row["snapshot_sha256"])
    if row["verdict"] != "accepted":
        why = meaning(codes.SNAPSHOT_REASONS, row["verdict_reason"])
        yield say("that delivery is {verdict}: {why}", verdict=Word("verdict", row["verdict"]), why=why)
    if row["topic"] == "":
        yield say("a reputation opens no case and raises no level")
    else:
        yield say("if it is not repeated, it counts until {at}", at=row["expires_at"])
    if row["raw"] is None:
        yield say("the line as received is no longer kept")
    else:
        yield say("as received: {raw}", raw=Exact(bytes(row["raw"]).decode(errors="backslashreplace")))


def decision_lines(record: Record) -> Iterator[Line]:
    by_target: dict[int, list[Row]] = {}
    for row in record.cases:
        by_target.setdefault(row["target_id"], []).append(row)
    for at in record.targets:
        yield Line(target(at))
        if at["id"] not in by_target:
            yield Line(say("no campaign has a case about it"), depth=1)
        for case in by_target.get(at["id"], []):
            yield Line(say("campaign {campaign}: case {case}", campaign=case["campaign"], case=case["id"]), depth=1)
            yield Line(_standing(case), depth=2)
            checks = [check for check in record.checks if check["case_id"] == case["id"]]
            yield from check_lines(checks)


def _standing(case: Row) -> Say:
    state, exposure = Word("case", case["state"]), Word("exposure", case["exposure"])
    if case["exposure_at"] is None:
        return say(
            "made {made}; now: {state}; exposure: {exposure}", made=case["created_at"], state=state, exposure=exposure
        )
    return say(
        "made {made}; now: {state}; exposure since {at}: {exposure}; level: {level}",
        made=case["created_at"],
        state=state,
        at=case["exposure_at"],
        exposure=exposure,
        level=codes.level(case["level"]),
    )


def check_lines(checks: Sequence[Row]) -> Iterator[Line]:
    """Yield checks, oldest first, each with what it asked, heard and counted."""
    if left_out := len(checks) - MOST_TOLD:
        yield from _left_out(left_out)
    for check in checks[-MOST_TOLD:]:
        verdict = Word("exposure", check["verdict"])
        yield Line(say("Check {check}: {verdict}.", check=check["id"], verdict=verdict), check["at"])
        yield from (Line(line, depth=1) for line in transcript(json.loads(check["transcript"])))


def transcript(said: Mapping[str, Any]) -> Iterator[Say | Exact]:
    """Return what a check asked, heard and counted, from its transcript (verify/run.py); unknown parts stay silent."""
    if "level" in said:
        value = said["level"]
        yield say("level of evidence: {level}", level=codes.level(int(value[1:]) if value else None))
    for code, values in said.get("reasons", []):
        yield meaning(codes.REASONS, code, _zone_why(values))
    for snapshot, line in said.get("quoted", []):
        yield say("it counted line {line} of delivery {snapshot}", line=line, snapshot=snapshot)
    for answer in said.get("zones", []):
        listed = {**answer, "codes": ", ".join(answer.get("codes", []))}
        yield meaning(codes.LISTINGS, answer.get("listing", ""), _zone_why(listed))
        if answer.get("text"):
            yield say("the zone adds: {text}", text=Exact(answer["text"]))


def _zone_why(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return values with the reason why a zone's answer is not known, if there is one, as a sentence."""
    return {**values, "why": meaning(codes.ZONE_WHYS, values["why"])} if values.get("why") else values


def target(row: Row) -> Say:
    """Return a target in words."""
    topic = meaning(codes.TOPICS, row["topic"])
    if row["port"] == 0:
        return say("{address}, port not stated ({topic})", address=row["address"], topic=topic)
    return say(
        "{address}, {transport} port {port} ({topic})",
        address=row["address"],
        transport=row["transport"].upper(),
        port=row["port"],
        topic=topic,
    )


def _left_out(count: int, *, at_least: bool = False) -> Iterator[Line]:
    if count > 0 and at_least:
        yield Line(say("There are more than these; --json has them all."))
    elif count > 0:
        yield Line(
            counted(
                "{count} older one is left out; --json has it.",
                "{count} older ones are left out; --json has them.",
                count,
            )
        )
