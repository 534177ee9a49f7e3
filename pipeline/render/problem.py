"""What is wrong with a letter: one thing to mend, in one source.  A pure value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend: in which source, a code (docs/reference/letters.md), and what it is."""

    source: str
    code: str
    detail: str

    def __str__(self) -> str:
        """One line: source, code, detail."""
        return f"{self.source}: {self.code}: {self.detail}"
