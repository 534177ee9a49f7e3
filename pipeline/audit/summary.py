"""A network's page: one row for each case at each target, with its exposure, its contact and its last letter.  Pure."""

from collections.abc import Iterator

from pipeline.audit import codes
from pipeline.audit.codes import meaning
from pipeline.audit.record import Record
from pipeline.audit.say import Word, say


def summary(record: Record) -> Iterator[tuple[object, ...]]:
    """Yield (address, port, topic, campaign, case, exposure, contact, letter), in address order."""
    mailboxes = {row["id"]: row["mailbox"] for row in record.candidates}
    letters = {row["notice_id"]: row for row in record.letters}
    last = {row["case_id"]: letters[row["notice_id"]] for row in record.told if row["notice_id"] in letters}
    for target in record.targets:
        at = (target["address"], target["port"] or "-", meaning(codes.TOPICS, target["topic"]))
        mine = [case for case in record.cases if case["target_id"] == target["id"]]
        if not mine:
            yield (*at, "-", "-", "-", "-", "-")
        for case in mine:
            letter = last.get(case["id"])
            yield (
                *at,
                case["campaign"],
                Word("case", case["state"]),
                Word("exposure", case["exposure"]),
                mailboxes.get(case["netblock_contact_id"]) or "-",
                say("{letter}: {state}", letter=letter["id"], state=Word("letter", letter["state"])) if letter else "-",
            )
