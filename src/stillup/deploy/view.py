"""The farm as an apply finds it: the questions that the plan asks of it (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from stillup.deploy.copies import KEPT, Copy, heir
from stillup.deploy.standing import BY_USER, Backend, Standing
from stillup.model.farm import Farm, Role, Server
from stillup.model.tiebreakers import database_arbiter, storage_arbiter
from stillup.parts.database import ACCOUNT

ORDER = (Role.STORAGE, Role.DATABASE, Role.WEB, Role.BALANCER)
"""Whose turn comes when: nothing sends to what is not there yet."""


@dataclass(frozen=True)
class Situation:
    """A farm and how each reached server stands.

    ``release`` is what the site's local folder would be released as; None where nobody needs
    it, which is when every web server serves one already.
    """

    farm: Farm
    standings: Mapping[str, Standing]
    unreached: Mapping[str, str] = field(default_factory=dict)
    """Each server that did not answer, and the sentence that says why."""
    release: str | None = None

    @cached_property
    def webs(self) -> tuple[str, ...]:
        """The reached web servers."""
        return self._having(Role.WEB)

    @cached_property
    def balancers(self) -> tuple[str, ...]:
        """The reached balancers."""
        return self._having(Role.BALANCER)

    @cached_property
    def without_release(self) -> tuple[str, ...]:
        """The web servers that have nothing to serve."""
        return tuple(web for web in self.webs if self.standings[web].release is None)

    @cached_property
    def someone_is_up(self) -> bool:
        """Whether any web server serves now: if none does, nothing can be lost."""
        return any(self.is_up(web) for web in self.webs)

    @cached_property
    def accounts_to_renew(self) -> tuple[str, ...]:
        """The database servers whose account for the site changes before some web server does."""
        is_used = any(
            not (standing := self.standings.get(server.name))
            or (standing.to_change and not standing.first)
            for server in self.farm.having(Role.WEB)
        )
        return tuple(
            name
            for name in self._having(Role.DATABASE)
            if is_used
            and not self.standings[name].first
            and any(change.name == ACCOUNT for change in self.standings[name].changes)
        )

    @cached_property
    def leaving(self) -> Mapping[str, tuple[str, ...]]:
        """Web servers that left the farm file, with the balancers that still send them users.

        None of them when nobody else would be left to serve.
        """
        stays = {server.name for server in self.farm.having(Role.WEB)}
        others = any(self.is_up(web) and not self.is_kept_drained(web) for web in self.webs)
        found: dict[str, tuple[str, ...]] = {}
        for balancer in self.balancers if others else ():
            for web, seen in (self.standings[balancer].backends or {}).items():
                if web not in stays and not seen.drained_by:
                    found[web] = (*found.get(web, ()), balancer)
        return found

    def turn_of(self, role: Role) -> tuple[str, ...]:
        """Return the reached servers whose turn comes with ``role``.

        A new tie-breaker comes with those that it votes with, as they may wait for its vote.
        """
        return tuple(
            server.name
            for server in self.farm.servers
            if server.name in self.standings and self._turn(server) is role
        )

    def kept_by(self, name: str) -> tuple[Role, ...]:
        """Return what the server is to keep a copy of, among several servers that do."""
        server = self.farm.server(name)
        return tuple(
            role
            for role in KEPT
            if server and role in server.roles and len(self.farm.having(role)) > 1
        )

    def copy(self, name: str, role: Role) -> Copy | None:
        """Return what the server tells of its copy; None if it has none that it tells of."""
        return self.standings[name].copies.get(role) if name in self.standings else None

    def heir(self, name: str) -> str | None:
        """Return who could be written to instead of a server that is; None for any other server."""
        own = self.copy(name, Role.DATABASE)
        if own is None or not own.leads:
            return None
        others = (server.name for server in self.farm.having(Role.DATABASE) if server.name != name)
        return heir({other: self.copy(other, Role.DATABASE) for other in others})

    def is_known(self, name: str) -> bool:
        """Tell whether a server that keeps copies with it goes by settings that name it."""
        return any(
            name in copy.peers
            for other, standing in self.standings.items()
            if other != name
            for copy in standing.copies.values()
        )

    def departing(self, role: Role) -> tuple[str, ...]:
        """Return who has a copy of what ``role`` keeps, and is to keep none any more."""
        stays = {server.name for server in self.farm.having(role)}
        told = {name: copy for name in self.standings if (copy := self.copy(name, role))}
        everybody = {*told, *(peer for copy in told.values() for peer in copy.peers)}
        return tuple(sorted(everybody - stays))

    def to_change(self, name: str) -> bool:
        """Tell whether something is to be done on the server."""
        return name in self.standings and self.standings[name].to_change

    def seen_by(self, web: str) -> Mapping[str, Backend]:
        """Return how each balancer that answers sees the web server, where it knows it."""
        return {
            balancer: views[web]
            for balancer in self.balancers
            if (views := self.standings[balancer].backends) is not None and web in views
        }

    def is_up(self, web: str) -> bool:
        """Tell whether every balancer that answers sees it up (drained or not)."""
        seen = self.seen_by(web)
        return bool(seen) and all(backend.up for backend in seen.values())

    def up_at(self, balancer: str) -> tuple[str, ...]:
        """Return the web servers that ``balancer`` sees up and sends users to.

        One that the farm file no longer names is left out: the balancer will forget it.
        """
        views = self.standings[balancer].backends or {}
        return tuple(
            server.name
            for server in self.farm.having(Role.WEB)
            if (view := views.get(server.name)) and view.up and not view.drained_by
        )

    def drained_by(self, web: str, whom: str) -> bool:
        """Tell whether it is drained by ``whom`` at any balancer."""
        return any(backend.drained_by == whom for backend in self.seen_by(web).values())

    def is_kept_drained(self, web: str) -> bool:
        """Tell whether the user wants it without users, at all balancers."""
        seen = self.seen_by(web)
        return bool(seen) and all(backend.drained_by == BY_USER for backend in seen.values())

    def is_served_by(self, web: str) -> bool:
        """Tell whether it should be up for users once it is well: released, and not kept out."""
        return self.standings[web].release is not None and not self.is_kept_drained(web)

    def peers(self, balancer: str) -> tuple[str, ...]:
        """Return the other balancers that run already, so that one could take the address."""
        return tuple(
            name for name in self.balancers if name != balancer and not self.standings[name].first
        )

    def may_drain(self, name: str, before: Sequence[str]) -> bool:
        """Tell whether ``name`` is drained for its change: users have another server meanwhile.

        Args:
            name: A server; one that is no web server is never drained.
            before: The servers that had their turn by then, and came up after it.
        """
        if not self.seen_by(name) or self.is_kept_drained(name):
            return False
        return any(
            self._can_serve(other, came_up=other in before and self.someone_is_up)
            for other in self.webs
            if other != name
        )

    def _can_serve(self, web: str, *, came_up: bool) -> bool:
        seen = self.seen_by(web)
        if not seen or not self.is_served_by(web) or self.drained_by(web, BY_USER):
            return False
        return came_up or self.is_up(web)

    def _having(self, role: Role) -> tuple[str, ...]:
        return tuple(
            server.name for server in self.farm.having(role) if server.name in self.standings
        )

    def _turn(self, server: Server) -> Role:
        breaks = [
            role
            for role, arbiter in (
                (Role.STORAGE, storage_arbiter(self.farm)),
                (Role.DATABASE, database_arbiter(self.farm)),
            )
            if arbiter == server and self.standings[server.name].first
        ]
        return min((_first_role(server), *breaks), key=ORDER.index)


def _first_role(server: Server) -> Role:
    return min(server.roles, key=ORDER.index)
