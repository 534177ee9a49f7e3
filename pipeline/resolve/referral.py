"""Where a WHOIS answer sends the asker, and what the server there is asked.

Pure.  A stranger writes referrals: a host must be a name or a public address, a port one that WHOIS and rwhois servers use,
and the registry that gave the answer is not asked again.  Standards: RFC 3912; RFC 2167 section 3.3.2 (rwhois); ARIN's
ReferralServer, IANA's refer and whois, LACNIC's and APNIC's words on the national registries.
"""

import re
from ipaddress import ip_address
from typing import NamedTuple

from pipeline.domain import Address, Answer
from pipeline.resolve import outcome, placeholders, space
from pipeline.resolve.mailbox import is_reserved
from pipeline.resolve.whois_text import decode

WHOIS, RWHOIS = "whois", "rwhois"
PORTS = {WHOIS: 43, RWHOIS: 4321}
MAX_LINES = 2000  # that are looked at
LOWEST_FREE_PORT = 1024
MOTHERS = frozenset({"apnic", "lacnic"})  # registries with national registries below them

_FLAGS = {"arin": ("n + {}", "a + {}"), "ripencc": ("-r {}", "-r AS{}"), "jpnic": ("{}/e", "AS {}/e")}
_PLAIN = ("{}", "AS{}")

_SERVER = re.compile(r"\s*(?:ReferralServer|refer|whois)\s*:\s*(\S{1,300})", re.IGNORECASE)
_TARGET = re.compile(r"(?:(r?whois)://)?([^/:\s]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?/?", re.IGNORECASE)
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])", re.IGNORECASE)
_IN_TEXT = re.compile(r"\bwhois\.[a-z0-9.-]{1,100}[a-z]", re.IGNORECASE)
_WORDS = re.compile(r"\s*(?:%|#|remarks\s*:|descr\s*:|comment\s*:)", re.IGNORECASE)


class Referral(NamedTuple):
    """Whom to ask next, and how: WHOIS or RWHOIS."""

    host: str
    port: int
    protocol: str

    @property
    def registry(self) -> str:
        """The registry that runs the host, or "": a provider's rwhois server."""
        return placeholders.registry_of_host(self.host)


def find(
    answer: Answer, registry: str, *, allow_loopback: bool = False, allow_documentation: bool = False
) -> Referral | None:
    """Return the server that an answer of `registry` refers to, or None.

    A stated server (ReferralServer, refer) goes before one that the comments name, which must be a national registry's.
    An rwhois server goes before a WHOIS server: it knows more.  `allow_loopback` is for the sandbox: an address of this
    host, with any port; `allow_documentation` is for tests.
    """
    if outcome.without_contents(answer) is not None:
        return None
    lines = decode(answer.body)[:MAX_LINES]
    targets = [match.group(1) for line in lines if (match := _SERVER.match(line)) is not None]
    read = [_read(text, allow_loopback, allow_documentation) for text in targets]
    stated = [one for one in read if one is not None and not (one.registry and one.registry == registry)]
    stated.sort(key=lambda one: one.protocol != RWHOIS)
    return next(iter(stated), None) or (_national(lines) if registry in MOTHERS else None)


def text(registry: str, protocol: str, address: Address | int) -> str:
    """Return the line that a server is asked about an address, or about an AS number where that is an int."""
    forms = _PLAIN if protocol == RWHOIS else _FLAGS.get(registry, _PLAIN)
    return forms[isinstance(address, int)].format(address)


def _read(target: str, allow_loopback: bool, allow_documentation: bool) -> Referral | None:
    """`whois://host:port`, `rwhois://host:port/` or a bare host, or None where it must not be asked."""
    match = _TARGET.fullmatch(target)
    if match is None:
        return None
    protocol = (match.group(1) or WHOIS).lower()
    host = match.group(2).lower().strip("[]").rstrip(".")
    port = int(match.group(3)) if match.group(3) else PORTS[protocol]
    try:
        literal = ip_address(host)
    except ValueError:
        is_fit = _HOST.fullmatch(host) is not None and len(host) <= 253 and not is_reserved(host)
        return Referral(host, port, protocol) if is_fit and _is_usual(protocol, port) else None
    if allow_loopback and literal.is_loopback:
        return Referral(host, port, protocol) if LOWEST_FREE_PORT <= port <= 65535 else None
    inner, _ = space.lookup_address(literal, allow_documentation=allow_documentation)
    return Referral(host, port, protocol) if inner == literal and _is_usual(protocol, port) else None


def _is_usual(protocol: str, port: int) -> bool:
    """True for the ports of WHOIS and rwhois; an rwhois server may have any that needs no privilege."""
    return port in PORTS.values() or (protocol == RWHOIS and LOWEST_FREE_PORT <= port <= 65535)


def _national(lines: list[str]) -> Referral | None:
    """The WHOIS server of a national registry that a comment or remark names."""
    for line in lines:
        if _WORDS.match(line) is None:
            continue
        for host in _IN_TEXT.findall(line):
            if placeholders.national_country(placeholders.registry_of_host(host)):
                return Referral(host.lower(), PORTS[WHOIS], WHOIS)
    return None
