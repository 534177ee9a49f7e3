"""Look an address up: its network and the mailboxes to be told, through the whole chain, as one story.

Pure: a generator that yields questions and is sent answers (talk.py); it asks nobody itself.  The registry that IANA's
list names is asked by RDAP, then by WHOIS where that names no contact or refuses; a definite no is taken before a refusal.
Where the network names nobody who can be written to, the chain goes on (fallback.py).
Standards: RFC 9224, 9082, 9083, 9910; RFC 7480 section 5; RFC 3912.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from pipeline.domain import Address, Answer, NetworkAnswer, Outcome, RdapQuestion, StepKind
from pipeline.resolve import asking, fallback, national_page, rdap_answer, search, servers
from pipeline.resolve.questions import Said, by_rdap, by_whois
from pipeline.resolve.rules import Rules
from pipeline.resolve.story import Story
from pipeline.resolve.talk import Later, Pursuit, Talk, Wait

LOOK_AGAIN = timedelta(hours=1)  # a part of the chain could not be asked, and nobody was found in the rest
ABUSE_HANDLE = "abuse-handle "  # RDAP named the abuse contact by its handle alone
IS_ENOUGH = (Outcome.CONTACTS, Outcome.SPECIAL)


def look_up(address: Address, rules: Rules, dumped: tuple[NetworkAnswer, Answer] | None = None) -> Pursuit:
    """Return the network around an address, and its contacts.  Raises Later if nothing can be concluded now.

    Somebody must answer for the address (RFC 9224): one that no registry has is nobody's, and is not asked about.
    `dumped` is what a registry's dump says of it, judged, and its text: then the registry is not asked about the network.
    """
    story = Story(address, rules)
    if dumped is None:
        said = yield from _network(address, rules, story)
    else:
        said = Said(*dumped, url="", registry=dumped[0].registry)
        story.add(StepKind.DUMP, said.raw.source, said.read, said.raw, said.read.candidates)
    whole = yield from search.below(address, said, rules, story)
    if said.read.outcome is not Outcome.SPECIAL:
        yield from fallback.go_on(address, said, rules, story)
    country = said.read.country or rules.countries.get(address, "")
    found = story.found(replace(said.read, cached=whole.cached or said.read.cached, country=country), said.raw)
    if found.answer.outcome is not Outcome.CONTACTS and story.unsettled:
        raise Later(LOOK_AGAIN)
    return replace(found, beside=whole.beside)


def _network(address: Address, rules: Rules, story: Story) -> Talk[Said]:
    """Ask the registries about the network itself, until one names a contact."""

    def judge(answer: Answer, registry: str) -> NetworkAnswer:
        return rdap_answer.read(answer, address, registry=registry, caps=rules.caps)

    base = servers.find(rules.registries.get(address.version, {}), address).rstrip("/")
    said = yield from by_rdap(StepKind.NETWORK, RdapQuestion(None, f"{base}/ip/{address}"), rules, story, judge)
    if isinstance(said, Wait):
        raise Later(timedelta(0), said.until, cell=True)
    best = said
    if said.read.why.startswith(ABUSE_HANDLE):
        best = yield from _entity(said, rules, story)
    for registry in _whois_servers(said, rules):
        if best.read.outcome in IS_ENOUGH:
            break
        further = yield from by_whois(address, registry, rules, story)
        if not isinstance(further, Wait):
            best = (
                _with_postal(further, best)
                if asking.says_more(best.read, further.read)
                else _with_postal(best, further)
            )
    if best.read.outcome not in IS_ENOUGH and "page" in rules.chain and best.read.registry in rules.pages:
        best = yield from _page(address, best, rules, story)
    if (wait := asking.put_off_for(best.read, best.raw)) is not None:
        raise Later(wait)
    return best


def _with_postal(said: Said, other: Said) -> Said:
    """Return an answer with the postal address of another one about the same range, where it has none itself."""
    if said.read.postal or not other.read.postal or said.read.registered != other.read.registered:
        return said
    return replace(said, read=replace(said.read, postal=other.read.postal))


def _whois_servers(said: Said, rules: Rules) -> Iterator[str]:
    """Yield the registries to ask by WHOIS: the national one that the answer speaks of, then the one that answered."""
    if "whois" in rules.chain:
        yield from (r for r in dict.fromkeys((said.read.registry, said.registry)) if r in rules.whois_hosts)


def _entity(said: Said, rules: Rules, story: Story) -> Talk[Said]:
    """Ask for the contact that an answer names by its handle alone; the network stays that of the answer."""
    handle = said.read.why.removeprefix(ABUSE_HANDLE)

    def judge(answer: Answer, registry: str) -> NetworkAnswer:
        return rdap_answer.read_entity(answer, handle, registry=registry)

    asked = RdapQuestion(None, f"{_base(said.url)}/entity/{handle}")
    contact = yield from by_rdap(StepKind.ENTITY, asked, rules, story, judge)
    if isinstance(contact, Wait) or contact.read.outcome is not Outcome.CONTACTS:
        return said
    postal = said.read.postal or contact.read.postal
    read = replace(said.read, outcome=Outcome.CONTACTS, why="", candidates=contact.read.candidates, postal=postal)
    return replace(said, read=read)


def _page(address: Address, said: Said, rules: Rules, story: Story) -> Talk[Said]:
    """Ask a national registry's web page, which knows networks that its RDAP and WHOIS servers do not tell."""
    registry = said.read.registry
    url, _, form = rules.pages[registry].replace("{address}", str(address)).partition("#")

    def judge(answer: Answer, _registry: str) -> NetworkAnswer:
        return national_page.read(answer, address, registry=registry, caps=rules.caps)

    asked = RdapQuestion(None, url, form=form, accept="text/html")
    page = yield from by_rdap(StepKind.PAGE, asked, rules, story, judge)
    return page if not isinstance(page, Wait) and asking.says_more(said.read, page.read) else said


def _base(url: str) -> str:
    """Return the base of an RDAP URL about an address: what stands before /ip/."""
    return url.rpartition("/ip/")[0]
