"""Read what a person types: a mailbox, a domain, an address, a network, an AS, or a time.  Pure."""

import re
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

import click

from pipeline.domain import Address
from pipeline.resolve.mailbox import normalise
from pipeline.store.stops import Place

AS_NUMBER = re.compile(r"AS([0-9]{1,10})", re.IGNORECASE)


def place(text: str) -> Place:
    """Return the place that `text` names.  Raises BadParameter with what is wrong."""
    wanted = text.strip()
    if "@" in wanted:
        return Place(mailbox=mailbox(wanted))
    if found := AS_NUMBER.fullmatch(wanted):
        return Place(asn=_as_number(int(found[1])))
    if re.fullmatch(r"[0-9./-]+", wanted) or ":" in wanted:
        return Place(range=addresses(wanted))
    return Place(domain=domain(wanted))


def mailbox(text: str) -> str:
    """Return a mailbox as contacts have it: lower-cased local part @ A-label.  Raises BadParameter."""
    found = normalise(text)
    if found is None:
        raise click.BadParameter(f"{text} is not a mailbox that could be written to")
    return found[0]


def domain(text: str) -> str:
    """Return a domain as A-label, in lower case, without a dot at either end.  Raises BadParameter."""
    found = normalise(f"x@{text.strip('.')}")
    if found is None:
        raise click.BadParameter(f"{text} is not a domain")
    return found[0].removeprefix("x@")


def addresses(text: str) -> tuple[Address, Address]:
    """Return an inclusive range: of one address, of a network, or FIRST-LAST.  Raises BadParameter."""
    first, dash, last = text.partition("-")
    try:
        if dash:
            low, high = ip_address(first.strip()), ip_address(last.strip())
        elif "/" in text:
            network = ip_network(text)
            low, high = network[0], network[-1]
        else:
            low = high = ip_address(text)
    except ValueError as error:
        message = str(error)
        raise click.BadParameter(f"{text} is not a network: {message}") from None
    if low.version != high.version or int(low) > int(high):
        raise click.BadParameter(f"{text} is not a range")
    return low, high


def _as_number(value: int) -> int:
    if not 0 < value < 2**32:
        raise click.BadParameter(f"AS{value} is not an AS number")
    return value


def typed_time(text: str, option: str) -> datetime | None:
    """Return a time in ISO 8601, UTC where it names no zone, or None for no text.  Raises BadParameter."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter("it is not a time such as 2026-03-01T10:00:00Z", param_hint=option) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
