"""Put one question to the configured nameservers: UDP, then TCP if the answer was cut, then the next server.

Reads and writes: nothing.  Safe to repeat: it only asks.  Standards: RFC 1035, RFC 7766.  Neither a name that was asked
nor a text of dnspython (which quotes names) ever stands in an exception here: some zone names carry a key.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdatatype

from pipeline.domain import Address

LONGEST_NAME = 253  # octets, as text without the final dot (RFC 1035 2.3.4)
_LABEL = re.compile(rb"(?!-)[a-z0-9_-]{1,63}(?<!-)")


@dataclass(frozen=True, slots=True)
class Nameserver:
    address: Address
    port: int = 53


@dataclass(frozen=True, slots=True)
class DnsSettings:
    """Whom to ask and how.  `timeout` is in seconds and counts for one try; `tries` go over the servers in turn;
    `concurrency` counts the questions under way."""

    nameservers: tuple[Nameserver, ...]
    timeout: float = 5.0
    tries: int = 2
    concurrency: int = 100


class NoAnswer(Exception):
    """The DNS could not say.  `why` is timeout, wrong question, malformed, cut, unreachable, CNAME loop, contradictory
    answer, no nameserver, or what the server said in place of an answer (SERVFAIL, REFUSED, ...)."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


async def ask(
    name: dns.name.Name, kind: dns.rdatatype.RdataType, settings: DnsSettings, servers: tuple[Nameserver, ...] = ()
) -> dns.message.Message:
    """Return the first message that says NOERROR or NXDOMAIN, or else the last refusal.  Raises NoAnswer.

    `servers` are asked in place of the configured ones, if there are any.  One server is not asked again after it
    refused: it would say the same.
    """
    servers = servers or settings.nameservers
    refusal: dns.message.Message | None = None
    failed = NoAnswer("no nameserver")
    for turn in range(settings.tries if servers else 0):
        try:
            message = await _one(dns.message.make_query(name, kind), servers[turn % len(servers)], settings.timeout)
        except NoAnswer as error:
            failed = error
            continue
        if message.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return message
        refusal = message
        if len(servers) == 1:
            break
    if refusal is None:
        raise failed
    return refusal


def records(message: dns.message.Message) -> Sequence[dns.rdata.Rdata] | None:
    """Return the records that answer the question, aliases followed; None if there is no such name (NXDOMAIN).

    Raises NoAnswer for every other code, and for an answer whose aliases lead in a circle: it may hide anything.
    """
    rcode = message.rcode()
    if rcode == dns.rcode.NXDOMAIN:
        return None
    if rcode != dns.rcode.NOERROR:
        raise NoAnswer(dns.rcode.to_text(rcode))
    try:
        found = message.resolve_chaining().answer if isinstance(message, dns.message.QueryMessage) else None
    except dns.message.ChainTooLong:
        raise NoAnswer("CNAME loop") from None
    except dns.exception.DNSException:
        raise NoAnswer("contradictory answer") from None
    return tuple(found or ())


def hostname(name: dns.name.Name) -> str:
    """Return a name as a host's, in lower case and without the final dot; empty if it is none (RFC 1123 2.1; "_" passes).

    What stands in a record may hold any octet: spaces, control characters, what looks like another name.
    """
    labels = [label.lower() for label in name.labels if label]
    text = b".".join(labels)
    if not labels or len(text) > LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        return ""
    return text.decode("ascii")


def asked_name(text: str) -> dns.name.Name | None:
    """Return the name that a text of ours means, None if it is not a host's name written in ASCII (A-labels)."""
    if not text.isascii() or len(text) > LONGEST_NAME + 1:
        return None
    try:
        name = dns.name.from_text(text)
    except dns.exception.DNSException:
        return None
    return name if hostname(name) else None


async def _one(query: dns.message.Message, server: Nameserver, timeout: float) -> dns.message.Message:
    """Return the server's answer to `query`: same id, same question, from the address that was asked."""
    try:
        message, _ = await dns.asyncquery.udp_with_fallback(
            query, str(server.address), timeout, server.port, ignore_unexpected=True
        )
    except dns.exception.Timeout:
        raise NoAnswer("timeout") from None
    except (dns.query.BadResponse, dns.query.UnexpectedSource):
        raise NoAnswer("wrong question") from None
    except dns.exception.DNSException:
        raise NoAnswer("malformed") from None
    except EOFError:
        raise NoAnswer("cut") from None
    except OSError:
        raise NoAnswer("unreachable") from None
    return message
