"""What config.toml says of a campaign, as it would be stored with it.  Reads the settings; writes nothing."""

from typing import Any

from pipeline.cli import words
from pipeline.cli.context import Ground
from pipeline.data.topic import topics
from pipeline.domain import ConfigurationError, NotFound


def declared(ground: Ground, name: str) -> tuple[dict[str, Any], list[str], int]:
    """Return (settings, topics, minimum level) of a campaign in config.toml.  Raises NotFound, ConfigurationError."""
    found = ground.loaded.settings.campaigns.get(name)
    if found is None:
        known = ", ".join(ground.loaded.settings.campaigns) or words.text("none")
        raise NotFound(
            f"config.toml has no campaign {name}", f"declared are: {known}", f"Add [campaigns.{name}] to config.toml."
        )
    further = tuple(ground.loaded.path(file) for file in ground.loaded.settings.topics)
    unknown = [topic for topic in found.topics if topic not in topics(further=further)]
    if unknown:
        raise ConfigurationError(
            f"The campaign {name} names a topic that does not exist", unknown[0], "Run: tocsin config check"
        )
    return found.model_dump(mode="json", exclude={"topics", "minimum_level"}), found.topics, found.minimum_level
