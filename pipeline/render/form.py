"""Which parts a letter has, beside its text: an HTML twin, a CSV of all targets, a XARF report for each; and how.

Pure.  The contact's recorded wish decides; else the campaign, which attaches nothing to a letter to the server's owner:
a person who did not ask for reports reads a letter with attachments as a threat, a desk's programs read nothing else.
The choice is kept beside the letter, so that it can be written again in the same form.  Headers that nobody may ask for
any more are left out: an old wish of one contact does not stop the letters of all others.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.data import asked_headers
from pipeline.render.values import Audience

CSV, XARF = "csv", "xarf"  # what may be attached
INLINE = "inline"  # a wish for none of them
MOST_XARF = 50  # reports of one letter; more are none, as a part of a list reads like the whole
MOST_XARF_WISHED = 500


@dataclass(frozen=True, slots=True)
class Offer:
    """What a campaign's letters are made of: `attachments` names csv and xarf, the others are yes or no."""

    attachments: tuple[str, ...] = ()
    html: bool = False
    multilingual: bool = False
    pgp_sign: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """The form of one letter.  `xarf` is the most reports that are attached, 0 for none; `headers` were asked for.

    `inline`: every target stands in the text, however many they are.
    """

    html: bool = False
    csv: bool = False
    xarf: int = 0
    inline: bool = False
    multilingual: bool = False
    pgp: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    def stored(self) -> str:
        """Return the form as canonical JSON."""
        return json.dumps(
            {name: getattr(self, name) for name in self.__slots__},
            ensure_ascii=True,
            sort_keys=True,
            separators=(",", ":"),
        )


PLAIN = Form()


def offered(settings: Mapping[str, Any]) -> Offer:
    """Return what a campaign's stored settings say; one that was stored before these settings came offers the text."""
    return Offer(
        attachments=tuple(settings.get("attachments", ())),
        html=bool(settings.get("html", False)),
        multilingual=bool(settings.get("multilingual", False)),
        pgp_sign=bool(settings.get("pgp_sign", False)),
    )


def choose(wish: str, headers: Mapping[str, str], offer: Offer, audience: Audience, languages: int) -> Form:
    """Return the form of a letter.  `wish` is the contact's: inline, csv, xarf, or nothing."""
    wanted = {INLINE: (), CSV: (CSV,), XARF: (XARF,)}.get(wish, () if audience is Audience.OWNER else offer.attachments)
    return Form(
        html=offer.html and wish != INLINE,
        csv=CSV in wanted,
        xarf=0 if XARF not in wanted else MOST_XARF_WISHED if wish == XARF else MOST_XARF,
        inline=wish == INLINE,
        multilingual=offer.multilingual and languages > 1,
        pgp=offer.pgp_sign,
        headers=asked_headers.parted(headers)[0],
    )


def restored(text: str) -> Form:
    """Return the form that was stored."""
    stored = json.loads(text)
    return Form(**{**stored, "headers": asked_headers.parted(stored.get("headers", {}))[0]})
