"""Sending, part by part, each against its limit or against Postfix's own tools in the same run: `python -m bench.send`.

Parts: `wire` (built letters, no record), `end` (from the database and back into it, on both databases), `far` (a relay
20 ms away), `pace` (set rates, by the relay's clock), `memory` (two sizes of wave).  Everything is on loopback.  Needs
Postfix's smtp-sink and smtp-source.  Exit code 1: a limit was missed, or they are not here.
"""

import argparse
import sys
from collections.abc import Callable

from bench import send_end, send_pace, send_wire, yardstick
from bench.lines import Line, as_json, shown
from bench.send_peers import missing

PARTS: dict[str, Callable[[bool], list[Line]]] = {
    "wire": send_wire.wire,
    "end": send_end.end,
    "far": send_wire.far_away,
    "pace": send_pace.pace,
    "memory": send_end.memory,
}


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m bench.send", description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="fewer letters, under 45 seconds in all")
    arguments.add_argument("--json", action="store_true", help="print one JSON object")
    arguments.add_argument("--part", action="append", choices=PARTS, help="only this part; may be given again")
    arguments.add_argument("--memory", nargs=2, metavar=("URL", "PORT"), help=argparse.SUPPRESS)  # what is measured
    given = arguments.parse_args()
    if given.memory:
        print(send_end.peak(given.memory[0], int(given.memory[1])))
        return 0
    if name := missing():
        print(f"{name} is not here: install Postfix to measure sending", file=sys.stderr)
        return 1
    measured = yardstick.measure()
    lines: list[Line] = []
    for part in given.part or PARTS:
        found = PARTS[part](given.quick)
        lines += found
        if not given.json:
            print(shown(found), flush=True)
    if given.json:
        print(as_json("send", measured, lines))
    else:
        print("yardstick: " + ", ".join(f"{name} {value:.1f}" for name, value in measured.items()))
    return 0 if all(line.met for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
