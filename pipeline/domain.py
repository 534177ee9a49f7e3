"""The words of Tocsin: records, states, events, the table of allowed moves, and the three kinds of failure.

Standard library only, and it does nothing: no clock, no file, no network, no database, no chance.
Every other module may import this one; this one imports none of them.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from ipaddress import IPv4Address, IPv6Address
from math import inf
from typing import NamedTuple, Protocol, TypeVar

Address = IPv4Address | IPv6Address
Clock = Callable[[], datetime]  # aware, UTC; handed down by the command line
Progress = Callable[[str, int, int], None]  # (what is counted, done, of how many; 0: not known)

# --- failures --------------------------------------------------------------------------------------------------------


class TocsinError(Exception):
    """Something went wrong that a person can act on: what happened, why, and what to do next.

    `exit_code` is the process's exit code when the error reaches the command line (docs/reference/exit-codes.md).
    """

    exit_code = 5

    def __init__(self, what: str, why: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.next_step = next_step


class ConfigurationError(TocsinError):
    """The settings, a credential file or the machine's set-up are not usable."""

    exit_code = 3


class NotFound(TocsinError):
    """What was asked for does not exist here."""

    exit_code = 4


class RefusedBySafety(TocsinError):
    """A safety rule forbids it; nothing was done."""

    exit_code = 6


class IntegrityFailure(TocsinError):
    """Stored data does not agree with its own proof."""

    exit_code = 7


class TryAgain(TocsinError):
    """It cannot be done now (a lock, a full disk, no network); the same command may go through later."""

    exit_code = 75


class ForbiddenMove(Exception):
    """A state change that TRANSITIONS does not list: a bug in the caller; nothing was changed."""


@dataclass(frozen=True, slots=True)
class TemporaryFailure:
    """The other side may answer differently later. `code` is the enhanced or protocol code, `text` their words."""

    code: str
    text: str = ""
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class PermanentFailure:
    """The other side said no, and would say so again. `code` is the enhanced or protocol code, `text` their words."""

    code: str
    text: str = ""


# --- states ----------------------------------------------------------------------------------------------------------


class Exposure(StrEnum):
    """What verify found; it alone writes this."""

    UNCHECKED = "unchecked"
    OPEN = "open"
    UNLISTED = "unlisted"  # no source reports it for longer than that source's lifetime: never counted as fixed
    CLOSED = "closed"  # our own re-test failed to reproduce it twice, 24 h apart
    UNKNOWN = "unknown"


class EvidenceLevel(IntEnum):
    """How strong the evidence is; it decides what a letter may say."""

    E0 = 0  # claimed by one source
    E1 = 1  # two independent groups, or one protocol-level scan report
    E2 = 2  # first-hand: own spam trap, own logs
    E3 = 3  # handshake only: worded no stronger than E1
    E4 = 4  # our nonce came back through the target to our own canary


class CaseState(StrEnum):
    SEEN = "seen"
    RESOLVED = "resolved"
    NO_CONTACT = "no_contact"
    NOTICED = "noticed"
    EXHAUSTED = "exhausted"
    FIXED = "fixed"
    DORMANT = "dormant"
    EXCLUDED = "excluded"


class LetterState(StrEnum):
    DRAFTED = "drafted"
    APPROVED = "approved"
    CLAIMED = "claimed"
    HANDED = "handed"  # our relay took it
    ACCEPTED = "accepted"  # their MX took it; nobody has read it
    DEFERRED = "deferred"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"  # the final dot was written and no reply came (RFC 1047)
    BOUNCED = "bounced"
    SUPPRESSED = "suppressed"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class WaveState(StrEnum):
    PLANNED = "planned"
    RENDERED = "rendered"
    APPROVED = "approved"
    SENDING = "sending"
    DONE = "done"
    CANCELLED = "cancelled"


class ContactState(StrEnum):
    UNTESTED = "untested"
    LIVE = "live"
    BOUNCING = "bouncing"
    DEAD = "dead"


class Verdict(StrEnum):
    """What a person or a rule said of a snapshot."""

    READING = "reading"
    ACCEPTED = "accepted"
    HELD = "held"
    VOIDED = "voided"


class Listing(StrEnum):
    """A DNSBL's answer. Only NXDOMAIN is NOT_LISTED; every failure is UNKNOWN (RFC 5782 section 2.1)."""

    LISTED = "listed"
    NOT_LISTED = "not_listed"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """What became of one look-up of a network. Four of them end without a mailbox, each for another reason."""

    CONTACTS = "contacts"
    NO_CONTACT = "no_contact"  # the registry answered, and names no usable mailbox
    NOT_FOUND = "not_found"  # the registry knows no such network
    REFUSED = "refused"  # 429, 403, quota: says nothing about the network
    UNUSABLE = "unusable"  # not JSON, wrong network, cut, an error object
    SPECIAL = "special"  # special-purpose space: nobody to ask


class Tier(IntEnum):
    """How a mailbox came to be a candidate.  Those from PARENT on are not the network's own contact."""

    OVERRIDE = 0  # a person said so
    ROLE = 1  # abuse role of the network
    REMARK = 2
    NAMED = 3  # abuse-named mailbox of the holder
    PARENT = 4  # of the network above
    ORIGIN = 5  # of an AS that announces the network
    DIRECTORY = 6  # of a public directory of abuse contacts
    CERT = 7  # of the country
    HOST_NAME = 8  # RFC 2142 mailbox of the domain that the address's name is in


class StepKind(StrEnum):
    """One kind of question in the chain that finds a network's contacts, in the order of asking."""

    OVERRIDE = "override"
    DUMP = "dump"  # a registry's dump that was imported
    NETWORK = "network"  # RDAP
    WHOIS = "whois"
    PAGE = "page"  # a national registry's web page
    SEARCH = "search"  # all networks below a wide one (RFC 9910)
    ENTITY = "entity"  # the contact that an answer names by its handle alone
    PARENT = "parent"
    ORIGIN = "origin"  # which ASes announce the address
    AUTNUM = "autnum"  # the contact of one of them
    DIRECTORY = "directory"
    CERT = "cert"
    HOST_NAME = "host_name"
    MAIL = "mail"  # how mail for a candidate's domain is routed


# --- events: what may happen to a thing that has a life ---------------------------------------------------------------


class Event(StrEnum):
    CASE_SEEN = "case.seen"  # made
    CASE_CONTACT_FOUND = "case.contact_found"
    CASE_NO_CONTACT = "case.no_contact"
    CASE_NOTICED = "case.noticed"
    CASE_NEXT_CONTACT = "case.next_contact"  # the contact is dead, refused or no longer named; another takes its place
    CASE_EXHAUSTED = "case.exhausted"
    CASE_FIXED = "case.fixed"
    CASE_UNLISTED = "case.unlisted"
    CASE_SEEN_AGAIN = "case.seen_again"
    CASE_EXCLUDED = "case.excluded"
    CASE_INCLUDED = "case.included"
    LETTER_DRAFTED = "letter.drafted"  # made
    LETTER_APPROVED = "letter.approved"
    LETTER_CLAIMED = "letter.claimed"
    LETTER_RELEASED = "letter.released"  # claimed, and given back before its final dot
    LETTER_HANDED = "letter.handed"
    LETTER_ACCEPTED = "letter.accepted"
    LETTER_DEFERRED = "letter.deferred"
    LETTER_REFUSED = "letter.refused"
    LETTER_UNCERTAIN = "letter.uncertain"
    LETTER_BOUNCED = "letter.bounced"
    LETTER_SUPPRESSED = "letter.suppressed"
    LETTER_WITHDRAWN = "letter.withdrawn"
    LETTER_EXPIRED = "letter.expired"
    LETTER_RESEND = "letter.resend"  # a person's word on an UNCERTAIN letter; same Message-ID
    WAVE_PLANNED = "wave.planned"  # made
    WAVE_RENDERED = "wave.rendered"
    WAVE_APPROVED = "wave.approved"
    WAVE_RELEASED = "wave.released"
    WAVE_DONE = "wave.done"
    WAVE_CANCELLED = "wave.cancelled"


State = CaseState | LetterState | WaveState

_C, _L, _W, _E = CaseState, LetterState, WaveState, Event

CASE_TRANSITIONS: dict[CaseState, dict[Event, CaseState]] = {
    _C.SEEN: {
        _E.CASE_CONTACT_FOUND: _C.RESOLVED,
        _E.CASE_NO_CONTACT: _C.NO_CONTACT,
        _E.CASE_EXCLUDED: _C.EXCLUDED,
    },
    _C.RESOLVED: {
        _E.CASE_NEXT_CONTACT: _C.RESOLVED,
        _E.CASE_NO_CONTACT: _C.NO_CONTACT,
        _E.CASE_NOTICED: _C.NOTICED,
        _E.CASE_FIXED: _C.FIXED,
        _E.CASE_UNLISTED: _C.DORMANT,
        _E.CASE_EXCLUDED: _C.EXCLUDED,
    },
    _C.NO_CONTACT: {_E.CASE_CONTACT_FOUND: _C.RESOLVED, _E.CASE_EXCLUDED: _C.EXCLUDED},
    _C.NOTICED: {
        _E.CASE_NEXT_CONTACT: _C.RESOLVED,
        _E.CASE_EXHAUSTED: _C.EXHAUSTED,
        _E.CASE_FIXED: _C.FIXED,
        _E.CASE_UNLISTED: _C.DORMANT,
        _E.CASE_EXCLUDED: _C.EXCLUDED,
    },
    _C.EXHAUSTED: {_E.CASE_FIXED: _C.FIXED, _E.CASE_UNLISTED: _C.DORMANT, _E.CASE_EXCLUDED: _C.EXCLUDED},
    _C.FIXED: {_E.CASE_SEEN_AGAIN: _C.RESOLVED, _E.CASE_EXCLUDED: _C.EXCLUDED},
    _C.DORMANT: {_E.CASE_SEEN_AGAIN: _C.RESOLVED, _E.CASE_EXCLUDED: _C.EXCLUDED},
    _C.EXCLUDED: {_E.CASE_INCLUDED: _C.SEEN},
}

LETTER_TRANSITIONS: dict[LetterState, dict[Event, LetterState]] = {
    _L.DRAFTED: {
        _E.LETTER_APPROVED: _L.APPROVED,
        _E.LETTER_SUPPRESSED: _L.SUPPRESSED,
        _E.LETTER_WITHDRAWN: _L.WITHDRAWN,
    },
    _L.APPROVED: {
        _E.LETTER_CLAIMED: _L.CLAIMED,
        _E.LETTER_SUPPRESSED: _L.SUPPRESSED,
        _E.LETTER_WITHDRAWN: _L.WITHDRAWN,
    },
    _L.CLAIMED: {
        _E.LETTER_RELEASED: _L.APPROVED,
        _E.LETTER_HANDED: _L.HANDED,
        _E.LETTER_ACCEPTED: _L.ACCEPTED,
        _E.LETTER_DEFERRED: _L.DEFERRED,
        _E.LETTER_REFUSED: _L.REFUSED,
        _E.LETTER_UNCERTAIN: _L.UNCERTAIN,
    },
    _L.HANDED: {_E.LETTER_ACCEPTED: _L.ACCEPTED, _E.LETTER_BOUNCED: _L.BOUNCED},
    _L.ACCEPTED: {_E.LETTER_BOUNCED: _L.BOUNCED},
    _L.DEFERRED: {
        _E.LETTER_CLAIMED: _L.CLAIMED,
        _E.LETTER_SUPPRESSED: _L.SUPPRESSED,
        _E.LETTER_WITHDRAWN: _L.WITHDRAWN,
        _E.LETTER_EXPIRED: _L.EXPIRED,
    },
    _L.UNCERTAIN: {
        _E.LETTER_HANDED: _L.HANDED,
        _E.LETTER_ACCEPTED: _L.ACCEPTED,
        _E.LETTER_REFUSED: _L.REFUSED,
        _E.LETTER_BOUNCED: _L.BOUNCED,
        _E.LETTER_RESEND: _L.APPROVED,
    },
    _L.REFUSED: {},
    _L.BOUNCED: {},
    _L.SUPPRESSED: {},
    _L.WITHDRAWN: {},
    _L.EXPIRED: {},
}

WAVE_TRANSITIONS: dict[WaveState, dict[Event, WaveState]] = {
    _W.PLANNED: {_E.WAVE_RENDERED: _W.RENDERED, _E.WAVE_CANCELLED: _W.CANCELLED},
    _W.RENDERED: {_E.WAVE_APPROVED: _W.APPROVED, _E.WAVE_CANCELLED: _W.CANCELLED},
    _W.APPROVED: {_E.WAVE_RELEASED: _W.SENDING, _E.WAVE_CANCELLED: _W.CANCELLED},
    _W.SENDING: {_E.WAVE_DONE: _W.DONE, _E.WAVE_CANCELLED: _W.CANCELLED},
    _W.DONE: {},
    _W.CANCELLED: {},
}

TRANSITIONS: dict[type[State], dict[State, dict[Event, State]]] = {
    CaseState: CASE_TRANSITIONS,  # type: ignore[dict-item]
    LetterState: LETTER_TRANSITIONS,  # type: ignore[dict-item]
    WaveState: WAVE_TRANSITIONS,  # type: ignore[dict-item]
}


def next_state(state: State, event: Event) -> State:
    """Return the state that `event` leads to from `state`.  Raises ForbiddenMove if TRANSITIONS does not list it."""
    moves = TRANSITIONS[type(state)][state]
    if event not in moves:
        kind = type(state).__name__.removesuffix("State").lower()
        raise ForbiddenMove(f"a {kind} that is {state} cannot take {event}")
    return moves[event]


# --- records that cross from one module to another --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Observation:
    """One line of a feed or one DNSBL answer, in one shape.  `port` 0: the source did not say.

    `claim` is a word of data/topics (open_relay, http_connect, http_proxy, socks4, socks5, proxy) or `reputation`,
    which corroborates nothing and opens nothing.  `service` is what listens: smtp, http, socks4, socks5, or `any`.
    """

    line: int  # number in its snapshot, from 1; with the snapshot, the key
    address: Address
    port: int
    transport: str  # tcp or udp
    service: str
    claim: str
    observed_at: datetime
    confidence: int  # 0 to 100
    raw: bytes  # the line as received, at most 4,096 bytes


@dataclass(frozen=True, slots=True)
class Reject:
    """A line of a feed that is not an observation, with the reason (a code of docs/reference/rejects.md)."""

    line: int
    reason: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Candidate:
    """One mailbox read from a registry's answer, taken or rejected, with the place it was read from.

    `tier` says how far it is from the network itself: a Tier (docs/explanation/contacts.md).  Rank 0 is the best of all.
    `step` is the number of the question, in the chain of its network, whose answer it was read from.
    """

    mailbox: str  # lower-cased local part @ A-label; for a rejected one the text as it stood, cleaned
    spelling: str  # as the registry wrote it, kept for sending
    tier: int
    rank: int
    confidence: int  # 0 to 100
    source: str  # role, nested-role, remark, header, abuse-mailbox, mailbox-name
    path: str  # where in the answer: entities[0].entities[1].vcardArray, "abuse-mailbox:", ...
    rejected: str = ""  # empty, or why it must not be written to: registry-contact, placeholder, personal, ...
    note: str = ""  # marked-invalid, unvalidated, ...
    step: int = 0


@dataclass(frozen=True, slots=True)
class NetworkAnswer:
    """What one answer of a registry says about a queried address: the network, its holder and the ranked mailboxes.

    `registered` and `cached` are inclusive ranges; `cached` lies in `registered`, covers the queried address and is
    never wider than the scope caps.  Both are None unless the outcome is CONTACTS or NO_CONTACT.
    """

    outcome: Outcome
    why: str = ""
    registry: str = ""
    handle: str = ""
    name: str = ""
    holder: str = ""
    country: str = ""  # ISO 3166 alpha-2 as it stands, or empty
    region: str = ""
    postal: str = field(default="", repr=False)  # lines of an address, maybe a person's: in no log or event
    registered: tuple[Address, Address] | None = None
    cached: tuple[Address, Address] | None = None
    candidates: tuple[Candidate, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Step:
    """One question of the chain behind a network's contacts, and what came of it.  `raw` is what was answered, if kept."""

    kind: StepKind
    question: str  # URL, whois://host:port/question, dns:KIND/name, or what was looked up in our own tables
    outcome: Outcome
    why: str
    at: datetime
    raw: "Answer | None" = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes a registry sent for one question, or the failure that came instead of them."""

    source: str  # the URL, or whois://host:port/question
    status: int  # HTTP status; 200 for a complete WHOIS text; 0 when none came
    content_type: str
    body: bytes
    at: datetime
    failure: TemporaryFailure | PermanentFailure | None = None
    requests: int = 1  # made on the wire, redirects included


@dataclass(frozen=True, slots=True)
class ZoneAnswer:
    """What one DNSBL zone said of one address.  `codes` are the A records inside 127.0.0.0/8, as text."""

    zone: str
    address: Address
    listing: Listing
    codes: tuple[str, ...] = ()
    text: str = ""  # the TXT record, cleaned and cut; only asked for listed addresses
    why: str = ""  # for UNKNOWN: SERVFAIL, REFUSED, timeout, answer outside 127/8, error code, ...


# --- what a stage says to an edge, and hears from it ------------------------------------------------------------------

Q_contra = TypeVar("Q_contra", contravariant=True)
A_co = TypeVar("A_co", covariant=True)


class Wire(Protocol[Q_contra, A_co]):
    """An edge as a stage sees it (net/edge.py): questions in, answers out, at most so many not yet dealt with."""

    def room(self) -> bool: ...
    def ask(self, question: Q_contra) -> None: ...
    def tell_all(self, messages: Sequence[Q_contra]) -> None: ...
    def take(self, timeout: float) -> Sequence[A_co]: ...
    def done(self, count: int = 1) -> None: ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What a contact asked for, as it stands now; `last_letter_at`: when a letter left for it, of any campaign."""

    inhibited_until: datetime | None = None
    cadence: timedelta = timedelta(0)
    last_letter_at: datetime | None = None


NO_WISH = Wish()


@dataclass(frozen=True, slots=True)
class Send:
    """A letter for the relay, not before `delay` seconds from now.  `data` is the complete message, lines ended by CRLF.

    `relay` names the one it goes over, where there are several.
    """

    letter_id: int
    attempt_id: int
    sender: str
    recipient: str
    data: bytes
    delay: float = 0.0
    envid: str = ""
    relay: str = ""


@dataclass(frozen=True, slots=True)
class Go:
    """The time of the final dot is committed: body and dot may be written, not before `delay` seconds from now.

    Where a pace is kept, the seconds count from `since` (of time.monotonic): a dot that could be written only more than
    `late` seconds after its time is not written, the letter is Ready again.  All dots keep to `rate` a second (0: any).
    """

    letter_id: int
    delay: float = 0.0
    since: float = 0.0
    late: float = inf
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Stop:
    """Do not write the body: the transaction is abandoned, and nothing is delivered."""

    letter_id: int


@dataclass(frozen=True, slots=True)
class Ready:
    """DATA was answered with 354: the edge waits for Go or Stop."""

    letter_id: int
    attempt_id: int


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection to a relay, as far as it came about; what is not known is empty.

    `at`: when it was begun.  `address`: the relay's.  `extensions`: one line, those of the EHLO that counts.  `tls` is the
    version, `certificate` the SHA-256 of the relay's, in hexadecimal.
    """

    relay: str
    at: datetime
    address: str = ""
    greeting: str = ""
    extensions: str = ""
    tls: str = ""
    cipher: str = ""
    certificate: str = ""


class Said(NamedTuple):
    """What a relay said to one command of a letter, `milliseconds` after the first one was written.

    `code` 0: nothing that could be understood, and `text` says why.  The command "taken back": the relay had not come to
    the letter yet; what follows was said on another connection, and the time begins anew.
    """

    command: str
    milliseconds: int
    code: int
    enhanced: str
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """How a transaction ended: where (connect, tls, ehlo, auth, mail, rcpt, data, dot), and with which reply (0: none).

    A transport without a dialogue knows neither `connection` nor what was `said`.
    """

    letter_id: int
    attempt_id: int
    stage: str
    reply: int
    enhanced: str
    text: str
    dot_written: bool
    relay: str = ""
    tls: str = ""
    connection: Connected | None = None
    said: tuple[Said, ...] = ()


@dataclass(frozen=True, slots=True)
class ZoneQuestion:
    """One address to ask one zone about, no sooner than `delay` seconds from now; TXT too, if it is listed."""

    zone: str
    address: Address
    delay: float = 0.0
    want_text: bool = False


@dataclass(frozen=True, slots=True)
class RdapQuestion:
    """One URL to ask, no sooner than `delay` seconds from now (the slot that a budget gave).  `key` comes back.

    `apart` is the budget's pace: seconds between two questions to one host, kept also where slots have passed meanwhile.
    `form`, where it is not empty, is sent as the body of a POST (application/x-www-form-urlencoded): the web pages of
    some national registries ask for one.  `accept` is the media type asked for.  `body_cap`, in bytes, is how much is read
    where that is not what the edge is set to: a search lists many networks.
    """

    key: Hashable
    url: str
    delay: float = 0.0
    form: str = ""
    accept: str = "application/rdap+json"
    apart: float = 0.0
    body_cap: int = 0


@dataclass(frozen=True, slots=True)
class RdapReply:
    """What came.  `location` is the absolute URL of a redirect (301, 302, 307, 308), else empty."""

    key: Hashable
    answer: Answer
    location: str = ""


@dataclass(frozen=True, slots=True)
class WhoisQuestion:
    """One line to ask `host` on `port`, no sooner than `delay` seconds from now.  `key` comes back.

    `apart` is the budget's pace: seconds between two questions to one host, kept also where slots have passed meanwhile.
    """

    key: Hashable
    host: str
    port: int
    text: str
    delay: float = 0.0
    apart: float = 0.0


@dataclass(frozen=True, slots=True)
class WhoisReply:
    """What came: status 200 and the whole text as bytes, in the server's own charset, or a failure."""

    key: Hashable
    answer: Answer


class NameKind(StrEnum):
    """What is asked of the DNS about a name."""

    TXT = "txt"  # the texts of `name`
    MAIL = "mail"  # how mail for the domain `name` is routed
    HOST = "host"  # the names of the address `name` that lead back to it
    ADDRESSES = "addresses"  # of the host `name`


@dataclass(frozen=True, slots=True)
class NameQuestion:
    """One question to the DNS, no sooner than `delay` seconds from now.  `key` comes back."""

    key: Hashable
    kind: NameKind
    name: str
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class NameReply:
    """What the DNS said, as canonical JSON in `answer.body`, so that it is kept like every other raw answer.

    TXT gives {"txt": [...]}; MAIL gives {"hosts": [...], "route": "mx|address|null_mx|none|unknown", "why": ""}; HOST
    gives {"names": [...]}, ADDRESSES {"addresses": [...]}.  `answer.status` is 200 for found and 404 for definitely
    nothing; it is 0, with a failure, where the DNS could not say.  `answer.source` is "dns:TXT/NAME", "dns:MAIL/DOMAIN",
    "dns:HOST/ADDRESS" or "dns:ADDRESSES/NAME".
    """

    key: Hashable
    kind: NameKind
    name: str
    answer: Answer
