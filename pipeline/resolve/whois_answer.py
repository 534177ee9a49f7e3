"""Read a WHOIS or rwhois answer: what network it is of, and who is to be told, with every mailbox that was weighed.

Reads: the bytes of one answer.  Writes: nothing; the same bytes give the same judgement.  Every form is tried, and the
narrowest network that covers the question wins; wider ones beside it are its parents.
Standards: RFC 3912; the forms' own in whois_rpsl, whois_arin, whois_rwhois and whois_national.
"""

from collections.abc import Iterable
from itertools import accumulate, chain

from pipeline.domain import Address, Answer, NetworkAnswer, Outcome
from pipeline.resolve import choose, outcome, placeholders, whois_arin, whois_national, whois_rpsl, whois_rwhois
from pipeline.resolve.network import Network, judged, without_network
from pipeline.resolve.scope import ScopeCaps
from pipeline.resolve.whois_text import Stated, decode

MAX_SAID = 32768  # characters of a text that are searched for a refusal: such a text is short

_FORMS = (whois_rpsl.read, whois_arin.read, whois_rwhois.read, whois_national.read)


def read(answer: Answer, queried: Address | int, *, registry: str, caps: ScopeCaps) -> NetworkAnswer:
    """Return the judged answer to a question about an address, or about an AS number where `queried` is an int.

    Never raises on what a server sent.  A text that speaks of a limit and names no contact is REFUSED, not "no contact";
    one that states other networks only is UNUSABLE.
    """
    decided = outcome.without_contents(answer)
    if decided is not None:
        return without_network(*decided, registry)
    lines = decode(answer.body)
    if whois_arin.is_special(lines, queried):
        return without_network(Outcome.SPECIAL, "special-purpose", registry)
    networks = [one for form in _FORMS for one in form(lines, queried, registry)]
    fitting = sorted((one for one in networks if one.fits), key=lambda one: one.width)
    if not fitting:
        return without_network(*unstated(lines, networks), registry)
    judgement = judged(merged(fitting, queried), queried, caps)
    comments = _said([line for line in lines if line.startswith(("%", "#"))])
    if judgement.outcome is Outcome.NO_CONTACT and any(outcome.refuses(line) for line in comments):
        return without_network(Outcome.REFUSED, "limit", registry)
    return judgement


def unstated(lines: list[str], networks: list[Stated]) -> tuple[Outcome, str]:
    """Return what a text without a network for the question says; a plain refusal is looked for first, a hint last."""
    if networks:
        return Outcome.UNUSABLE, "wrong-network"
    lines = _said(lines)
    if any(outcome.refuses(line) for line in lines):
        return Outcome.REFUSED, "limit"
    if any(outcome.finds_nothing(line) for line in lines):
        return Outcome.NOT_FOUND, "no-match"
    if any(outcome.may_refuse(line) for line in lines):
        return Outcome.REFUSED, "limit"
    return Outcome.UNUSABLE, "no-network"


def _said(lines: list[str]) -> list[str]:
    """Return the lines that are searched for a refusal."""
    ends = accumulate(len(line) for line in lines)
    return [line for line, end in zip(lines, ends, strict=True) if end <= MAX_SAID]


def merged(fitting: list[Stated], queried: Address | int) -> Network:
    """Return the narrowest network, with what the same range's other objects add, and with its parents' contacts as such.

    `fitting`: at least one, the narrowest first.  National registries' objects stand beside APNIC's for one range: theirs
    is the nearer registry.
    """
    same = [one.network for one in fitting if one.width == fitting[0].width]
    wider = [one.network for one in fitting if one.width > fitting[0].width]
    found = [value for network in same for value in network.found]
    found += [value._replace(tier=choose.PARENT_TIER) for network in wider for value in network.found]
    if isinstance(queried, int):
        found = [value._replace(tier=choose.ORIGIN_TIER) for value in found]
    national = [network.registry for network in same if placeholders.national_country(network.registry)]
    registry = next(iter(national), same[0].registry)
    return Network(
        registry=registry,
        registered=same[0].registered,
        found=tuple(found),
        doubts=tuple(chain.from_iterable(network.doubts for network in same + wider)),
        handle=_first(network.handle for network in same),
        name=_first(network.name for network in same),
        holder=_first(network.holder for network in same),
        country=_first(network.country for network in same) or placeholders.national_country(registry),
        region=_first(network.region for network in same),
        postal=_first(network.postal for network in same),
        why=_first(network.why for network in same),
    )


def _first(texts: Iterable[str]) -> str:
    return next((text for text in texts if text), "")
