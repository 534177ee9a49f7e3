"""Make a judged answer of what a reader took from a registry's text: the network, its ranges and its mailboxes.

Pure.  RDAP and WHOIS end here, so that one address gets one judgement whichever way it was asked.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from pipeline.domain import Address, NetworkAnswer, Outcome
from pipeline.resolve import choose, country, placeholders, scope
from pipeline.resolve.choose import Found
from pipeline.resolve.mailbox import clean, normalise
from pipeline.resolve.remarks import Doubt
from pipeline.resolve.scope import Range, ScopeCaps

MAX_NAME = 200  # characters
MAX_HANDLE = 100

BLOCK = "registry-block"  # the registry's own, or nobody's: it names no contact of a holder

_HANDLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,59}")


class Network(NamedTuple):
    """What one answer says, unjudged.  `registered` is None for an AS number.

    `why` is what the reader knows about a missing mailbox: web-form, redacted, truncated, abuse-handle X.
    """

    registry: str
    registered: Range | None
    found: tuple[Found, ...]
    doubts: tuple[Doubt, ...] = ()
    handle: str = ""
    name: str = ""
    holder: str = ""
    country: str = ""
    region: str = ""
    postal: str = ""  # the holder's address as postal.py writes it
    is_block: bool = False
    why: str = ""


def named_desk(handle: str) -> str:
    """Return the `why` of an answer that names its abuse contact by a handle alone, or "" if that is no handle."""
    return f"abuse-handle {handle}" if _HANDLE.fullmatch(handle) else ""


def without_network(outcome: Outcome, why: str, registry: str) -> NetworkAnswer:
    """Return an answer that says nothing about a network, and why."""
    return NetworkAnswer(outcome, why=clean(why, MAX_NAME), registry=clean(registry, MAX_HANDLE))


def judged(
    network: Network, queried: Address | int, caps: ScopeCaps, missing: Callable[[], str] | None = None
) -> NetworkAnswer:
    """Return the answer with its mailboxes judged and ranked, and its range cut to the caps.

    `missing` finds out what `network.why` does not say; it is called only where there is no mailbox, which is seldom.
    """
    is_empty = placeholders.is_empty_network(network.name) or _is_everything(network.registered)
    found = [value._replace(rejected="registry-contact") for value in network.found] if is_empty else network.found
    own = _own(network)
    candidates = choose.judge(found, own, _doubted(network.doubts))
    has_contact = bool(candidates) and not candidates[0].rejected  # the usable ones come first
    is_block = is_empty or (not has_contact and (network.is_block or _is_wide(network.registered)))
    why = BLOCK if is_block else ""
    if not (has_contact or is_block):
        why = network.why or (missing() if missing is not None else "") or choose.why_none(candidates)
    return NetworkAnswer(
        outcome=Outcome.CONTACTS if has_contact else Outcome.NO_CONTACT,
        why=clean(why, MAX_NAME),
        registry=clean(_nearest_registry(network), MAX_HANDLE),
        handle=clean(network.handle, MAX_HANDLE),
        name=clean(network.name, MAX_NAME),
        holder=clean(network.holder, MAX_NAME),
        country=country.code(network.country),
        region=clean(network.region, 60),
        postal="" if is_block else network.postal,  # a registry holds no server
        registered=network.registered,
        cached=_cached(network, queried, caps, is_block),
        candidates=candidates,
    )


def _own(network: Network) -> frozenset[str]:
    """The registries that hold the network themselves.

    The holder's name says so.  National registries name networks after themselves (IDNIC-..., CNNIC-...-AP), so a
    network's name counts only where it is the registry's whole name, or a regional one's and there is nothing better.
    A block that one regional registry says belongs to another one ("APNIC", in ARIN's data) is that one's to hand on.
    """
    named = placeholders.registries_called(network.name)
    if network.holder != network.name:
        named |= placeholders.registries_named(network.holder)
    else:
        by_name = placeholders.registries_named(network.name)
        named |= frozenset([one for one in by_name if not placeholders.national_country(one)])
    if not named or not network.registry:
        return named
    return frozenset([one for one in named if one == network.registry or placeholders.national_country(one)])


def _cached(network: Network, queried: Address | int, caps: ScopeCaps, is_block: bool) -> Range | None:
    if network.registered is None or isinstance(queried, int):
        return None
    return scope.cached_range(network.registered, queried, caps.prefix(queried.version, network.registry, is_block))


def _nearest_registry(network: Network) -> str:
    """The national registry whose desk stands in the answer: it knows the network better than the one that was asked."""
    desks = [registry for value in network.found if (registry := placeholders.registry_of_handle(value.handle))]
    return next((registry for registry in desks if placeholders.national_country(registry)), network.registry)


def _is_everything(registered: Range | None) -> bool:
    return registered is not None and scope.size(registered) == 1 << registered[0].max_prefixlen


def _is_wide(registered: Range | None) -> bool:
    return registered is not None and scope.is_wide(registered)


def _doubted(doubts: tuple[Doubt, ...]) -> dict[str, str]:
    """The notes on mailboxes that a text names; those without an address hold for what stands beside them."""
    if not doubts:
        return {}
    named = [(normalise(doubt.text), doubt.note) for doubt in doubts if doubt.text]
    return {address[0]: note for address, note in named if address is not None}
