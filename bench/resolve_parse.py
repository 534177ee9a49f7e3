"""A plain RDAP answer normalised and judged: on the quick path, with ipwhois, and beside other parsers of the same bytes.

The answers are the real ones of the shared data.  The readers take turns, so that what else the machine does meets all
alike; in its turn a reader goes through all answers five times, one after another, as a run of resolve does with what came
in.  Its figure is the median over the answers of each answer's median time.  Nothing of an answer is remembered from one
reading to the next.  `first of a turn` is what a reading costs right after other work, with the processor's caches cold.
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
TURNS, QUICK_TURNS, PASSES = 80, 16, 5

Act = Callable[[], object]


def measure(quick: bool) -> list[Line]:
    """Return the medians in microseconds for one answer, each against json.loads of the same answers in the same run."""
    if not (cases.DATA / "rdap").is_dir():
        return [Line("RDAP answers to read", 0, "answers", note="the shared RDAP answers are not here")]
    networks = [row for row in cases.rows("rdap") if is_network(row)]
    plain = [row for row in networks if rdap_range.is_plain(json.loads(cases.body("rdap", row)))]
    readers: list[tuple[str, list[Row], Callable[[Row], Act], float | None]] = [
        (YARDSTICK, plain, decoded, None),
        ("read and judged, quick path", plain, lambda row: judged(row, True), QUICK_LIMIT),
        ("read and judged, with ipwhois", networks, lambda row: judged(row, False), IPWHOIS_LIMIT),
        ("ipwhois alone, nothing judged", plain, lambda row: by_peer(row, peers.ipwhois), None),
        ("whoisit alone, nothing judged", plain, lambda row: by_peer(row, peers.whoisit), None),
    ]
    acts = [(name, [reader(row) for row in rows]) for name, rows, reader, _ in readers]
    every, first = medians(acts, QUICK_TURNS if quick else TURNS)
    return [
        Line(
            name,
            every[name],
            "us",
            limit,
            note=f"{_times(every, name)}; first of a turn {first[name]:.0f} us; {len(rows)} answers",
        )
        for name, rows, _, limit in readers
    ]


YARDSTICK = "json.loads alone"


def _times(found: dict[str, float], name: str) -> str:
    return f"{found[name] / found[YARDSTICK]:.1f} x json.loads"


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


def medians(readers: list[tuple[str, list[Act]]], turns: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return each reader's figure over all readings, and over the first ones of each turn."""
    every: dict[str, list[list[float]]] = {name: [[] for _ in acts] for name, acts in readers}
    for _ in range(turns):
        for name, acts in readers:
            for _ in range(PASSES):
                for place, act in enumerate(acts):
                    began = time.perf_counter()
                    act()
                    every[name][place].append((time.perf_counter() - began) * 1e6)
    first = {name: [taken[::PASSES] for taken in times] for name, times in every.items()}
    return _figures(every), _figures(first)


def _figures(times: dict[str, list[list[float]]]) -> dict[str, float]:
    return {name: statistics.median([statistics.median(taken) for taken in every]) for name, every in times.items()}
