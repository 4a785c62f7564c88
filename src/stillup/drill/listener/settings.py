"""What the listener is told, and the lines that it writes (pure)."""

import json
from dataclasses import asdict, dataclass

from stillup.drill.history import Heard


@dataclass(frozen=True, slots=True)
class Settings:
    """Whom to listen for; ``origin_s`` is second 0 on the monotonic clock of this machine."""

    addresses: tuple[str, ...]
    origin_s: float
    every_s: float = 0.02


@dataclass(frozen=True, slots=True)
class Listens:
    """The first line: it does, or why nobody can (``why``, else "")."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class Deaf:
    """From when to when it did not ask, or lost what it heard."""

    from_s: float
    to_s: float


def line(told: Settings | Listens | Deaf) -> str:
    """Return it as a line of JSON."""
    return json.dumps(asdict(told)) + "\n"


def heard_line(heard: Heard) -> str:
    """Return an answer as a line of JSON."""
    return json.dumps([round(heard.at_s, 6), heard.address, heard.hardware]) + "\n"


def settings(text: str) -> Settings:
    """Return the settings that ``line`` wrote."""
    told = json.loads(text)
    return Settings(tuple(told["addresses"]), told["origin_s"], told["every_s"])


def parsed(text: str) -> Listens | Deaf | Heard:
    """Return what a line of the listener's says."""
    told = json.loads(text)
    if isinstance(told, list):
        return Heard(*told)
    return Listens(told["why"]) if "why" in told else Deaf(told["from_s"], told["to_s"])
