"""The wire alone: letters that are built already, and no record.

`wire`: ours, smtp-source and aiosmtplib take turns with one smtp-sink, at two sizes.  `far`: one connection over a way of
20 ms there and back, beside the same without PIPELINING.  Our caller answers as sending does: all that came is one round.
"""

import time
from collections.abc import Sequence
from statistics import median

from bench.lines import Line
from bench.send_peers import SESSIONS, by_aiosmtplib, by_smtp_source, edge, far, sink
from pipeline.domain import Go, Ready, Result, Send
from pipeline.sandbox.thread import in_thread

TIMES_SMTP_SOURCE, TIMES_AIOSMTPLIB, TIMES_UNPIPELINED = 1.0, 4.0, 3.0
SIZES = (4_096, 20_480)
LETTERS, ROUNDS = 4_000, 7
QUICK_LETTERS, QUICK_ROUNDS = 1_200, 3
ONE_WAY = 0.010
FAR_SIZE, FAR_LETTERS, QUICK_FAR_LETTERS, FAR_ROUNDS = 12_288, 60, 32, 3


def wire(quick: bool) -> list[Line]:
    """Return letters a second at each size, and how many times as fast as the others that is."""
    count, rounds = (QUICK_LETTERS, QUICK_ROUNDS) if quick else (LETTERS, ROUNDS)
    with sink() as port:
        ours(port, built(count // 4, SIZES[0]))
        return [line for size in SIZES for line in _beside(port, size, count, rounds)]


def _beside(port: int, size: int, count: int, rounds: int) -> list[Line]:
    letters, fewer = built(count, size), built(count // 4, size)
    taken = [
        (by_smtp_source(port, count, size), ours(port, letters), by_aiosmtplib(port, fewer)) for _ in range(rounds)
    ]
    peer, mine, plain = (median(rates) for rates in zip(*taken, strict=True))
    named = f"{size:,} B"
    to_peer, to_plain = (sorted(rates[1] / rates[place] for rates in taken) for place in (0, 2))
    return [
        Line(f"letters, {named}", mine, "/s", note=f"{SESSIONS} connections, {count} letters, median of {rounds}"),
        Line(f"smtp-source -s {SESSIONS} -d, {named}", peer, "/s", note="in turn with ours"),
        Line(f"aiosmtplib, {named}", plain, "/s", note="connections kept"),
        Line(f"ours / smtp-source, {named}", median(to_peer), "x", TIMES_SMTP_SOURCE, False, _spread(to_peer)),
        Line(f"ours / aiosmtplib, {named}", median(to_plain), "x", TIMES_AIOSMTPLIB, False, _spread(to_plain)),
    ]


def _spread(ratios: Sequence[float]) -> str:
    return f"{ratios[0]:.2f} to {ratios[-1]:.2f}"


def far_away(quick: bool) -> list[Line]:
    """Return letters a second on one connection of 20 ms there and back, with and without PIPELINING."""
    count = QUICK_FAR_LETTERS if quick else FAR_LETTERS
    letters, fewer = built(count, FAR_SIZE), built(count // 4, FAR_SIZE)
    with (
        sink() as port,
        sink("-p") as mute,
        in_thread(far(port, ONE_WAY)) as way,
        in_thread(far(mute, ONE_WAY)) as slow,
    ):
        taken = [(ours(way, letters, 1), ours(slow, fewer, 1), by_aiosmtplib(way, fewer, 1)) for _ in range(FAR_ROUNDS)]
    mine, mute_rate, plain = (median(rates) for rates in zip(*taken, strict=True))
    ratio = median(us / max(slower) for us, *slower in taken)
    return [
        Line("letters, 20 ms away", mine, "/s", note=f"one connection, {FAR_SIZE:,} B"),
        Line("without PIPELINING, 20 ms away", mute_rate, "/s", note="ours, to a server that does not offer it"),
        Line("aiosmtplib, 20 ms away", plain, "/s"),
        Line("times the un-pipelined rate", ratio, "x", TIMES_UNPIPELINED, False, "of the faster of the two above"),
    ]


def built(count: int, size: int) -> list[Send]:
    """Return letters of about this size, no two alike."""
    line = b"x" * 74 + b"\r\n"
    made = []
    for n in range(1, count + 1):
        top = f"From: a@agency.example\r\nTo: b@isp.example\r\nMessage-ID: <{n}@agency.example>\r\n\r\n".encode()
        data = top + line * ((size - len(top)) // len(line))
        made.append(Send(n, n, f"bounces+{n}@agency.example", f"abuse{n}@isp{n % 50}.example", data, 0.0, str(n)))
    return made


def ours(port: int, letters: Sequence[Send], connections: int = SESSIONS) -> float:
    """Send letters by the edge, with a round for whatever came since the last; returns letters a second."""
    left, ended, room = iter(letters), 0, 2 * connections
    began = time.perf_counter()
    with edge(port, connections) as relay:
        answers: Sequence[Ready | Result] = ()
        while True:
            results = [answer for answer in answers if isinstance(answer, Result)]
            if any(result.reply != 250 for result in results):
                raise RuntimeError(f"a letter was not taken: {results}")
            ended, room = ended + len(results), room + len(results)
            if ended == len(letters):
                break
            following = [letter for _, letter in zip(range(room), left, strict=False)]
            room -= len(following)
            gos = [Go(answer.letter_id) for answer in answers if isinstance(answer, Ready)]
            relay.tell_all([*following, *gos])
            answers = relay.take(0.5)
    return len(letters) / (time.perf_counter() - began)
