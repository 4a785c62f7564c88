"""What a database keeper knows at one moment, of its own server and of the others: values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Phase(StrEnum):
    """How MariaDB stands on one server."""

    UNREAD = "unread"
    """It does not run; its data were not looked at since."""
    STOPPED = "stopped"
    """It does not run; its data stand at a known position of a cluster."""
    EMPTY = "empty"
    """It does not run and there is nothing to lose: no data, or a copy that was never finished."""
    PLAIN = "plain"
    """It does not run; there are databases that never belonged to a cluster."""
    BROKEN = "broken"
    """It does not run; nobody can say up to which commit its data go, or a member's are gone."""
    STARTING = "starting"
    """It runs and does not answer yet: it looks for its group, or receives a copy."""
    JOINING = "joining"
    """In the primary component, and not yet up to date."""
    MEMBER = "member"
    """In the primary component and up to date, may be giving a copy to another."""
    CUT_OFF = "cut off"
    """It runs and is not in a primary component."""
    HUNG = "hung"
    """It runs and does not answer any more."""
    STOPPING = "stopping"
    """It runs and is about to end."""


AT_REST = frozenset({Phase.STOPPED, Phase.EMPTY, Phase.PLAIN, Phase.BROKEN})
"""MariaDB does not run, and its data have been looked at: nothing can change by itself."""
PRIMARY = frozenset({Phase.MEMBER, Phase.JOINING})
"""There is a primary component."""


@dataclass(frozen=True, slots=True)
class Position:
    """A point in a cluster's history.

    Args:
        cluster: The UUID of the history.
        seqno: How many commits of it; ``-1`` before the first.
    """

    cluster: str
    seqno: int


@dataclass(frozen=True, slots=True)
class Report:
    """What a keeper says about its own server.

    Args:
        phase: How MariaDB stands.
        position: Up to where its data go. For ``STARTING``: before it was started.
        founding: It has declared that it is about to found the primary component anew. It stays
            declared, also over a death of the keeper, until MariaDB is a member.
        birth: The mark of the first birth lies here.
        forced: A person has decided that this server's data become the farm's.
        ancestors: The points at which earlier histories were ended by a person, as this server
            knows them.
    """

    phase: Phase
    position: Position | None = None
    founding: bool = False
    birth: bool = False
    forced: bool = False
    ancestors: tuple[Position, ...] = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """What another keeper said a moment ago.

    Args:
        report: Its words.
        since_declared: Whether it was asked after this server had declared that it founds, and was
            told so. Who answers such a question at rest has forgotten Galera's saved view before.
    """

    report: Report
    since_declared: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything ``next_step`` decides from.

    Args:
        name: This server.
        me: How it stands, looked at just now.
        peers: Each other database server; None if its keeper does not answer.
        remembers_view: Whether Galera wrote down here with whom it was last (``gvwstate.dat``), and it
            was seen since that every commit from before is on this disk: what a member received
            from one that left may be gone with it when it dies at once.
        quiet_s: How long every keeper has answered and none of them was in a primary component; 0
            while one is, or while one is silent.
        phase_s: How long this server has been in its phase.
        member: Of which cluster the data here that cannot be read were a copy, empty if that is not known;
            None if there are none.
    """

    name: str
    me: Report
    peers: Mapping[str, Heard | None] = field(default_factory=dict)
    remembers_view: bool = False
    quiet_s: float = 0.0
    phase_s: float = 0.0
    member: str | None = None

    @property
    def heard(self) -> dict[str, Report]:
        """The reports of the others that answer."""
        return {name: said.report for name, said in self.peers.items() if said is not None}

    @property
    def silent(self) -> list[str]:
        """The others that do not answer, by name."""
        return sorted(name for name, said in self.peers.items() if said is None)

    @property
    def all(self) -> dict[str, Report]:
        """The reports of the others that answer, and of this server."""
        return {**self.heard, self.name: self.me}
