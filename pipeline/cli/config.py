"""`tocsin config`: check the settings, show them as they are in force, describe them.  Secrets are never printed."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import click
from pydantic import BaseModel, TypeAdapter

from pipeline import config_text
from pipeline.cli import context, dkim, edges, show, words
from pipeline.cli.command import Group, given, option
from pipeline.config import Loaded, Settings, TextPair
from pipeline.data.topic import claim_kinds, topics
from pipeline.data.zone import zones
from pipeline.domain import ConfigurationError
from pipeline.ingest.parsers import PARSERS

SECRETS = ("master_key", "mail_password", "dkim_rsa_key", "dkim_ed25519_key", "pgp_key", "pgp_passphrase")
LENGTH = r"^[0-9]+(\.[0-9]+)?[smhd]$"


@click.group(cls=Group)
def config() -> None:
    """The settings: check them, show them, describe them."""


@config.command(examples=("tocsin config check", "tocsin --config /etc/tocsin/config.toml config check"))
def check() -> None:
    """Check the settings and the credential file, and that all names in them are known."""
    loaded = context.settings()
    signers = dkim.keys(loaded)
    if signers is not None:
        dkim.require_aligned(loaded, signers.domain)
    edges.pgp_signer(loaded)
    found = unknown_names(loaded)
    if found:
        raise ConfigurationError(
            f"{given().config} names what is not known", "; ".join(found), "Correct it, then run: tocsin config check"
        )
    show.emit(
        {"file": given().config.absolute(), "ok": True},
        lambda: [words.text("{file} can be used", file=given().config)],
    )


def unknown_names(loaded: Loaded) -> list[str]:
    """Return a sentence for each parser, claim, topic and zone in the settings that nothing here knows."""
    known = topics(further=tuple(loaded.path(name) for name in loaded.settings.topics))
    claims = claim_kinds(known)
    found = []
    for name, feed in loaded.settings.feeds.items():
        if feed.parser not in PARSERS:
            found.append(f"feeds.{name}.parser: {feed.parser} is not one of {', '.join(PARSERS)}")
        for claim in filter(None, (feed.claim, *feed.claims.values())):
            if claim not in claims:
                found.append(f"feeds.{name}: {claim} is not one of {', '.join(claims)}")
    for name, campaign in loaded.settings.campaigns.items():
        for topic in campaign.topics:
            if topic not in known:
                found.append(f"campaigns.{name}.topics: {topic} is not one of {', '.join(known)}")
    documented = {*zones(), *(zone for file in loaded.settings.zone_files for zone in zones(loaded.path(file)))}
    return found + [f"zones.{name}: no such zone is known" for name in loaded.settings.zones if name not in documented]


@config.command("show", examples=("tocsin config show", "tocsin config show --example > config.toml"))
@option("--example", is_flag=True, help="Every setting with its default and its meaning, instead of yours.")
def show_(example: bool) -> None:
    """Show the settings in force, whether they come from the file, the environment or the defaults."""
    if example:
        show.emit({"example": config_text.example()}, lambda: config_text.example().splitlines())
        return
    loaded = context.settings()
    database = loaded.settings.database
    database = database.model_copy(update={"url": show.masked(database.url)})
    shown = loaded.settings.model_copy(update={"database": database})
    secrets = present_secrets(loaded)
    show.emit(
        {"settings": plain(shown.model_dump()), "secrets": secrets},
        lambda: [*toml_lines(shown), *secret_lines(secrets)],
    )


def present_secrets(loaded: Loaded) -> dict[str, Any]:
    """Return which secrets are set, and none of their values."""
    return {
        **{name: bool(getattr(loaded.secrets, name).get_secret_value()) for name in SECRETS},
        "mail_passwords": sorted(
            name for name, word in loaded.secrets.mail_passwords.items() if word.get_secret_value()
        ),
        "zones": sorted(loaded.secrets.zones),
    }


def secret_lines(secrets: Mapping[str, Any]) -> list[str]:
    said = {True: words.text("is set"), False: words.text("is not set")}
    lines = [f"# {name}: {said[secrets[name]]}" for name in SECRETS]
    named = [f"# {table}.{name}: {said[True]}" for table in ("mail_passwords", "zones") for name in secrets[table]]
    return ["", *lines, *named]


def plain(value: Any) -> Any:
    """Return settings with lengths of time as they are written in config.toml."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    return config_text.length(value) if isinstance(value, timedelta) else value


def toml_lines(section: BaseModel, path: str = "") -> Iterator[str]:
    """Yield settings as TOML, the plain values of a table before the tables inside it."""
    tables: list[tuple[str, BaseModel]] = []
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, dict) and any(isinstance(inner, BaseModel) for inner in value.values()):
            tables += [(f"{name}.{quoted(key)}", inner) for key, inner in value.items()]
        elif isinstance(value, BaseModel) and not isinstance(value, TextPair):
            tables.append((name, value))
        else:
            yield f"{name} = {config_text.toml(undressed(value))}"
    for name, inner in tables:
        yield ""
        yield f"[{path}{name}]"
        yield from toml_lines(inner, f"{path}{name}.")


def undressed(value: Any) -> Any:
    """Return a value that stands on one line with its models as tables."""
    if isinstance(value, list):
        return [undressed(item) for item in value]
    return value.model_dump(exclude_none=True) if isinstance(value, BaseModel) else value


def quoted(key: str) -> str:
    return key if key.replace("_", "").isalnum() and key.isascii() else config_text.toml(key)


@config.command()
def schema() -> None:
    """Print the JSON Schema of config.toml."""
    made = written_lengths(Settings.model_json_schema())
    show.emit(made, lambda: show.to_json(made).splitlines())


def written_lengths(node: Any) -> Any:
    """Return a JSON Schema in which a length of time is text as in config.toml ("30s"), not ISO 8601 ("PT30S").

    The defaults of a whole section go: each of its settings has its own.
    """
    if isinstance(node, list):
        return [written_lengths(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    if node.get("format") == "duration":
        default = TypeAdapter(timedelta).validate_python(node["default"])
        return {**node, "default": config_text.length(default), "format": "tocsin-length", "pattern": LENGTH}
    return {key: written_lengths(value) for key, value in node.items() if not (key == "default" and "$ref" in node)}
