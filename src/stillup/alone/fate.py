"""What becomes of each line of somebody else's configuration: values."""

from dataclasses import dataclass
from enum import StrEnum

from stillup.model.problems import printable


class Kind(StrEnum):
    """What becomes of a line."""

    HONOURED = "honoured"
    TRANSLATED = "translated"
    NOT_NEEDED = "not needed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one line.

    Args:
        file: The file's name.
        line: Counted from 1; 0 for what is missing in the file.
        what: The line, or the word of it that is meant, without secrets.
        kind: What becomes of it.
        text: Why, and what to write instead if it is refused.
    """

    file: str
    line: int
    what: str
    kind: Kind
    text: str

    def __str__(self) -> str:
        """Return the line that people read."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {printable(self.what)}: {self.kind}: {self.text}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a line, before it is known which line it is."""

    kind: Kind
    text: str


def honoured(text: str) -> Verdict:
    """It does here what it did there."""
    return Verdict(Kind.HONOURED, text)


def translated(text: str) -> Verdict:
    """It is done in another way."""
    return Verdict(Kind.TRANSLATED, text)


def not_needed(text: str) -> Verdict:
    """What it was for is not there any more, or is so anyway."""
    return Verdict(Kind.NOT_NEEDED, text)


def refused(text: str) -> Verdict:
    """With it the daemon does not start; the text says what to write instead."""
    return Verdict(Kind.REFUSED, text)
