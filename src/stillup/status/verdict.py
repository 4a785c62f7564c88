"""What the judge says: the verdict, why, what is redundant, and each problem's way out."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from stillup.model.farm import Role


class Level(StrEnum):
    """How the farm stands for its users."""

    SERVING = "serving"
    AT_RISK = "at risk"
    DOWN = "down"


class Severity(StrEnum):
    """What a problem does to the farm."""

    DOWN = "down"
    """Users are not served."""
    RISK = "risk"
    """Users are served, and something that should stand behind them does not."""
    NOTE = "note"
    """Worth knowing; it changes no verdict."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be."""

    code: str
    """Stable, for programs: ``server-unreachable``, ``votes-short`` ..."""
    severity: Severity
    text: str
    """One sentence."""
    way_out: str
    """What to do about it: one sentence, with the command where there is one."""
    server: str | None = None


@dataclass(frozen=True, slots=True)
class VipStanding:
    """A virtual IP and who answers for it."""

    address: str
    holder: str | None
    since_s: float | None
    """For how long the holder has held it, in seconds."""
    claims: tuple[str, ...]
    """Every server that says it holds the address; more than one should never be."""


@dataclass(frozen=True, slots=True)
class ServerStanding:
    """One server in one line."""

    name: str
    address: str
    roles: tuple[Role, ...]
    reachable: bool
    severity: Severity | None
    """The worst that was found here; None when all is well."""
    state: str
    """A few words: ``holds 10.0.0.1``, ``up at lb1 and lb2``, ``drained``, ``no answer``."""
    seen_as: Mapping[str, str]
    """A web server's status by balancer; empty for the others."""


@dataclass(frozen=True, slots=True)
class Redundancy:
    """How many of one kind work, and how many of them may still die."""

    what: str
    """``balancers``, ``web servers``, ``votes``, ``databases`` or ``storage servers``."""
    working: int
    total: int
    needed: int
    """So many must work for the farm to serve."""
    missing_votes: int = 0
    """So many fewer may die, as votes are missing that others have to make up for, or copies are
    still to heal."""

    @property
    def may_fail(self) -> int:
        """How many may die right now, and the farm still serves."""
        return max(0, self.working - self.needed - self.missing_votes)

    @property
    def by_design(self) -> int:
        """How many may die when all are well."""
        return self.total - self.needed


@dataclass(frozen=True, slots=True)
class Verdict:
    """The whole judgement of one look."""

    level: Level
    why: str
    vips: tuple[VipStanding, ...]
    servers: tuple[ServerStanding, ...]
    redundancy: tuple[Redundancy, ...]
    problems: tuple[Finding, ...]
    """The worst first; within one severity causes before symptoms."""
