"""Who brings a change of the electorate to a simulated farm, stage by stage, as ``apply`` does.

It reaches servers by a way of its own, not by the LAN: some not at all for a time. Those come
back with what they had. Whether the next stage may begin is ``membership.may_go_on``'s to say.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass, field

from stillup.heartbeat.events import Stopping
from stillup.heartbeat.membership import Configuration, may_go_on, stages, wait_s
from stillup.heartbeat.quorum import Electorate
from stillup.heartbeat.simulator.luck import Luck
from stillup.heartbeat.simulator.world import World

Stages = Callable[[Electorate, Electorate], tuple[Configuration, ...]]
Allow = Callable[[Electorate, set[str]], bool]


class Kind(enum.Enum):
    """What is changed."""

    VOTER_ADDED = "a voter is added"
    VOTER_REMOVED = "a voter is removed"
    BALANCER_ADDED = "a balancer is added"
    BALANCER_REMOVED = "a balancer is removed"
    BALANCER_REPLACED = "a balancer is replaced by a new server"
    LEASE_LONGER = "the lease is made longer"
    LEASE_SHORTER = "the lease is made shorter"


def changed(old: Electorate, kind: Kind, newcomer: str) -> Electorate:
    """Return the electorate that a change leads to.

    Args:
        old: Where it starts: two balancers or more; for a removal three servers or more.
        kind: What is changed.
        newcomer: The name of a server that is added.
    """
    voters, candidates, lease_s = old.voters, old.candidates, old.lease_s
    match kind:
        case Kind.VOTER_ADDED:
            voters = (*voters, newcomer)
        case Kind.VOTER_REMOVED:
            voters = tuple(name for name in voters if name != voters[-1])
        case Kind.BALANCER_ADDED:
            voters, candidates = (*voters, newcomer), (*candidates, newcomer)
        case Kind.BALANCER_REMOVED:
            voters, candidates = voters[1:], candidates[1:]
        case Kind.BALANCER_REPLACED:
            voters, candidates = (newcomer, *voters[1:]), (newcomer, *candidates[1:])
        case Kind.LEASE_LONGER:
            lease_s *= 4
        case Kind.LEASE_SHORTER:
            lease_s /= 4
    return Electorate(voters, candidates, lease_s)


@dataclass
class Change:
    """A change under way.

    Args:
        world: The farm.
        old: What it leaves.
        new: What it goes to.
        luck: Decides the order, the pace, and who is reloaded and who restarted.
        restarts: The share of servers that are restarted instead of reloaded.
        stages: The configurations on the way.
        allow: Whether the next stage may begin, by the old electorate and who has confirmed.
        waits: Whether it waits before the last stage.
    """

    world: World
    old: Electorate
    new: Electorate
    luck: Luck
    restarts: float = 0.0
    stages: Stages = stages
    allow: Allow = may_go_on
    waits: bool = True
    away_until_s: dict[str, float] = field(default_factory=dict)
    """Servers that cannot be reached, and until when."""
    done: bool = False
    _stage: int = 0
    _confirmed_s: dict[str, float] = field(default_factory=dict)
    _impatient_s: float = 0.0

    def begin(self) -> None:
        """Begin now."""
        self._impatient_s = self.world.now_s + 4 * self._lease_s
        self._go_on()

    @property
    def _lease_s(self) -> float:
        return max(self.old.lease_s, self.new.lease_s)

    @property
    def _configurations(self) -> tuple[Configuration, ...]:
        return self.stages(self.old, self.new)

    @property
    def _is_last(self) -> bool:
        return self._stage == len(self._configurations) - 1

    def _go_on(self) -> None:
        """Do one step and come back a little later, until all is done."""
        world = self.world
        self._visit()
        if self._may_advance():
            if self._is_last:
                self.done = True
                return
            self._stage += 1
            self._confirmed_s.clear()
            self._impatient_s = world.now_s + self.luck.uniform(1, 6) * self._lease_s
        world.at(world.now_s + self._lease_s * self.luck.uniform(0.01, 0.4), self._go_on)

    def _visit(self) -> None:
        """Bring the stage to one server that has it not yet and can be reached."""
        if any(self._is_silent(name) for name in self._confirmed_s):
            # As systemd says "started" only then, whoever waits for that does the same.
            return
        open_yet = [name for name in self._targets() if self._can_visit(name)]
        if open_yet:
            name = self.luck.choice(self._first(sorted(open_yet)))
            if self._bring(name):
                self._confirmed_s[name] = self.world.now_s

    def _first(self, names: list[str]) -> list[str]:
        """Return whose turn it is: those that begin come first, those that end last."""
        new, old = set(self.new.servers), set(self.old.servers)
        begin = [name for name in names if name not in old]
        stay = [name for name in names if name in old and name in new]
        return begin or stay or names

    def _targets(self) -> set[str]:
        return {*self.old.servers, *self.new.servers}

    def _is_silent(self, name: str) -> bool:
        """Return whether a server that has begun does not vote yet."""
        machine = self.world.machines[name]
        node = machine.node
        return node is not None and node.status(machine.clock.read(self.world.now_s)).silent_s > 0

    def _can_visit(self, name: str) -> bool:
        is_away = self.away_until_s.get(name, 0.0) > self.world.now_s
        powered = self.world.machines[name].powered
        return name not in self._confirmed_s and powered and not is_away

    def _bring(self, name: str) -> bool:
        """Return whether the server confirms the stage."""
        world, configuration = self.world, self._configurations[self._stage]
        machine = world.machines[name]
        if name not in configuration.electorate.servers:
            machine.told = None
            world.tell(name, Stopping())
            world.kill(name)
            return True
        if machine.runs is None:
            # A newcomer: there is nothing it could go on with.
            machine.told = configuration
            world.start(name)
            return True
        if machine.node is not None and self.luck.random() < self.restarts:
            machine.told = configuration
            world.kill(name)
            world.start(name)
            return True
        return world.bring(name, configuration)

    def _may_advance(self) -> bool:
        world = self.world
        settled_s = wait_s(self.old, self.new) if self.waits and self._stage == 1 else 0.0
        confirmed = {
            name for name, at_s in self._confirmed_s.items() if world.now_s - at_s >= settled_s
        }
        if confirmed.issuperset(self._targets()):
            return True
        # Rather wait for those that may come back yet than go on without them.
        return world.now_s > self._impatient_s and self.allow(self.old, confirmed)
