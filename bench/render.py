"""Letters written, stored and signed, against the usual chain in the same run: `python -m bench.render`.

`letters`: notices of a planned wave are rendered and stored by the stage itself, in a SQLite file with its real durability;
then each letter is read back, gets its head, and is signed as sending does.  `peer`: the chain of bench/render_peer.py
writes, signs and stores the same kind of letters.  Both take turns; every figure is the median of the rounds, every ratio
the median of the ratios of a round.  `memory`: two processes write waves of different sizes; both need as much.

An absolute limit is meant for one core of a quiet machine.  If the load is above 1.5 at the start, seconds of CPU time
count, and the limit is lowered by what the machine does less at the yardstick's JSON, measured in each round, than the
one that it was set on; the line says so.  Exit code 1: a limit was missed.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import yardstick
from bench.lines import Line, as_json, shown
from bench.measured import Measured
from bench.render_planned import KEYS, Planned, new, plan_wave
from bench.render_rounds import Rounds
from bench.stages import clock, unseen
from pipeline.engine import working
from pipeline.render.run import render

WRITTEN, WITH_RSA, WITH_ED25519 = 500.0, 350.0, 450.0  # letters a second, on one core
TIMES_THE_CHAIN = 5.0
MORE_MEMORY = 16.0  # MB, for the larger wave
CROWDED, QUIET_JSON_US = 1.5, 8.3  # load; the yardstick's JSON on the machine that the limits were set on


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m bench.render", description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="smaller waves, under 45 seconds in all")
    arguments.add_argument("--json", action="store_true", help="print one JSON object")
    arguments.add_argument("--part", choices=("speed", "memory"), help="only this part")
    arguments.add_argument("--memory", metavar="FILE", help=argparse.SUPPRESS)  # the process that is measured
    given = arguments.parse_args()
    if given.memory:
        print(peak(Path(given.memory)))
        return 0
    measured = yardstick.measure()
    lines: list[Line] = []
    with tempfile.TemporaryDirectory() as folder:
        if given.part != "memory":
            lines += speed(Path(folder), given.quick, measured)
        if given.part != "speed":
            lines += memory(Path(folder), (2_000, 8_000) if given.quick else (10_000, 100_000))
    if given.json:
        print(as_json("render", measured, lines))
    else:
        print(shown(lines))
        print("yardstick: " + ", ".join(f"{name} {value:.1f}" for name, value in measured.items()))
    return 0 if all(line.met for line in lines) else 1


def speed(folder: Path, quick: bool, measured: dict[str, float]) -> list[Line]:
    """Return letters a second for each way of signing, and how many times faster than the chain that is."""
    rounds = Rounds(folder, letters=200 if quick else 500, of_peer=40 if quick else 100)
    rounds.run(1)  # to compile templates and fill caches, on both sides
    rounds.forget()
    rounds.run(5 if quick else 9)
    busy = measured["load"] > CROWDED
    slower = max(statistics.median(rounds.json_us) / QUIET_JSON_US, 1.0) if busy else 1.0
    found = [Line("size of a letter", rounds.letter_bytes, "B", note="mean; without Date and signatures")]
    for name, how, limit in (
        ("rendered and stored", "", WRITTEN),
        ("and signed, RSA-2048", "rsa", WITH_RSA),
        ("and signed, Ed25519", "ed25519", WITH_ED25519),
        ("and signed with both", "both", None),
    ):
        wall, cpu = rounds.rate(how), rounds.rate(how, cpu=True)
        note = f"busy: {wall:.0f}/s by the clock, limit lowered by {slower:.2f}" if busy else f"{cpu:.0f}/s of CPU time"
        found.append(Line(name, cpu if busy else wall, "/s", limit and limit / slower, at_most=False, note=note))
    chain = Line("the chain: EmailMessage, dkimpy RSA-2048", rounds.peer_rate(cpu=busy), "/s", note=rounds.peer_note)
    ratio = Line("RSA-2048, times the chain", rounds.ratio(cpu=busy), "x", TIMES_THE_CHAIN, at_most=False)
    return [*found, chain, ratio]


def memory(folder: Path, sizes: tuple[int, int]) -> list[Line]:
    """Return the peaks of two processes that write waves of these sizes."""
    peaks = []
    for size in sizes:
        planned = new(folder / f"memory{size}.db")
        plan_wave(planned, 1, size)
        command = [sys.executable, "-m", "bench.render", "--memory", str(planned.path)]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(float(run.stdout))
        planned.path.unlink()
    few, many = peaks
    return [
        Line(f"peak memory, {sizes[0]:,} letters", few, "MB"),
        Line(f"peak memory, {sizes[1]:,} letters", many, "MB", few + MORE_MEMORY),
    ]


def peak(path: Path) -> float:
    """Write the letters that are due in a database; returns the peak of memory meanwhile, in MB."""
    measured = Measured()
    with Planned(path, 0, 0).open() as db, working(db, clock) as worker_id:

        def rendered() -> tuple[int, int]:
            return render(db, KEYS, worker_id=worker_id, clock=clock, progress=unseen), 0

        measured.stage("render", rendered)
    return measured.rows[0].memory_mb


if __name__ == "__main__":
    sys.exit(main())
