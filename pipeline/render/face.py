"""A campaign's stored settings become the face that its letters show.  Pure."""

from collections.abc import Mapping
from typing import Any

from pipeline.render.values import Agency, CampaignFace


def face_of(settings: Mapping[str, Any]) -> CampaignFace:
    """Return the face.  Raises ConfigurationError if a value cannot stand in a letter, KeyError if one is missing."""
    return CampaignFace(
        operation=settings["operation"],
        agencies=_agencies(settings["agencies"]),
        cosigners=_agencies(settings["cosigners"]),
        from_name=settings["from_name"],
        from_mailbox=settings["from_mailbox"],
        reply_to=settings["reply_to"],
        contact_mailbox=settings["contact_mailbox"],
        guidance=settings["guidance"],
        participants=settings["participants"],
        instructions=settings["instructions"],
        verification=settings["verification"],
        privacy=settings["privacy"],
        postal=_lines(settings["postal"]),
        signature=_lines(settings["signature"]),
    )


def _agencies(found: list[Mapping[str, Any]]) -> tuple[Agency, ...]:
    return tuple(Agency(agency["name"], agency["country"], _lines(agency.get("signature") or {})) for agency in found)


def _lines(found: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {language: tuple(lines) for language, lines in found.items()}
