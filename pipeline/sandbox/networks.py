"""The registered networks of the sandbox's small Internet, and the longest match over them.

Pure.  Reads and writes nothing.  One table serves RDAP and WHOIS, so that both say the same.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, summarize_address_range

from pipeline.domain import Address

Prefix = IPv4Network | IPv6Network

REGISTRIES = ("arin", "ripencc", "apnic", "lacnic", "afrinic")


class RdapFault(StrEnum):
    """What an RDAP server does in place of answering."""

    REDIRECT_LOOP = "redirect-loop"  # 302 to the same URL
    REDIRECT_PRIVATE = "redirect-private"  # 302 to 10.0.0.1
    REDIRECT_MAPPED = "redirect-mapped"  # 302 to the same address written as ::ffff:10.0.0.1
    REDIRECT_PLAIN = "redirect-plain"  # 302 to plain http at another host
    RATE_LIMITED = "rate-limited"  # 429 with Retry-After in seconds: for the first `times` requests, or always
    RATE_LIMITED_UNTIL = "rate-limited-until"  # 429 with Retry-After as a date
    FORBIDDEN = "forbidden"  # 403 with a page in HTML
    NOT_FOUND = "not-found"  # 404 with an RDAP error object
    UNAVAILABLE = "unavailable"  # 503 with Retry-After as a date
    BUSY = "busy"  # 503 without a word of when
    NOT_IMPLEMENTED = "not-implemented"  # 501 with an RDAP error object
    RATE_NOTICE = "rate-notice"  # 200 with a "Rate Limit Notice", as LACNIC does
    INVALID_JSON = "invalid-json"
    WRONG_TYPE = "wrong-type"  # the answer, called text/html
    NULL_MEMBERS = "null-members"  # the answer, with null in place of its entities, remarks and names
    CUT_BODY = "cut-body"  # the connection ends before Content-Length
    SLOW_BODY = "slow-body"  # a byte now and then
    TOO_LARGE = "too-large"  # 5 MB
    GZIP_BOMB = "gzip-bomb"  # 65 kB that inflate to 64 MB
    WRONG_NETWORK = "wrong-network"  # a network that does not hold the address
    NO_ANSWER = "no-answer"  # accepts the request and says nothing


class WhoisFault(StrEnum):
    """What a WHOIS server does in place of answering plainly."""

    QUOTA = "quota"  # the text that says so
    SILENT = "silent"  # reads the question and says nothing
    CLOSES = "closes"  # reads the question and closes without a word
    DRIPS = "drips"  # a byte now and then, without an end
    TOO_LARGE = "too-large"  # 5 MB
    RESET = "reset"  # resets the connection in the middle of the text
    ENDS_EARLY = "ends-early"  # closes, as after a whole text, in the middle of the mailbox
    ISO_2022_JP = "iso-2022-jp"  # the text in that charset
    CRLF = "crlf"  # lines end in CR LF


@dataclass(frozen=True, slots=True)
class Fault:
    """`times` is how often a rate limit is said before the answer comes; 0: always."""

    kind: RdapFault
    times: int = 0


@dataclass(frozen=True, slots=True)
class Network:
    """One registered range, both ends included.  `bootstrap` is the registry that the bootstrap files name for it, which
    may be another than its own (a transferred legacy block): that one answers with a redirect."""

    start: Address
    end: Address
    registry: str
    handle: str
    name: str = ""
    holder: str = ""
    country: str = ""
    region: str = ""
    language: str = ""
    abuse: str = ""  # the abuse mailbox, or empty
    bootstrap: str = ""  # empty: `registry`
    fault: Fault | None = None
    whois_fault: WhoisFault | None = None
    postal: tuple[str, ...] = ()  # the holder's address: the street, the town with region and postal code, the country

    @property
    def town(self) -> tuple[str, str]:
        """The town and the postal code of the address, apart from the region."""
        line = self.postal[-2] if len(self.postal) > 1 else ""
        town, found, code = line.partition(f" {self.region}") if self.region else (line, "", "")
        return town, code.strip() if found else ""


@dataclass(frozen=True, slots=True)
class Autnum:
    """One block of AS numbers, both ends included."""

    start: int
    end: int
    registry: str
    handle: str
    name: str = ""
    holder: str = ""
    country: str = ""
    abuse: str = ""


class RangeTable:
    """The narrowest network around an address, by bisection over ranges flattened once (60,000 take about half a second).

    A network's parent is the narrowest one around it.
    """

    def __init__(self, networks: Iterable[Network]) -> None:
        """Raises ValueError if a handle or a range stands twice, or two overlap and neither lies inside the other."""
        self.networks: Sequence[Network] = tuple(networks)
        self._parents: dict[str, Network | None] = {}
        self._starts: list[tuple[int, int]] = []  # (version, first address) from which ...
        self._holders: list[Network | None] = []  # ... this network is the narrowest
        enclosing: list[Network] = []
        for network in sorted(self.networks, key=lambda n: (n.start.version, int(n.start), -int(n.end))):
            while enclosing and _key(enclosing[-1].end) < _key(network.start):
                self._leave(enclosing)
            self._adopt(network, enclosing[-1] if enclosing else None)
            enclosing.append(network)
            self._from(_key(network.start), network)
        while enclosing:
            self._leave(enclosing)

    def _adopt(self, network: Network, parent: Network | None) -> None:
        if network.handle in self._parents:
            raise ValueError(f"{network.handle} stands twice")
        if parent is not None and (network.start, network.end) == (parent.start, parent.end):
            raise ValueError(f"{network.handle} and {parent.handle} are the same range")
        if parent is not None and _key(network.end) > _key(parent.end):
            raise ValueError(f"{network.handle} and {parent.handle} overlap, and neither lies inside the other")
        self._parents[network.handle] = parent

    def _leave(self, enclosing: list[Network]) -> None:
        version, last = _key(enclosing.pop().end)
        self._from((version, last + 1), enclosing[-1] if enclosing else None)

    def _from(self, start: tuple[int, int], network: Network | None) -> None:
        if self._starts and self._starts[-1] == start:
            self._holders[-1] = network
        else:
            self._starts.append(start)
            self._holders.append(network)

    def find(self, first: Address, last: Address | None = None) -> Network | None:
        """Return the narrowest network that holds `first`, and all up to `last` if that is given; or None."""
        at = bisect_right(self._starts, _key(first)) - 1
        network = self._holders[at] if at >= 0 else None
        while network is not None and last is not None and _key(network.end) < _key(last):
            network = self.parent(network)
        return network

    def parent(self, network: Network) -> Network | None:
        return self._parents[network.handle]

    def roots(self) -> list[Network]:
        """Return the networks that lie in no other: what the bootstrap files speak of."""
        return [network for network in self.networks if self.parent(network) is None]


def prefixes(network: Network) -> list[Prefix]:
    """Return the range as prefixes, in order.  Raises ValueError if its two ends are of different versions of IP."""
    if isinstance(network.start, IPv4Address) and isinstance(network.end, IPv4Address):
        return list(summarize_address_range(network.start, network.end))
    if isinstance(network.start, IPv6Address) and isinstance(network.end, IPv6Address):
        return list(summarize_address_range(network.start, network.end))
    raise ValueError(f"{network.handle} begins in one version of IP and ends in the other")


def _key(address: Address) -> tuple[int, int]:
    return address.version, int(address)
