"""One server of a scripted farm: what it does with requests, and how it looks from inside."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.unit.deploy.bundles import accounts_of, concerns, files, listed, objects
from tests.unit.deploy.scripted_copies import grouped, told
from tests.unit.deploy.votes import settings_of

from stillup.errors import ChangeRefused, ServerFailed
from stillup.heartbeat.settings import DaemonSettings
from stillup.model.farm import Role, Server
from stillup.node.message import Json, JsonObject
from stillup.parts.database import ACCOUNT

if TYPE_CHECKING:
    from tests.unit.deploy.scripted import ScriptedFarm

Handler = Callable[[Mapping[str, Json]], JsonObject]
VITAL = {"haproxy.service", "stillup-heartbeat.service", "stillup-firewall.service"}


@dataclass
class ScriptedServer:
    """One server, with everything that outlives a session."""

    server: Server
    farm: "ScriptedFarm"
    applied: JsonObject | None = None
    drained: dict[str, str] = field(default_factory=dict)
    release: str | None = None
    previous: str | None = None
    releases: list[str] = field(default_factory=list)
    uploading: str | None = None
    aim: str | None = None
    yielded: bool = False
    locked_by: int | None = None
    applies: int = 0
    instead: dict[str, Handler] = field(default_factory=dict)
    """Operations that a test lets this server do in another way."""
    accounts: frozenset[str] = frozenset()
    """A database server's accounts that the site's pages get in with."""
    broken: bool = False
    """A web server whose checks do not pass whatever is applied."""
    refused: JsonObject | None = None
    """The move that its heartbeat refused last."""
    ill: str = ""
    """Why a balancer's heartbeat would not take the address; "" for no reason."""
    change: JsonObject | None = None
    """What its heartbeat was told of a change of who votes."""

    @property
    def name(self) -> str:
        return self.server.name

    def answer(self, session: int, operation: str, arguments: Mapping[str, Json]) -> JsonObject:
        if operation == "lock":
            return self._take(session)
        handler = self.instead.get(operation) or self.usual(operation)
        return handler(arguments)

    def usual(self, operation: str) -> Handler:
        handler: Handler = getattr(self, "_" + operation.replace(".", "_"))
        return handler

    def ended(self, session: int) -> None:
        self.uploading = None
        if self.locked_by == session:
            self.locked_by = None

    # What the farm asks.

    def is_web(self) -> bool:
        return Role.WEB in self.server.roles

    def serves(self) -> bool:
        """Whether a web server's checks pass."""
        return (
            self.farm.alive(self.name)
            and not self.broken
            and self.applied is not None
            and self.release is not None
            and self.farm.database_is_there()
            and self.farm.lets_in(accounts_of(self.applied)[0])
        )

    def may_hold(self) -> bool:
        """Whether it runs as a balancer, and may stand by the list that it votes by."""
        if not self.farm.alive(self.name) or not self.is_balancing():
            return False
        told = self.voting()
        return told is not None and self.name in told.configuration.electorate.eligible

    def is_balancing(self) -> bool:
        """Whether HAProxy was brought to it."""
        return any(path == "/etc/haproxy/haproxy.cfg" for path in files(self.applied))

    def in_use_at(self, balancer: "ScriptedServer") -> bool:
        return self.name in balancer.known_webs() and self.name not in balancer.drained

    def known_webs(self) -> list[str]:
        """The web servers that this balancer's applied configuration names."""
        assert self.applied is not None
        text = next(
            str(file["text"])
            for file in objects(self.applied["files"])
            if file["path"] == "/etc/haproxy/haproxy.cfg"
        )
        return [web for web in self.farm.webs() if f"server {web} " in text]

    def voting(self) -> DaemonSettings | None:
        """Return what its heartbeat goes by; None where none runs."""
        if self.applied is None:
            return None
        text = next(
            str(file["text"])
            for file in objects(self.applied["files"])
            if file["path"] == "/etc/stillup/heartbeat.json"
        )
        return settings_of(text, json.dumps(self.change))

    # Operations.

    def _take(self, session: int) -> JsonObject:
        if self.locked_by not in {None, session}:
            raise ChangeRefused(f"{self.name}: another change is under way")
        self.locked_by = session
        return {}

    def _facts(self, _: Mapping[str, Json]) -> JsonObject:
        return {"debian": 13, "php": "8.4", "interface": "eth0", "python": "3.13", "ssh_port": 0}

    def _compare(self, arguments: Mapping[str, Json]) -> JsonObject:
        return {
            "changes": self._changes(arguments["bundle"]),
            "unfinished": False,
            "first": self.applied is None,
        }

    def _apply(self, arguments: Mapping[str, Json]) -> JsonObject:
        assert self.locked_by is not None, "an apply without the lock"
        changes = self._changes(arguments["bundle"])
        # A guarded command alone, of the site's account, disturbs nobody.
        disturbed = self.applied is None or any(
            change["kind"] != "command" for change in objects(changes)
        )
        if disturbed:
            self._watch(changes)
        bundle = arguments["bundle"]
        assert isinstance(bundle, dict)
        self.applied = bundle
        for copies in self.farm.copies.values():
            if disturbed and (self.name in copies.peers or copies.role in self.server.roles):
                copies.changed(self.farm, self.name)
        self._set_account(bundle)
        self.farm.watch_accounts()
        self.applies += 1
        self.farm.elect()
        self.farm.watch_votes()
        return {"changed": changes, "seconds": 0.1}

    def _state(self, _: Mapping[str, Json]) -> JsonObject:
        self.farm.elect()
        return {
            "haproxy": self._haproxy(),
            "heartbeat": self._heartbeat(),
            "copies": told(self.farm.copies, self.name),
            "units": {"mariadb.service": "active"} if self.has_plain_database() else {},
            "has_group": self._has_group(),
            "release": self.release,
            "manifest": {"at": 0, "bundle": ""} if self.applied else None,
        }

    def has_plain_database(self) -> bool:
        """Tell whether it was applied as the only one that has the database."""
        is_one = Role.DATABASE in self.server.roles and self.applied is not None
        return is_one and self.name not in self.farm.copies[Role.DATABASE].peers

    def _has_group(self) -> bool:
        copies = self.farm.copies[Role.DATABASE]
        return copies.founder == self.name or self.name in copies.peers

    def _drain(self, arguments: Mapping[str, Json]) -> JsonObject:
        web, by = str(arguments["server"]), str(arguments["by"])
        if not self.is_balancing() or web not in self.known_webs():
            raise ServerFailed(f"{self.name}: HAProxy has no server {web}")
        if by == "apply" and self.drained.get(web) == "user":
            return {"sessions": 0}
        if arguments["drain"]:
            self.drained[web] = by
        else:
            self.drained.pop(web, None)
        return {"sessions": 0}

    def _vip(self, arguments: Mapping[str, Json]) -> JsonObject:
        if arguments["action"] == "failover":
            return self._failover(arguments)
        if arguments["action"] == "force":
            return self._force(arguments)
        self.yielded = arguments["action"] == "yield"
        self.farm.elect(arguments.get("to"))
        return {}

    def _failover(self, arguments: Mapping[str, Json]) -> JsonObject:
        assert self.farm.holder == self.name, "a move was asked of a server that holds nothing"
        fit = [
            one
            for one in self.farm.servers.values()
            if one is not self and one.may_hold() and not one.ill
        ]
        wanted = [one for one in fit if arguments.get("to") in (None, one.name)]
        if wanted:
            self.farm.holder = wanted[0].name
        else:
            self.refused = {"at": 1.0, "reason": "no other candidate is fit"}
        return {"asked": [arguments["address"]]}

    def _force(self, arguments: Mapping[str, Json]) -> JsonObject:
        dead = [str(name) for name in listed(arguments["dead"])]
        if any(self.farm.alive(name) for name in dead):
            raise ServerFailed("the heartbeat daemon says no: web1 was heard 0.1 s ago")
        if arguments["go"]:
            self.farm.holder = self.name
        return {"risks": [f"{self.name} will hold without {dead[0]}"], "forced": arguments["go"]}

    def _electorate(self, arguments: Mapping[str, Json]) -> JsonObject:
        change = arguments["change"]
        assert change is None or isinstance(change, dict)
        self.change = change
        self.farm.watch_votes()
        self.farm.elect()
        return {"changed": True}

    def _database(self, arguments: Mapping[str, Json]) -> JsonObject:
        copies = self.farm.copies[Role.DATABASE]
        if arguments["action"] == "found":
            copies.found(self.farm, self.name)
        else:
            assert arguments["action"] == "take"
            copies.take(self.name)
        return {}

    def _release_list(self, _: Mapping[str, Json]) -> JsonObject:
        return {
            "current": self.release,
            "previous": self.previous,
            "releases": list[Json](self.releases),
            "aim": self.aim,
        }

    def _release_aim(self, arguments: Mapping[str, Json]) -> JsonObject:
        wanted = arguments["release"]
        self.aim = None if wanted is None else str(wanted)
        return {}

    def _release_begin(self, arguments: Mapping[str, Json]) -> JsonObject:
        self.uploading = str(arguments["release"])
        return {"have": self.uploading in self.releases}

    def _release_data(self, _: Mapping[str, Json]) -> JsonObject:
        assert self.uploading is not None
        return {"received": 0}

    def _release_end(self, _: Mapping[str, Json]) -> JsonObject:
        assert self.uploading is not None
        self.releases.append(self.uploading)
        self.uploading = None
        return {}

    def _release_switch(self, arguments: Mapping[str, Json]) -> JsonObject:
        wanted = str(arguments["release"])
        if wanted not in self.releases:
            raise ServerFailed(f"{self.name}: there is no release {wanted}")
        if self.release != wanted:
            self.release, self.previous = wanted, self.release
        return {}

    # How it looks from inside.

    def _changes(self, bundle: Json) -> list[Json]:
        before, after = files(self.applied), files(bundle)
        paths = sorted(path for path in before | after if before.get(path) != after.get(path))
        changes: list[Json] = [
            {"kind": "file", "name": path, "action": "change", "by_hand": False} for path in paths
        ]
        assert isinstance(bundle, dict)
        if Role.DATABASE in self.server.roles and not self._account_is_settled(bundle):
            changes.append({"kind": "command", "name": ACCOUNT, "action": "run"})
        for unit in objects(bundle["units"]):
            for action in ("restart", "reload"):
                if any(concerns(str(word), paths) for word in listed(unit[f"{action}_on"])):
                    changes.append({"kind": "reaction", "name": unit["name"], "action": action})
                    break
        return changes

    def _account_is_settled(self, bundle: Json) -> bool:
        named, keeps_old = accounts_of(bundle)
        return named in self.accounts and (keeps_old or len(self.accounts) == 1)

    def _set_account(self, bundle: Json) -> None:
        named, keeps_old = accounts_of(bundle)
        if Role.DATABASE not in self.server.roles:
            return
        # What one of several is told, it tells the others.
        group = [self, *(self.farm.databases() if grouped(self.farm.model) else ())]
        before = frozenset[str]().union(*(one.accounts for one in group))
        for one in group:
            one.accounts = (before if keeps_old else frozenset()) | {named}

    def _watch(self, changes: list[Json]) -> None:
        if self.applied is None:
            return
        if self.is_web() and self.serves():
            self.farm.watch_web(self)
        restarted = {
            str(change["name"]) for change in objects(changes) if change["action"] == "restart"
        }
        others = [one for one in self.farm.servers.values() if one is not self and one.may_hold()]
        if self.farm.holder == self.name and restarted & VITAL and others:
            self.farm.violations.append(f"{self.name} was disturbed while it held the address")

    def _haproxy(self) -> Json:
        if not self.is_balancing():
            return None
        rows: list[Json] = []
        for web in self.known_webs():
            drained = web in self.drained
            up = self.farm.servers[web].serves()
            rows.append(
                {
                    "backend": "site",
                    "server": web,
                    "status": "DOWN" if not up else "DRAIN" if drained else "UP",
                    "drain": drained,
                    "drained_by": self.drained.get(web),
                    "sessions": 0,
                }
            )
        return rows

    def _heartbeat(self) -> Json:
        if self.applied is None:
            return None
        holding: list[Json] = ["10.0.0.1"] if self.farm.holder == self.name else []
        told = self.voting()
        assert told is not None
        voters: JsonObject = {
            name: {"heard_ms": 1, "address": address}
            for name, address in told.voters.items()
            if name != self.name
        }
        return {
            "name": self.name,
            "address": told.address,
            "candidates": list[Json](told.candidates),
            "lease_ms": round(told.lease_s * 1000),
            "witness": told.witness,
            "change": self.change,
            "holder": {"10.0.0.1": self.farm.holder},
            "healthy": self.may_hold() and not self.ill,
            "reason": self.ill,
            "holding": holding,
            "voters": voters,
            "yielding_s": 20 if self.yielded else 0,
            "silent_s": 0,
            "vips": [self._seat()],
        }

    def _seat(self) -> JsonObject:
        lives_on = self.farm.open.get(self.name, 0)
        return {
            "address": "10.0.0.1",
            "holding": self.farm.holder == self.name,
            "handing": {
                "draining": lives_on > 0,
                "open": lives_on,
                "drain_left_s": 300.0 if lives_on else 0.0,
                "refused": self.refused,
            },
        }
