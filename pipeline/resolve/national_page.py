"""Read the web page of a national registry, JPNIC's or KRNIC's: the networks on it, and who is to be told.

Reads: the bytes of one page.  Writes: nothing; the same bytes give the same judgement.  ipwhois reads the networks; it is
given the few lines that it has patterns for, cut short, because these take cubic time on hostile lines.  The mailboxes are
our own reading, beside which ipwhois knows administrators and technicians only.  No further page is asked for: JPNIC's
links lead to the pages of such persons, and none of them is a way out.
Standards: HTML's charset names (the Encoding Standard, labels of Shift_JIS, EUC-JP and EUC-KR).
"""

import html
import re

from pipeline.domain import Address, Answer, NetworkAnswer
from pipeline.resolve import ipwhois_offline, outcome, placeholders, scope, whois_answer, whois_national
from pipeline.resolve.mailbox import clean, within
from pipeline.resolve.network import Network, judged, without_network
from pipeline.resolve.scope import Range, ScopeCaps
from pipeline.resolve.whois_text import Stated, decode, stated

MAX_LINE = 160  # characters of a line that ipwhois is given
MAX_LINES = 60

_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([A-Za-z0-9_-]{1,20})", re.IGNORECASE)
_CODECS = {
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "windows-31j": "cp932",
    "x-sjis": "cp932",
    "euc-jp": "euc_jp",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
}
# the labels of ipwhois' patterns, and the range that begins a network
_LINES = {
    "jpnic": re.compile(r"[^\n]{0,40}\[(?:Network Number|Network Name|Organization)\]"),
    "krnic": re.compile(r"\s{0,8}(?:IPv4 Address|Organization Name|Service Name|Network Type)\s"),
}
_TAG = re.compile(r"<[^<>]{0,500}>")
_LINK = re.compile(r"<a\s[^<>]{0,300}>([^<>]{1,80})</a>", re.IGNORECASE)


def read(answer: Answer, queried: Address, *, registry: str, caps: ScopeCaps) -> NetworkAnswer:
    """Return the judged page about an address.  Never raises on what a server sent.

    A page that speaks of a limit is REFUSED, one that has no such network NOT_FOUND, any other without it UNUSABLE.
    """
    decided = outcome.without_contents(answer)
    if decided is not None:
        return without_network(*decided, registry)
    body = _utf8(answer)
    lines = decode(body)
    own = [one for one in whois_national.read(lines, queried, registry) if one.network.registry == registry]
    networks = _read_by_ipwhois(registry, body.decode("utf-8", "replace"), queried, own)
    fitting = sorted((one for one in networks if one.fits), key=lambda one: one.width)
    if not fitting:
        return without_network(*whois_answer.unstated(lines, networks), registry)
    return judged(whois_answer.merged(fitting, queried), queried, caps)


def _utf8(answer: Answer) -> bytes:
    """The page in UTF-8, if it is or says that it is in another charset; what it says may be wrong, and then it is kept."""
    if b"\x1b$" in answer.body:
        return answer.body.decode("iso2022_jp", errors="replace").encode()
    named = _CHARSET.search(answer.content_type[:200].encode("ascii", "replace")) or _CHARSET.search(answer.body[:2048])
    codec = _CODECS.get(named.group(1).decode("ascii").lower()) if named is not None else None
    if codec is None or answer.body.isascii():
        return answer.body
    try:
        return answer.body.decode(codec).encode()
    except UnicodeDecodeError:
        return answer.body


def _read_by_ipwhois(registry: str, page: str, queried: Address, own: list[Stated]) -> list[Stated]:
    """The networks that ipwhois reads, each with the mailboxes of our own reading, and those that we alone read."""
    found: dict[Range | None, Stated] = {}
    for one in own:
        found.setdefault(one.network.registered, one)
    for net in ipwhois_offline.national_networks(registry, _reduced(registry, page)):
        registered = _range(str(net.get("cidr") or ""), queried)
        mailboxes = found[registered].network.found if registered in found else ()
        full = Network(
            registry=registry,
            registered=registered,
            found=mailboxes,
            name=_plain(net.get("handle")),
            holder=_plain(net.get("name")),
            country=placeholders.national_country(registry),
        )
        if (read_too := stated(full, queried)) is not None:
            found[registered] = read_too
    return list(found.values())


def _plain(text: object) -> str:
    return clean(html.unescape(_TAG.sub("", text)), 200) if isinstance(text, str) else ""


def _range(cidrs: str, queried: Address) -> Range | None:
    """The range of a network, which need not be one CIDR: the run of them around the address, or else the first."""
    parts = [part for text in cidrs.split(",")[:64] if (part := scope.read_range(text.strip())) is not None]
    return scope.joined(parts, queried) or (parts[0] if parts else None)


def _reduced(registry: str, page: str) -> str:
    """The lines that ipwhois has patterns for, one link in each at most, as it expects them."""
    pattern = _LINES[registry] if registry in _LINES else re.compile(r"(?!)")
    kept = [line for line in page.splitlines() if pattern.match(line)][:MAX_LINES]
    return "\n".join(_short(line) for line in kept) + "\n"


def _short(line: str) -> str:
    """The line with its link as `<A HREF="">text</A>` at the end, where it has one."""
    link = _LINK.search(line[:1000])
    if link is None:
        return within(line, MAX_LINE)
    before = _TAG.sub("", line[: link.start()])[: MAX_LINE - 100]
    return f'{before}<A HREF="">{link.group(1)}</A>'
