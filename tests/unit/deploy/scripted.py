"""A whole farm as a script: what its servers, HAProxies and heartbeats would do with requests.

It keeps a list of ``violations``: moments at which a real farm's users would have felt what was
asked for. A test demands that there are none, whatever was interrupted.
"""

from dataclasses import dataclass, field

from tests.unit.deploy.bundles import accounts_of
from tests.unit.deploy.scripted_copies import Copies, grouped, none
from tests.unit.deploy.scripted_server import ScriptedServer
from tests.unit.deploy.votes import possible

from stillup.heartbeat.membership import Configuration
from stillup.model.farm import Farm, Role
from stillup.node.message import Json, JsonObject
from stillup.servers.memory import MemoryAccess


@dataclass
class ScriptedFarm:
    """All servers, and who holds the virtual IP."""

    model: Farm
    holder: str | None = None
    violations: list[str] = field(default_factory=list)
    open: dict[str, int] = field(default_factory=dict)
    """How many connections live on at a balancer that has handed the address over."""
    copies: dict[Role, Copies] = field(default_factory=none)
    """What several servers keep."""
    servers: dict[str, ScriptedServer] = field(default_factory=dict)
    access: MemoryAccess = field(default_factory=lambda: MemoryAccess({}))

    def __post_init__(self) -> None:
        self.servers = {one.name: ScriptedServer(one, self) for one in self.model.servers}
        self.renew()

    def copy(self) -> "ScriptedFarm":
        """Return a farm that stands the same, with nobody asking it anything."""
        other = ScriptedFarm(self.model, self.holder)
        other.copies = {role: copies.copy() for role, copies in self.copies.items()}
        for name, one in self.servers.items():
            other.servers.setdefault(name, ScriptedServer(one.server, other))
            # What was applied is never written to, so both may have it.
            other.servers[name].applied = one.applied
            other.servers[name].applies = one.applies
            other.servers[name].accounts = one.accounts
            other.servers[name].change = one.change
            other.servers[name].drained = dict(one.drained)
            other.servers[name].release = one.release
            other.servers[name].previous = one.previous
            other.servers[name].releases = list(one.releases)
        return other

    def renew(self) -> MemoryAccess:
        """Make a new access, as a new process of the controller; the dead are on again."""
        self.access = MemoryAccess(self.servers)
        return self.access

    def alive(self, name: str) -> bool:
        return name not in self.access.dead

    def webs(self) -> list[str]:
        return [server.name for server in self.model.having(Role.WEB)]

    def database_is_there(self) -> bool:
        there = [self.alive(one.name) and one.applied is not None for one in self.databases()]
        return any(there) if grouped(self.model) else all(there)

    def databases(self) -> list[ScriptedServer]:
        return [self.servers[one.name] for one in self.model.having(Role.DATABASE)]

    def lets_in(self, account: str) -> bool:
        """Tell whether the database knows the account that a web server's pages use."""
        told = [one for one in self.databases() if one.applied or not grouped(self.model)]
        return all(account in one.accounts for one in told)

    def watch_accounts(self) -> None:
        """A page that the database does not let in is an error for a user."""
        for name in self.webs():
            web = self.servers[name]
            if web.applied and self.database_is_there():
                account, _ = accounts_of(web.applied)
                if not self.lets_in(account):
                    self.violations.append(f"{name} is not let into the database as {account}")

    def voting(self) -> tuple[tuple[str, Configuration], ...]:
        """Return by what each server votes, of those whose heartbeat runs."""
        return tuple(
            (name, settings.configuration)
            for name, one in sorted(self.servers.items())
            if self.alive(name) and (settings := one.voting()) is not None
        )

    def watch_votes(self) -> None:
        """Two balancers that could both have enough votes are two holders, sooner or later.

        And the holder must go on having enough while who votes is being changed.
        """
        told = self.voting()
        both, able = possible(told)
        self.violations += [f"{one} and {other} could both hold" for one, other in both]
        if self.holder in dict(told) and self.holder not in able:
            self.violations.append(f"{self.holder} holds and has not enough votes any more")

    def become(self, model: Farm) -> None:
        """Give the servers the roles of another farm file; who is not in it stays as it is."""
        self.model = model
        for server in model.servers:
            self.servers[server.name].server = server

    def elect(self, to: Json = None) -> None:
        """Let the address move where heartbeats would."""
        able = possible(self.voting())[1]
        holder = self.servers.get(self.holder or "")
        if holder and holder.may_hold() and holder.name in able and not holder.yielded:
            return
        fit = [one for one in self.servers.values() if one.may_hold() and one.name in able]
        willing = [one for one in fit if not one.yielded] or fit
        willing.sort(key=lambda one: one.name != to)
        self.holder = willing[0].name if willing else None

    def watch_web(self, web: ScriptedServer) -> None:
        """A serving web server is being changed: users must be elsewhere, if they can be."""
        # One that is leaving the farm has no users unless it holds the address.
        named = {one.name for one in self.model.having(Role.BALANCER)}
        balancers = [
            one
            for one in self.servers.values()
            if one.may_hold() and (one.name in named or one.name == self.holder)
        ]
        for balancer in balancers:
            others = [
                self.servers[name]
                for name in balancer.known_webs()
                if name != web.name and self.servers[name].serves()
            ]
            if web.in_use_at(balancer) and any(
                balancer.drained.get(one.name) != "user" for one in others
            ):
                self.violations.append(f"{web.name} was changed while {balancer.name} used it")
            nobody = not any(one.in_use_at(balancer) for one in others)
            if nobody and balancer.drained.get(web.name) == "apply":
                self.violations.append(f"{balancer.name} had nobody left but {web.name}")

    def end(self) -> JsonObject:
        """Return all that a test compares at the end."""
        return {
            name: {
                "applied": one.applied,
                "drained": dict(one.drained),
                "release": one.release,
                "aim": one.aim,
                "accounts": [*sorted(one.accounts)],
                "yielded": one.yielded,
                "locked": one.locked_by is not None,
            }
            for name, one in self.servers.items()
        }
