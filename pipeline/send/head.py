"""The lines put before a letter's stored bytes at the moment of sending.  Pure.

The letter is stored without Date, DKIM-Signature and Return-Path; its .eml is head + bytes (RFC 5322 3.6.1).
"""

from datetime import UTC, datetime
from email.utils import format_datetime


def head(now: datetime) -> bytes:
    """Return the Date line, in UTC.  Raises ValueError if `now` has no zone."""
    if now.utcoffset() is None:
        raise ValueError("a time without a zone")
    return b"Date: " + format_datetime(now.astimezone(UTC)).encode("ascii") + b"\r\n"
