"""Does what is known of a network still serve for an address, until when, and which of its mailboxes is told?

Pure.  People's words and the routes of countries may have changed since a network was looked up, or while it was, and its
mailboxes may have come back.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from pipeline.domain import Address, Outcome, Tier
from pipeline.resolve import by_route, spoken
from pipeline.resolve.rules import Rules


class Link(Protocol):
    """A mailbox of a network that may be written to; `is_dead`: mail to it came back."""

    @property
    def mailbox(self) -> str: ...
    @property
    def tier(self) -> int: ...
    @property
    def is_dead(self) -> bool: ...


OneLink = TypeVar("OneLink", bound=Link, covariant=True)


class Known(by_route.Kept, Protocol[OneLink]):
    """What is kept of a network.  `links`: best first.  `objected`: mailboxes that a person had rejected."""

    @property
    def links(self) -> Sequence[OneLink]: ...
    @property
    def outcome(self) -> Outcome: ...
    @property
    def expires_at(self) -> datetime | None: ...
    @property
    def objected(self) -> Sequence[str]: ...
    @property
    def country(self) -> str: ...


def is_override(known: Known[Link]) -> bool:
    """Was the network made by a person's word?"""
    return bool(known.links) and known.links[0].tier == Tier.OVERRIDE


def still(known: Known[Link], address: Address, rules: Rules) -> bool:
    """Is this what would be found now?  Not if a person said otherwise since, nor if every contact it had came back: the
    chain goes on from there."""
    mailboxes = [link.mailbox for link in known.links]
    if (told := rules.spoken.told(address)) is not None:
        return is_override(known) and spoken.is_used(told, mailboxes)
    if is_override(known):
        return False
    if any(not rules.spoken.objection(mailbox, address) for mailbox in known.objected):
        return False
    if not _fits_route(known, rules):
        return False
    living = [link for link in known.links if not link.is_dead]
    return not known.links or any(not rules.spoken.objection(link.mailbox, address) for link in living)


def _fits_route(known: Known[Link], rules: Rules) -> bool:
    """Are the network's mailboxes those that the route of its country would lead to now?"""
    route, has_cert = rules.routes.get(known.country), "cert" in rules.chain
    return known.outcome is Outcome.SPECIAL or by_route.still_serves(known, route, has_cert=has_cert)


def best(known: Known[OneLink], address: Address, rules: Rules) -> OneLink | None:
    """Return the first mailbox that lives and that no person objects to; a dead one rather than none.

    Not where a CERT or partner alone is told and its mailbox came back: whom to tell instead, a person decides.
    """
    links = [link for link in known.links if not rules.spoken.objection(link.mailbox, address)]
    at_worst = links[0] if links and not by_route.is_alone(rules.routes.get(known.country)) else None
    return next((link for link in links if not link.is_dead), at_worst)


def until(known: Known[Link], address: Address, rules: Rules) -> datetime | None:
    """Return when to look again: when the network's time is over, or the first of the words that had a say in it ends."""
    ends = rules.spoken.ends([*known.mailboxes, *known.objected], address)
    return min((time for time in (known.expires_at, ends) if time is not None), default=None)


def is_overtaken(known: Known[Link], address: Address, rules: Rules) -> bool:
    """Did a person name another contact, reject all that were found, or give the country another route, while the address
    was being looked up?"""
    if is_override(known):
        return False
    words = rules.spoken
    all_rejected = bool(known.links) and all(words.objection(mailbox, address) for mailbox in known.mailboxes)
    return all_rejected or words.told(address) is not None or not _fits_route(known, rules)
