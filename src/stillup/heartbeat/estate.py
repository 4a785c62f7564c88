"""What a daemon hands to its successor besides the nodes' memory, as values (pure)."""

from dataclasses import dataclass

from stillup.errors import StillupError
from stillup.heartbeat import snapshot
from stillup.heartbeat.core import Node
from stillup.heartbeat.health import Judge
from stillup.heartbeat.node_settings import Settings
from stillup.heartbeat.report import History
from stillup.heartbeat.seal import SealMemory
from stillup.heartbeat.settings import DaemonSettings, Vip
from stillup.heartbeat.settings_reader import Json
from stillup.heartbeat.snapshot import NotUnderstood


class RestartNeeded(StillupError):
    """The new settings ask for what only a new start can do."""

    code = "restart-needed"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a server is for as long as its daemon lives: its sockets and rights depend on it."""

    name: str
    address: str
    interface: str
    port: int
    is_candidate: bool


@dataclass(frozen=True, slots=True)
class HandingMemory:
    """What is known of one virtual IP's hand-overs; all times on the daemon's clock.

    Args:
        drain_until_s: Until when open connections may live on here; None if none do.
        passing_until_s: Until when what is none of theirs is passed on.
        open: How many there were when they were last counted.
        forwards: To whom what belongs to nothing here is passed on.
    """

    drain_until_s: float | None = None
    passing_until_s: float = 0.0
    open: int = 0
    forwards: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HoldingMemory:
    """What is known of a virtual IP in this server's kernel.

    Args:
        since_s: Since when it is held; None if it is not.
        restored: How often its address was put back.
    """

    since_s: float | None
    restored: int
    handing: HandingMemory


@dataclass(frozen=True, slots=True)
class SeatMemory:
    """One virtual IP, without its node; ``settings`` are those its node goes by."""

    vip: Vip
    settings: Settings
    history: History
    holding: HoldingMemory | None


@dataclass(frozen=True, slots=True)
class Estate:
    """A daemon's memory, without its nodes.

    Args:
        identity: Who it is.
        seal: The words and sequences.
        heard: When each other server was last heard.
        fit: What the nodes were last told of this server's health; None if nothing.
        judge: What is known of the watched service; None if none is watched.
        seats: By the virtual IP.
    """

    identity: Identity
    seal: SealMemory
    heard: dict[str, float]
    fit: tuple[bool, str] | None
    judge: Judge | None
    seats: dict[str, SeatMemory]


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a successor was told: the estate, and the pictures of the nodes by virtual IP."""

    estate: Estate
    nodes: dict[str, Json]

    def seats(self) -> dict[str, tuple[SeatMemory, Json]]:
        """Return what is known of each virtual IP."""
        return {at: (memory, self.nodes[at]) for at, memory in self.estate.seats.items()}


def identity(settings: DaemonSettings) -> Identity:
    """Return what these settings say that a server is."""
    return Identity(
        settings.name,
        settings.address,
        settings.interface,
        settings.port,
        settings.is_candidate,
    )


def told(estate: Estate, nodes: dict[str, Node]) -> dict[str, Json]:
    """Return it all as JSON."""
    return {
        "format": snapshot.FORMAT,
        "estate": snapshot.picture(estate),
        "nodes": {address: snapshot.picture(node) for address, node in nodes.items()},
    }


def inherited(said: dict[str, Json], settings: DaemonSettings) -> Inherited:
    """Return what was told.

    Raises:
        NotUnderstood: If it is of another format.
        RestartNeeded: If the new settings make another server of this one.
    """
    if said.get("format") not in snapshot.UNDERSTOOD:
        raise NotUnderstood(
            f"the running daemon's memory has format {said.get('format')}, this version's is "
            f"{snapshot.FORMAT}: restart it"
        )
    estate, nodes = snapshot.value(said["estate"]), said["nodes"]
    if not isinstance(estate, Estate) or not isinstance(nodes, dict):
        raise NotUnderstood("the running daemon's memory is of another kind: restart it")
    now = identity(settings)
    for field in ("name", "address", "interface", "port", "is_candidate"):
        if getattr(now, field) != getattr(estate.identity, field):
            raise RestartNeeded(f"{field} is another than the running daemon's: restart it")
    return Inherited(estate, nodes)
