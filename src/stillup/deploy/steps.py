"""The steps that an apply is made of, as values with a sentence each (pure).

Each step may be interrupted anywhere and done again: it says what is to be so, not what is
to be flipped.
"""

from dataclasses import dataclass
from typing import TypeAlias

from stillup.heartbeat.changing import Change as ElectorateChange
from stillup.heartbeat.changing import Stage
from stillup.model.farm import Role


@dataclass(frozen=True, slots=True)
class Drain:
    """Send ``web`` no new users, at every balancer of ``at``, and let its open sessions end.

    ``for_good``: it has left the farm file, and nobody gives it users again.
    """

    web: str
    at: tuple[str, ...]
    for_good: bool = False

    def __str__(self) -> str:
        return f"drain {self.web} at {_list(self.at)}{', for good' if self.for_good else ''}"


@dataclass(frozen=True, slots=True)
class Undrain:
    """Send ``web`` users again."""

    web: str
    at: tuple[str, ...]

    def __str__(self) -> str:
        return f"undrain {self.web} at {_list(self.at)}"


@dataclass(frozen=True, slots=True)
class Change:
    """Apply their bundles to ``servers``, all at once; each waits for its own health.

    ``keeps_old``: the site's account in the database has its old password beside the new one,
    for the web servers whose turn comes later.
    """

    servers: tuple[str, ...]
    keeps_old: bool = False

    def __str__(self) -> str:
        kept = ", the site's old account stays valid meanwhile" if self.keeps_old else ""
        return f"change {_list(self.servers)}{kept}"


@dataclass(frozen=True, slots=True)
class FirstRelease:
    """Give ``servers``, which have none, the site's release ``release``."""

    servers: tuple[str, ...]
    release: str

    def __str__(self) -> str:
        return f"release {self.release} to {_list(self.servers)}"


@dataclass(frozen=True, slots=True)
class AwaitUp:
    """Wait until each of ``webs`` is up in the eyes of each balancer of ``at``.

    Not ``must``: nothing served before, so one that does not come up stops nothing.
    """

    webs: tuple[str, ...]
    at: tuple[str, ...]
    must: bool = True

    def __str__(self) -> str:
        return f"wait until {_list(self.webs)} {_are(self.webs)} up at {_list(self.at)}"


@dataclass(frozen=True, slots=True)
class Yield:
    """Hand the virtual IP to a healthy one of ``peers``, if ``balancer`` holds it by then."""

    balancer: str
    peers: tuple[str, ...]

    def __str__(self) -> str:
        return f"hand the virtual IP over, if {self.balancer} holds it, to {_list(self.peers)}"


@dataclass(frozen=True, slots=True)
class Resume:
    """Let ``balancer`` stand for the virtual IP again, and wait until it is fit to."""

    balancer: str

    def __str__(self) -> str:
        return f"{self.balancer} stands for the virtual IP again"


@dataclass(frozen=True, slots=True)
class AwaitVote:
    """Wait until the heartbeat of ``servers`` runs and votes again."""

    servers: tuple[str, ...]

    def __str__(self) -> str:
        verb = "votes" if len(self.servers) == 1 else "vote"
        return f"wait until {_list(self.servers)} {verb}"


@dataclass(frozen=True, slots=True)
class AwaitHolder:
    """Wait until one of ``balancers`` holds the virtual IP."""

    balancers: tuple[str, ...]

    def __str__(self) -> str:
        return f"wait until {_list(self.balancers, 'or')} holds the virtual IP"


@dataclass(frozen=True, slots=True)
class AwaitWhole:
    """Wait until each of ``servers`` has a whole and current copy of what ``role`` keeps.

    Not ``must``: another server of that role is left out, so that it cannot come to be whole.
    """

    role: Role
    servers: tuple[str, ...]
    must: bool = True

    def __str__(self) -> str:
        verb = "has" if len(self.servers) == 1 else "have"
        return f"wait until {_list(self.servers)} {verb} the {WHOLE[self.role]}"


WHOLE = {Role.STORAGE: "shared files whole", Role.DATABASE: "database whole"}


@dataclass(frozen=True, slots=True)
class Found:
    """Let ``server`` found the group of database servers, with what it has."""

    server: str

    def __str__(self) -> str:
        return f"{self.server} may found the group of database servers, with what it has"


@dataclass(frozen=True, slots=True)
class TakeLead:
    """Have the web servers write to ``server``: the one that they write to leaves, or restarts."""

    server: str

    def __str__(self) -> str:
        return f"the web servers write to {self.server} from now on"


@dataclass(frozen=True, slots=True)
class Elect:
    """Bring ``server`` to a stage of a change of who votes (``heartbeat/changing.py``)."""

    server: str
    change: ElectorateChange

    def __str__(self) -> str:
        words = {
            Stage.BEFORE: "goes on voting by the list of before",
            Stage.JOINT: "votes by the lists of before and after together",
            Stage.SETTLED: "no longer hears who votes by the list of before alone",
            Stage.AFTER: "votes by the list of after",
        }
        return f"{self.server} {words[self.change.stage]}"


@dataclass(frozen=True, slots=True)
class OutwaitGrants:
    """Wait until whatever was granted by the old list alone has run out."""

    seconds: float

    def __str__(self) -> str:
        return f"wait {self.seconds:g} s, until what was granted by the list of before has run out"


@dataclass(frozen=True, slots=True)
class Forget:
    """The change of who votes is over at ``servers``."""

    servers: tuple[str, ...]

    def __str__(self) -> str:
        return f"{_list(self.servers)} forget the list of before"


Step: TypeAlias = (
    Drain
    | Undrain
    | Change
    | FirstRelease
    | AwaitUp
    | Yield
    | Resume
    | AwaitVote
    | AwaitHolder
    | AwaitWhole
    | Found
    | TakeLead
    | Elect
    | OutwaitGrants
    | Forget
)


def _are(names: tuple[str, ...]) -> str:
    return "is" if len(names) == 1 else "are"


def _list(names: tuple[str, ...], word: str = "and") -> str:
    *most, last = names
    return f"{', '.join(most)} {word} {last}" if most else last
