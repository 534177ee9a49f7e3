"""The relays of the settings, by their names: as transports, as shares of the letters, and tried one by one."""

from collections.abc import Mapping

from pydantic import SecretStr

from pipeline.config import Loaded, NamedRelaySection, RelaySection
from pipeline.domain import Go, NotFound, Ready, Result, Send, Stop
from pipeline.net import letter_folder, relays, sendmail, smtp
from pipeline.net.edge import Edge, quick_loop
from pipeline.net.letter_folder import FolderSettings
from pipeline.net.sendmail import SendmailSettings
from pipeline.net.smtp import RelaySettings
from pipeline.send.relays import Relay

AnySettings = RelaySettings | SendmailSettings | FolderSettings
TRUSTED = {"tls", "ca_file", "fingerprint"}
BINDING = {"host", "port", *TRUSTED, "username", "source_address", "transport", "command", "folder"}

NO_PASSWORD = SecretStr("")


def names(loaded: Loaded) -> list[str]:
    return list(loaded.settings.mail.all_relays)


def hosts(loaded: Loaded) -> list[str]:
    """Return the machines that are spoken to by SMTP."""
    every = (settings_of(loaded, name) for name in names(loaded))
    return list(dict.fromkeys(one.host for one in every if isinstance(one, RelaySettings)))


def chosen(loaded: Loaded, name: str) -> list[str]:
    """Return the relay of that name, all if it is empty.  Raises NotFound."""
    known = names(loaded)
    if name and name not in known:
        raise NotFound(f"There is no relay {name}", f"known are {', '.join(known)}", "Correct --relay, or mail.relays.")
    return [name] if name else known


def settings_of(loaded: Loaded, name: str) -> AnySettings:
    """Return how a relay is spoken to.  `name` is one of `names`."""
    section = loaded.settings.mail.all_relays[name]
    if isinstance(section, NamedRelaySection):
        if section.transport == "folder":
            return FolderSettings(name, loaded.path(section.folder))
        if section.transport == "sendmail":
            seconds = section.dot_timeout.total_seconds()
            return SendmailSettings(name, tuple(section.command), section.dsn, section.connections, seconds)
    return _smtp(loaded, name, section)


def _smtp(loaded: Loaded, name: str, relay: RelaySection) -> RelaySettings:
    named = isinstance(relay, NamedRelaySection)  # no relay is ever shown the password of another one
    password = loaded.secrets.mail_passwords.get(name, NO_PASSWORD) if named else loaded.secrets.mail_password
    return RelaySettings(
        host=relay.host,
        port=relay.port,
        tls=relay.tls,
        ca_file=str(loaded.path(relay.ca_file)) if relay.ca_file else "",
        fingerprint=relay.fingerprint,
        username=relay.username,
        password=password.get_secret_value(),
        ehlo_name=relay.ehlo_name,
        source_address=relay.source_address,
        connections=relay.connections,
        max_letters_per_connection=relay.letters_per_connection,
        timeout=relay.timeout.total_seconds(),
        dot_timeout=relay.dot_timeout.total_seconds(),
        called=name,
    )


def edge(loaded: Loaded) -> Edge[Send | Go | Stop, Ready | Result]:
    """Return an edge to the relay, or to all of them.  Raises ConfigurationError for a bad `ca_file`."""
    transports = {name: _transport(settings_of(loaded, name)) for name in names(loaded)}
    shares = all_shares(loaded)
    connections = sum(share.connections for share in shares)
    if len(transports) == 1:
        return Edge(next(iter(transports.values())), 2 * connections, quick_loop)
    return relays.edge(transports, connections)


def _transport(settings: AnySettings) -> relays.Transport:
    if isinstance(settings, RelaySettings):
        return smtp.relay(settings)
    return sendmail.relay(settings) if isinstance(settings, SendmailSettings) else letter_folder.relay(settings)


def all_shares(loaded: Loaded) -> tuple[Relay, ...]:
    """Return the relays with their weights and how many letters each takes at once."""
    found = []
    for name, section in loaded.settings.mail.all_relays.items():
        weight, connections = 1, section.connections
        if isinstance(section, NamedRelaySection):
            weight = section.weight
            connections = letter_folder.AT_ONCE if section.transport == "folder" else connections
        found.append(Relay(name, weight, connections))
    return tuple(found)


def bound(loaded: Loaded) -> Mapping[str, object]:
    """Return what going live binds to of the relays: where letters go, and as whom; not how they are shared out."""
    mail = loaded.settings.mail
    if not mail.relays:
        return {"relay": mail.relay.model_dump(mode="json", include=BINDING)}
    return {"relays": {name: one.model_dump(mode="json", include=BINDING) for name, one in sorted(mail.relays.items())}}


def trouble(settings: SendmailSettings | FolderSettings) -> str:
    """Return why letters cannot be left there, empty if they can; none is."""
    return sendmail.trouble(settings) if isinstance(settings, SendmailSettings) else letter_folder.trouble(settings)


def leave(settings: SendmailSettings | FolderSettings, send: Send) -> Result:
    """Leave one letter there."""
    if isinstance(settings, SendmailSettings):
        return sendmail.hand(settings, send)
    return letter_folder.keep(settings, send)
