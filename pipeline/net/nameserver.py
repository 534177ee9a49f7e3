"""Put one question to the configured nameservers: UDP, then TCP if the answer was cut, then the next server.

Reads and writes: nothing.  Safe to repeat: it only asks.  Standards: RFC 1035, RFC 7766.  Neither a name that was asked
nor a text of dnspython (which quotes names) ever stands in an exception here: some zone names carry a key.
"""

from dataclasses import dataclass

import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype

from pipeline.domain import Address


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
    """No usable message came; `why` is timeout, wrong question, malformed, cut or unreachable."""

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
