"""The shared registry answers with what a careful reader takes from them, and our reading of each, for tests and bench.

The files are read only; nothing in them is written to, connected to, or written down here.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from pipeline.domain import Address, Answer, NetworkAnswer, Outcome
from pipeline.resolve import choose, rdap_answer, whois_answer
from pipeline.resolve.scope import ScopeCaps

DATA = Path(__file__).parents[2].parent / "shared" / "data"
NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
CAPS = ScopeCaps()
OUTCOME_OF_ERROR = {
    "rate-limited": Outcome.REFUSED,
    "not-found": Outcome.NOT_FOUND,
    "invalid-json": Outcome.UNUSABLE,
    "rdap-error": Outcome.UNUSABLE,
}

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one reading of one answer compares with the careful reader's."""

    is_exact: bool
    is_missed: bool  # an expected mailbox is not there, or an error was not seen
    is_forbidden: bool  # a mailbox is there that must never be written to


def rows(kind: str) -> list[Row]:
    return [json.loads(line) for line in (DATA / kind / "expected.jsonl").read_text(encoding="utf-8").splitlines()]


def body(kind: str, row: Row) -> bytes:
    path: Path = DATA / kind / row["file"]
    return path.read_bytes()


def answer(kind: str, row: Row) -> Answer:
    return Answer(f"file:{row['file']}", 200, "", body(kind, row), NOW)


def queried(row: Row) -> Address | int:
    return ip_address(row["query_ip"]) if row["query_ip"] else int(row.get("query_asn", 0))


def handle_asked(row: Row) -> str:
    """The handle of the contact that the answer was asked for, or "": such a row has neither address nor AS number."""
    match = re.fullmatch(r"entity-([a-z]+)-([A-Z0-9]+)-.*", row["file"])
    if match is None or row["query_ip"] is not None or "query_asn" in row:
        return ""
    return f"{match.group(2)}-{match.group(1).upper()}"


def read_rdap(row: Row, *, is_quick: bool = True) -> NetworkAnswer:
    reply, registry = answer("rdap", row), row["registry"] or ""
    if (handle := handle_asked(row)) != "":
        return rdap_answer.read_entity(reply, handle, registry=registry)
    return rdap_answer.read(reply, queried(row), registry=registry, caps=CAPS, is_quick=is_quick)


def read_whois(row: Row) -> NetworkAnswer:
    return whois_answer.read(answer("whois", row), queried(row), registry=row["registry"] or "", caps=CAPS)


def mailboxes(found: NetworkAnswer) -> set[str]:
    return {candidate.mailbox for candidate in choose.usable(found)}


def compared(row: Row, got: set[str]) -> Verdict:
    """Every expected mailbox and no other, but those that may be used in addition.  Of a failure: no mailbox at all."""
    expected, allowed = lowered(row["abuse_emails"]), lowered(row["abuse_emails"]) | lowered(row["also_ok"])
    return Verdict(expected <= got <= allowed, not expected <= got, bool(got & lowered(row["must_not"])))


def ours(row: Row, found: NetworkAnswer) -> Verdict:
    """As `compared`; a failure has to be told for what it is, and is never "no contact"."""
    verdict = compared(row, mailboxes(found))
    if "error" not in row:
        return verdict
    is_told = found.outcome is OUTCOME_OF_ERROR[row["error"]]
    return Verdict(verdict.is_exact and is_told, not is_told, verdict.is_forbidden)


def lowered(addresses: list[str]) -> set[str]:
    return {address.lower() for address in addresses}
