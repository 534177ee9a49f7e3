"""The keys that sign letters, as the settings and the credential file have them; and whether receivers can find them.

Reads: the settings, the credential file, the DNS.  Writes nothing.  Standards: RFC 6376, RFC 7489 3.1.1 (DMARC takes a
signature whose domain was registered together with that of From).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from pipeline.cli import edges, words
from pipeline.cli.finding import Finding, Grade, failed
from pipeline.config import Loaded
from pipeline.domain import ConfigurationError, NameKind, NameQuestion, NameReply, TocsinError
from pipeline.render.body_hash import body_hash
from pipeline.resolve import name_answer
from pipeline.resolve.host_name import suffixes
from pipeline.send.dkim import DkimKey, DkimKeys
from pipeline.send.dkim_keys import dkim_keys, publishes, record_name, zone_line
from pipeline.send.work import Signing
from pipeline.signer import signer


def keys(loaded: Loaded) -> DkimKeys | None:
    """Return the keys that sign letters, None where nothing is said of them.  Raises ConfigurationError."""
    section, secrets = loaded.settings.mail.dkim, loaded.secrets
    return dkim_keys(
        section.domain,
        section.rsa_selector,
        secrets.dkim_rsa_key.get_secret_value(),
        section.ed25519_selector,
        secrets.dkim_ed25519_key.get_secret_value(),
    )


def signing(loaded: Loaded) -> Signing | None:
    """Return how letters are signed, None where they are not.  Raises ConfigurationError."""
    found = keys(loaded)
    return Signing(found, body_hash) if found is not None else None


@contextmanager
def signing_many(loaded: Loaded) -> Iterator[Signing | None]:
    """Give the same for the block, with a process of its own that signs once the letters are many."""
    found = signing(loaded)
    if found is None:
        yield None
        return
    with signer(found.keys) as one:
        yield replace(found, elsewhere=one)


def require_aligned(loaded: Loaded, domain: str) -> None:
    """Raise ConfigurationError unless every campaign writes from a mailbox that this domain may sign for."""
    for name, campaign in loaded.settings.campaigns.items():
        if not aligned(domain, campaign.from_mailbox.rpartition("@")[2]):
            raise ConfigurationError(
                f"mail.dkim.domain {domain} does not go with campaigns.{name}.from_mailbox",
                f"receivers that follow DMARC take a signature for {campaign.from_mailbox} from its own domain alone",
                "Correct one of the two in config.toml.",
            )


def aligned(domain: str, other: str) -> bool:
    """True if two domains have the same registered domain (DMARC's relaxed alignment); A-labels and others alike."""
    first, second = ascii_name(domain), ascii_name(other)
    known = suffixes()
    return first == second or (known.registered(first) == known.registered(second) != "")


def ascii_name(domain: str) -> str:
    """Return a domain as the DNS has it: lower case, A-labels."""
    try:
        return domain.lower().encode("idna").decode("ascii")
    except UnicodeError:  # no name at all
        return domain.lower()


# --- for the doctor --------------------------------------------------------------------------------------------------


def findings(loaded: Loaded) -> Iterator[Finding]:
    """Letters are signed, by a domain that goes with their From, with keys that receivers find in the DNS."""
    try:
        found = keys(loaded)
        if found is None:
            yield _unsigned()
            return
        require_aligned(loaded, found.domain)
        said = _published(loaded, found)
    except TocsinError as error:
        yield failed("DKIM", error)
        return
    if [key.algorithm for key in found.keys] == ["ed25519-sha256"]:
        yield Finding(
            "DKIM",
            Grade.WARN,
            words.text("letters are signed with Ed25519 alone"),
            words.text("many receivers can check RSA alone, and take the letter for one that is not signed"),
            words.text("Make an RSA key too: docs/how-to/sign-letters.md"),
        )
    for key in found.keys:
        yield _record(key, found.domain, said.get(key.selector))


def _unsigned() -> Finding:
    return Finding(
        "DKIM",
        Grade.WARN,
        words.text("letters are not signed here"),
        words.text(
            "many receivers refuse or hide mail that nobody has signed; leave it so only where your relay signs"
        ),
        words.text("Make keys: docs/how-to/sign-letters.md"),
    )


def _published(loaded: Loaded, found: DkimKeys) -> Mapping[str, NameReply]:
    """Ask the DNS for the record of each key; returns {selector: reply}, nothing without a nameserver."""
    if not loaded.settings.dns.nameservers:
        return {}
    said: dict[str, NameReply] = {}
    with edges.names_edge(loaded) as wire:
        for key in found.keys:
            wire.ask(NameQuestion(key.selector, NameKind.TXT, record_name(key, found.domain)))
        while len(said) < len(found.keys):
            for reply in wire.take(0.5):
                said[str(reply.key)] = reply
                wire.done()
    return said


def _record(key: DkimKey, domain: str, reply: NameReply | None) -> Finding:
    """Return whether the DNS has a key's record, and what to publish where it has not."""
    name = record_name(key, domain)
    publish = words.text("Publish: {record}", record=zone_line(key, domain))
    if reply is None:
        what = words.text("{name} was not looked up: no nameserver is set", name=name)
        return Finding("DKIM", Grade.WARN, what, "", publish)
    if reply.answer.failure is not None:
        what = words.text("{name} cannot be looked up ({why})", name=name, why=reply.answer.failure.text)
        return Finding("DKIM", Grade.WARN, what, "", words.text("Run the same command again."))
    texts = name_answer.texts(reply.answer, "txt")
    if len(texts) == 1 and publishes(texts[0], key):
        what = words.text("{name} has the public key ({algorithm})", name=name, algorithm=key.algorithm)
        return Finding("DKIM", Grade.OK, what)
    if not texts:
        what = words.text("{name} is not in the DNS", name=name)
    elif len(texts) > 1:
        what = words.text("{name} has more than one record", name=name)
    else:
        what = words.text("{name} has another key than the one that signs", name=name)
    why = words.text("receivers cannot check the letters' signatures, and may take them for forged")
    return Finding("DKIM", Grade.FAIL, what, why, publish)
