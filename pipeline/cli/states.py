"""States, reasons and roles as people read them (GLOSSARY): the msgids of their words.

A letter that the next server took is "accepted by their server": nobody has read it, and no word says more than is known.
"""

from pipeline.cli import words

WORDS: dict[str, dict[str, str]] = {
    "case": {
        "seen": "seen",
        "resolved": "contact found",
        "no_contact": "without a contact",
        "noticed": "contact told",
        "exhausted": "no contact left",
        "fixed": "fixed",
        "dormant": "no longer reported",
        "excluded": "excluded",
    },
    "exposure": {
        "unchecked": "not checked yet",
        "open": "open",
        "unlisted": "no longer reported",
        "closed": "closed",
        "unknown": "unknown",
    },
    "letter": {
        "drafted": "drafted",
        "approved": "approved",
        "claimed": "being sent",
        "handed": "handed to our relay",
        "accepted": "accepted by their server",
        "deferred": "will be tried again",
        "refused": "refused",
        "uncertain": "not known whether it arrived",
        "bounced": "returned",
        "suppressed": "not sent (do-not-write list)",
        "withdrawn": "withdrawn",
        "expired": "given up after five days",
    },
    "wave": {
        "planned": "planned",
        "rendered": "rendered",
        "approved": "approved",
        "sending": "being sent",
        "done": "done",
        "cancelled": "cancelled",
    },
    "left_out": {  # why a case is in no notice of a wave
        "excluded": "excluded",
        "suppressed": "on the do-not-write list",
        "contact_dead": "contact does not exist any more",
        "contact_told_before": "contact was told before",
        "level_too_low": "evidence is too weak",
        "stale": "evidence is too old",
    },
    "tally": {  # what became of the letters of one run
        "handed": "handed to our relay",
        "deferred": "will be tried again",
        "refused": "refused",
        "uncertain": "not known whether it arrived",
        "released": "given back, still due",
        "withdraw": "withdrawn",
        "suppress": "not sent (do-not-write list)",
        "expire": "given up after five days",
    },
    "verdict": {"reading": "being read", "accepted": "accepted", "held": "held back", "voided": "voided"},
    "mode": {"training": "training mode", "live": "live"},
    "role": {"officer": "officer", "approver": "approver", "operator": "operator", "auditor": "auditor"},
    "reason": {
        "asked": "they asked",
        "complaint": "complaint",
        "wrong": "not theirs",
        "dead": "mailbox does not exist",
        "own": "our own",
        "law": "law",
        "other": "other",
        "rejected": "rejected as a contact",
    },
}


def said(kind: str, value: str) -> str:
    """Return the word for a state in the reader's language: said("letter", "accepted").  Raises KeyError if unknown."""
    return words.text(WORDS[kind][value])
