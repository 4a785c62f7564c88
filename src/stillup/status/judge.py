"""Judges one look at a farm: serving, at risk or down, and why.

The rules, in their order:

1. A real request through the virtual IP is the best witness. When all of them failed the
   farm is *down*, whatever the servers say; when one was answered it is not, whatever they
   say, since what they say may be older.
2. Without a witness the farm is *down* when a finding says so: nobody holds the address, no
   web server is up, the database does not answer, no server can be asked.
3. A finding of severity risk makes a serving farm *at risk*. A note changes nothing.

What is single by design (the only database server) is no finding: ``redundancy`` says how
many of each kind may die, and ``stillup check`` what stops then.
"""

from collections.abc import Iterator
from dataclasses import replace

from stillup.errors import ServerUnreachable
from stillup.model.farm import Farm, Role
from stillup.status import (
    picture,
    rules_address,
    rules_backup,
    rules_database,
    rules_server,
    rules_storage,
    rules_web,
)
from stillup.status.observed import Observed
from stillup.status.standing import redundancy, server_standing, vip_standing
from stillup.status.verdict import Finding, Level, Severity, Verdict

_ORDER = {Severity.DOWN: 0, Severity.RISK: 1, Severity.NOTE: 2}


def judge(farm: Farm, observed: Observed) -> Verdict:
    """Return the verdict on one look at a farm."""
    problems = _problems(farm, observed)
    level = _level(problems)
    return Verdict(
        level=level,
        why=_why(farm, level, problems),
        vips=tuple(vip_standing(farm, observed, str(a)) for a in farm.vip.addresses),
        servers=tuple(server_standing(farm, observed, s, problems) for s in farm.servers),
        redundancy=redundancy(farm, observed),
        problems=problems,
    )


def askers(farm: Farm, observed: Observed, count: int = 2) -> tuple[str, ...]:
    """Return the servers that should make the real request: not the holder, few.

    A request from the holder itself never crosses the wire. Servers that are no balancers
    come first, as users are none either; with nobody else the holder still asks.
    """
    holders = {picture.holder(farm, observed, str(address)) for address in farm.vip.addresses}
    answering = [s for s in farm.servers if observed.reached(s.name) is not None]
    answering.sort(key=lambda s: (s.name in holders, Role.BALANCER in s.roles))
    others = [s.name for s in answering if s.name not in holders]
    return tuple(others[:count] or [s.name for s in answering[:1]])


def _problems(farm: Farm, observed: Observed) -> tuple[Finding, ...]:
    whole = tuple(_whole_farm(farm, observed))
    if _not_deployed(farm, observed):
        return whole  # Everything else would follow from it.
    reached = picture.reached(observed)
    found = (
        *whole,
        *rules_server.unreached(observed),
        *(rules_database.findings(farm, observed) if reached else ()),
        *(rules_web.findings(farm, observed) if reached else ()),
        *(rules_storage.findings(farm, observed) if reached else ()),
        *(rules_address.findings(farm, observed) if reached else ()),
        *rules_server.findings(farm, observed),
        *rules_server.outdated(observed),
        *rules_address.requests(observed),
        *rules_backup.findings(observed),
    )
    if any(asked.answered for asked in observed.asked):
        # The witness was served: what else looks like the end of it is a risk, or is over.
        found = tuple(_at_most_risk(finding) for finding in found)
    return tuple(sorted(found, key=lambda finding: _ORDER[finding.severity]))


def _whole_farm(farm: Farm, observed: Observed) -> Iterator[Finding]:
    """Yield what is wrong with all servers at once."""
    if not picture.reached(observed):
        yield Finding(
            "no-server-reachable",
            Severity.DOWN,
            "no server could be asked, so nobody here can say whether the farm serves",
            "look at your own network and keys first, then at the servers",
        )
    if _not_deployed(farm, observed):
        yield Finding(
            "not-deployed",
            Severity.DOWN,
            "the servers answer, and nothing was ever applied to any of them",
            "`stillup apply` makes them a farm",
        )


def _not_deployed(farm: Farm, observed: Observed) -> bool:
    reached = picture.reached(observed)
    fresh = all(seen.applied_at_s is None and not seen.unfinished for seen in reached)
    return fresh and len(reached) == len(farm.servers)


def _at_most_risk(finding: Finding) -> Finding:
    if finding.severity is Severity.DOWN:
        return replace(finding, severity=Severity.RISK)
    return finding


def _level(problems: tuple[Finding, ...]) -> Level:
    severities = {finding.severity for finding in problems}
    if Severity.DOWN in severities:
        return Level.DOWN
    return Level.AT_RISK if Severity.RISK in severities else Level.SERVING


def _why(farm: Farm, level: Level, problems: tuple[Finding, ...]) -> str:
    severity = {Level.DOWN: Severity.DOWN, Level.AT_RISK: Severity.RISK}.get(level)
    if severity is None:
        return _all_well(farm)
    worst = [finding for finding in problems if finding.severity is severity]
    silent = [f.server for f in worst if f.code == ServerUnreachable.code and f.server is not None]
    if worst[0].server in silent:
        # One sentence for all of them, whatever the network said of each.
        first, told = f"{_listed(silent)} {_do(silent)} not answer", len(silent)
    else:
        first, told = worst[0].text, 1
    return first if told == len(worst) else f"{first}; and {len(worst) - told} more"


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _do(names: list[str]) -> str:
    return "does" if len(names) == 1 else "do"


def _all_well(farm: Farm) -> str:
    words = [
        f"{len(servers)} {role.value} server{'s' if len(servers) > 1 else ''}"
        if role is not Role.BALANCER
        else f"{len(servers)} balancer{'s' if len(servers) > 1 else ''}"
        for role in Role
        if (servers := farm.having(role))
    ]
    return f"{', '.join(words)}: all of them work"
