"""Turn the bytes of a WHOIS answer into lines, and its `key: value` lines into paragraphs.

Pure; lines and paragraphs are bounded in length and number.  Standard: RFC 3912 (which names no character set), RFC 2622
section 2 (RPSL objects, continuation lines, comments).
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.domain import Address
from pipeline.resolve import ipwhois_offline, scope
from pipeline.resolve.mailbox import within
from pipeline.resolve.network import Network
from pipeline.resolve.scope import Range

MAX_LINE = 1000  # characters
MAX_LINES = 20000
MAX_FIELDS = 4000  # of one paragraph
MAX_NETWORKS = 64
MAX_MAILBOXES = 50  # taken of one kind from one paragraph

_TAG = re.compile(r"<(?![^<>\s@]{1,64}@[^<>\s]{1,253}>)[^<>]{0,500}>")  # <abuse@isp.example> is none
_TWICE = re.compile("[\u00c2-\u00f4][\u0080-\u00bf]")  # UTF-8 that was taken for Latin-1 and encoded again
_BREAK = re.compile(r"<br\s{0,9}/?>(?![ \t]{0,9}\r?\n)", re.IGNORECASE)  # the end of a line that has no other
# what the whois program itself prints: [Querying whois.ripe.net], [whois.ripe.net]
_CLIENT_NOTE = re.compile(r"\[(?:(?:Querying|Redirected to) \S+|[\w-]+(?:\.[\w-]+)+(?::\d+)?)\]")
_KEY = re.compile(r"^([A-Za-z][A-Za-z0-9 _;/-]{0,30}?)\s*:(?:\s+|$)(.*)$")

# words of the forms of JPNIC and KRNIC, by which their character sets are told apart
_NATIONAL = (
    (("euc_jp", "cp932"), ("ネットワーク", "組織名", "最終更新", "連絡担当者", "該当するデータ")),
    (("cp949",), ("네트워크", "기관명", "우편번호", "전자우편", "조회하신")),
)

Fields = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Stated:
    """A network that a text states: `fits` if it covers what was asked about, `width` in addresses or AS numbers."""

    network: Network
    fits: bool
    width: int


def decode(body: bytes) -> list[str]:
    """Return the text's lines, bounded and without tags.

    ISO-2022-JP where its escape sequences stand (its bytes would pass as UTF-8), else UTF-8, else the charset in which
    JPNIC's or KRNIC's own labels stand in the bytes, else Latin-1.  A line that was encoded in UTF-8 twice, or that is
    UTF-8 in a text that is not, is put right.
    """
    if b"\x1b$" in body or b"\x1b(" in body:
        text = body.decode("iso2022_jp", errors="replace")
    else:
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = _national(body) or body.decode("latin-1")
    if re.search(r"<(?:html|pre|body|div|br)\b", text, re.IGNORECASE):
        text = html.unescape(_TAG.sub("", _BREAK.sub("\n", text)))
    lines = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n").split("\n")[:MAX_LINES]
    return [_put_right(within(line, MAX_LINE)).rstrip() for line in lines if not _CLIENT_NOTE.fullmatch(line.strip())]


def _national(body: bytes) -> str:
    """The text in EUC-JP, Shift_JIS or EUC-KR where a label of the registry stands in it, which no other text has; or "".

    Read as Latin-1, Shift_JIS would break: the second byte of a letter may be a bracket.
    """
    for codecs, words in _NATIONAL:
        for codec in codecs:
            if any(word.encode(codec) in body for word in words):
                return body.decode(codec, errors="replace")
    return ""


def _put_right(line: str) -> str:
    if line.isascii() or not _TWICE.search(line):
        return line
    try:
        return line.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return line


def paragraphs(lines: list[str]) -> Iterator[Fields]:
    """Yield the runs of `key: value` lines, keys in lower case; an indented or + line goes on with the key above.

    A comment (%, #) is neither, and ends no paragraph.
    """
    fields: Fields = []
    for line in lines:
        if not line.strip():
            if fields:
                yield fields
            fields = []
        elif len(fields) >= MAX_FIELDS:
            continue
        elif line[0] in " \t+" and fields:
            fields.append((fields[-1][0], line[1:].strip()))
        elif (match := _KEY.match(line)) is not None:
            fields.append((match.group(1).lower(), match.group(2).strip()))
    if fields:
        yield fields


def first(fields: Fields, *keys: str) -> str:
    """Return the first value that is not empty of the first key that has one, or ""."""
    return next((value for key in keys for name, value in fields if name == key and value), "")


def every(fields: Fields, *keys: str) -> list[str]:
    """Return all values of the keys, in the order they stand."""
    return [value for name, value in fields if name in keys and value]


def free_text(fields: Fields, *keys: str) -> str:
    """Return the values of the keys as lines of one text; the empty ones too, because they part its sentences."""
    return "\n".join(value for name, value in fields if name in keys)


def network_range(form: str, lines: list[str], stated: str, queried: Address) -> Range | None:
    """Return the range of one network: what ipwhois makes of its lines, else our own reading of `stated`.

    Of several CIDRs (a range need not be one) the run around the queried address counts.
    """
    cidrs = str(ipwhois_offline.whois_network(form, lines).get("cidr") or "")
    parts = [part for text in cidrs.split(",")[:256] if (part := scope.read_range(text)) is not None]
    return scope.joined(parts, queried) or (parts[0] if parts else None) or scope.read_range(stated)


def stated(network: Network, queried: Address) -> Stated | None:
    """Return the network as one that the text states, or None where it has no range."""
    if network.registered is None:
        return None
    return Stated(network, scope.covers(network.registered, queried), scope.size(network.registered))
