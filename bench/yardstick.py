"""What this machine can do at this moment: the load, and three small acts that every figure may be divided by."""

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable


def measure() -> dict[str, float]:
    """Return the one-minute load, and microseconds for json (1 kB), sha256 (64 kB) and a 4 kB write with fsync."""
    sample = {"addresses": [f"192.0.2.{n}" for n in range(40)], "count": 40, "text": "x" * 300}
    block = bytes(65_536)
    with tempfile.NamedTemporaryFile() as file:

        def sync() -> None:
            file.write(block[:4096])
            file.flush()
            os.fsync(file.fileno())

        return {
            "load": os.getloadavg()[0],
            "json_us": _best(lambda: json.loads(json.dumps(sample)), 200),
            "sha256_us": _best(lambda: hashlib.sha256(block).digest(), 50),
            "fsync_us": _best(sync, 20),
        }


def _best(act: Callable[[], object], times: int) -> float:
    """Return the median of five rounds, in microseconds for one act."""
    rounds = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(times):
            act()
        rounds.append((time.perf_counter() - began) / times * 1e6)
    return sorted(rounds)[2]
