"""Registry dumps read in: a million made-up objects in the true format, beside a loop that only reads the same lines.

Both go over the same `.gz` files in turn, in a process of their own, whose memory is looked at.  The objects are written
here, from a fixed seed, in address space that is nobody's (240.0.0.0/4, fd00::/8).
"""

import gzip
import random
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.lines import Line
from pipeline.domain import Address
from pipeline.resolve import dumps
from pipeline.resolve.scope import ScopeCaps
from pipeline.store import migrate, workers
from pipeline.store.db import Database

MIGRATIONS = Path(__file__).parent.parent / "migrations"
MIX = {"inetnum": 700_000, "inet6num": 80_000, "organisation": 100_000, "role": 100_000, "irt": 20_000}
LEAST_RATIO = 0.4
MOST_MEMORY = 400.0  # MB
BLOCKS = 3_000  # /16s and v6 /32s
NOTICE = """remarks:        ****************************
remarks:        * THIS OBJECT IS MODIFIED
remarks:        * Please note that all data that is generally regarded as personal
remarks:        * data has been removed from this object.
remarks:        * To view the original object, please query the RIPE Database at:
remarks:        * http://www.ripe.net/whois
remarks:        ****************************
"""
TAIL = """mnt-by:         EXAMPLE-{m}-MNT
created:        2012-08-22T07:52:{s:02}Z
last-modified:  2015-10-08T06:10:{s:02}Z
source:         RIPE # Filtered
"""


def measure(quick: bool) -> list[Line]:
    """Return the ratio of the two rates, the import's own rate, its memory, and how fast look-ups are."""
    share = 10 if quick else 1
    mix = {name: count // share for name, count in MIX.items()}
    with TemporaryDirectory(prefix="tocsin-bench-") as folder:
        for name, count in mix.items():
            _write(Path(folder) / f"example.db.{name}.gz", name, count, mix)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
            read, imported, memory, per_network, size = alone.submit(_in_turn, folder, 3 if quick else 2).result()
    objects = sum(mix.values())
    note = f"{objects:,} objects; to a loop over the lines of the same files, in turn; {objects / read:,.0f}/s"
    return [
        Line("dump import, rate", objects / imported, "objects/s"),
        Line("dump import, ratio", read / imported, "", LEAST_RATIO, at_most=False, note=note),
        Line("dump import, peak memory", memory, "MB", MOST_MEMORY),
        Line("dump import, database", size, "MB"),
        Line(
            "dump look-up", per_network * 1e3, "ms", note="one network found and judged, 2,000 addresses in 500 blocks"
        ),
    ]


def _in_turn(folder: str, rounds: int) -> tuple[float, float, float, float, float]:
    """Return the median seconds of reading lines and of importing, peak memory in MB, seconds a look-up, and MB stored."""
    files = sorted(Path(folder).glob("*.gz"))
    read, imported = [], []
    for turn in range(rounds):
        db = Database(f"sqlite:///{folder}/{turn}.db")
        migrate.upgrade(db, MIGRATIONS)
        began = time.perf_counter()
        for file in files:
            with gzip.open(file) as lines:
                for _line in lines:
                    pass
        between = time.perf_counter()
        _import(db, files)
        imported.append(time.perf_counter() - between)
        read.append(between - began)
        memory = _peak_memory()
        per_network = _look_up(db)
        db.close()
    size = sum(file.stat().st_size for file in Path(folder).glob("0.db*")) / 1e6
    return median(read), median(imported), memory, per_network, size


def _import(db: Database, files: list[Path]) -> None:
    with db.write() as connection:
        worker = workers.register(connection, "bench", 1, planner=False, now=_clock())
    for file in files:
        dumps.import_dump(db, file, worker_id=worker, clock=_clock, progress=lambda _what, _done, _total: None)


def _look_up(db: Database) -> float:
    chance = random.Random(3)
    blocks = [chance.randrange(BLOCKS) for _ in range(500)]
    addresses: list[Address] = [_v4(chance.choice(blocks), chance.randrange(1 << 16)) for _ in range(2_000)]
    began = time.perf_counter()
    with db.read() as connection:
        found = dumps.answers(connection, addresses, _clock(), ScopeCaps(), timedelta(days=30))
    return (time.perf_counter() - began) / max(len({id(one) for one in found.values()}), 1)


def _peak_memory() -> float:
    """MB; of this process alone: the highest figure of getrusage would be that of whoever started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1e3


def _clock() -> datetime:
    return datetime.now(UTC)


# --- made-up objects -------------------------------------------------------------------------------------------------


def _write(path: Path, name: str, count: int, mix: dict[str, int]) -> None:
    chance = random.Random(f"dump {name}")
    with gzip.open(path, "wt", compresslevel=1, encoding="utf-8") as file:
        file.write(f"#\n# Made-up {name} objects.\n#\n\n")
        for some in _batches(count):
            file.write("".join(_object(name, number, chance, mix) for number in some))


def _batches(count: int) -> Iterator[range]:
    return (range(start, min(start + 5_000, count)) for start in range(0, count, 5_000))


def _object(name: str, number: int, chance: random.Random, mix: dict[str, int]) -> str:
    tail = TAIL.format(m=chance.randrange(9_999), s=chance.randrange(60))
    if name in ("inetnum", "inet6num"):
        return _network(name, number, chance, mix) + tail + NOTICE + "\n"
    address = f"address:        {_words(chance)}\naddress:        {_words(chance)}\nphone:          +1 613 555 0100\n"
    desk = f"abuse-mailbox:  abuse@net{number}.example\n"
    if name == "organisation":
        owner = f"organisation:   ORG-EX{number}-RIPE\norg-name:       {_words(chance)}\norg-type:       OTHER\n"
        return f"{owner}{address}abuse-c:        AR{chance.randrange(mix['role'])}-RIPE\n{tail}{NOTICE}\n"
    if name == "role":
        return f"role:           Abuse desk {number}\n{address}{desk}nic-hdl:        AR{number}-RIPE\n{tail}{NOTICE}\n"
    return f"irt:            IRT-EX{number}\n{address}e-mail:         team@net{number}.example\n{desk}{tail}\n"


def _network(name: str, number: int, chance: random.Random, mix: dict[str, int]) -> str:
    place = _range_v4(chance) if name == "inetnum" else _range_v6(chance)
    lines = [
        f"{name}:{' ' * (15 - len(name))}{place}",
        f"netname:        EX-{chance.getrandbits(40):X}",
        f"descr:          {_words(chance)}",
        f"descr:          {_words(chance)}",
        f"country:        {chance.choice(('CA', 'FR'))}",
        *([f"org:            ORG-EX{chance.randrange(mix['organisation'])}-RIPE"] if number % 3 else []),
        "admin-c:        DUMY-RIPE",
        "tech-c:         DUMY-RIPE",
        "status:         ASSIGNED PA",
        *([f"mnt-irt:        IRT-EX{chance.randrange(mix['irt'])}"] if number % 9 == 0 else []),
    ]
    return "\n".join(lines) + "\n"


def _words(chance: random.Random) -> str:
    kind = chance.choice(("Example", "Made-up", "Sample"))
    return f"{chance.getrandbits(32):x} {kind} Networks {chance.getrandbits(24):o}"


def _v4(block: int, within: int) -> Address:
    return IPv4Address((240 << 24) + (block << 16) + within)


def _range_v4(chance: random.Random) -> str:
    bits = chance.choice((3, 4, 5, 6, 8, 8, 10, 12))
    first = chance.randrange(1 << 16) >> bits << bits
    block = chance.randrange(BLOCKS)
    return f"{_v4(block, first)} - {_v4(block, first + (1 << bits) - 1)}"


def _range_v6(chance: random.Random) -> str:
    length = chance.choice((32, 40, 44, 48, 48, 48, 56, 64))
    bits = (0xFD << 120) + (chance.randrange(BLOCKS) << 96) + chance.randrange(1 << 96)
    return f"{IPv6Address(bits >> (128 - length) << (128 - length))}/{length}"
