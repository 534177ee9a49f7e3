"""What the codes in stored rows mean: of claims, levels, checks, networks, candidates, languages, letters and events.

Pure.  A code that is not known here is shown as it stands, with its values: never hidden.  The sentences are msgids.
"""

import re
from collections.abc import Mapping

from pipeline.audit.say import Exact, Say

PLACE = re.compile(r"\{([a-z_]+)\}")

CLAIMS = {
    "open_relay": "an open mail relay",
    "http_connect": "an open HTTP proxy (CONNECT)",
    "http_proxy": "an open HTTP proxy",
    "socks4": "an open SOCKS 4 proxy",
    "socks5": "an open SOCKS 5 proxy",
    "socks": "an open SOCKS proxy",
    "proxy": "an open proxy",
    "reputation": "a bad reputation",
}

TOPICS = {"open_relay": "open mail relay", "open_proxy": "open proxy"}

LEVELS = {
    0: "E0, claimed by one source",
    1: "E1, claimed by independent sources or by a scan that spoke the protocol",
    2: "E2, seen first-hand",
    3: "E3, a handshake only",
    4: "E4, our own test came back through it",
}

REASONS = {
    "level.first_hand": "our own observation counts (feed {feed})",
    "level.independent_groups": "{groups} independent groups of sources claim it",
    "level.protocol_scan": "a scan that spoke the protocol claims it (feed {feed})",
    "level.one_group": "one group of sources claims it ({group})",
    "level.none_fresh": "no fresh report claims it",
    "level.no_claim_of_topic": "reports that are no claim of this topic do not count: {claims}",
    "level.future": "reports dated in the future do not count: {claims}",
    "level.expired": "reports that their source has not repeated in time do not count: {claims}",
    "level.stale": "reports that are too old to be quoted do not count: {claims}",
    "exposure.below_minimum": "its level, {level}, is below the campaign's minimum, {minimum}",
    "exposure.never_claimed": "no source has ever claimed it",
    "exposure.lapsed": "every source has let its claim lapse ({sources})",
    "exposure.zone_lists": "the zone {zone} still lists it",
    "exposure.zone_unknown": "the zone {zone} gave no answer that counts: {why}",
    "exposure.not_lapsed": "the claim of feed {feed} has not lapsed before {until}",
    "exposure.source_silent": "feed {feed} has delivered nothing since {since}, so its silence says nothing",
}

# Why one report does not count today (cli/record.py asks verify's rule), or that it does.
COUNTING = {
    "": "counts",
    "reputation": "does not count: a reputation opens no case and raises no level",
    "snapshot.held": "does not count: its delivery is held back",
    "snapshot.voided": "does not count: its delivery was voided",
    "snapshot.reading": "does not count yet: its delivery is still being read",
    "unapplied": "does not count yet: its delivery has not been worked through",
    "other_service": "does not count here: it speaks of another port or service",
    "level.no_claim_of_topic": "does not count: it is no claim of this topic",
    "level.future": "does not count: it is dated in the future",
    "level.expired": "does not count: its source has not repeated it in time",
    "level.stale": "does not count: it is too old to be quoted",
    "superseded": "does not count by itself: a newer report of the same feed says the same",
}

LISTINGS = {
    "listed": "zone {zone}: listed ({codes})",
    "not_listed": "zone {zone}: not listed",
    "unknown": "zone {zone}: not known ({why})",
}

# Why a zone's answer is not known (net/dnsbl.py); a DNS response code stands as it is.
ZONE_WHYS = {
    "budget": "the limit for asking it was reached",
    "timeout": "it did not answer in time",
    "unreachable": "it could not be reached",
    "wrong question": "its answer was to another question",
    "malformed": "its answer was malformed",
    "cut": "its answer was cut off",
    "no nameserver": "no name server to ask",
    "zone name is not usable": "the zone's name cannot be asked",
    "contradictory answer": "its answer contradicts itself",
    "NOERROR without an address": "its answer has no address",
    "answer outside 127.0.0.0/8": "its answer lies outside 127.0.0.0/8",
    "undocumented code": "its code is not documented",
}

OUTCOMES = {
    "contacts": "The registry names a mailbox that may be written to.",
    "no_contact": "The registry answered and names no mailbox that may be written to.",
    "not_found": "The registry knows no such network.",
    "refused": "The registry refused to answer; that says nothing about the network.",
    "unusable": "The registry's answer could not be used.",
    "special": "Special-purpose addresses: there is nobody to ask.",
}

WHY_NONE = {
    "no-mailbox": "no mailbox stands in the answer",
    "registry-block": "the block is the registry's own, or nobody's",
    "web-form": "it names a web form, and no mailbox",
    "redacted": "the registry has blacked the mailbox out",
    "truncated": "the answer was cut off",
    "no-registry": "no registry answers for the address",
    "historical": "the record is of the past",
}

REJECTED = {
    "registry-contact": "the registry's own desk, not the network's",
    "placeholder": "a mailbox that nobody reads",
    "malformed": "not a mailbox that mail can be sent to",
    "personal": "a person's own mailbox, not a desk",
    "technical": "a technical contact, not one for abuse",
    "administrative": "an administrative contact, not one for abuse",
    "not-abuse": "the text does not offer it for abuse reports",
    "told-not-to": "the text says not to write there",
    "changed": "it only says who changed the record",
    "notify": "it only gets notices of changes of the record",
    "registrar": "the registrar's, not the network's",
    "less-preferred": "the same contact marks another one for abuse reports",
    "by-person": "a person has said that it must not be written to",
    "by-route": "the cases of its country go to another mailbox alone",
    "no-mail": "its domain takes no mail",
    "mail-unknown": "it is guessed, and whether its domain takes mail is not known",
    "public-suffix": "its domain is one under which everybody may have names",
    "generic-name": "it is guessed from a name that only repeats the address",
    "shared-host": "the address has names in several domains: many share the machine",
    "historical": "it stands in a record of the past",
}

NOTES = {
    "marked-invalid": "the registry has marked it as invalid",
    "unvalidated": "the registry has not validated it",
    "disguised": "it was written in disguise",
    "registry-holder": "it is a registry's, and the network is the registry's too",
    "null-mx": "its domain says that it takes no mail (null MX, RFC 7505)",
    "no-mail-server": "its domain has neither a mail server nor an address",
    "no-mx": "its domain names no mail server (MX)",
    "lent-domain": "its domain is one that a provider lent to a customer",
    "direct": "by the route of the country",
    "copy": "by the route of the country",
    "digest": "by the route of the country",
    "partner": "by the route of the country",
}

TIERS = {
    0: "set by a person",
    1: "abuse role of the network",
    2: "named in a remark for abuse reports",
    3: "abuse-named mailbox of the holder",
    4: "of the network above",
    5: "of the origin AS",
    6: "of a public directory of abuse contacts",
    7: "of the country's team or partner",
    8: "the mailbox that RFC 2142 reserves, of the domain that the address's name is in",
}

MAILBOXES = {"dead": "its mailbox is dead", "bouncing": "its mailbox returns mail"}

LANGUAGE_RULES = {
    "preference": "as the contact asked",
    "province": "by the province of the network's holder",
    "country": "by the official languages of the network's country",
    "province_of_most": "by the province of most of its cases, which are in several countries",
    "country_of_most": "by the official languages of the country of most of its cases, which are in several",
    "default": "by the campaign's default order",
}

LANGUAGES = {"en": "English", "fr": "French", "fr_CA": "French (Canada)"}

DROPPED = {
    "stale": "its evidence was too old",
    "excluded": "it is excluded",
    "fixed": "it was fixed",
    "closed": "it is closed",
    "unlisted": "no source reports it any longer",
    "unknown": "its exposure is not known",
    "dormant": "no source reports it any longer",
    "exhausted": "no contact is left",
    "no_contact": "it has no contact any longer",
}

LETTER_REASONS = {
    "training": "training mode, and the recipient is not on the guest list",
    "no_case_left": "no case was left in it",
    "no_mail": "its recipient's domain takes no mail, or does not exist",
    "cancelled": "its wave was cancelled",
    "five_days": "five days of trying",
    "worker_died": "the process that sent it died",
    "relay_log": "the relay's log says that it has it",
    "sent": "the relay's log says so",
    "bounced": "the relay's log says so",
    "expired": "the relay gave it up",
    "inhibited": "its contact wants no letter before a later day",
    "too_soon": "its contact had a letter not long ago, and asked for fewer",
    "window": "it is outside the recipient's working hours, or a quiet day",
}

OBJECTIONS = {
    "excluded": "it is excluded",
    "suppressed": "its contact or its address is on the do-not-write list",
    "contact_dead": "its contact's mailbox is dead",
    "contact_told_before": "its contact has a first notice of this campaign already",
    "level_too_low": "its level of evidence is below the campaign's minimum",
    "stale": "its last check is too old",
    "contact_outdated": "its contact must be looked up anew first",
    "own_contact": "its contact is the network's own, and is told in an ordinary wave",
    "not_own_contact": "its contact is not the network's own, and is told in a wave of others alone",
    "inhibited": "its contact wants no letter before {at}",
    "too_soon": "its contact had a letter not long ago, and asked for fewer",
    "too_many_for_one_letter": "its contact has more cases than one letter may tell of; a later letter takes it up",
    "next_wave": "the wave had no room for it; the next one takes it up",
}

KEPT = {
    "reason": "the reason given",
    "note": "the note",
    "place": "what it names",
    "domain": "the domain",
    "name": "the name",
    "principal": "the name of the signer",
    "mailbox": "the mailbox",
    "title": "its name",
    "source": "who asked",
    "headers": "the headers",
    "line": "the line of the relay's log",
}

WHYS = {
    "asked": "a person asked for it",
    "brakes.us": "too many attempts in a row were refused because of us",
    "brakes.policy": "too many letters were refused by policy (5.7.x)",
    "brakes.refused": "too many letters were refused or returned",
    "brakes.complaints": "too many complaints",
    "canary": "its first letters have left, and a person is to look",
    "canary.seen": "a person has looked at how its first letters were answered",
    "deferred": "the relay could not pass it on, and tries again",
    "passed": "passed on, not to the recipient's own server",
}

SNAPSHOT_REASONS = {
    "empty": "no line of it could be read",
    "too-many-rejects": "too many of its lines could not be read",
}

EVENTS = {
    "case.seen": "Case {id} was made.",
    "case.contact_found": "Case {id}: a contact was found.",
    "case.no_contact": "Case {id}: no contact was found.",
    "case.checked": "Case {id} was checked.",
    "case.noticed": "Case {id}: the letter about it was handed over.",
    "case.next_contact": "Case {id}: the next contact took the place of one that is dead or refused.",
    "case.exhausted": "Case {id}: no contact is left.",
    "case.fixed": "Case {id} is fixed.",
    "case.unlisted": "Case {id}: no source reports it any longer.",
    "case.seen_again": "Case {id} was seen again.",
    "case.excluded": "Case {id} was excluded.",
    "case.included": "Case {id} was included again.",
    "letter.drafted": "Letter {id} was written.",
    "letter.approved": "Letter {id} was approved with its wave.",
    "letter.claimed": "Letter {id} was taken up for sending.",
    "letter.released": "Letter {id} was given back before its end was sent; the relay did not take it.",
    "letter.handed": "Letter {id} was handed to our relay.",
    "letter.accepted": "Letter {id} was accepted by the recipient's own server.",
    "letter.deferred": "Letter {id} was not taken now, and will be tried again.",
    "letter.refused": "Letter {id} was refused.",
    "letter.uncertain": "Letter {id}: its end was sent and no reply came; whether it arrived is not known.",
    "letter.bounced": "Letter {id} was returned.",
    "letter.suppressed": "Letter {id} is not sent: the do-not-write list has its recipient.",
    "letter.withdrawn": "Letter {id} was withdrawn.",
    "letter.expired": "Letter {id} was given up after five days.",
    "letter.resend": "Letter {id} is to be sent again, on a person's word.",
    "letter.relay_told": "Letter {id}: the relay's log tells what it did with it.",
    "letter.shrunk": "Letter {id} was shortened: cases left it.",
    "letter.printed": "Letter {id} was printed, to go by post.",
    "wave.planned": "Wave {id} was planned.",
    "wave.rendered": "Wave {id}: all its letters are written.",
    "wave.accepted_by": "Wave {id} was accepted by an approver.",
    "wave.rejected_by": "Wave {id} was rejected by an approver.",
    "wave.approved": "Wave {id} is approved.",
    "wave.released": "Wave {id} was released for sending.",
    "wave.done": "Wave {id}: no letter is left to send.",
    "wave.cancelled": "Wave {id} was cancelled.",
    "snapshot.received": "Delivery {id} was received.",
    "snapshot.accepted": "Delivery {id} was accepted.",
    "snapshot.held": "Delivery {id} was held back.",
    "snapshot.released": "Delivery {id} was released by a person.",
    "snapshot.voided": "Delivery {id} was voided by a person: nothing it says counts.",
    "campaign.created": "Campaign {id} was created, in training mode.",
    "campaign.changed": "Campaign {id}: its settings were changed.",
    "campaign.golive_accepted": "Campaign {id} may go live, an approver says.",
    "campaign.live": "Campaign {id} went live.",
    "campaign.training": "Campaign {id} is in training mode again.",
    "golive.said": "Something was said or tested for going live (entry {id}).",
    "campaign.closed": "Campaign {id} was closed.",
    "campaign.warned": "Campaign {id}: a warning of the brakes.",
    "hold.placed": "Hold {id} was placed: sending stops.",
    "hold.released": "Hold {id} was released.",
    "suppression.added": "Entry {id} of the do-not-write list was added.",
    "suppression.lifted": "Entry {id} of the do-not-write list was lifted.",
    "exclusion.added": "Exclusion {id} was added.",
    "exclusion.lifted": "Exclusion {id} was lifted.",
    "override.added": "Word {id} on contacts was given.",
    "override.lifted": "Word {id} on contacts was lifted.",
    "route.set": "It was decided who hears of the cases of {country}.",
    "route.dropped": "The route of {country} was taken away.",
    "contact.preferences": "Contact {id}: its preferences were changed.",
    "person.added": "Person {id} was registered.",
    "person.disabled": "Person {id} no longer acts here.",
    "feed.declared": "Feed {id} was declared.",
    "feed.changed": "Feed {id}: its declaration was changed.",
    "dump.imported": "Dump {id}, a registry's file of all that it has registered, was imported.",
    "dump.replaced": "Dump {id}, a registry's file, was replaced by a newer one.",
}


def meaning(table: Mapping[str, str], code: str, values: Mapping[str, object] | None = None) -> Say | Exact:
    """Return the sentence of a code with its values; code and values as they stand if the table has none that fits."""
    known, given = table.get(code), dict(values or {})
    if known is not None and set(PLACE.findall(known)) <= set(given):
        return Say(known, given)
    said = " ".join(f"{key}={value}" for key, value in given.items())
    return Exact(f"{code} {said}".strip())


def level(value: int | None) -> Say | Exact:
    """Return a level of evidence in words."""
    if value is None:
        return Say("no level: no report counts")
    return Say(LEVELS[value]) if value in LEVELS else Exact(f"E{value}")
