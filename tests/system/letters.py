"""The golden letters as they arrive at a stranger's: with the head of the moment of sending, and the line of a relay."""

from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from pipeline.send.head import head

GOLDEN = Path(__file__).parents[1] / "render" / "golden"
NOW = datetime(2026, 11, 3, 15, 4, 5, tzinfo=UTC)  # the day that the golden letters bear

# The mailbox's own server wrote the line, and believes itself.  Addresses are IPv6: filters know the IPv4 ones that are
# set apart for documentation, and that nobody can send from them.
RECEIVER = "2001:db8:51::25"
CLEAN = "relay.agency.example (relay.agency.example [IPv6:2001:db8:25::25])"  # HELO, name by DNS, address
NAMELESS = "localhost (unknown [IPv6:2001:db8:25::25])"


def golden() -> dict[str, bytes]:
    """Return every golden letter as it is stored, by the name of its file."""
    return {path.name: path.read_bytes() for path in sorted(GOLDEN.glob("*.eml"))}


def arrived(letter: bytes, relay: str = CLEAN, *, dated: bool = True) -> bytes:
    """Return a stored letter as its recipient's server keeps it; `dated`: with the Date that sending sets."""
    received = (
        f"Received: from {relay}\r\n\tby mx.net.example (Postfix) with ESMTPS id 4TkX2k1Qz9z1\r\n"
        f"\tfor <abuse@net.example>; {format_datetime(NOW)}\r\n"
    )
    return received.encode() + (head(NOW) if dated else b"") + letter


def kept(folder: Path, letters: dict[str, bytes]) -> list[Path]:
    """Write letters as files of a folder; returns their paths in the order of the letters."""
    paths = [folder / name for name in letters]
    for path, data in zip(paths, letters.values(), strict=True):
        path.write_bytes(data)
    return paths
