"""A feed's declaration, as it is stored, to what the parsers need: pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pipeline.data.topic import ClaimKind
from pipeline.ingest.shape import FeedShape


def shape_of(
    declaration: Mapping[str, Any],
    kinds: Mapping[str, ClaimKind],
    received_at: datetime,
    modified_at: datetime,
    allow_documentation: bool,
) -> FeedShape:
    """Return what `declaration` says about the lines of a file that came at `received_at` and was written at `modified_at`.

    Raises ConfigurationError if a claim or column of it is unknown.
    """
    observed_at = {"line": None, "file": min(modified_at, received_at), "received": received_at}
    return FeedShape(
        now=received_at,
        claims=declaration.get("claims", {}),
        columns=declaration.get("columns", {}),
        default_claim=declaration.get("claim", ""),
        default_port=declaration.get("port", 0),
        default_observed_at=observed_at[declaration.get("observed", "line")],
        default_confidence=declaration.get("confidence", 50),
        allow_documentation=allow_documentation,
        kinds=kinds,
    )
