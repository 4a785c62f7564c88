"""How much of what is asked, and of whom (pure); the first line that the program is told.

The token is a secret while the drill runs: it travels here, never in a process's arguments.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType

from stillup.drill.history import Kind


@dataclass(frozen=True, slots=True)
class Load:
    """How much there is of one kind of request."""

    per_s: float
    """How many are due a second; 0 for none of this kind. Downloads: any other number for one
    after another."""
    timeout_s: float
    """So long after it was due it is given up. Downloads: after so long without a byte."""
    at_once: int
    """How many may be under way; what is due beyond that waits, and its time counts on."""
    connections: int = 0
    """How many connections are used in turn; 0 for one of its own for each request. When none of
    them is free another one is opened, up to ``at_once``, and used with the others then."""


LOADS: Mapping[Kind, Load] = MappingProxyType(
    {
        Kind.NEW: Load(200.0, 5.0, 4000),
        Kind.KEPT: Load(200.0, 5.0, 4000, connections=100),
        Kind.SESSION: Load(20.0, 15.0, 1, connections=1),
        Kind.ROW: Load(100.0, 15.0, 24, connections=24),
        Kind.FILE: Load(10.0, 15.0, 12, connections=4),
        Kind.DOWNLOAD: Load(1.0, 5.0, 1),
    }
)
"""530 requests a second and a download. Rows and files together stay within what one address may
send at once to a farm of two web servers (64, see docs/decisions/0707), and are enough that those which
hang on one of them leave places for the others. They wait longer than any bound on an outage: what
waits through it is answered after it, and then it is known."""


def path(token: str) -> str:
    """Return where a drill's pages are, below the site's address."""
    return f"/stillup-drill-{token}/"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the program is told."""

    address: str
    """The virtual IP."""
    host: str
    """The site's name, as the request names it."""
    token: str
    """Of the drill's pages; see ``path``."""
    port: int = 80
    tls: bool = False
    first: int = 1
    """The first number of each kind."""
    visitors: int = 8
    """How many sessions; each shares ``SESSION``'s pace, and may have ``at_once`` pages under way."""
    download_bytes_per_s: int = 500_000
    """How fast the download is read."""
    loads: Mapping[Kind, Load] = field(default_factory=lambda: LOADS)

    @property
    def path(self) -> str:
        """Where the drill's pages are."""
        return path(self.token)

    def load(self, kind: Kind) -> Load:
        """Return how much there is of a kind; nothing of those that ``loads`` does not have."""
        return self.loads.get(kind, Load(0.0, 5.0, 1))


def line(settings: Settings) -> str:
    """Return the settings as one line of JSON."""
    loads = {kind: asdict(load) for kind, load in settings.loads.items()}
    others = {name: getattr(settings, name) for name in Settings.__slots__ if name != "loads"}
    return json.dumps({**others, "loads": loads}) + "\n"


def parsed(text: str) -> Settings:
    """Return the settings that ``line`` wrote.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: If it is no such line.
    """
    told = json.loads(text)
    loads = {Kind(kind): Load(**load) for kind, load in told.pop("loads").items()}
    return Settings(**told, loads=loads)
