"""The rounds by which the farm changes who votes, who may hold, or the lease (pure).

``heartbeat/membership.py`` has the stages and why they are safe; here is who is brought to which
stage when. Round the usual changes of an apply stand:

* before them, every server that votes is *frozen*: its settings may become those of after, it goes
  on voting by those of before. A new server starts with the joint list: it is there, and takes
  part, from the first round on;
* after them, each round brings every server one stage on, one after another: joint, settled,
  after. At the end the change is forgotten.

Interrupted anywhere, the servers tell how far each of them is, and the next apply goes on from
there. A change that has not come beyond joint is given up if the farm file asks for another one
by then; a later one is completed first.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from stillup.deploy.standing import Heartbeat
from stillup.deploy.steps import AwaitVote, Elect, Forget, OutwaitGrants, Step, Yield
from stillup.deploy.view import Situation
from stillup.heartbeat.changing import Change, Side, Stage
from stillup.heartbeat.membership import may_go_on, wait_s
from stillup.parts.heartbeat import side


@dataclass(frozen=True, slots=True)
class Rounds:
    """What is to be done round the usual changes, and what speaks against it.

    Args:
        before: Steps before them.
        after: Steps after them.
        alone: The usual changes must wait: an earlier change is completed first.
        refused: Code, sentence and the option that overrides it, of each reason not to begin.
    """

    before: tuple[Step, ...] = ()
    after: tuple[Step, ...] = ()
    alone: bool = False
    refused: tuple[tuple[str, str, str], ...] = ()


def rounds(situation: Situation) -> Rounds | None:
    """Return the rounds that an apply needs; None if nothing of the kind changes."""
    told = {
        name: standing.heartbeat
        for name, standing in situation.standings.items()
        if standing.heartbeat is not None and standing.heartbeat.side is not None
    }
    if not told:
        return None
    goal = side(situation.farm)
    under_way = [one.change for one in told.values() if one.change is not None]
    if not under_way:
        old = _common([one.side for one in told.values() if one.side is not None])
        if all(_same(one.side, goal) for one in told.values()):
            return None
        return _Course(situation, told, old, goal).rounds()
    old, new = under_way[0].old, under_way[0].new
    furthest = max(change.stage.place for change in under_way)
    if _same(new, goal) or furthest > Stage.JOINT.place:
        course = _Course(situation, told, old, new)
        return course.rounds(alone=not _same(new, goal))
    if _same(old, goal):
        return _Course(situation, told, old, new).taken_back()
    return _Course(situation, told, old, goal).rounds(anew=True)


def _same(one: Side | None, other: Side) -> bool:
    return one is not None and one.electorate.fingerprint() == other.electorate.fingerprint()


def _common(sides: list[Side]) -> Side:
    """Return the side that most are on: whoever is on another one was away when it was left."""
    prints = Counter(side.electorate.fingerprint() for side in sides)
    most = prints.most_common(1)[0][0]
    return next(side for side in sides if side.electorate.fingerprint() == most)


@dataclass(frozen=True)
class _Course:
    """One change, from ``old`` to ``new``, as the servers stand in it."""

    situation: Situation
    told: Mapping[str, Heartbeat]
    old: Side
    new: Side

    @cached_property
    def places(self) -> dict[str, int]:
        """How far each reached server is: a stage's place, or below 0 for one that is new to it."""
        return {name: self._place(name) for name in self.situation.standings}

    def rounds(self, *, alone: bool = False, anew: bool = False) -> Rounds:
        """Return the rounds.

        Args:
            alone: They are done without the usual changes.
            anew: What the servers have of a change is of another one, and is replaced.
        """
        if not set(self.old.candidates) & set(self.new.candidates):
            return Rounds(refused=(self._no_balancer_stays(),))
        places = dict.fromkeys(self.places, Stage.BEFORE.place) if anew else self.places
        fresh = [name for name in places if self.places[name] < 0]
        plain = [name for name in places if name in self.told and self._is_plain_old(name)]
        replaced = [name for name in self.told if anew and self.told[name].change is not None]
        before = [
            *self._to(Stage.BEFORE, [*plain, *replaced]),
            *self._to(Stage.JOINT, fresh),
        ]
        after: list[Step] = [AwaitVote(tuple(fresh))] if fresh else []
        after += self._handing_over()
        for stage in (Stage.JOINT, Stage.SETTLED, Stage.AFTER):
            behind = [name for name in self._in_turn() if self._is_behind(name, stage, places)]
            after += self._to(stage, behind)
            if stage is Stage.SETTLED and any(at < Stage.AFTER.place for at in places.values()):
                after.append(OutwaitGrants(self._wait_s()))
        after.append(Forget(tuple(self._in_turn())))
        return Rounds(tuple(before), tuple(after), alone, tuple(self._refusals(places)))

    def taken_back(self) -> Rounds:
        """Return the rounds that give a change up which has not come beyond joint."""
        joint = [
            name for name, one in self.told.items() if one.change and one.change.stage.place > 0
        ]
        steps = (*self._to(Stage.BEFORE, joint), Forget(tuple(self._in_turn())))
        return Rounds(before=steps)

    def _to(self, stage: Stage, names: Iterable[str]) -> list[Step]:
        change = Change(stage, self.old, self.new)
        return [Elect(name, change) for name in dict.fromkeys(names)]

    def _place(self, name: str) -> int:
        one = self.told.get(name)
        if one is None:
            return -1
        if one.change is not None:
            return one.change.stage.place
        if _same(one.side, self.old):
            return Stage.BEFORE.place
        # Who has forgotten a change under way has completed it; else it was away, or is new.
        is_done = _same(one.side, self.new) and any(each.change for each in self.told.values())
        return Stage.AFTER.place + 1 if is_done else -1

    def _is_plain_old(self, name: str) -> bool:
        return self.told[name].change is None and _same(self.told[name].side, self.old)

    def _is_behind(self, name: str, stage: Stage, places: Mapping[str, int]) -> bool:
        # One that is new is at joint by the time the rounds begin.
        place = Stage.JOINT.place if places[name] < 0 else places[name]
        return place < stage.place

    def _in_turn(self) -> list[str]:
        """Return the reached servers, the holders of an address last."""
        names = [name for name in self.situation.standings if self._takes_part(name)]
        return sorted(names, key=lambda name: self.situation.standings[name].holding)

    def _takes_part(self, name: str) -> bool:
        return name in self.new.voters or name in self.old.voters

    def _wait_s(self) -> float:
        return wait_s(self.old.electorate, self.new.electorate)

    def _handing_over(self) -> Iterable[Step]:
        """Have a holder that stays in the farm, but not as a balancer, hand over first."""
        for name, standing in self.situation.standings.items():
            if standing.holding and name not in self.new.candidates:
                peers = tuple(peer for peer in self.new.candidates if peer in self.old.candidates)
                yield Yield(name, peers)

    def _refusals(self, places: Mapping[str, int]) -> Iterable[tuple[str, str, str]]:
        confirmed = [name for name in places if name in self.old.voters]
        old = self.old.electorate
        if not may_go_on(old, confirmed):
            away = [name for name in self.old.voters if name not in confirmed]
            yield (
                "voters-missing",
                f"{', '.join(away)} could hold the virtual IP without the others, by the list of "
                "servers that they know, and cannot be told of another one; have more of them "
                "reached, or take fewer out of the farm file at a time",
                "",
            )
        holders = {holder for one in self.told.values() for holder in one.holders}
        for holder in sorted(holders - set(self.new.candidates) - set(places)):
            yield (
                "holder-leaves",
                f"{holder} holds the virtual IP and is not in the farm file any more; with the "
                "farm file as it was, `stillup failover` moves the address without losing a "
                "request; --force goes on, and costs a lease",
                "--force",
            )

    def _no_balancer_stays(self) -> tuple[str, str, str]:
        return (
            "balancers-all-new",
            f"none of the balancers ({', '.join(self.old.candidates)}) stays one, so nobody could "
            "hold the virtual IP meanwhile; keep one of them until the others are there",
            "",
        )
