"""Which ASes announce an address: the question to Team Cymru's origin zones, and what their TXT records say.

Pure.  One record holds one announced prefix and the AS that announces it, or several ("64496 64497 | 192.0.2.0/24 | CA |
arin | 2004-01-30"); an address may have several records.  ipwhois reads the record.  Its one AS is our several: it takes
them for one text.  Standards: RFC 6996 and RFC 7300 (private and last AS numbers), RFC 5398 (documentation), RFC 7607
(AS 0), RFC 6793 (AS_TRANS), RFC 5396 (asdot).
"""

import re

from pipeline.domain import Address, Answer
from pipeline.resolve import ipwhois_offline, name_answer, scope
from pipeline.resolve.scope import Range

MOST_ORIGINS = 4  # each is one more question to a registry

_FIELDS = 5
_NUMBER = re.compile(r"(?:AS)?(\d{1,10})(?:\.(\d{1,5}))?", re.IGNORECASE)
_NOBODYS = ((0, 0), (23456, 23456), (64512, 65535), (65552, 131071), (4_200_000_000, 1 << 40))


def question(address: Address, zone4: str, zone6: str) -> str:
    """Return the name whose TXT records say who announces the address."""
    return name_answer.reversed_name(address, zone4 if address.version == 4 else zone6)


def asns(answer: Answer, queried: Address | None = None) -> list[tuple[int, Range | None]]:
    """Return the ASes that announce the address, each with the prefix, the most specific prefix's first; at most four.

    Private and reserved AS numbers have nobody to ask and are left out; so is a prefix that does not hold `queried`.
    The prefix is None where it cannot be read.
    """
    found: dict[int, Range | None] = {}
    stated = [one for text in name_answer.texts(answer, "txt") if (one := _record(text)) is not None]
    for numbers, prefix in sorted(stated, key=lambda one: _width(one[1])):
        if queried is not None and prefix is not None and not scope.covers(prefix, queried):
            continue
        for number in numbers:
            if is_askable(number):
                found.setdefault(number, prefix)
    return list(found.items())[:MOST_ORIGINS]


def is_askable(number: int) -> bool:
    """False for an AS number that is private or reserved.

    Those for documentation pass, for the sandbox: IANA's list names no registry for them, so that nobody is asked.
    """
    return not any(first <= number <= last for first, last in _NOBODYS)


def _record(text: str) -> tuple[list[int], Range | None] | None:
    """The AS numbers and the prefix of one record; None if it is no such record.

    ipwhois refuses a record whose registry it does not know; it names the AS all the same.
    """
    read = ipwhois_offline.origin(text)
    fields = text.split("|")
    if not read and len(fields) < _FIELDS:
        return None
    numbers, prefix = (read["asn"], read["asn_cidr"]) if read else (fields[0], fields[1])
    return _numbers(numbers), scope.read_range(prefix) if "/" in prefix else None


def _numbers(text: str) -> list[int]:
    """The numbers in "64496", "AS64496", "1.10", "64496 64497" or "{64496,64497}"; other words are passed over."""
    found = [_NUMBER.fullmatch(token) for token in re.split(r"[\s,{}()\"]+", text)]
    return [_plain(match.group(1), match.group(2)) for match in found if match is not None]


def _plain(high: str, low: str | None) -> int:
    return int(high) if low is None else (int(high) << 16) + int(low)


def _width(prefix: Range | None) -> int:
    return scope.size(prefix) if prefix is not None else 1 << 129
