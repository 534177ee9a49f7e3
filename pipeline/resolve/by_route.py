"""Countries whose cases go to one mailbox and to nobody else: who that is, and who is passed over for it.

Pure.  The mailboxes that are passed over are kept with a reason of their own, and never come next: if the CERT's mailbox
comes back, a person decides.  What a person said of a range (spoken.py) goes before a country's route.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from pipeline.domain import Candidate, Tier
from pipeline.resolve.mailbox import normalise

ALONE = ("digest", "partner")  # kinds of routes
BY_ROUTE = "by-route"  # the reason of a rejection
CONFIDENCE = 45


class Route(Protocol):
    """Who hears of a country's cases: `kind` is direct, copy, digest or partner."""

    @property
    def kind(self) -> str: ...
    @property
    def mailbox(self) -> str: ...


class Kept(Protocol):
    """What is known of a network.  `route`: the kind of the route that had a part in it, empty: none had.
    `cert`: the mailbox of that route, where it was weighed.  `is_passed_over`: others were passed over for it.
    `mailboxes`: those that may be written to."""

    @property
    def route(self) -> str: ...
    @property
    def cert(self) -> str: ...
    @property
    def is_passed_over(self) -> bool: ...
    @property
    def mailboxes(self) -> Sequence[str]: ...


def is_alone(route: Route | None) -> bool:
    """Do the cases of a country with this route go to its mailbox and to nobody else?"""
    return route is not None and route.kind in ALONE


def mailbox(route: Route | None) -> str:
    """Return the normal form of the route's mailbox, or "" if it has none."""
    address = normalise(route.mailbox) if route is not None else None
    return address[0] if address is not None else ""


def candidate(country: str, route: Route) -> Candidate | None:
    """Return the mailbox of a country's route as a candidate, or None if it has none."""
    address = normalise(route.mailbox)
    if address is None:
        return None
    return Candidate(*address, Tier.CERT, 0, CONFIDENCE, "route", f"routes.{country}", note=route.kind)


def passed_over(one: Candidate, route: Route) -> Candidate:
    """Return a candidate that may be written to, rejected unless it is the mailbox that alone is told."""
    return one if one.mailbox == mailbox(route) else replace(one, rejected=BY_ROUTE, confidence=0)


def still_serves(known: Kept, route: Route | None, *, has_cert: bool) -> bool:
    """Would a network be given the same mailboxes under the route that its country has now?

    `has_cert`: the chain has the country's CERT as a last resort.
    """
    wanted = mailbox(route)
    if known.cert not in ("", wanted):
        return False
    if is_alone(route):
        return (known.route in ALONE or not wanted) and all(one == wanted for one in known.mailboxes)
    if known.is_passed_over or known.route in ALONE:
        return False
    return bool(known.mailboxes or known.route or not (wanted and has_cert))
