"""Who could hold the address, by what each server of a script votes by.

Brute force over all sets of votes, apart from the rules that the deploy package goes by.
"""

import json
from collections.abc import Mapping
from functools import cache
from itertools import combinations

from stillup.heartbeat.membership import Configuration, is_kin
from stillup.heartbeat.settings import DaemonSettings, parse


@cache
def settings_of(text: str, change: str) -> DaemonSettings:
    values = {**json.loads(text), "change": json.loads(change)}
    return parse(json.dumps(values).encode(), "heartbeat.json")


@cache
def possible(
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
