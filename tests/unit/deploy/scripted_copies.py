"""The copies of a scripted farm: who has one, who is behind, who is written to.

A copy is behind after its server was changed, until it was looked at twice. That a server with a
copy is changed while another one is behind is a violation: users would be left with less than one.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stillup.deploy.copies import KEPT
from stillup.errors import ServerFailed
from stillup.model.farm import Farm, Role
from stillup.node.message import Json, JsonObject

if TYPE_CHECKING:
    from tests.unit.deploy.scripted import ScriptedFarm

LOOKS = 2


@dataclass
class Copies:
    """All copies of what one role keeps, while several servers keep one."""

    role: Role
    peers: dict[str, frozenset[str]] = field(default_factory=dict)
    """Each server with a copy, and with whom by the settings that it has."""
    behind: dict[str, int] = field(default_factory=dict)
    leads: str | None = None
    founder: str | None = None
    """Who may found the group, or did; nobody else can join before."""

    def copy(self) -> "Copies":
        return Copies(self.role, dict(self.peers), dict(self.behind), self.leads, self.founder)

    def changed(self, farm: "ScriptedFarm", name: str) -> None:
        """Take note that a server was changed, by the farm file of now."""
        wanted = {one.name for one in farm.model.having(self.role)}
        well = name not in self.behind
        behind = [other for other in self.behind if other != name and farm.alive(other)]
        if name in self.peers and well and behind:
            farm.violations.append(f"{name} was changed while {', '.join(behind)} was behind")
        left = self.peers.pop(name, None) is not None
        self.behind.pop(name, None)
        if left and not self.peers and len(wanted) < 2:
            self.founder = None
        if self.role is Role.DATABASE and len(wanted) > 1 and self.founder is None:
            farm.violations.append(f"{name} is one of several, and nobody may found the group")
        if name in wanted and len(wanted) > 1:
            self.peers[name] = frozenset(wanted - {name})
            self.behind[name] = LOOKS
        if self.leads in {None, name}:
            fit = [other for other in self.peers if other not in self.behind and farm.alive(other)]
            self.leads = next(iter(fit), next(iter(self.peers), None))
        if self.leads is None or self.leads in self.peers:
            return
        farm.violations.append(f"{self.leads} was written to when {name} forgot it")

    def told(self, name: str) -> Json:
        if name not in self.peers:
            return None
        left = self.behind.get(name, 0)
        if left > 1:
            self.behind[name] = left - 1
        else:
            self.behind.pop(name, None)
        return {
            "well": left == 0,
            "why": "joining" if left else "",
            "peers": list[Json](sorted(self.peers[name])),
            "leads": self.role is Role.DATABASE and self.leads == name,
        }

    def found(self, farm: "ScriptedFarm", name: str) -> None:
        alone = [one.name for one in farm.databases() if one.has_plain_database()]
        if self.founder not in {None, name} or self.peers:
            farm.violations.append(f"{name} may found a group beside that of {self.founder}")
        if alone not in ([], [name]):
            farm.violations.append(f"{name} may found the group, and {alone} has the data")
        self.founder = name

    def take(self, name: str) -> None:
        if name in self.behind or name not in self.peers:
            raise ServerFailed(f"{name}: it does not become the writer: it is behind")
        self.leads = name


def none() -> dict[Role, Copies]:
    return {role: Copies(role) for role in KEPT}


def told(copies: dict[Role, Copies], name: str) -> JsonObject:
    seen = {str(role): one.told(name) for role, one in copies.items()}
    return {role: copy for role, copy in seen.items() if copy is not None}


def grouped(farm: Farm) -> bool:
    return len(farm.having(Role.DATABASE)) > 1
