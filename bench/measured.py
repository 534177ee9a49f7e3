"""What each stage of a campaign takes: seconds, CPU seconds, and the peak of memory while it ran (Linux)."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Row:
    """One stage's figures."""

    stage: str
    seconds: float
    items: int
    memory_mb: float
    requests: int = 0
    cpu_seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        rate = self.items / self.seconds if self.seconds else 0.0
        return {**self.__dict__, "per_second": round(rate, 1), "seconds": round(self.seconds, 2)}


@dataclass
class Measured:
    rows: list[Row] = field(default_factory=list)

    def stage(self, name: str, act: Callable[[], tuple[int, int]]) -> int:
        """Run a stage and write down what it took; `act` returns (items, requests).  Returns the requests."""
        Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
        began, cpu = time.perf_counter(), time.process_time()
        items, requests = act()
        row = Row(name, time.perf_counter() - began, items, _peak_mb(), requests, time.process_time() - cpu)
        self.rows.append(row)
        print(f"{name}: {row.seconds:.1f} s, {items} items, peak {row.memory_mb:.0f} MB", file=sys.stderr)
        return requests


def _peak_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmHWM in /proc/self/status")
