"""The checklist that a campaign must pass before it goes live.  Pure: facts in, items and a sheet out.

An item is well, wrong, or waits for a person's word, where no program can see it (is there a backup?) or where somebody
may know better (a warning about the DNS).  The sheet is the checklist as a text: what two people say yes to.  It holds
nothing that changes by itself from one hour to the next, so that two people can sign the same one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pipeline.send import brakes as braking
from pipeline.send import canary as pausing
from pipeline.send.brakes import Brake, BrakeSettings
from pipeline.send.canary import CanarySettings


class Mark(StrEnum):
    OK = "ok"
    FAIL = "fail"
    WORD = "word"  # a person's word is out


SPOKEN = ("names", "answers", "stops", "signers", "backup", "brakes", "canary")  # items that a person's word settles


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the checklist.  `values` fill its sentence; `bound` is what a yes to it binds to."""

    code: str
    mark: Mark
    values: Mapping[str, object] = field(default_factory=dict)
    bound: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found.  Texts are troubles: an empty one is none.

    `bases`: feed -> its lawful basis.  `links`: URL -> why it does not answer.  `problems`: of the letters' texts.
    `names`, `doubts`: what the DNS of the mail domains fails or warns of, by its code.  `words`: item -> digest of what a
    person said.
    """

    settings_differ: bool
    bases: Mapping[str, str]
    mailboxes: Mapping[str, str]
    problems: Sequence[str]
    links: Mapping[str, str]
    names: Mapping[str, str]
    doubts: Mapping[str, str]
    relay: str
    relay_trouble: str
    letter_is_back: bool
    answers_known: bool
    stops: int
    approvers: int
    signers: int
    needed: int
    daily_cap: str
    open_waves: Sequence[int]
    brakes: BrakeSettings
    canary: CanarySettings
    words: Mapping[str, str] = field(default_factory=dict)


def checklist(facts: Facts) -> tuple[Item, ...]:
    """Return every item, in the order in which they are best dealt with."""
    return tuple(_spoken(item, facts.words) for item in _items(facts))


def stands(items: Iterable[Item]) -> bool:
    """True if nothing is wrong and no word is out."""
    return all(item.mark is Mark.OK for item in items)


def sheet(campaign: str, binding: bytes, items: Iterable[Item]) -> bytes:
    """Return the sheet: the campaign, what its settings and those of mail are (by their hash), then each item."""
    lines = ["Tocsin go-live sheet 1", f"campaign {campaign}", f"settings {binding.hex()}"]
    lines += [f"{item.code} {item.mark} {_line(item.bound)}".rstrip() for item in items]
    return "".join(f"{line}\n" for line in lines).encode()


def _items(facts: Facts) -> Iterable[Item]:
    yield _judged("settings", facts.settings_differ)
    unfounded = [name for name, basis in facts.bases.items() if not basis.strip()]
    values = {"count": len(facts.bases), "names": ", ".join(unfounded)}
    yield _judged("feeds", not facts.bases or bool(unfounded), values, ", ".join(sorted(facts.bases)))
    wrong = [name for name, mailbox in facts.mailboxes.items() if not _is_mailbox(mailbox)]
    named = ", ".join(dict.fromkeys(facts.mailboxes.values()))
    yield _judged("mailboxes", bool(wrong), {"names": ", ".join(wrong), "mailboxes": named}, named)
    yield _judged("letters", bool(facts.problems), {"problem": next(iter(facts.problems), "")})
    yield _links(facts.links)
    yield _names(facts)
    yield _judged("relay", bool(facts.relay_trouble), {"relay": facts.relay, "why": facts.relay_trouble}, facts.relay)
    yield _judged("letter", not facts.letter_is_back)
    yield Item("answers", Mark.OK if facts.answers_known else Mark.WORD)
    yield Item("stops", Mark.OK if facts.stops else Mark.WORD, {"count": facts.stops})
    people = {"count": facts.approvers, "needed": facts.needed}
    yield _judged("approvers", facts.approvers < facts.needed, people, f"{facts.needed} needed")
    enough = facts.signers >= facts.needed
    yield Item("signers", Mark.OK if enough else Mark.WORD, {"count": facts.signers, "needed": facts.needed})
    yield Item("backup", Mark.WORD)
    yield _judged("cap", not facts.daily_cap, {"cap": facts.daily_cap}, facts.daily_cap)
    yield _brakes(facts.brakes)
    yield _canary(facts.canary)
    numbers = ", ".join(map(str, facts.open_waves))
    yield _judged("waves", bool(facts.open_waves), {"numbers": numbers})


def _links(links: Mapping[str, str]) -> Item:
    silent = {url: why for url, why in links.items() if why}
    url = next(iter(silent), "")
    values = {"count": len(links), "silent": len(silent), "url": url, "why": silent.get(url, "")}
    return _judged("links", not links or bool(silent), values, " ".join(sorted(links)))


def _names(facts: Facts) -> Item:
    values = {"names": "; ".join((facts.names or facts.doubts).values())}
    if facts.names:
        return Item("names", Mark.FAIL, values)
    return Item("names", Mark.WORD if facts.doubts else Mark.OK, values, ", ".join(sorted(facts.doubts)))


def _brakes(settings: BrakeSettings) -> Item:
    """Judge the brakes.  Without any share that holds nothing stops a program: no word of a person makes up for that.

    One that is off or loose may be wanted (nobody reads complaints here): two people sign the reason.
    """
    never = braking.never(settings)
    bound = " ".join(f"{name.value} {_shares(settings, name)}" for name in Brake) + f" from {settings.floor}"
    if len([brake for brake in never if brake is not Brake.US]) == len(Brake) - 1:
        return Item("brakes", Mark.FAIL, bound=bound)
    weak = tuple(brake.value for brake in Brake if brake in {*never, *braking.loose(settings)})
    values = {"floor": settings.floor, "brakes": weak}
    return Item("brakes", Mark.WORD if weak else Mark.OK, values, bound)


def _shares(settings: BrakeSettings, brake: Brake) -> str:
    if brake is Brake.US:
        return str(settings.breaker)
    share = getattr(settings, brake.value)
    return f"{share.warn:g}/{share.hold:g}"


def _canary(settings: CanarySettings) -> Item:
    """Judge the pause after a wave's first letters: a wave that is sent without one wants two people's word."""
    values = {"share": settings.share, "least": settings.least}
    mark = Mark.OK if pausing.waits(settings) else Mark.WORD
    return Item("canary", mark, values, f"{settings.share:g} of a wave, {settings.least} at least")


def _judged(code: str, wrong: bool, values: Mapping[str, object] | None = None, bound: str = "") -> Item:
    return Item(code, Mark.FAIL if wrong else Mark.OK, values or {}, bound)


def _spoken(item: Item, words: Mapping[str, str]) -> Item:
    """Settle an item that waits for a person's word by that word."""
    if item.mark is not Mark.WORD or item.code not in SPOKEN or not words.get(item.code):
        return item
    bound = f"{item.bound} said {words[item.code]}".strip()
    return Item(item.code, Mark.OK, {**item.values, "said": words[item.code]}, bound)


def _is_mailbox(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    return bool(at and local and "." in domain.strip(".") and text.isprintable() and " " not in text)


def _line(text: str) -> str:
    """Return a text that cannot make a line of its own."""
    return "".join(c if c.isprintable() else " " for c in text)
