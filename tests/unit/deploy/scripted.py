"""A whole farm as a script: what its servers, HAProxies and heartbeats would do with requests.

It keeps a list of ``violations``: moments at which a real farm's users would have felt what was
asked for. A test demands that there are none, whatever was interrupted.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations

from stillup.errors import ChangeRefused, ServerFailed
from stillup.heartbeat.membership import Configuration, is_kin
from stillup.heartbeat.settings import DaemonSettings, parse
from stillup.model.farm import Farm, Role, Server
from stillup.node.message import Json, JsonObject
from stillup.parts.database import ACCOUNT, native_hash
from stillup.servers.memory import MemoryAccess

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
        return any(path == "/etc/haproxy/haproxy.cfg" for path in _files(self.applied))

    def in_use_at(self, balancer: "ScriptedServer") -> bool:
        return self.name in balancer.known_webs() and self.name not in balancer.drained

    def known_webs(self) -> list[str]:
        """The web servers that this balancer's applied configuration names."""
        assert self.applied is not None
        text = next(
            str(file["text"])
            for file in _objects(self.applied["files"])
            if file["path"] == "/etc/haproxy/haproxy.cfg"
        )
        return [web for web in self.farm.webs() if f"server {web} " in text]

    def voting(self) -> DaemonSettings | None:
        """Return what its heartbeat goes by; None where none runs."""
        if self.applied is None:
            return None
        text = next(
            str(file["text"])
            for file in _objects(self.applied["files"])
            if file["path"] == "/etc/stillup/heartbeat.json"
        )
        return _settings(text, json.dumps(self.change))

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
        self._watch(changes)
        bundle = arguments["bundle"]
        assert isinstance(bundle, dict)
        self.applied = bundle
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
            "release": self.release,
            "manifest": {"at": 0, "bundle": ""} if self.applied else None,
        }

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
        dead = [str(name) for name in _list(arguments["dead"])]
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
        before, after = _files(self.applied), _files(bundle)
        paths = sorted(path for path in before | after if before.get(path) != after.get(path))
        changes: list[Json] = [
            {"kind": "file", "name": path, "action": "change", "by_hand": False} for path in paths
        ]
        assert isinstance(bundle, dict)
        if Role.DATABASE in self.server.roles and not self._account_is_settled(bundle):
            changes.append({"kind": "command", "name": ACCOUNT, "action": "run"})
        for unit in _objects(bundle["units"]):
            for action in ("restart", "reload"):
                if any(_concerns(str(word), paths) for word in _list(unit[f"{action}_on"])):
                    changes.append({"kind": "reaction", "name": unit["name"], "action": action})
                    break
        return changes

    def _account_is_settled(self, bundle: Json) -> bool:
        named, keeps_old = accounts_of(bundle)
        return named in self.accounts and (keeps_old or len(self.accounts) == 1)

    def _set_account(self, bundle: Json) -> None:
        named, keeps_old = accounts_of(bundle)
        if Role.DATABASE in self.server.roles:
            self.accounts = (self.accounts if keeps_old else frozenset()) | {named}

    def _watch(self, changes: list[Json]) -> None:
        if self.applied is None:
            return
        if self.is_web() and self.serves():
            self.farm.watch_web(self)
        restarted = {
            str(change["name"]) for change in _objects(changes) if change["action"] == "restart"
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


@dataclass
class ScriptedFarm:
    """All servers, and who holds the virtual IP."""

    model: Farm
    holder: str | None = None
    violations: list[str] = field(default_factory=list)
    open: dict[str, int] = field(default_factory=dict)
    """How many connections live on at a balancer that has handed the address over."""
    servers: dict[str, ScriptedServer] = field(default_factory=dict)
    access: MemoryAccess = field(default_factory=lambda: MemoryAccess({}))

    def __post_init__(self) -> None:
        self.servers = {one.name: ScriptedServer(one, self) for one in self.model.servers}
        self.renew()

    def copy(self) -> "ScriptedFarm":
        """Return a farm that stands the same, with nobody asking it anything."""
        other = ScriptedFarm(self.model, self.holder)
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
        names = [server.name for server in self.model.having(Role.DATABASE)]
        return all(self.alive(name) and self.servers[name].applied for name in names)

    def lets_in(self, account: str) -> bool:
        """Tell whether the database knows the account that a web server's pages use."""
        return all(
            account in self.servers[one.name].accounts for one in self.model.having(Role.DATABASE)
        )

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
        both, able = _possible(told)
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
        able = _possible(self.voting())[1]
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


def accounts_of(bundle: Json) -> tuple[str, bool]:
    """Return the account (its name and password's hash) in a bundle; whether old ones are kept.

    On the database server from the SQL that makes it, on a web server from its pages' settings.
    """
    assert isinstance(bundle, dict)
    for command in _objects(bundle["commands"]):
        if command["name"] == ACCOUNT:
            sql = str(command["stdin"])
            made = re.search(r"CREATE USER IF NOT EXISTS '(\w+)'@.* USING '(.*)'", sql)
            assert made
            return f"{made[1]} {made[2]}", "JSON_TABLE" in sql
    for path, text in _files(bundle).items():
        if path.endswith("site-env.conf"):
            env = dict(re.findall(r"env\[(\w+)\] = '(.*)'", text))
            return f"{env['DB_USER']} {native_hash(env['DB_PASSWORD'])}", False
    return "", False


def _files(bundle: Json) -> dict[str, str]:
    if not isinstance(bundle, dict):
        return {}
    return {str(file["path"]): str(file["text"]) for file in _objects(bundle["files"])}


def _concerns(word: str, paths: list[str]) -> bool:
    return any(path.startswith(word) if word.endswith("/") else path == word for path in paths)


def _list(data: Json) -> list[Json]:
    assert isinstance(data, list)
    return data


def _objects(data: Json) -> list[JsonObject]:
    return [item for item in _list(data) if isinstance(item, dict)]


@cache
def _settings(text: str, change: str) -> DaemonSettings:
    values = {**json.loads(text), "change": json.loads(change)}
    return parse(json.dumps(values).encode(), "heartbeat.json")


@cache
def _possible(
    told: tuple[tuple[str, Configuration], ...],
) -> tuple[list[tuple[str, str]], list[str]]:
    """Return which balancers could hold at the same time, and which could hold at all."""
    every = dict(told)
    sets = {name: _enough(every, name) for name in every if name in every[name].electorate.eligible}
    both = [
        (one, other)
        for one, other in combinations(sets, 2)
        if any(a.isdisjoint(b) for a in sets[one] for b in sets[other])
    ]
    return both, [name for name, enough in sets.items() if enough]


def _enough(told: Mapping[str, Configuration], asker: str) -> list[frozenset[str]]:
    """Return the smallest sets of servers that believe the asker and are enough for it."""
    own = told[asker]
    believers = [
        name
        for name, other in told.items()
        if is_kin(own.fingerprint, own.predecessor, other.fingerprint, other.predecessor)
    ]
    found: list[frozenset[str]] = []
    for size in range(1, len(believers) + 1):
        for votes in map(frozenset, combinations(believers, size)):
            if not any(small <= votes for small in found) and own.electorate.is_enough(
                votes, asker
            ):
                found.append(votes)
    return found
