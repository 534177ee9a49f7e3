"""Lists with one address a line: address:port, scheme://address:port, the spys text, and bare addresses.

Pure and streaming.  Such lists name no time for a row and often copy each other.  What a line adds is heard where it
matters: "=> failure" is the list's own word that it is not open, `user:password@` that it needs a login.
An IPv6 address needs its brackets: 2001:db8::1:8080 could be either.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pipeline.domain import Observation, Reject
from pipeline.ingest.csv_feed import as_read
from pipeline.ingest.lines import MAX_LINE, Line
from pipeline.ingest.rejects import Reason
from pipeline.ingest.row import MAX_RAW, RowRule, row_rule, time_rule
from pipeline.ingest.shape import FeedShape

SCHEMES = {
    "http": "http_proxy",
    "https": "http_connect",
    "socks": "socks",
    "socks4": "socks4",
    "socks4a": "socks4",
    "socks5": "socks5",
    "socks5h": "socks5",
}
COMMENTS = ("#", ";", "//")
ENTRY = re.compile(
    r"(?:([A-Za-z][A-Za-z0-9+.-]{0,15})://)?"  # scheme
    r"(?:([^@/\s]{0,256})@)?"  # user and password
    r"(?:\[([^\]\s]{0,64})\]|([^:\s\[\]#,;]{0,64}))"  # address, in brackets or not
    r"(?::([^\s#,;/]{0,64}))?/?"  # port
    r"(?:[\s#,;](.*))?",  # what else the line says
    re.DOTALL,
)
SECOND_WORD = re.compile(r"\s*([0-9]{1,5})(?:[\s#,;]|$)")
FAILED = re.compile(r"=>\s*fail", re.IGNORECASE)
SPYS = re.compile(r"Proxy list \(#\d{1,9}\) updated at (.{1,64})")
SPYS_PROSE = 20  # lines of its header and footer together


def parse(lines: Iterable[Line], feed: FeedShape) -> Iterator[Observation | Reject]:
    """Yield one record for each line that is not empty, a comment, or the header and footer of the spys text."""
    claims = {word: claim for word, claim in SCHEMES.items() if claim in feed.kinds}
    claims |= {as_read(word).lower(): claim for word, claim in feed.claims.items()}
    build = row_rule(feed)
    prose = 0  # lines that may still be the spys text's own
    for line, raw, text in _entries(lines):
        if isinstance(text, Reason):
            yield Reject(line, text, raw[:MAX_RAW])
        elif prose and not (text[0].isdigit() or text[0] == "["):
            prose -= 1
        elif (title := SPYS.match(text)) is not None:
            prose = SPYS_PROSE
            build = row_rule(replace(feed, default_observed_at=_list_time(title[1], feed)))
        else:
            yield _entry(line, raw, text, claims, feed.default_claim, build)


def parse_addresses(lines: Iterable[Line], feed: FeedShape) -> Iterator[Observation | Reject]:
    """Yield one record for each line whose first word is one address; further words are not read."""
    build = row_rule(feed)
    for line, raw, text in _entries(lines):
        if isinstance(text, Reason):
            yield Reject(line, text, raw[:MAX_RAW])
        else:
            yield build(line, raw, text.split(None, 1)[0], "", "", "", feed.default_claim or Reason.CLAIM_MISSING, "")


def _entries(lines: Iterable[Line]) -> Iterator[tuple[int, bytes, str | Reason]]:
    """Yield (line number, raw, text or why there is none) for each line that is not empty or a comment."""
    for line, raw, _ in lines:
        if len(raw) > MAX_LINE:
            yield line, raw, Reason.LINE_TOO_LONG
        elif b"\0" in raw:
            yield line, raw, Reason.NUL_BYTE
        elif (text := raw.decode("latin-1").strip()) and not text.startswith(COMMENTS):
            yield line, raw, text


def _entry(
    line: int, raw: bytes, text: str, claims: Mapping[str, str], default: str, build: RowRule
) -> Observation | Reject:
    host, _, port = text.partition(":")
    if port.isdigit():  # the plain "address:port", most lines of most lists
        return build(line, raw, host, port, "", "", default or Reason.CLAIM_MISSING, "")
    match = ENTRY.fullmatch(text)
    if match is None:  # a network, or no address at all: the rule for addresses says which
        return build(line, raw, text.split(None, 1)[0], "", "", "", Reason.CLAIM_MISSING, "")
    scheme, login, bracketed, host, port, rest = match.groups()
    if login is not None:
        return Reject(line, Reason.NEEDS_LOGIN, raw[:MAX_RAW])
    if rest and FAILED.match(rest):
        return Reject(line, Reason.NOT_OPEN, raw[:MAX_RAW])
    if port is not None and ":" in port:
        return Reject(line, Reason.ADDRESS_UNBRACKETED, raw[:MAX_RAW])
    if port is None and rest and (second := SECOND_WORD.match(rest)):
        port = second[1]
    claim = claims.get(scheme.lower(), Reason.CLAIM_UNKNOWN) if scheme else default or Reason.CLAIM_MISSING
    return build(line, raw, bracketed or host or "", "?" if port == "" else port or "", "", "", claim, "")


def _list_time(text: str, feed: FeedShape) -> datetime | None:
    """Return when the list says it was made, if that is a time at all; else the feed's default."""
    try:
        made = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return feed.default_observed_at
    found = time_rule(feed.now, None)((made if made.tzinfo else made.replace(tzinfo=UTC)).isoformat())
    return feed.default_observed_at if isinstance(found, Reason) else found
