"""Why the program itself holds a campaign or a wave, or warns of one, in sentences.  Pure: codes and numbers in."""

from collections.abc import Mapping
from typing import Any

from pipeline.audit.say import Exact, Say, counted, say

LETTERS = "canary"  # the code of a hold after a wave's first letters; all others begin with `brakes.`
LETTERS_REASON = "first letters"  # what such a hold has as its reason (store/brakes.py)


def why_held(code: str | None, data: Mapping[str, Any], words: str = "") -> Say | None:
    """Return why the program holds or warns, with the relay's words if there are some; None for a person's hold.

    `code` and `data` are those of its event, `data` with `count` and `of` (store/brakes.py).
    """
    own = own_code(code or "")
    said = _said(own, data.get("count"), data.get("of"))
    if said is None or not words or words == own or code == LETTERS:
        return said
    return say("{what}; the relay's words: {words}", what=said, words=words)


def own_code(code: str) -> str:
    """Return the brake of a code, which stands as the reason of its hold where no relay said a word."""
    return code.removeprefix("brakes.")


def reason(hold: Mapping[str, Any]) -> Say | Exact:
    """Return why a hold was placed: in the words of a person, or in ours where the program placed it.

    `hold` has the `code` and the `data` of its event (store/holds.held, store/covering.holds_on).
    """
    return why_held(hold["code"], hold["data"], hold["reason"]) or Exact(hold["reason"])


def _said(code: str, count: Any, of: Any) -> Say | None:
    if not isinstance(count, int) or not isinstance(of, int):
        return None
    if code == "us":
        return counted(
            "{count} attempt was refused because of us, not of its recipient",
            "{count} attempts in a row were refused because of us, not of their recipients",
            count,
        )
    if code == "policy":
        return counted(
            "{count} of {of} letters was refused by policy (5.7.x)",
            "{count} of {of} letters were refused by policy (5.7.x)",
            count,
            of=of,
        )
    if code == "refused":
        return counted(
            "{count} of {of} letters was refused or returned",
            "{count} of {of} letters were refused or returned",
            count,
            of=of,
        )
    if code == "complaints":
        return counted("{count} complaint on {of} letters", "{count} complaints on {of} letters", count, of=of)
    if code == LETTERS:
        return counted(
            "its first letter, of {of}, has left; a person looks before the others do",
            "its first {count} letters, of {of}, have left; a person looks before the others do",
            count,
            of=of,
        )
    return None
