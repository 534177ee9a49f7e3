"""Which limit a letter waits for, in words.

Pure: the word that the send stage leaves (send/pace.py why: BUDGET/SPAN, such as mail:mx:google/hour) in, a sentence out.
A budget that is not known here is shown as it stands.
"""

from collections.abc import Mapping

from pipeline.audit.say import Exact, Say, say

WAITS = "limit:"  # begins the reason of a letter that waits for a limit of its own
KINDS = ("mail:", "dns:", WAITS)

SPANS = {"second": "a second", "minute": "a minute", "hour": "an hour", "day": "a day"}
REACHED = {
    "all": "the limit of letters {span} is reached",
    "relay": "the limit of letters {span} over the relay {name} is reached",
    "campaign": "the limit of letters {span} of campaign {name} is reached",
    "mx": "the limit of letters {span} to the provider {name} is reached",
    "domain": "the limit of letters {span} to {name} is reached",
}
ASKED = {
    "relay": "the relay {name} asked for a pause",
    "domain": "the mail servers of {name} asked for a pause",
}
LIMITED = {
    "all": "all letters",
    "relay": "letters over the relay {name}",
    "campaign": "letters of campaign {name}",
    "mx": "letters to the provider {name}",
    "domain": "letters to {name}",
    "rdap": "RDAP questions to {name}",
    "whois": "WHOIS questions to {name}",
    "dnsbl": "questions to the zone {name}",
    "dns": "DNS questions to {name}",
}
NOBODY: Mapping[str, str] = {}
BOX = "the same mailbox had a letter a short while ago"
LOOK_UP = "the mail servers of {name} are being looked up"


def is_limit(why: str) -> bool:
    """True if a reason is a limit of sending."""
    return why.startswith(KINDS)


def limit_name(key: str, campaigns: Mapping[str, str] = NOBODY) -> Say | Exact:
    """Return what a budget limits, for a sentence such as `the limit of ... is used up`; `campaigns`: names by id."""
    kind, _, name = key.removeprefix("mail:").partition(":")
    if key.startswith("mail:") and kind in LIMITED:
        return say(LIMITED[kind], name=campaigns.get(name, name) if kind == "campaign" else name)
    return say(LIMITED[kind], name=name) if kind in ("rdap", "whois", "dnsbl", "dns") else Exact(key)


def limit_said(why: str, campaigns: Mapping[str, str] = NOBODY) -> Say | Exact:
    """Return which limit a reason speaks of; `campaigns`: names by id."""
    key, _, span = why.removeprefix(WAITS).rpartition("/")
    kind, _, name = key.removeprefix("mail:").partition(":")
    name = campaigns.get(name, name) if kind == "campaign" else name
    if key == "mail:box":
        return say(BOX)
    if kind == "dns":
        return say(LOOK_UP, name=name)
    if (kind, span) == ("relay", "rest"):
        return say("the relay {name} is left alone for a while: it could not be used, or refused us", name=name)
    if span in SPANS and kind in REACHED:
        return say(REACHED[kind], span=say(SPANS[span]), name=name)
    return say(ASKED[kind], name=name) if kind in ASKED and not span else Exact(why)
