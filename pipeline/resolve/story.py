"""The story of one look-up as it grows: each question with what came of it, and every mailbox weighed so far.

Pure.  It ends as a `Found`: the network of the answer that said most, with the candidates of the whole chain in order.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pipeline.domain import Address, Answer, Candidate, NameKind, NameQuestion, NetworkAnswer, Outcome, Step, StepKind
from pipeline.resolve import by_route, mail_route, parent
from pipeline.resolve.by_route import Route
from pipeline.resolve.rules import ENOUGH, Rules
from pipeline.resolve.talk import Found, Heard, Keep, Talk, source

SAYS_NOTHING = (Outcome.REFUSED, Outcome.UNUSABLE)


class Story:
    """What one look-up has asked and heard, in order.

    `unsettled`: a part of the chain could not be asked now, so that "nobody" may not be concluded.
    """

    def __init__(self, address: Address, rules: Rules) -> None:
        self.address = address
        self.rules = rules
        self.unsettled = False
        self._steps: list[Step] = []
        self._parts: list[tuple[Step, tuple[Candidate, ...]]] = []
        self._routes: dict[str, bytes] = {}  # domain -> how its mail is routed; empty: not known
        self._country = ""  # whose route counts
        self._alone: Route | None = None  # nobody but its mailbox is told
        self._said: dict[str, Answer | None] = {}  # what the DNS said of a domain; of networks beside this one, too

    def add(
        self,
        kind: StepKind,
        question: str,
        read: NetworkAnswer,
        raw: Answer,
        candidates: Sequence[Candidate] = (),
        *,
        before_all: bool = False,
    ) -> None:
        """Note a question, what came of it, and the mailboxes that it brought."""
        kept = raw if raw.failure is None and raw.body and read.outcome not in SAYS_NOTHING else None
        step = Step(kind, question, read.outcome, read.why, raw.at, kept)
        part = (step, tuple(replace(each, step=len(self._steps)) for each in candidates))
        self._parts.insert(0 if before_all else len(self._parts), part)
        self._steps.append(step)

    @property
    def number(self) -> int:
        """The number of the step that is noted next."""
        return len(self._steps)

    def is_by_route(self, country: str, at: datetime) -> bool:
        """Are a country's cases told to its CERT or partner alone?  Then that mailbox is put before all, which are passed
        over for it."""
        self._country, route = country, self.rules.routes.get(country)
        if by_route.is_alone(route):
            self._alone = route
            self.add_route(country, at, before_all=True)
        return self._alone is not None

    def add_route(self, country: str, at: datetime, *, before_all: bool = False) -> None:
        """Add the mailbox of a country's route, if it has one: from a table of our own."""
        route = self.rules.routes.get(country)
        candidate = by_route.candidate(country, route) if route is not None else None
        if route is not None and candidate is not None:
            none = Answer(f"route:{country}", 0, "", b"", at, requests=0)
            read = NetworkAnswer(Outcome.CONTACTS, route.kind)
            self.add(StepKind.CERT, none.source, read, none, [candidate], before_all=before_all)

    def candidates(self) -> tuple[Candidate, ...]:
        """Return every mailbox once, ranked, after what people said and what the DNS says of its domain."""
        return parent.merged([(step, tuple(map(self._judged, found))) for step, found in self._parts])

    def _judged(self, candidate: Candidate) -> Candidate:
        if candidate.rejected:
            return candidate
        if why := self.rules.spoken.objection(candidate.mailbox, self.address):
            return replace(candidate, rejected=why)
        if self._alone is not None and (passed := by_route.passed_over(candidate, self._alone)).rejected:
            return passed
        body = self._routes.get(_domain(candidate))
        if body is None and self.rules.check_mail:
            return candidate  # not asked yet
        return mail_route.applied(candidate, body or b"")

    def reached(self) -> Talk[bool]:
        """Ask how mail for the candidates is routed, best first, until one is good enough; is there one?"""
        while True:
            alive = [each for each in self.candidates() if not each.rejected and each.mailbox not in self.rules.dead]
            settled = next((each.rank for each in alive if each.confidence >= ENOUGH), None)
            unasked = [each for each in alive if self.rules.check_mail and _domain(each) not in self._routes]
            if not unasked or (settled is not None and settled < unasked[0].rank):
                return settled is not None
            yield from self._ask_route(_domain(unasked[0]))

    def _ask_route(self, domain: str) -> Talk[None]:
        self._routes[domain] = b""
        asked = NameQuestion(None, NameKind.MAIL, domain)
        if domain not in self._said:
            heard = yield asked
            self._said[domain] = heard.answer if isinstance(heard, Heard) else None
            if isinstance(heard, Heard) and heard.answer.failure is None:
                yield Keep(asked, heard.answer, is_shared=True)
            elif isinstance(heard, Heard) and not heard.is_old:
                yield Keep(asked, heard.answer, is_shared=True, is_failure=True)
        answer = self._said[domain]
        if answer is None:
            return  # not known: it is written to all the same
        if answer.failure is not None:
            unknown = NetworkAnswer(Outcome.UNUSABLE, answer.failure.text)
            self.add(StepKind.MAIL, source(asked), unknown, answer)
            return
        self._routes[domain] = answer.body
        route = mail_route.route(answer.body)
        outcome = Outcome.CONTACTS if route in mail_route.TAKES_MAIL else Outcome.NO_CONTACT
        self.add(StepKind.MAIL, source(asked), NetworkAnswer(outcome, route), answer)

    def beside(self, read: NetworkAnswer, address: Address) -> "Story":
        """Return a story of another network that the same questions brought, around another address: its last step named
        these mailboxes."""
        other = Story(address, self.rules)
        other._steps = list(self._steps)
        own = tuple(replace(each, step=len(self._steps) - 1) for each in read.candidates)
        other._parts = [(self._steps[-1], own)]
        other._said = self._said
        other.is_by_route(read.country or self.rules.countries.get(address, ""), self._steps[-1].at)
        return other

    def found(self, network: NetworkAnswer, raw: Answer) -> Found:
        """Return the end of the story, about the network of one of its answers.

        It holds where people said the same of these mailboxes as for the address that was looked up.
        """
        candidates = self.candidates()
        network = replace(network, country=network.country or self._country)
        if network.cached is not None:
            mailboxes = [each.mailbox for each in candidates]
            network = replace(network, cached=self.rules.spoken.alike(mailboxes, network.cached, self.address))
        if any(not each.rejected for each in candidates):
            answer = replace(network, outcome=Outcome.CONTACTS, why="", candidates=candidates)
        else:
            nobody = Outcome.NO_CONTACT if network.outcome is Outcome.CONTACTS else network.outcome
            why = network.why or next((each.rejected for each in candidates), "")
            answer = replace(network, outcome=nobody, why=why, candidates=candidates)
        return Found(answer, raw, tuple(self._steps))


def _domain(candidate: Candidate) -> str:
    return candidate.mailbox.rpartition("@")[2]
