"""What a storm consists of: drawn from a seed before it begins, so that it can be had again.

Two faults at most at a time: two lanes, each with one fault after another, with pauses. Every
episode ends with a calm in which all is well again and somebody must answer.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

EPISODE_S = (8.0, 25.0)
CALM_S = 4.0
LANES = 2


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Args:
        name: In words.
        touches: What of the server it changes; two faults at a time never change the same.
        balancer: Whether it can befall balancers only.
        weight: How often it is drawn.
    """

    name: str
    touches: frozenset[str]
    balancer: bool = False
    weight: int = 2


KINDS = (
    Kind("daemon killed", frozenset({"daemon"}), weight=3),
    Kind("daemon stopped", frozenset({"daemon"}), weight=4),
    Kind("daemon restarted", frozenset({"daemon"})),
    Kind("daemon replaced", frozenset({"daemon"})),
    Kind("cut", frozenset({"wire"})),
    Kind("hears nothing", frozenset({"wire"})),
    Kind("is not heard", frozenset({"wire"})),
    Kind("loses datagrams", frozenset({"wire"})),
    Kind("no carrier", frozenset({"link"})),
    Kind("machine dies", frozenset({"daemon", "wire", "link", "service", "address"}), weight=1),
    Kind("HAProxy dies", frozenset({"service"}), balancer=True),
    Kind("HAProxy hangs", frozenset({"service"}), balancer=True, weight=1),
    Kind("address taken off", frozenset({"address"}), balancer=True, weight=1),
    Kind("planned move", frozenset({"move"}), balancer=True, weight=3),
)


@dataclass(frozen=True)
class Strike:
    """One fault, from when until when; seconds since its episode began.

    Args:
        number: Which one of the storm.
        share: Of the datagrams that are lost, 0 to 1, where any are.
    """

    number: int
    kind: str
    target: str
    begin_s: float
    end_s: float
    share: float = 1.0


def episodes(
    luck: random.Random,
    length_s: float,
    lease_s: float,
    servers: Sequence[str],
    balancers: Sequence[str],
) -> list[list[Strike]]:
    """Return the strikes of each episode, in order of time; the calms are counted in."""
    found: list[list[Strike]] = []
    left_s, number = length_s, 0
    while left_s > CALM_S:
        lasting_s = min(luck.uniform(*EPISODE_S), max(left_s - CALM_S, 1.0))
        strikes = _episode(luck, lasting_s, lease_s, (servers, balancers), number)
        number += len(strikes)
        found.append(strikes)
        left_s -= lasting_s + CALM_S
    return found


def _episode(
    luck: random.Random,
    lasting_s: float,
    lease_s: float,
    farm: tuple[Sequence[str], Sequence[str]],
    number: int,
) -> list[Strike]:
    free_s = [luck.uniform(0.0, lease_s) for _ in range(LANES)]
    strikes: list[Strike] = []
    while min(free_s) < lasting_s:
        lane = free_s.index(min(free_s))
        begin_s = free_s[lane]
        end_s = min(begin_s + _lasting_s(luck, lease_s), lasting_s)
        kind, target = _draw(luck, farm, [each for each in strikes if each.end_s >= begin_s])
        share = luck.uniform(0.1, 0.7) if kind == "loses datagrams" else 1.0
        strikes.append(Strike(number + len(strikes), kind, target, begin_s, end_s, share))
        free_s[lane] = end_s + luck.choice((0.05, 0.6, 2.0)) * luck.uniform(0.2, 1.0) * lease_s
    return strikes


def _lasting_s(luck: random.Random, lease_s: float) -> float:
    """Shorter than a lease, about one, or much longer: each has faults of its own."""
    least, most = luck.choice(((0.02, 0.8), (0.8, 2.0), (2.0, 8.0)))
    return luck.uniform(least, most) * lease_s


def _draw(
    luck: random.Random, farm: tuple[Sequence[str], Sequence[str]], going_on: Sequence[Strike]
) -> tuple[str, str]:
    """Return a fault that does not undo what goes on already."""
    servers, balancers = farm
    taken = {(each.target, part) for each in going_on for part in touches(each.kind)}
    while True:
        kind = luck.choices(KINDS, [kind.weight for kind in KINDS])[0]
        target = luck.choice(balancers if kind.balancer or luck.random() < 0.5 else servers)
        if not any((target, part) in taken for part in kind.touches):
            return kind.name, target


def touches(kind: str) -> frozenset[str]:
    """Return what a kind of fault changes."""
    return next(each.touches for each in KINDS if each.name == kind)
