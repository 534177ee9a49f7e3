"""config.example.toml, written from the settings model: every key, its default, and what it means."""

from datetime import time, timedelta
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pipeline.config import (
    UNITS,
    CampaignSection,
    FeedSection,
    LinesPair,
    NamedRelaySection,
    RatesSection,
    RelaySection,
    Settings,
    TextPair,
    ZoneSection,
)

HEAD = """\
# Tocsin: every setting, its default, and what it means.
#
# A line that begins with "#" and a key shows a default: uncomment it to change it.  An unknown key is an error.
# Any of them may come from the environment instead: TOCSIN_MAIL__RATE=2 stands for [mail] rate = 2.
# Secrets never stand here: `tocsin init` makes the credential file.
"""

EXAMPLES: dict[type[BaseModel], tuple[str, dict[str, Any]]] = {
    FeedSection: (
        "proxy-list",
        {
            "parser": "ip_port",
            "group": "proxy-list",
            "lawful_basis": "published list, licence MIT",
            "claim": "http_proxy",
            "observed": "received",
        },
    ),
    ZoneSection: ("dnsbl.dronebl.org", {}),
    CampaignSection: ("secure-your-server", {}),
    RatesSection: ("google", {"per_minute": 20.0}),
}

# What the example says where a campaign must say something.
REQUIRED: dict[str, Any] = {
    "operation": {"en": "Secure Your Server", "fr": "Sécurisez votre serveur"},
    "agencies": [
        {
            "name": {"en": "Example Agency for Network Safety", "fr": "Agence exemple pour la sécurité des réseaux"},
            "country": "CA",
        }
    ],
    "from_name": {"en": "Example Agency for Network Safety", "fr": "Agence exemple pour la sécurité des réseaux"},
    "from_mailbox": "secure-your-server@agency.example",
    "reply_to": "secure-your-server@agency.example",
    "contact_mailbox": "questions@agency.example",
    "guidance": {"en": "https://agency.example/en/servers", "fr": "https://agency.example/fr/serveurs"},
    "participants": {"en": "https://agency.example/en/participants", "fr": "https://agency.example/fr/participants"},
    "instructions": {"en": "https://agency.example/en/close", "fr": "https://agency.example/fr/fermer"},
    "verification": {"en": "https://agency.example/en/genuine", "fr": "https://agency.example/fr/authentique"},
    "postal": {"en": ["1 Example Street", "Exampleville"], "fr": ["1, rue de l'Exemple", "Exempleville"]},
    "signature": {
        "en": ["A. Example", "Director, Network Safety"],
        "fr": ["A. Exemple", "Direction de la sécurité des réseaux"],
    },
}


def example() -> str:
    """Return the whole text of config.example.toml."""
    return "\n".join([HEAD, *_section(Settings, "", {})]) + "\n"


def _section(model: type[BaseModel], path: str, given: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    tables: list[str] = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel) and not issubclass(inner, TextPair | LinesPair):
            tables += ["", f"[{path}{name}]", *_section(inner, f"{path}{name}.", {})]
        elif get_origin(inner) is dict and issubclass(get_args(inner)[1], BaseModel):
            kind = get_args(inner)[1]
            if kind is NamedRelaySection:
                tables += ["", f"# {field.description}", *_instead(kind, f"{path}{name}")]
                continue
            key, values = EXAMPLES[kind]
            tables += ["", f'[{path}{name}."{key}"]', *_section(kind, "", values)]
        else:
            lines += _line(name, field, given)
    return lines + tables


def _instead(kind: type[NamedRelaySection], path: str) -> list[str]:
    """Return a table as a comment: it stands for another one, and shows the keys that the other one lacks."""
    own = [_line(name, field, {}) for name, field in kind.model_fields.items() if name not in RelaySection.model_fields]
    lines = [line for *comment, shown in own for line in (*comment, shown.removeprefix("# "))]
    head = [f'#  [{path}."east"]', "#  # host, port and the other keys: as in mail.relay"]
    return [*head, *(f"#  {line}" for line in lines)]


def _line(name: str, field: FieldInfo, given: dict[str, Any]) -> list[str]:
    comment = [f"# {field.description}"] if field.description else []
    if name in given:
        return [*comment, f"{name} = {toml(given[name])}"]
    if field.is_required():
        return [*comment, f"{name} = {toml(REQUIRED[name])}"]
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        raise TypeError(f"{name} has no default to show")
    return [*comment, f"# {name} = {toml(value)}"]


def toml(value: Any) -> str:
    """Return a value as TOML text.  Raises TypeError for what the settings do not use."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, time):
        return f'"{value:%H:%M}"'
    if isinstance(value, timedelta):
        return toml(length(value))
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key(k)} = {toml(v)}" for k, v in value.items()) + " }" if value else "{}"
    raise TypeError(f"no TOML for {value!r}")


def key(text: str) -> str:
    """Return a TOML key, quoted only where it must be."""
    return text if text.replace("_", "").isalnum() and text.isascii() else toml(text)


def length(value: timedelta) -> str:
    """Return a length of time in the largest unit that divides it."""
    seconds = round(value.total_seconds())
    unit = next(unit for unit in ("d", "h", "m", "s") if seconds % UNITS[unit] == 0 and (seconds or unit == "s"))
    return f"{seconds // UNITS[unit]}{unit}"
