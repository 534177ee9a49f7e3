"""What a person types about a contact, as the value that it means, or an error that says why not.  Pure."""

from collections.abc import Callable
from typing import TypeVar

import click

from pipeline.cli.states import WORDS
from pipeline.resolve.contact_values import Wrong

T = TypeVar("T")


def value(read: Callable[[str], T], text: str, hint: str) -> T:
    """Return what a text means, as a reader of resolve/contact_values.py has it.  Raises BadParameter with the reason."""
    try:
        return read(text)
    except Wrong as wrong:
        raise refused(text[:80], wrong, hint) from None


def refused(shown: object, wrong: Wrong, hint: str) -> click.BadParameter:
    """Return the error for what cannot be taken."""
    message = WORDS["problem"][wrong.code]
    return click.BadParameter(f"{shown} cannot be taken: {message}", param_hint=hint)
