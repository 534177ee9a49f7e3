"""A campaign over real addresses, from listings to letters in a sink: `python -m bench.campaign`.

Reads the shared hits (the first --limit distinct addresses, their sim_type and sim_port) and the announced ranges that hold
them.  RDAP answers are made by the sandbox: one abuse mailbox per AS under .example, a nested customer network in every
seventh AS, no contact in every eleventh.  Which addresses belong to which mailbox is worked out here from the input alone,
and compared with what the sink holds.  Nothing is ever asked of, or sent to, an address of the data.
"""

import argparse
import json
import multiprocessing
import os
import re
import sys
import tempfile
import time
from collections import defaultdict
from email import message_from_bytes, policy
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from bench import yardstick
from bench.internet import DATA, expected, hits, networks, town
from bench.measured import Measured
from bench.stages import campaign
from pipeline.net import guard
from pipeline.sandbox.networks import RangeTable

MOST_MEMORY_MB = 400
MOST_SECONDS = 240
MOST_QUESTIONS = 1.2  # times the cacheable networks
SHOWN = ("addresses", "contacts_expected", "letters", "cacheable_networks", "rdap_requests", "seconds", "machine")
ROW = re.compile(r"^\s*(\d+\.\d+\.\d+\.\d+)\s+\S+\s+\S+\s+\d{4}-\d\d-\d\dT", re.MULTILINE)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hits", type=Path, default=DATA / "scale")
    options.add_argument("--limit", type=int, default=50_000)
    options.add_argument("--database", default="", help="a PostgreSQL URL; else SQLite")
    options.add_argument("--quick", action="store_true", help="3,000 addresses")
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    guard.install()
    limit = min(given.limit, 3_000) if given.quick else given.limit
    if not given.hits.is_dir():
        print(f"{given.hits} is not here: nothing was measured", file=sys.stderr)
        return 0
    before = yardstick.measure()
    listed = hits(given.hits, limit)
    addresses = sorted(int(IPv4Address(address)) for address, _, _ in listed)
    found = networks(given.hits.parent / "net" / "asn-ranges-with-hits.csv.gz", addresses)
    owed, cacheable, nobody = expected(listed, RangeTable(found))
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = multiprocessing.get_context("spawn").Pipe()
        child = multiprocessing.get_context("spawn").Process(target=town, args=(found, folder, theirs), daemon=True)
        child.start()
        ports = ours.recv()
        measured = Measured()
        url = given.database or f"sqlite:///{folder}/bench.db"
        began = time.perf_counter()
        questions = campaign(url, Path(folder), listed, ports, measured)
        seconds = time.perf_counter() - began
        ours.send("stop")
        asked = ours.recv()
        child.join(30)
        sink = read_sink(Path(folder) / "mail" / "new")
    checks, wrong = judged(owed, sink, asked / cacheable, max(row.memory_mb for row in measured.rows), seconds)
    figures = {
        "addresses": len(listed),
        "contacts_expected": len(owed),
        "addresses_without_contact": nobody,
        "letters": len(sink),
        "cacheable_networks": cacheable,
        "rdap_requests": asked,
        "requests_per_network": round(asked / cacheable, 3),
        "questions_counted": questions,
        "seconds": round(seconds, 1),
        "peak_memory_mb": round(max(row.memory_mb for row in measured.rows)),
        "stages": [row.as_dict() for row in measured.rows],
        "machine": {"cores": os.cpu_count(), **{name: round(value, 1) for name, value in before.items()}},
        "wrong_mailboxes": wrong[:5],
        "checks": checks,
    }
    print(json.dumps({"schema_version": 1, **figures}, indent=2) if given.json else shown(figures, measured))
    return 0 if all(checks.values()) else 1


def read_sink(folder: Path) -> list[tuple[str, str, set[str]]]:
    """Return (recipient, Message-ID, addresses told) of every letter that arrived."""
    found = []
    for path in folder.iterdir():
        message = message_from_bytes(path.read_bytes(), policy=policy.default)
        text = message.get_content()
        found.append((str(message["To"]), str(message["Message-ID"]), set(ROW.findall(text))))
    return found


def judged(
    owed: dict[str, set[str]], sink: list[tuple[str, str, set[str]]], per_network: float, peak_mb: float, seconds: float
) -> tuple[dict[str, bool], list[str]]:
    """Return what was to hold and whether it does, and the mailboxes that were told other addresses than their own."""
    told: dict[str, set[str]] = defaultdict(set)
    for recipient, _, addresses in sink:
        told[recipient] |= addresses
    wrong = [mailbox for mailbox in owed.keys() | told.keys() if owed.get(mailbox) != told.get(mailbox)]
    checks = {
        "letters = contacts": len(sink) == len(owed),
        "each letter once": len({message_id for _, message_id, _ in sink}) == len(sink),
        "each mailbox is told its own addresses": not wrong,
        f"requests <= {MOST_QUESTIONS} x cacheable networks": per_network <= MOST_QUESTIONS,
        f"peak memory <= {MOST_MEMORY_MB} MB": peak_mb <= MOST_MEMORY_MB,
        f"all in {MOST_SECONDS} s": seconds <= MOST_SECONDS,
    }
    return checks, wrong


def shown(figures: dict[str, Any], measured: Measured) -> str:
    """Return the figures as a table for a terminal."""
    lines = [f"{'stage':10}{'seconds':>9}{'cpu s':>8}{'items':>9}{'items/s':>9}{'peak MB':>9}{'requests':>10}"]
    for row in measured.rows:
        lines.append(
            f"{row.stage:10}{row.seconds:9.1f}{row.cpu_seconds:8.1f}{row.items:9}{row.items / row.seconds:9.0f}"
            f"{row.memory_mb:9.0f}{row.requests:10}"
        )
    lines += [f"{name}: {figures[name]}" for name in SHOWN]
    lines += [f"{'ok  ' if good else 'FAIL'}  {name}" for name, good in figures["checks"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
