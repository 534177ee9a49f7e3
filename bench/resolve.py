"""Finding contacts, part by part, each against its limit or peer in the same run: `python -m bench.resolve`.

Parts: `parse` (an answer judged), `cover` (addresses to networks), `wire` (requests a second, and pace), `asked` (how many
questions real addresses need), `dump` (registry dumps read in).  Registries are the sandbox's, on loopback; nothing is
ever asked of an address of the data.  Exit code 1: a limit was missed.
"""

import argparse
import sys
from importlib import import_module

from bench import yardstick
from bench.lines import Line, as_json, shown

PARTS = ("parse", "cover", "wire", "asked", "dump")


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m bench.resolve", description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="smaller inputs, under 45 seconds in all")
    arguments.add_argument("--json", action="store_true", help="print one JSON object")
    arguments.add_argument("--part", action="append", choices=PARTS, help="only this part; may be given again")
    given = arguments.parse_args()
    measured = yardstick.measure()
    lines: list[Line] = []
    for part in given.part or PARTS:
        found: list[Line] = import_module(f"bench.resolve_{part}").measure(given.quick)
        lines += found
        if not given.json:
            print(shown(found), flush=True)
    if given.json:
        print(as_json("resolve", measured, lines))
    else:
        print("yardstick: " + ", ".join(f"{name} {value:.1f}" for name, value in measured.items()))
    return 0 if all(line.met for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
