"""What a domain's SPF record says of the addresses that our mail leaves from.  Pure: what the DNS said in, a verdict out.

A record names others, and these name others again: `weigh` says which questions are still open, the caller asks them, and
calls again.  Standards: RFC 7208 (4.5 one record, 4.6.4 ten look-ups, 5 mechanisms, 6.1 redirect).  Macros (7) depend on
the letter: a term that has one counts as a look-up and matches nothing here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

MOST_LOOKUPS = 10  # RFC 7208 4.6.4
MOST_HOSTS = 10  # of one `mx`, the same section
DEEPEST = 12  # a record that leads further has long broken the limit
MOST_TERMS = 100

_MODIFIER = re.compile(r"([a-z][a-z0-9_.-]*)=(\S*)", re.IGNORECASE)
RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}

Address = IPv4Address | IPv6Address


class Kind(StrEnum):
    TXT = "txt"
    ADDRESSES = "addresses"
    MAIL = "mail"


Question = tuple[Kind, str]
Known = Mapping[Question, tuple[str, ...] | None]  # None: the DNS could not say


@dataclass(frozen=True, slots=True)
class Spf:
    """`fault`: a code of what is wrong with the record, or of those that it leads to (empty: nothing); `at`: where.

    `results`: pass, fail, softfail, neutral, none or unknown, by address.  `wanted`: questions that are still open.
    """

    fault: str
    at: str
    lookups: int
    results: Mapping[str, str]
    wanted: frozenset[Question]


@dataclass(frozen=True, slots=True)
class _Term:
    result: str
    name: str
    value: str
    v4: int
    v6: int


@dataclass(slots=True)
class _Walk:
    known: Known
    lookups: int = 0
    faults: list[tuple[str, str]] = field(default_factory=list)
    wanted: set[Question] = field(default_factory=set)
    unsure: bool = False

    def ask(self, kind: Kind, name: str) -> tuple[str, ...]:
        question = (kind, name.lower().rstrip("."))
        if question not in self.known:
            self.wanted.add(question)
        found = self.known.get(question)
        self.unsure |= found is None
        return found or ()

    def record(self, domain: str) -> str:
        """Return the one SPF record of a domain, empty if there is none or one must not be used (RFC 7208 4.5)."""
        texts = [t for t in self.ask(Kind.TXT, domain) if t.lower() == "v=spf1" or t.lower().startswith("v=spf1 ")]
        if len(texts) > 1:
            self.faults.append(("many", domain))
        return texts[0] if len(texts) == 1 else ""


def weigh(domain: str, addresses: Sequence[Address], known: Known) -> Spf:
    """Judge a domain's record for these addresses, as far as what is known goes."""
    count = _Walk(known)
    record = count.record(domain)
    if not record and not count.wanted and not count.unsure and not count.faults:
        count.faults.append(("none", domain))
    _count(count, domain, record, 0, ())
    if count.lookups > MOST_LOOKUPS:
        count.faults.append(("lookups", domain))
    results = {}
    for address in addresses:
        walk = _Walk(known)
        said = _result(walk, domain, address, 0) if record else "none"
        results[str(address)] = "unknown" if walk.unsure and said != "pass" else said
        count.wanted |= walk.wanted
    fault, at = count.faults[0] if count.faults else ("", "")
    if not fault and count.unsure and not count.wanted:
        fault, at = "unknown", domain
    return Spf(fault, at, count.lookups, results, frozenset(count.wanted))


def _count(walk: _Walk, domain: str, record: str, depth: int, above: tuple[str, ...]) -> None:
    """Count the look-ups of a record and all that it leads to, and note what is wrong on the way."""
    if not record:
        return
    if depth > DEEPEST or domain in above:
        walk.faults.append(("loop", domain))
        return
    terms, redirect, fault = _terms(record)
    if fault:
        walk.faults.append(("syntax", domain))
    for term in terms:
        if term.name == "all" and term.result == "pass":
            walk.faults.append(("all", domain))
        walk.lookups += term.name in ("include", "a", "mx", "ptr", "exists")
        if walk.lookups > 2 * MOST_LOOKUPS:
            return  # enough is known
        if term.name == "include" and "%" not in term.value:
            _follow(walk, term.value, depth, (*above, domain))
    if redirect and not any(term.name == "all" for term in terms):
        walk.lookups += 1
        if "%" not in redirect:
            _follow(walk, redirect, depth, (*above, domain))


def _follow(walk: _Walk, name: str, depth: int, above: tuple[str, ...]) -> None:
    before = walk.unsure
    record = walk.record(name)
    if not record and walk.unsure == before and not walk.wanted:
        walk.faults.append(("nowhere", name))  # RFC 7208 5.2, 6.1: an error of the whole record
    _count(walk, name.lower(), record, depth + 1, above)


def _result(walk: _Walk, domain: str, address: Address, depth: int) -> str:
    """Return what a domain's record says of an address: the first term that matches decides (RFC 7208 4.6.2)."""
    record = walk.record(domain) if depth <= DEEPEST else ""
    if not record:
        return "none"
    terms, redirect, _ = _terms(record)
    for term in terms:
        if _matches(walk, domain, term, address, depth):
            return term.result
    if redirect and "%" not in redirect:
        return _result(walk, redirect, address, depth + 1)
    return "neutral"


def _matches(walk: _Walk, domain: str, term: _Term, address: Address, depth: int) -> bool:
    if "%" in term.value:
        return False
    match term.name:
        case "all":
            return True
        case "ip4" | "ip6":
            return _within(address, [term.value], term)
        case "include":
            walk.lookups += 1
            return walk.lookups <= 2 * MOST_LOOKUPS and _result(walk, term.value, address, depth + 1) == "pass"
        case "a":
            return _within(address, walk.ask(Kind.ADDRESSES, term.value or domain), term)
        case "mx":
            hosts = walk.ask(Kind.MAIL, term.value or domain)[:MOST_HOSTS]
            return any(_within(address, walk.ask(Kind.ADDRESSES, host), term) for host in hosts)
    return False  # ptr, which nobody should use (RFC 7208 5.5); exists, which has macros


def _within(address: Address, places: Sequence[str], term: _Term) -> bool:
    for text in places:
        try:
            place = ip_address(text)
            bits = term.v4 if place.version == 4 else term.v6
            if place.version == address.version and address in ip_network(f"{place}/{bits}", strict=False):
                return True
        except ValueError:
            continue
    return False


def _terms(record: str) -> tuple[list[_Term], str, bool]:
    """Return a record's terms, its redirect, and whether something in it cannot be read (RFC 7208 4.6.1)."""
    terms: list[_Term] = []
    redirect, fault = "", False
    for text in record.split()[1 : MOST_TERMS + 1]:
        if modifier := _MODIFIER.fullmatch(text):
            redirect = modifier[2] if modifier[1].lower() == "redirect" else redirect
            continue
        term = _term(text)
        fault |= term is None
        terms += [term] if term is not None else []
    return terms, redirect, fault


def _term(text: str) -> _Term | None:
    sign, rest = (text[0], text[1:]) if text[:1] in RESULTS else ("+", text)
    head, _, tail = rest.partition("/")
    name, colon, value = head.partition(":")
    name = name.lower()
    if name not in ("all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"):
        return None
    v4, v6 = 32, 128
    if tail:
        first, _, second = tail.partition("/") if not tail.startswith("/") else ("", "", tail[1:])
        second = second.removeprefix("/")
        if name == "ip6":
            first, second = "", first
        if not all(bits == "" or (bits.isascii() and bits.isdecimal()) for bits in (first, second)):
            return None
        v4, v6 = int(first[:4] or 32), int(second[:4] or 128)
    needs_value = name in ("include", "ip4", "ip6", "exists")
    if needs_value != bool(value) and name not in ("a", "mx", "ptr"):
        return None
    if (colon and not value) or v4 > 32 or v6 > 128 or (name in ("ip4", "ip6") and not _is_address(name, value)):
        return None
    return _Term(RESULTS[sign], name, value, v4, v6)


def _is_address(name: str, value: str) -> bool:
    try:
        return ip_address(value).version == int(name[-1])
    except ValueError:
        return False
