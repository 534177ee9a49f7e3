"""A plain RDAP answer normalised and judged: on the quick path, with ipwhois, and beside other parsers of the same bytes.

The answers are the real ones of the shared data; each is read in turn by every reader, so that what else the machine does
meets all alike.  The figure of a reader is the median over the answers of each answer's median time.  Nothing of an answer
is remembered from one reading to the next.
"""

import json
import statistics
import time
from collections.abc import Callable

from whoisit.errors import ParseError

from bench.lines import Line
from pipeline.resolve import rdap_answer, rdap_range
from tests.accuracy import cases, peers
from tests.accuracy.cases import Row

QUICK_LIMIT, IPWHOIS_LIMIT = 150.0, 600.0  # microseconds
ROUNDS, QUICK_ROUNDS = 400, 80

Act = Callable[[], object]


def measure(quick: bool) -> list[Line]:
    """Return the medians in microseconds for one answer, each against json.loads of the same answers in the same run."""
    if not (cases.DATA / "rdap").is_dir():
        return [Line("RDAP answers to read", 0, "answers", note="the shared RDAP answers are not here")]
    networks = [row for row in cases.rows("rdap") if is_network(row)]
    plain = [row for row in networks if rdap_range.is_plain(json.loads(cases.body("rdap", row)))]
    readers: list[tuple[str, list[Row], Callable[[Row], Act], float | None]] = [
        ("json.loads alone", plain, decoded, None),
        ("read and judged, quick path", plain, lambda row: judged(row, True), QUICK_LIMIT),
        ("read and judged, with ipwhois", networks, lambda row: judged(row, False), IPWHOIS_LIMIT),
        ("ipwhois alone, nothing judged", plain, lambda row: by_peer(row, peers.ipwhois), None),
        ("whoisit alone, nothing judged", plain, lambda row: by_peer(row, peers.whoisit), None),
    ]
    found = medians(
        [(name, [reader(row) for row in rows]) for name, rows, reader, _ in readers], QUICK_ROUNDS if quick else ROUNDS
    )
    yardstick = found["json.loads alone"]
    return [
        Line(
            name, found[name], "us", limit, note=f"{found[name] / yardstick:.1f} x json.loads; {len(rows)} real answers"
        )
        for name, rows, _, limit in readers
    ]


def is_network(row: Row) -> bool:
    """True for a real answer to a question about an address, with a network in it."""
    return not row["synthetic"] and "error" not in row and bool(row["query_ip"]) and "not-a-network" not in row["flags"]


def decoded(row: Row) -> Act:
    body = cases.body("rdap", row)
    return lambda: json.loads(body)


def judged(row: Row, is_quick: bool) -> Act:
    answer, queried, registry = cases.answer("rdap", row), cases.queried(row), row["registry"] or ""
    return lambda: rdap_answer.read(answer, queried, registry=registry, caps=cases.CAPS, is_quick=is_quick)


def by_peer(row: Row, reader: peers.Reader) -> Act:
    body = cases.body("rdap", row)

    def act() -> object:
        try:
            return reader(row, body)
        except (ValueError, KeyError, ParseError):
            return None  # what it cannot read is counted in tests/accuracy

    return act


def medians(readers: list[tuple[str, list[Act]]], rounds: int) -> dict[str, float]:
    """Return each reader's figure, the readers taking turns."""
    acts = [(name, act) for name, every in readers for act in every]
    times: list[list[float]] = [[] for _ in acts]
    for turn in range(rounds + 2):
        for place, (_, act) in enumerate(acts):
            began = time.perf_counter()
            act()
            if turn > 1:  # the first two warm the caches up
                times[place].append(time.perf_counter() - began)
    of_act = [statistics.median(taken) * 1e6 for taken in times]
    return {
        name: statistics.median(value for (of, _), value in zip(acts, of_act, strict=True) if of == name)
        for name, _ in readers
    }
