"""How seals are chained: what a seal's head is the hash of.  Pure.

Six lines of ASCII, so that a stranger makes the same hash with a text editor and sha256sum.
"""

from datetime import UTC, datetime
from hashlib import sha256

FIRST = bytes(32)  # what stands for the head before the first seal


def head(number: int, at: datetime, count: int, previous: bytes, root: bytes) -> bytes:
    """Return the 32 bytes of a seal's head.  Raises ValueError if `at` has no zone."""
    return sha256(form(number, at, count, previous, root).encode("ascii")).digest()


def form(number: int, at: datetime, count: int, previous: bytes, root: bytes) -> str:
    """Return the text that a head is the hash of; `at` is written in UTC, with microseconds."""
    if at.utcoffset() is None:
        raise ValueError("a time without a zone")
    lines = (
        "tocsin-seal 1",
        f"number {number}",
        f"at {at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        f"count {count}",
        f"previous {previous.hex()}",
        f"root {root.hex()}",
    )
    return "".join(f"{line}\n" for line in lines)
