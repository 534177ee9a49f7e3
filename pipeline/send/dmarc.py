"""What a domain's DMARC record says, and whether our letters would pass by it.  Pure: texts in, what they mean out.

Standards: RFC 7489 (3.1 alignment, 6.3 tags, 6.6.3 which record counts: one, under the domain of From or the registered
domain above it).
"""

from collections.abc import Sequence
from dataclasses import dataclass

POLICIES = ("none", "quarantine", "reject")
MOST_TAGS = 50


@dataclass(frozen=True, slots=True)
class Dmarc:
    """`fault`: none, many or policy (no `p` that can be used); empty if the record is well.  `strict_*`: aspf, adkim."""

    fault: str = ""
    policy: str = ""
    strict_spf: bool = False
    strict_dkim: bool = False
    reports: bool = False


def read(texts: Sequence[str], *, above: bool = False) -> Dmarc:
    """Return what the TXT records of _dmarc.DOMAIN say; `above`: they are the registered domain's, and `sp` counts."""
    found = [text for text in texts if _tags(text)[:1] == [("v", "DMARC1")]]
    if len(found) != 1:
        return Dmarc("many" if found else "none")
    tags = dict(reversed(_tags(found[0])))
    policy = (tags.get("sp", "") if above else "").lower() or tags.get("p", "").lower()
    return Dmarc(
        fault="" if policy in POLICIES and tags.get("p", "").lower() in POLICIES else "policy",
        policy=policy if policy in POLICIES else "",
        strict_spf=tags.get("aspf", "r").lower() == "s",
        strict_dkim=tags.get("adkim", "r").lower() == "s",
        reports=bool(tags.get("rua")),
    )


def _tags(text: str) -> list[tuple[str, str]]:
    """Return (tag, value) pairs in their order; what is no pair is left out."""
    pairs = (part.partition("=") for part in text.split(";")[:MOST_TAGS])
    return [(name.strip().lower(), value.strip()) for name, equals, value in pairs if equals and name.strip()]
