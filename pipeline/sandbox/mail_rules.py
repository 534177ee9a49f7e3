"""How the sandbox's mail server answers: one rule per mailbox, per domain or for all, and how often it has applied.

Reads and writes: nothing.
"""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """What to do `at` one command (connect, ehlo, starttls, auth, mail, rcpt, data, body, dot) for one mailbox.

    `do` is accept, or one of these; `times` is how often, then all is as usual; 0 is for ever.

        answer    say `reply`; a 421 closes the connection
        drop      close the connection without a word
        stall     say nothing for `seconds`, then the usual; 0 is until the client leaves
        slow      say the usual byte by byte, `seconds` apart
        raw       send `reply` as it is, in Latin-1, line ends included
        greylist  say `reply` until `seconds` have passed since the first try, and that one time at least
        bounce    say 250 at the dot, and write a delivery status notification that says `reply`

    `keep`: what is dropped, stalled or refused at the dot is kept all the same.  `body` is just after 354, and ends the
    connection.
    """

    do: str = "accept"
    at: str = "rcpt"
    reply: str = ""
    times: int = 0
    keep: bool = False
    seconds: float = 0.0

    @property
    def accepts(self) -> bool:
        """True if a message under this rule is answered with 250 in the end."""
        return self.do in ("accept", "slow", "bounce") or (self.do == "stall" and self.seconds > 0)


ACCEPT = Rule()
REFUSE = Rule("answer", "rcpt", "550 5.1.1 No such mailbox here")
FULL = Rule("answer", "rcpt", "452 4.2.2 The mailbox is full")
POLICY = Rule("answer", "rcpt", "550 5.7.1 Not wanted here, by policy")
GREYLIST = Rule("greylist", "rcpt", "450 4.7.1 Greylisted, come back later")
BOUNCE = Rule("bounce", "dot", "550 5.1.1 No such mailbox here")


def defer(times: int) -> Rule:
    """A mailbox that is busy for the first `times` attempts, then accepts."""
    return Rule("answer", "rcpt", "451 4.2.2 The mailbox is busy, try later", times=times)


class RuleBook:
    """The rules by mailbox, by "@domain" and "*" for all others; `rules` may be changed while a server uses it."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self.rules = rules
        self._applied: Counter[tuple[str, str]] = Counter()
        self._first: dict[str, float] = {}

    def applies(self, at: str, mailbox: str = "") -> Rule | None:
        """Return the rule for this command, and count it, or None when all is as usual.

        Without a mailbox (before RCPT) only "*" is looked at.
        """
        keys = (mailbox, "@" + mailbox.rpartition("@")[2], "*") if mailbox else ("*",)
        rule = next((self.rules[key] for key in keys if key in self.rules), ACCEPT)
        if rule.at != at or rule.do == "accept":
            return None
        before = self._applied[mailbox, at]
        if rule.do == "greylist":
            first = self._first.setdefault(mailbox, time.monotonic())
            over = before > 0 and time.monotonic() - first >= rule.seconds
        else:
            over = 0 < rule.times <= before
        if over:
            return None
        self._applied[mailbox, at] += 1
        return rule
