"""Searches along the hierarchy of networks: what to ask for, and what came back.

Pure.  Reads: the JSON of an answer, or its bytes.  Writes: nothing; the same input gives the same result.  Whatever a
stranger sent: bounded, and never an exception.
Standards: RFC 9910 (rirSearch1; link relations rdap-up, -down, -bottom); RFC 9083 sections 4.1, 4.2, 9; RFC 8977 (paging).
"""

import json
import re
from typing import Any
from urllib.parse import urljoin, urlsplit

from pipeline.domain import Address, Answer
from pipeline.resolve.rdap_cards import strings
from pipeline.resolve.scope import Range

MOST_RESULTS = 2_000  # networks in one answer; a list that is longer is not used at all
MOST_BODY = 8 << 20  # bytes of an answer to a search, which the edge reads and no more
MOST_BLOCKS = 1 << 16  # the whole of IPv4
MOST_LINKS = 100
DEEPEST = 4  # entities inside entities
BLOCK_PREFIX = {4: 16, 6: 32}  # known networks are looked up by such blocks

_CUT = re.compile(r"\btruncated\b|does not contain all data", re.IGNORECASE)


def document(body: bytes) -> dict[str, Any]:
    """Return the JSON object that the bytes hold; an empty one if they hold none."""
    try:
        data = json.loads(body) if len(body) <= MOST_BODY else None
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def offers(answer_json: object) -> bool:
    """Does the server that gave this answer search along the hierarchy (RFC 9910: "rirSearch1")?"""
    said = answer_json.get("rdapConformance") if isinstance(answer_json, dict) else None
    return isinstance(said, list) and "rirSearch1" in said[:MOST_LINKS]


# --- what to ask for -------------------------------------------------------------------------------------------------


def bottom_url(base: str, first: Address, last: Address) -> str:
    """Return the URL of the most specific networks in a range; `base` is the registry's base URL (RFC 9224).

    Only an address or a prefix can be asked for, so a range that is no prefix becomes the shortest one around it: what is
    found outside the range has to be cut off.  Of a network that others fill only in part the answer lists both.
    """
    return _search(base, "rdap-bottom", first, last)


def down_url(base: str, first: Address, last: Address) -> str:
    """Return the URL of the networks directly below a range; each of them may have further ones below it."""
    return _search(base, "rdap-down", first, last)


def is_prefix(first: Address, last: Address) -> bool:
    """True if a range is one prefix, so that a search for what is below it is about this range alone."""
    host_bits = (int(first) ^ int(last)).bit_length()
    return int(last) - int(first) + 1 == 1 << host_bits


def _search(base: str, relation: str, first: Address, last: Address) -> str:
    host_bits = (int(first) ^ int(last)).bit_length()
    start = type(first)(int(first) >> host_bits << host_bits)
    return f"{base.rstrip('/')}/ips/rirSearch1/{relation}/{start}/{first.max_prefixlen - host_bits}"


def base_of(url: str) -> str:
    """Return the base URL of the server that was asked about an address at `url`, or an empty text.

    After a redirect this is another server than the one that the bootstrap file names.
    """
    base, found, _ = url[:2_000].rpartition("/ip/")
    return f"{base}/" if found else ""


def parent_url(answer_json: object, base: str) -> str:
    """Return the URL of the network around the answered one, or an empty text: the answer links to none.

    `base` is the URL that was asked.  A relation "up" goes before "rdap-up": it needs no search, and of the latter the one
    for active networks comes first, because a registry's own block has no contact.  A link from https to http is taken as
    https.  The parent has to be checked to be wider: a link may lead to the network itself.
    """
    links = answer_json.get("links") if isinstance(answer_json, dict) else None
    candidates = []
    for link in links[:MOST_LINKS] if isinstance(links, list) else ():
        if isinstance(link, dict) and _is_rdap(link.get("type")) and (rank := _rank(link.get("rel"))) is not None:
            candidates.append((rank, _absolute(link.get("href"), base)))
    return next((url for _, url in sorted(candidates, key=lambda one: one[0]) if url), "")


def _is_rdap(media_type: object) -> bool:
    return media_type is None or (isinstance(media_type, str) and "json" in media_type[:100].lower())


def _rank(relation: object) -> int | None:
    """How good a link is as one to the parent, best 0; None if it is none.  Relations may be several, in one text."""
    names = set(relation[:100].lower().split()) if isinstance(relation, str) else set()
    ways = ({"up"}, {"rdap-up", "rdap-active"}, {"rdap-up"})
    return next((rank for rank, way in enumerate(ways) if way <= names), None)


def _absolute(href: object, base: str) -> str:
    if not isinstance(href, str) or len(href) > 2_000 or not href.isascii() or re.search(r"[\x00-\x20\x7f\\]", href):
        return ""
    try:
        parts = urlsplit(urljoin(base, href))
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            return ""
        port = parts.port  # raises ValueError for one that is none
        if parts.scheme == "http" and urlsplit(base).scheme == "https":
            if port not in (None, 80):
                return ""
            parts = parts._replace(scheme="https", netloc=parts.netloc.removesuffix(":80"))
        url = parts._replace(fragment="").geturl()
    except ValueError:
        return ""
    return url if url != base else ""


# --- what came back --------------------------------------------------------------------------------------------------


def results(answer: Answer) -> list[bytes] | None:
    """Return each network of an answer to a search as the body of an answer of its own, or None if it cannot be used.

    Not usable: an error, something else, more than MOST_RESULTS, a list that says it goes on elsewhere, or anything in it
    that says it was truncated: what is missing there may be the very contact.  404 with an empty list means that there are
    no such networks (RFC 9910); any other 404 may mean that the server does not know the search.
    """
    if answer.failure is not None or answer.status not in (200, 404):
        return None
    data = document(answer.body)
    found = data.get("ipSearchResults")
    if answer.status == 404:
        return [] if found == [] else None
    if not isinstance(found, list) or len(found) > MOST_RESULTS or "errorCode" in data:
        return None
    if _is_cut(data, 0) or _goes_on(data, len(found)) or not all(_is_whole_network(one) for one in found):
        return None
    shared = {"rdapConformance": strings(data.get("rdapConformance"))[:MOST_LINKS]}
    try:
        return [json.dumps(shared | one).encode() for one in found]
    except RecursionError:
        return None


def _is_whole_network(one: object) -> bool:
    kind = one.get("objectClassName") if isinstance(one, dict) else None
    return (
        isinstance(one, dict) and isinstance(kind, str) and kind[:100].lower() == "ip network" and not _is_cut(one, 0)
    )


def _is_cut(thing: dict[str, Any], depth: int) -> bool:
    """Does the object, or an entity in it, say that a part of it was left out (RFC 9083 sections 9 and 10.2.1)?"""
    said = [*_objects(thing.get("notices")), *_objects(thing.get("remarks"))]
    texts = (text for one in said for key in ("type", "title", "description") for text in strings(one.get(key)))
    if any(_CUT.search(text[:1000]) for text in texts):
        return True
    return depth < DEEPEST and any(_is_cut(entity, depth + 1) for entity in _objects(thing.get("entities")))


def _goes_on(data: dict[str, Any], count: int) -> bool:
    """Does the list go on in another answer (RFC 8977)?"""
    paging = data.get("paging_metadata")
    paging = paging if isinstance(paging, dict) else {}
    links = [*_objects(data.get("links")), *_objects(paging.get("links"))]
    if any(isinstance(rel := link.get("rel"), str) and "next" in rel[:100].lower().split() for link in links):
        return True
    total = paging.get("totalCount", count)
    return not isinstance(total, int) or total > count


def _objects(value: object) -> list[dict[str, Any]]:
    return [one for one in value[:MOST_LINKS] if isinstance(one, dict)] if isinstance(value, list) else []


# --- ranges ----------------------------------------------------------------------------------------------------------


def by_block(whole: Range) -> list[Range]:
    """Return a range in parts, none of which crosses the border of a /16 (IPv6: /32).

    Empty for a range over more than MOST_BLOCKS blocks: no answer speaks for so much.
    """
    kind = type(whole[0])
    bits = whole[0].max_prefixlen - BLOCK_PREFIX[whole[0].version]
    first, last = int(whole[0]), int(whole[1])
    blocks = range(first >> bits, (last >> bits) + 1)
    if len(blocks) > MOST_BLOCKS:
        return []
    return [(kind(max(first, at << bits)), kind(min(last, ((at + 1) << bits) - 1))) for at in blocks]
