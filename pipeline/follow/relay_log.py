"""Read a relay's log: Postfix's, as syslog or the journal keeps it, or JSON lines of any other mail server.

Pure: lines in, facts out; nothing that stands in a line makes it raise.  Forms: `Nov 24 20:15:01 host postfix/smtp[123]:`
(RFC 3164), the same with an ISO 8601 time, RFC 5424, `journalctl -o json` and `-o export`, and objects with the keys of
docs/how-to/relay-log.md.  One reader reads one log: the times of syslog have no year.
"""

import json
import re
from collections.abc import Collection
from datetime import datetime
from typing import Any

from pipeline.follow.postfix_line import fact_of
from pipeline.follow.relay_json import delivery_of
from pipeline.follow.relay_line import MAX_LINE, Fact, Network
from pipeline.follow.relay_time import Calendar, seconds

_SYSLOG = re.compile(
    r"(?:<\d{1,3}>)?(?:1 )?"
    r"(?:(?P<month>[A-Z][a-z]{2}) {1,2}(?P<day>\d{1,2}) (?P<clock>\d\d:\d\d:\d\d(?:\.\d{1,6})?)|"
    r"(?P<iso>\d{4}-\d\d-\d\dT\S{8,24}))"
    r" (?P<host>\S{1,255}) (?P<program>[\w.-]+(?:/[\w.-]+)+)"
    r"(?:\[\d+\]|(?P<rfc5424> (?:\d+|-) \S+ (?:-|\[[^\]]*\])))?(?::|(?(rfc5424)|:)) (?P<said>.*)",
    re.DOTALL,
)
_FIELD = re.compile(rb"([A-Z_][A-Z0-9_]{0,63})(=?)")
_LARGEST_FIELD = 1 << 32  # bytes of a binary field: what says more is no export


class Reader:
    """Reads the lines of one log, in their order.  `ours`: networks of servers to which a letter is merely passed on."""

    def __init__(self, calendar: Calendar, ours: Collection[Network]) -> None:
        self.calendar = calendar
        self.ours = ours
        self.lines = 0
        self.mail = 0  # lines that told of a message's way
        self._entry: dict[str, str] = {}  # of the journal's export, so far
        self._length: bytes | None = None  # of a binary field that is being skipped, as far as it has come
        self._skip = 0

    def read(self, raw: bytes) -> Fact | None:
        """Return what a line says, or None if it tells nothing of a message.  `raw` has its line feed, if there is one."""
        self.lines += 1
        fact = self._read(raw)
        self.mail += fact is not None
        return fact

    def _read(self, raw: bytes) -> Fact | None:
        if self._skip or self._length is not None:
            self._pass_over(raw)
            return None
        line = raw[:MAX_LINE].rstrip(b"\r\n")
        if line.startswith(b"{"):
            return self._json(line)
        if self._entry or line.startswith((b"__CURSOR=", b"__REALTIME_TIMESTAMP=")):
            return self._exported(line)
        if b": " not in line:
            return None
        found = _SYSLOG.match(line.decode("utf-8", "replace"))
        return self._syslog(found) if found else None

    def _syslog(self, found: re.Match[str]) -> Fact | None:
        told = self.calendar.iso(found["iso"]) if found["iso"] else None
        at = told or (self.calendar.syslog(found["month"], found["day"], found["clock"]) if found["month"] else None)
        return fact_of(at, found["host"], found["program"], found["said"], self.ours) if at else None

    def _json(self, line: bytes) -> Fact | None:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            return None
        if not isinstance(entry, dict):
            return None
        if "MESSAGE" in entry or "SYSLOG_IDENTIFIER" in entry:
            return self._journal({str(key): _text(value) for key, value in entry.items()})
        return delivery_of(entry, self.calendar, self.ours)

    def _journal(self, entry: dict[str, str]) -> Fact | None:
        """Return the fact of an entry of the journal (systemd.journal-fields(7))."""
        at = _microseconds(entry.get("_SOURCE_REALTIME_TIMESTAMP", "")) or _microseconds(
            entry.get("__REALTIME_TIMESTAMP", "")
        )
        if at is None:
            return None
        named = (entry.get("_HOSTNAME", ""), entry.get("SYSLOG_IDENTIFIER", ""), entry.get("MESSAGE", ""))
        return fact_of(at, *named, self.ours)

    def _exported(self, line: bytes) -> Fact | None:
        """Take a line of an export: fields until an empty line ends the entry."""
        if not line:
            entry, self._entry = self._entry, {}
            return self._journal(entry)
        found = _FIELD.match(line)
        if found is None or (not found[2] and found.end() != len(line)):
            self._entry = {}  # not an export after all
        elif not found[2]:
            self._length = b""
        elif found[1] in (b"__REALTIME_TIMESTAMP", b"_HOSTNAME", b"SYSLOG_IDENTIFIER", b"MESSAGE", b"__CURSOR"):
            self._entry[found[1].decode()] = line[found.end() :].decode("utf-8", "replace")
        return None

    def _pass_over(self, raw: bytes) -> None:
        """Pass over a binary field: 8 bytes of length, little-endian, that many bytes, a line feed."""
        if self._length is not None:
            head = self._length + raw
            if len(head) < 8:
                self._length = head
                return
            size = int.from_bytes(head[:8], "little")
            self._length, raw = None, head[8:]
            self._skip = size + 1 if size < _LARGEST_FIELD else 0
        self._skip = max(self._skip - len(raw), 0)


def _microseconds(text: str) -> datetime | None:
    return seconds(int(text) / 1e6) if text.isascii() and text.isdecimal() and len(text) < 20 else None


def _text(value: Any) -> str:
    """Return a field of the journal's JSON: text, or bytes as a list of numbers where it is not UTF-8."""
    if isinstance(value, list) and all(isinstance(part, int) and 0 <= part < 256 for part in value):
        return bytes(value).decode("utf-8", "replace")
    return value if isinstance(value, str) else ""
