"""Do a wave's approvals hold?  Pure: the words given, the manifest as it is now, and a way to check signatures.

Asked when an approval is given, and again before letters are claimed: a signature that the allowed-signers file no longer
bears out, a changed manifest or a missing person stops the wave.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


class Word(Protocol):
    """One person's word on a manifest (store/waves.py, Approval)."""

    @property
    def by(self) -> str: ...
    @property
    def accepted(self) -> bool: ...
    @property
    def method(self) -> str: ...
    @property
    def manifest_sha256(self) -> bytes: ...
    @property
    def signature(self) -> str: ...
    @property
    def principal(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """How many valid approvals there are, how many are needed, and the first objection (a code; empty if none)."""

    valid: int
    needed: int
    objection: str = ""

    @property
    def stands(self) -> bool:
        return not self.objection and self.valid >= self.needed


def standing(
    words: Sequence[Word],
    manifest_sha256: bytes,
    *,
    training: bool,
    needed: int,
    makers: Sequence[str],
    verify: Callable[[str, str], bool],
) -> Standing:
    """Judge the words on a wave.  `verify(signature, principal)` says whether a signature over the manifest is good.

    Training mode needs one approval, of anybody; a live campaign `needed` different people, none of whom made or edited
    the wave.  A rejection of this very manifest stops it.  Words on another manifest do not count.
    """
    valid: set[str] = set()
    objection = ""
    for word in words:
        if word.manifest_sha256 != manifest_sha256:
            continue
        if not word.accepted:
            objection = "rejected"
        elif word.method == "ssh" and not verify(word.signature, word.principal):
            objection = objection or "signature"
        elif not training and (word.method == "training" or word.by in makers):
            objection = objection or "not_independent"
        else:
            valid.add(word.by)
    return Standing(len(valid), 1 if training else needed, objection)
