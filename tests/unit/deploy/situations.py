"""Scenario files: a farm and how it stands in words, and the plan that follows.

A scenario is a title line ``## ...``, one line a server (``NAME ROLE[+ROLE]: word, word``), the
lines ``local RELEASE`` if it matters, then ``->`` and the plan. Words:

    new                     nothing was ever applied
    unfinished              an apply was interrupted
    KIND NAME ACTION        a change, ``unit haproxy.service restart`` for instance
    account                 the site's account in the database has another password or name
    by hand PATH            a change to a file that somebody else changed
    holding                 holds the virtual IP
    yielding                stands back, since an apply asked it to
    down                    a web server that the balancers see down
    drained by user|apply   at every balancer; ``... at NAME`` at one
    release R | no release  what a web server serves; R is ``r1`` if nothing is said
    haproxy silent          a balancer whose HAProxy does not answer
    voters NAME NAME ...    who votes by its heartbeat's list; all servers if nothing is said
    balancers NAME ...      who stands by its heartbeat's list; all balancers if nothing is said
    unreachable             no session
    whole ROLE [with NAME NAME ...]     it keeps a copy with them, which is whole; with all others
                            that have the role and are not new, if nothing is said
    ill ROLE WHY            it keeps a copy with those others, which is not whole
    no database             it had another role when it was applied last
    has a group             it belongs to a group of database servers, or may found one
    leads                   it is the database server that is written to
    gone                    no longer in the farm file, but running, and known to the balancers
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from pathlib import Path

from stillup.deploy.copies import KEPT, Copy
from stillup.deploy.plan import Plan, plan
from stillup.deploy.standing import Backend, Change, Heartbeat, Standing
from stillup.deploy.view import Situation
from stillup.heartbeat.changing import Side
from stillup.model.farm import Farm, Role, Server
from stillup.model.read import read_farm
from stillup.parts.database import ACCOUNT

EXAMPLE = Path(__file__).parents[3] / "tests" / "farms" / "six.toml"
LEASE_S = 0.5
"""That of the farm file."""


@dataclass
class Described:
    server: Server
    words: list[str] = field(default_factory=list)

    def says(self, word: str) -> bool:
        return word in self.words

    def after(self, beginning: str) -> list[str]:
        return [word.removeprefix(beginning) for word in self.words if word.startswith(beginning)]


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield each scenario's description (with its title) and its expected plan."""
    for block in text.split("## ")[1:]:
        description, _, expected = block.partition("->\n")
        yield description, expected.strip()


def planned(description: str) -> str:
    lines = [line for line in description.splitlines()[1:] if line.strip()]
    local = next((line.split()[1] for line in lines if line.startswith("local ")), None)
    all_ = [_described(n, line) for n, line in enumerate(lines) if not line.startswith("local ")]
    read = read_farm(EXAMPLE.read_bytes(), "farm.toml")
    assert isinstance(read, Farm)
    ours = [one for one in all_ if not one.says("gone")]
    farm = replace(read, servers=tuple(one.server for one in ours))
    reached = [one for one in ours if not one.says("unreachable")]
    situation = Situation(
        farm,
        {one.server.name: _standing(one, all_) for one in reached},
        {
            one.server.name: f"{one.server.name} cannot be reached"
            for one in ours
            if one not in reached
        },
        local,
    )
    return told(plan(situation))


def told(made: Plan) -> str:
    lines = [f"refused: {one} {one.forced_by}".rstrip() for one in made.refusals]
    lines += [f"note: {sentence}" for sentence in made.warnings]
    lines += [f"{number}. {step}" for number, step in enumerate(made.steps, start=1)]
    return "\n".join(lines) or "nothing"


def _described(number: int, line: str) -> Described:
    head, _, tail = line.partition(":")
    name, roles = head.split()
    words = [word.strip() for word in tail.split(",") if word.strip()]
    server = Server(
        name,
        IPv4Address(f"10.0.0.{number + 2}"),
        frozenset(Role(role) for role in roles.split("+")),
    )
    return Described(server, words)


def _standing(one: Described, all_: list[Described]) -> Standing:
    new = one.says("new")
    is_balancer = Role.BALANCER in one.server.roles
    return Standing(
        one.server.name,
        new,
        one.says("unfinished"),
        tuple(_changes(one)),
        _backends(one, all_)
        if is_balancer and not new and not one.says("haproxy silent")
        else None,
        None if new else _heartbeat(one, all_),
        _release(one),
        dict(_copies(one, all_)),
        has_plain_database=_has_plain_database(one),
        has_group=one.says("has a group") or bool(_groups(one)),
    )


def _groups(one: Described) -> list[str]:
    return [*one.after(f"whole {Role.DATABASE}"), *one.after(f"ill {Role.DATABASE} ")]


def _has_plain_database(one: Described) -> bool:
    used = not one.says("new") and not one.says("no database")
    return Role.DATABASE in one.server.roles and used and not _groups(one)


def _copies(one: Described, all_: list[Described]) -> Iterator[tuple[Role, Copy]]:
    for role in KEPT:
        others = {
            other.server.name
            for other in all_
            if other is not one and role in other.server.roles and not other.says("new")
        }
        leads = role is Role.DATABASE and one.says("leads")
        for peers in one.after(f"whole {role}"):
            named = frozenset(peers.removeprefix(" with ").split()) or frozenset(others)
            yield role, Copy(well=True, peers=named, leads=leads)
        for why in one.after(f"ill {role} "):
            yield role, Copy(well=False, why=why, peers=frozenset(others))


def _changes(one: Described) -> Iterator[Change]:
    if one.says("new"):
        yield Change("file", "/etc/something", "add")
    if one.says("account"):
        yield Change("command", ACCOUNT, "run")
    for path in one.after("by hand "):
        yield Change("file", path, "change", by_hand=True)
    for kind in ("file", "unit", "reaction", "package", "sysctl"):
        for rest in one.after(f"{kind} "):
            name, action = rest.split()
            yield Change(kind, name, action)


def _heartbeat(one: Described, all_: list[Described]) -> Heartbeat:
    voters = [name for rest in one.after("voters ") for name in rest.split()]
    candidates = [name for rest in one.after("balancers ") for name in rest.split()]
    balancers = [other.server.name for other in all_ if Role.BALANCER in other.server.roles]
    addresses = {other.server.name: str(other.server.address) for other in all_}
    return Heartbeat(
        healthy=True,
        reason="",
        holding=one.says("holding"),
        yielding_s=20.0 if one.says("yielding") else 0.0,
        side=Side(
            {name: addresses[name] for name in voters or addresses},
            tuple(candidates or (name for name in balancers if name in (voters or addresses))),
            LEASE_S,
        ),
    )


def _release(one: Described) -> str | None:
    if Role.WEB not in one.server.roles or one.says("new") or one.says("no release"):
        return None
    return next(iter(one.after("release ")), "r1")


def _backends(balancer: Described, all_: list[Described]) -> dict[str, Backend]:
    return {
        web.server.name: Backend(
            _release(web) is not None and not web.says("down"), _drained(balancer, web)
        )
        for web in all_
        if Role.WEB in web.server.roles and not web.says("new")
    }


def _drained(balancer: Described, web: Described) -> str | None:
    for word in web.after("drained by "):
        by, _, place = word.partition(" at ")
        if place in {"", balancer.server.name}:
            return by
    return None
