"""`tocsin doctor dns`: what receivers will find in the DNS about the domains and addresses that letters come from.

Reads: the settings; the DNS through your own nameservers.  Writes nothing.  Looked at are SPF (RFC 7208), DKIM (RFC 6376),
DMARC (RFC 7489), the names of the addresses that mail leaves from (RFC 1912 2.1), and whether answers and bounces arrive.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

import click

from pipeline.cli import context, dkim, edges, relays, show, words
from pipeline.cli.command import Command, option
from pipeline.cli.finding import Finding, Grade, lines, summary
from pipeline.config import Loaded
from pipeline.domain import Address, NameKind, NameQuestion, NameReply, NotFound, TemporaryFailure
from pipeline.resolve import name_answer
from pipeline.resolve.host_name import suffixes
from pipeline.send import dmarc, spf
from pipeline.send.spf import Kind, Question

MOST_ROUNDS = 16  # of questions that SPF records lead to
KINDS = {Kind.TXT: NameKind.TXT, Kind.ADDRESSES: NameKind.ADDRESSES, Kind.MAIL: NameKind.MAIL}
MEMBERS = {NameKind.TXT: "txt", NameKind.ADDRESSES: "addresses", NameKind.MAIL: "hosts", NameKind.HOST: "names"}

Ask = Callable[[Iterable[tuple[NameKind, str]]], Mapping[tuple[NameKind, str], NameReply]]


@click.command(cls=Command, examples=("tocsin doctor dns", "tocsin doctor dns --campaign secure-your-server"))
@option("--campaign", "name", default="", metavar="NAME", help="The domains of that campaign alone.")
@click.pass_context
def dns(ctx: click.Context, name: str) -> None:
    """Check what receivers find in the DNS about our mail: SPF, DKIM, DMARC, names of addresses, MX.

    The exit code is 3 if there is a failure; warnings leave it 0.
    """
    found = list(findings(context.settings(), name))
    count = {grade.value: sum(1 for finding in found if finding.grade is grade) for grade in Grade}
    show.emit({"checks": found, **count}, lambda: [*lines(found), "", summary(count)])
    if count[Grade.FAIL]:
        ctx.exit(3)


@dataclass(frozen=True, slots=True)
class _Domains:
    """`writing`: of From; `sender`: of the envelope; `answers`: where answers and bounces go."""

    writing: tuple[str, ...]
    sender: str
    answers: tuple[str, ...]


def findings(loaded: Loaded, campaign: str = "") -> Iterator[Finding]:
    """Yield what is found for the domains of one campaign of config.toml, or of all.  Raises NotFound."""
    domains = _domains(loaded, campaign)
    if not domains.sender:
        what, why = words.text("mail.sender is not set"), words.text("bounces would come back to nobody")
        yield Finding("SPF", Grade.FAIL, what, why, words.text("Set mail.sender in config.toml."), "sender")
        return
    if not loaded.settings.dns.nameservers:
        what = words.text("no nameserver is set: nothing was looked up")
        step = words.text("Set dns.nameservers in config.toml.")
        yield Finding("DNS", Grade.FAIL, what, "", step, "nameservers")
        return
    with edges.names_edge(loaded) as wire:

        def ask(questions: Iterable[tuple[NameKind, str]]) -> Mapping[tuple[NameKind, str], NameReply]:
            wanted, got = set(questions), dict[tuple[NameKind, str], NameReply]()
            for kind, name in wanted:
                wire.ask(NameQuestion((kind, name), kind, name))
            while len(got) < len(wanted):
                for reply in wire.take(0.5):
                    got[reply.kind, reply.name] = reply
                    wire.done()
            return got

        addresses = _outbound(loaded, ask)
        yield from _spf(domains, addresses, ask)
        for domain in domains.writing:
            yield from _dmarc(loaded, domain, domains.sender, ask)
        yield from _names(addresses, ask)
        yield from _mail(domains, ask)
    yield from dkim.findings(loaded)


def _domains(loaded: Loaded, campaign: str) -> _Domains:
    known = loaded.settings.campaigns
    if campaign and campaign not in known:
        raise NotFound(f"config.toml has no campaign {campaign}", "", f"Add [campaigns.{campaign}] to config.toml.")
    sections = [known[campaign]] if campaign else list(known.values())
    writing = dict.fromkeys(_domain(section.from_mailbox) for section in sections)
    sender = _domain(loaded.settings.mail.sender)
    answers = dict.fromkeys([sender, *writing, *(_domain(section.reply_to) for section in sections)])
    return _Domains(tuple(writing), sender, tuple(name for name in answers if name))


def _domain(mailbox: str) -> str:
    return dkim.ascii_name(mailbox.rpartition("@")[2])


def _outbound(loaded: Loaded, ask: Ask) -> tuple[Address, ...]:
    """Return the addresses that letters leave from: mail.outbound, else those of the relay that are no loopback."""
    said = loaded.settings.mail.outbound
    if not said:
        said = [text for host in relays.hosts(loaded) for text in _addresses(host, ask)]
    return tuple(address for text in said if not (address := ip_address(text)).is_loopback)


def _addresses(host: str, ask: Ask) -> list[str]:
    try:
        return [str(ip_address(host))]
    except ValueError:
        question = (NameKind.ADDRESSES, host)
        return list(name_answer.texts(ask([question])[question].answer, "addresses"))


# --- SPF -------------------------------------------------------------------------------------------------------------


def _spf(domains: _Domains, addresses: tuple[Address, ...], ask: Ask) -> Iterator[Finding]:
    found = _weighed(domains.sender, addresses, ask)
    if found.fault:
        yield _spf_fault(domains.sender, found, addresses)
        return
    if not addresses:
        what = words.text("{domain} has a record; which addresses mail leaves from is not known", domain=domains.sender)
        step = words.text("Set mail.outbound in config.toml: the addresses that your relay sends from.")
        yield Finding("SPF", Grade.WARN, what, "", step, "spf.outbound")
    for address, result in found.results.items():
        yield _spf_result(domains.sender, address, result, found.lookups)


def _weighed(domain: str, addresses: tuple[Address, ...], ask: Ask) -> spf.Spf:
    known: dict[Question, tuple[str, ...] | None] = {}
    found = spf.weigh(domain, addresses, known)
    for _ in range(MOST_ROUNDS):
        if not found.wanted:
            break
        replies = ask((KINDS[kind], name) for kind, name in found.wanted)
        for kind, name in found.wanted:
            answer = replies[KINDS[kind], name].answer
            said = name_answer.texts(answer, MEMBERS[KINDS[kind]])
            known[kind, name] = None if answer.failure is not None else said
        found = spf.weigh(domain, addresses, known)
    return found


def _spf_fault(domain: str, found: spf.Spf, addresses: tuple[Address, ...]) -> Finding:
    at = found.at
    what = {
        "none": words.text("{domain} has no SPF record", domain=at),
        "many": words.text("{domain} has more than one SPF record", domain=at),
        "syntax": words.text("the SPF record of {domain} cannot be read", domain=at),
        "all": words.text("the SPF record of {domain} allows everybody (+all)", domain=at),
        "nowhere": words.text("an SPF record leads to {domain}, which has none", domain=at),
        "loop": words.text("the SPF record of {domain} leads back to itself", domain=at),
        "lookups": words.text(
            "the SPF record of {domain} needs {count} look-ups; 10 are allowed", domain=at, count=found.lookups
        ),
        "unknown": words.text("the SPF record of {domain} could not be looked up", domain=at),
    }[found.fault]
    if found.fault == "unknown":
        return Finding("SPF", Grade.FAIL, what, "", words.text("Run the same command again."), "spf.unknown")
    why = words.text("receivers cannot tell our mail from forged mail by it")
    listed = " ".join(f"ip{a.version}:{a}" for a in addresses) or "ip4:..."
    step = words.text("Publish one record: {record}", record=f'{domain}. IN TXT "v=spf1 {listed} -all"')
    return Finding("SPF", Grade.FAIL, what, why, step, f"spf.{found.fault}")


def _spf_result(domain: str, address: str, result: str, lookups: int) -> Finding:
    if result == "pass":
        what = words.text("{domain} names {address} ({count} look-ups)", domain=domain, address=address, count=lookups)
        return Finding("SPF", Grade.OK, what)
    what = words.text("{domain} does not name {address} ({result})", domain=domain, address=address, result=result)
    why = words.text("receivers may refuse what comes from there")
    step = words.text("Add ip{version}:{address} to the record.", version=ip_address(address).version, address=address)
    return Finding("SPF", Grade.FAIL, what, why, step, f"spf.{result}")


# --- DMARC -----------------------------------------------------------------------------------------------------------


def _dmarc(loaded: Loaded, domain: str, sender: str, ask: Ask) -> Iterator[Finding]:
    registered = suffixes().registered(domain)
    places = dict.fromkeys([domain, *([registered] if registered else [])])
    replies = ask((NameKind.TXT, f"_dmarc.{place}") for place in places)
    found, unsure = dmarc.Dmarc("none"), ""
    for place in places:
        answer = replies[NameKind.TXT, f"_dmarc.{place}"].answer
        if isinstance(answer.failure, TemporaryFailure):
            unsure = answer.failure.text
            break
        found = dmarc.read(name_answer.texts(answer, "txt"), above=place != domain)
        if found.fault != "none":
            break
    if unsure:
        what = words.text("_dmarc.{domain} cannot be looked up ({why})", domain=domain, why=unsure)
        yield Finding("DMARC", Grade.FAIL, what, "", words.text("Run the same command again."), "dmarc.unknown")
        return
    if found.fault:
        yield _dmarc_fault(domain, found.fault)
        return
    yield _policy(domain, found)
    yield _alignment(loaded, domain, sender, found)


def _dmarc_fault(domain: str, fault: str) -> Finding:
    what = {
        "none": words.text("{domain} has no DMARC record", domain=domain),
        "many": words.text("{domain} has more than one DMARC record", domain=domain),
        "policy": words.text("the DMARC record of {domain} has no policy (p=)", domain=domain),
    }[fault]
    why = words.text("large receivers want one of whoever sends much, and nothing protects the name in From without it")
    record = f'_dmarc.{domain}. IN TXT "v=DMARC1; p=quarantine; rua=mailto:dmarc@{domain}"'
    step = words.text("Publish one record: {record}", record=record)
    return Finding("DMARC", Grade.FAIL, what, why, step, f"dmarc.{fault}")


def _policy(domain: str, found: dmarc.Dmarc) -> Finding:
    what = words.text("{domain} says p={policy}", domain=domain, policy=found.policy)
    if found.policy == "none":
        why = words.text("forged letters in your name would still be taken")
        step = words.text("Go on to p=quarantine, then p=reject, once the reports show that your own mail passes.")
        return Finding("DMARC", Grade.WARN, what, why, step, "dmarc.p_none")
    if not found.reports:
        why = words.text("without rua nobody reports to you what passes and what does not")
        step = words.text("Add rua=mailto:... to the record.")
        return Finding("DMARC", Grade.WARN, what, why, step, "dmarc.rua")
    return Finding("DMARC", Grade.OK, what)


def _alignment(loaded: Loaded, domain: str, sender: str, found: dmarc.Dmarc) -> Finding:
    """SPF counts for DMARC if the envelope's domain goes with From's, DKIM if the signature's does; one is enough."""
    signing = dkim.ascii_name(loaded.settings.mail.dkim.domain)
    by_spf = sender == domain if found.strict_spf else dkim.aligned(sender, domain)
    by_dkim = bool(signing) and (signing == domain if found.strict_dkim else dkim.aligned(signing, domain))
    if by_spf and by_dkim:
        return Finding("DMARC", Grade.OK, words.text("{domain}: SPF and DKIM both count for it", domain=domain))
    if by_spf or by_dkim:
        what = words.text("{domain}: of SPF and DKIM one alone counts for it", domain=domain)
        why = words.text("mail that is forwarded keeps its signature and loses SPF; a list may do the reverse")
        step = words.text("Let mail.sender, mail.dkim.domain and from_mailbox have the same domain.")
        return Finding("DMARC", Grade.WARN, what, why, step, "dmarc.one")
    what = words.text("{domain}: neither SPF nor DKIM counts for it", domain=domain)
    why = words.text("every letter would fail DMARC")
    step = words.text("Let mail.sender, mail.dkim.domain and from_mailbox have the same domain.")
    return Finding("DMARC", Grade.FAIL, what, why, step, "dmarc.neither")


# --- names and routes ------------------------------------------------------------------------------------------------


def _names(addresses: tuple[Address, ...], ask: Ask) -> Iterator[Finding]:
    replies = ask((NameKind.HOST, str(address)) for address in addresses)
    for address in addresses:
        answer = replies[NameKind.HOST, str(address)].answer
        names = name_answer.texts(answer, "names")
        if names:
            what = words.text("{address} is {name}, and {name} is {address}", address=address, name=names[0])
            yield Finding("PTR", Grade.OK, what)
        elif answer.failure is not None:
            what = words.text("the name of {address} cannot be looked up", address=address)
            yield Finding("PTR", Grade.FAIL, what, "", words.text("Run the same command again."), "ptr.unknown")
        else:
            what = words.text("{address} has no name that leads back to it", address=address)
            why = words.text("many receivers refuse mail from an address without one")
            step = words.text("Have a PTR record made, and an address record for the same name.")
            yield Finding("PTR", Grade.FAIL, what, why, step, "ptr.none")


def _mail(domains: _Domains, ask: Ask) -> Iterator[Finding]:
    replies = ask((NameKind.MAIL, domain) for domain in domains.answers)
    for domain in domains.answers:
        answer = replies[NameKind.MAIL, domain].answer
        hosts = name_answer.texts(answer, "hosts")
        if hosts:
            what = words.text("mail for {domain} goes to {host}", domain=domain, host=hosts[0])
            yield Finding("MX", Grade.OK, what)
        elif answer.failure is not None:
            what = words.text("where mail for {domain} goes cannot be looked up", domain=domain)
            yield Finding("MX", Grade.FAIL, what, "", words.text("Run the same command again."), "mx.unknown")
        else:
            what = words.text("{domain} takes no mail", domain=domain)
            why = words.text("bounces and answers would be lost, and some receivers refuse such senders")
            yield Finding("MX", Grade.FAIL, what, why, words.text("Have an MX record made."), "mx.none")
