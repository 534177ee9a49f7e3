"""Which headers a contact may ask us to put above its letters, and what they may say.  Pure.

The rule is one for what is typed at the command line and for what is written: none of them can say who sent a letter,
to whom, what it is made of, which way it went, or that it is genuine.  Without a wish a letter has none of them: some
desks' systems throw away what says that a machine wrote it.
Standards: RFC 3834 (Auto-Submitted), RFC 2369, RFC 8058 and RFC 2919 (List-*).
"""

import re
from collections.abc import Mapping

MOST = 10  # headers above one letter

_URL = r"<(?:https://|mailto:)[!-;=?-~]{1,900}>"
_NAMED = {
    "Auto-Submitted": r"no|auto-generated",
    "Precedence": r"bulk|list",
    "X-Auto-Response-Suppress": r"(?:All|DR|RN|NRN|OOF|AutoReply)(?:, ?(?:All|DR|RN|NRN|OOF|AutoReply)){0,5}",
    "List-Unsubscribe": rf"{_URL}(?:, {_URL}){{0,2}}",
    "List-Unsubscribe-Post": r"List-Unsubscribe=One-Click",
    "List-Id": r"(?:[A-Za-z0-9' -]{1,60} )?<[A-Za-z0-9][A-Za-z0-9.-]{1,200}>",
    "Feedback-ID": r"(?:[A-Za-z0-9._-]{0,60}:){0,3}[A-Za-z0-9._-]{1,60}",
}
_FORMS = {name.lower(): (name, re.compile(form)) for name, form in _NAMED.items()}
_OWN = re.compile(r"X(-[A-Za-z0-9]{1,20}){1,5}")
_PRINTING = re.compile(r"[ -~]{1,800}")  # fits on one line beside the longest name (RFC 5322 2.1.1)
# what the letter sets itself, what others add on the way, and what a receiving server trusts
_NOT_OURS = re.compile(
    r"x-(?:tocsin|auto-response|spam|virus|original|originating|envelope|forwarded|authentication|received|sender|mailer"
    r"|dkim|arc|return|delivered|resent|rcpt|apparently|from|to|cc|bcc|subject|date|content|mime|ms|microsoft|forefront"
    r"|google|gm)\b.*"
)


class NotAsked(ValueError):
    """A header that nobody may ask for; `code` says why: header_name, header_value, double_header or headers."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def asked_header(name: str, value: str) -> tuple[str, str]:
    """Return the name, as it is spelled, and the value.  Raises NotAsked."""
    known = _FORMS.get(name.lower())
    if known is None and (not _OWN.fullmatch(name) or _NOT_OURS.fullmatch(name.lower())):
        raise NotAsked("header_name")
    spelled, form = known or (name, _PRINTING)
    if not form.fullmatch(value) or value != value.strip(" ") or "=?" in value:  # "=?" begins an encoded word
        raise NotAsked("header_value")
    return spelled, value


def parted(kept: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return those headers of a kept wish that a letter may bear, and of each other one by name why it may not.

    A wish may be older than the rule: what nobody may ask for any more is left out, and the rest of it stands.
    """
    allowed: dict[str, str] = {}
    refused: dict[str, str] = {}
    for name, value in sorted(kept.items()):
        try:
            asked_headers({before: kept[before] for before in (*allowed, name)})
        except NotAsked as error:
            refused[name] = error.code
        else:
            allowed[name] = value
    return asked_headers(allowed), refused


def asked_headers(wanted: Mapping[str, str]) -> dict[str, str]:
    """Return headers by name, in one order.  Raises NotAsked also for two of one name, and for too many."""
    if not wanted:
        return {}
    if len(wanted) > MOST:
        raise NotAsked("headers")
    found = dict(asked_header(name, value) for name, value in wanted.items())
    if len({name.lower() for name in found}) < len(wanted):
        raise NotAsked("double_header")
    return dict(sorted(found.items()))
