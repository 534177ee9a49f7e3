"""The lines put before a letter's stored bytes at the moment of sending, but for the signatures (`dkim`).  Pure.

The letter is stored without Date, Tocsin-Seal, DKIM-Signature and Return-Path; its .eml is head + bytes (RFC 5322 3.6.1).
The seal is the newest head of the event log: so every recipient is a witness of what the log held that day.  Its name has
no X- (RFC 6648).
"""

import re
from datetime import UTC, datetime
from email.utils import format_datetime

SEAL = "Tocsin-Seal"

_HEX = re.compile("(?:[0-9a-f]{2}){1,64}")


def head(now: datetime, seal_head: str = "") -> bytes:
    """Return the Date line, in UTC, and the line of the newest seal if there is one.

    Raises ValueError if `now` has no zone, or if `seal_head` is not hexadecimal (small letters, whole bytes, at most 64).
    """
    if now.utcoffset() is None:
        raise ValueError("a time without a zone")
    if seal_head and not _HEX.fullmatch(seal_head):
        raise ValueError("a seal that is not hexadecimal")
    date = f"Date: {format_datetime(now.astimezone(UTC))}\r\n"
    return f"{date}{SEAL}: {seal_head}\r\n".encode("ascii") if seal_head else date.encode("ascii")
