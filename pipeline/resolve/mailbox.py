"""Turn what a registry wrote where a mailbox belongs into addresses that are safe to write to, or into nothing.

Pure.  Standards: RFC 5321 sections 4.1.2 and 4.5.3.1 (the plain dot-atom form only), RFC 5890 (A-labels),
RFC 6068 (mailto), RFC 2606, 6761, 6762, 7686 and 8375 (names that never take mail).
"""

import re
from urllib.parse import unquote

MAX_FIELD = 4096  # characters of one value that are looked at
MAX_PARTS = 20  # mailboxes taken from one value

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ADDRESS = re.compile(
    rf"[a-z0-9_+&][a-z0-9_+&='~-]*(?:\.[a-z0-9_+&='~-]+)*@(?:{_LABEL}\.){{1,126}}[a-z][a-z0-9-]{{0,61}}[a-z0-9]",
    re.IGNORECASE | re.ASCII,
)
_PLAIN = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
# characters that IDNA 2003 and IDNA 2008 map differently: the same text would name two domains (RFC 5894 section 7.2)
_DEVIATIONS = frozenset("ßẞς\u200c\u200d")
_NEVER_MAIL = frozenset(
    {"invalid", "localhost", "local", "localdomain", "test", "onion", "internal", "alt", "arpa"}
    | {"lan", "home", "corp", "intranet", "private"}  # private networks' names
)

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_BRACKETED = re.compile(r"<([^<>]*)>")
_WRAPPING = "\"'`()[]{}<>,;:.*|"
_MAILTO = re.compile(r"mailto:", re.IGNORECASE)
_ENCODED = re.compile(r"mailto:[^@\s]{1,64}%40", re.IGNORECASE)  # RFC 6068 section 2 allows it
_OTHER_RECIPIENTS = re.compile(r"[?&](to|cc|bcc)=", re.IGNORECASE)


def normalise(text: str) -> tuple[str, str] | None:
    """Return (key, spelling) of one address, or None if the text is not exactly one safe address.

    The key is the lower-cased local part @ the domain in A-labels; the spelling is what to send to, with the
    registry's own capitals.  Quoted local parts, address literals, source routes, non-ASCII local parts, white space,
    control characters and header tricks are all refused.
    """
    if not text.isascii():
        local, at, domain = text.partition("@")
        text = f"{local}@{_a_labels(domain)}" if at else ""
    if len(text) > 318 or not _ADDRESS.fullmatch(text):  # 64 + @ + 253
        return None
    at_sign = text.index("@")
    if at_sign > 64 or len(text) - at_sign > 254 or is_reserved(text):
        return None
    return text.lower(), text


def _a_labels(domain: str) -> str:
    """The domain in A-labels, or "" where there is no one way to write it so."""
    if len(domain) > 253 or _DEVIATIONS & set(domain):
        return ""
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def is_reserved(text: str) -> bool:
    """True if the text ends with a name that never takes mail: .invalid, localhost, .local, a private network's names."""
    return text.lower().rpartition("@")[2].rpartition(".")[2] in _NEVER_MAIL


def split(text: str) -> list[str]:
    """Return the texts in one value that stand where an address does, in order, still to be put to `normalise`.

    Understands mailto:, display names, several addresses, and trailing dots.  A value with a control character inside,
    or a mailto: that names further recipients, comes back whole, so that `normalise` refuses it.
    """
    text = within(text, MAX_FIELD).strip()
    if "@" not in text:
        if "＠" not in text and not _ENCODED.match(text):
            return []
        text = text.replace("＠", "@")  # as an East Asian keyboard writes it
    if _PLAIN.fullmatch(text):
        return [text]  # one address and nothing else: what nearly every registry writes
    if not text.replace("\xa0", " ").isprintable() or _OTHER_RECIPIENTS.search(text):
        return [text]
    parts = [token for piece in _pieces(text) for token in _tokens(piece)]
    return list(dict.fromkeys(parts))[:MAX_PARTS]


def _pieces(text: str) -> list[str]:
    """The value cut at commas and semicolons; of `Name <address>` only the address is left."""
    pieces: list[str] = []
    for piece in re.split(r"[,;]", _QUOTED.sub(" ", text)):
        inside = _BRACKETED.findall(piece)
        pieces.extend(inside if any("@" in address for address in inside) else [piece])
    return pieces


def _tokens(piece: str) -> list[str]:
    tokens = []
    for token in piece.split():
        token = _MAILTO.sub("mailto:", token)
        if "mailto:" in token:
            token = unquote(token.split("mailto:", 1)[1].split("?", 1)[0], errors="replace")
        elif ":" in token.split("@", 1)[0]:
            token = token.rsplit(":", 1)[1]  # "e-mail:abuse@isp.example"
        written = re.split(r"[/|]", token) if token.count("@") > 1 else [token]  # "abuse@isp.example/noc@isp.example"
        tokens += [bare for one in written if "@" in (bare := one.strip(_WRAPPING) if "@[" not in one else one)]
    return tokens


def within(text: str, limit: int) -> str:
    """Return at most `limit` characters of a text, without the word that the cut would shorten: it may be a mailbox."""
    if len(text) <= limit:
        return text
    end = limit
    while end and not (text[end].isspace() or text[end] in ",;"):
        end -= 1
    return text[:end]


def clean(text: str, limit: int) -> str:
    """Return the text on one line, without control, format or surrogate characters, at most `limit` characters."""
    if not text:
        return ""
    shown = text[: limit * 4]
    if not shown.isprintable():
        shown = "".join(ch if ch.isprintable() else " " for ch in shown)
    return " ".join(shown.split())[:limit].rstrip()
