"""Many trials: what they add up to, and a violation as a scenario that a person can read.

A trial is a function of its seed, so seeds may be shared out over processes in any order.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from stillup.heartbeat.core import Node
from stillup.heartbeat.simulator import change_trial, force_trial, witness_trial
from stillup.heartbeat.simulator.change_trial import How
from stillup.heartbeat.simulator.luck import Luck, seeded
from stillup.heartbeat.simulator.mutants import HARMLESS, MUTANTS
from stillup.heartbeat.simulator.recorder import Recorder
from stillup.heartbeat.simulator.scenario import perform
from stillup.heartbeat.simulator.shrink import paragraphs, shrunk
from stillup.heartbeat.simulator.spy import Spy
from stillup.heartbeat.simulator.trial import SIZES, Outcome, Plan, run
from stillup.heartbeat.simulator.vote_mutants import VOTE_MUTANTS
from stillup.heartbeat.simulator.world import Build, Deserted, Spinning, TwoHolders

OTHERS: dict[str, Callable[[Luck], object]] = {
    "change": change_trial.run,
    "calm-change": lambda luck: change_trial.run(luck, how=How(faults=False)),
    "witness": witness_trial.run,
    "dead": force_trial.run,
}
"""Other trials: of a change of who votes, with faults and without; of two servers with a witness;
of servers that a person declares dead."""

REPLAYED_SHARE = 0.2
STORY_LINES = 40

WORDS = {
    "TwoHolders": "two servers answered for the address at once",
    "Deserted": "nobody answered for the address, though a fit balancer with enough votes was there",
    "Spinning": "a server woke up again and again without doing anything",
}


@dataclass(frozen=True, slots=True)
class Trials:
    """What kind of trials.

    Args:
        sizes: The fewest and the most servers of a farm.
        replays: Whether somebody on the wire records every datagram and sends old ones again.
        mutant: The name of a core with a fault made on purpose; None for the real one.
        what: ``farm``, or one of ``OTHERS``, whose farms have their own sizes.
    """

    sizes: tuple[int, int] = SIZES
    replays: bool = False
    mutant: str | None = None
    what: str = "farm"

    @property
    def other(self) -> Callable[[Luck], object] | None:
        """The trial, if it is none of a farm as it is."""
        if self.mutant in VOTE_MUTANTS:
            return VOTE_MUTANTS[self.mutant]
        return OTHERS.get(self.what)

    @property
    def build(self) -> Build:
        """What makes a node."""
        return Node if self.mutant is None else {**MUTANTS, **HARMLESS}[self.mutant]

    @property
    def spy(self) -> Spy | None:
        """Who is on the wire; a new one for each trial, as it remembers."""
        return Spy(REPLAYED_SHARE) if self.replays else None


@dataclass(frozen=True, slots=True)
class Violation:
    """A trial that broke what must never break.

    Args:
        seed: Its seed.
        kind: The name of the exception.
    """

    seed: int
    kind: str

    @property
    def words(self) -> str:
        """What was broken, for a person."""
        return WORDS[self.kind]


@dataclass(slots=True)
class Total:
    """What trials add up to.

    Attributes:
        trials: How many.
        servers: How many farms had so many servers.
        faults: How often each was done.
        moves: How often the address was gained.
        events: How many events were handled.
        virtual_s: How long the farms lived, in their own time.
        shown: In how many the address had to be answered for again after the faults.
        slowest_s: The longest that took, less the farm's lease; None if it never had to.
    """

    trials: int = 0
    servers: Counter[int] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    moves: int = 0
    events: int = 0
    virtual_s: float = 0.0
    shown: int = 0
    slowest_s: float | None = None

    def add(self, outcome: Outcome) -> None:
        """Add one trial."""
        self.trials += 1
        self.servers[outcome.servers] += 1
        self.faults.update(outcome.faults)
        self.moves += outcome.moves
        self.events += outcome.steps
        self.virtual_s += outcome.virtual_s
        if outcome.recovered_s is not None:
            self.shown += 1
            self.slowest_s = _most(self.slowest_s, outcome.recovered_s)

    def merge(self, other: "Total") -> None:
        """Add the trials of another one."""
        self.trials += other.trials
        self.servers.update(other.servers)
        self.faults.update(other.faults)
        self.moves += other.moves
        self.events += other.events
        self.virtual_s += other.virtual_s
        self.shown += other.shown
        self.slowest_s = _most(self.slowest_s, other.slowest_s)


def attempt(seeds: Iterable[int], trials: Trials) -> tuple[Total, Violation | None]:
    """Run these trials up to the first violation."""
    total = Total()
    for seed in seeds:
        try:
            if trials.other is not None:
                trials.other(seeded(seed))
                total.trials += 1
            else:
                total.add(run(seeded(seed), trials.build, trials.spy, Plan(trials.sizes)))
        except (TwoHolders, Deserted, Spinning) as error:
            return total, Violation(seed, type(error).__name__)
    return total, None


def caught_at(mutant: str, most: int) -> int | None:
    """Return the seed whose trial shows two holders; None if none below ``most`` does."""
    for seed in range(most):
        try:
            if mutant in VOTE_MUTANTS:
                VOTE_MUTANTS[mutant](seeded(seed))
            else:
                run(seeded(seed), MUTANTS[mutant])
        except TwoHolders:
            return seed
        except (Deserted, Spinning):
            continue
    return None


@dataclass(frozen=True, slots=True)
class Explained:
    """A violation as a scenario, or event by event where there is none.

    Args:
        text: The scenario, with what came of it.
        commands: How many commands it has; none if it is told event by event.
        of: How many there were before the needless ones were left out.
    """

    text: str
    commands: int
    of: int


def explain(violation: Violation, trials: Trials) -> Explained:
    """Return a violation as a scenario that is as short as can be and shows it again.

    Other trials than those of a farm as it is are told event by event.
    """
    if trials.other is not None:
        return _event_by_event(violation, trials.other)
    recorder = Recorder()
    plan = Plan(trials.sizes, recorder.world)
    with contextlib.suppress(TwoHolders, Deserted, Spinning):
        run(seeded(violation.seed), trials.build, trials.spy, plan)

    def shows(commands: Sequence[str]) -> bool:
        played = perform("\n".join(commands), seeded(0), trials.build)
        return played.violation == violation.kind

    whole = recorder.commands()
    least = shrunk(whole, shows)
    played = perform(paragraphs(least), seeded(0), trials.build)
    with_mutant = f' --mutant "{trials.mutant}"' if trials.mutant else ""
    head = [
        f"Seed {violation.seed}: {violation.words}.",
        f"{len(least)} commands are left of the {len(whole)} of the trial; play them again with",
        f"stillup simulate{with_mutant} --scenario FILE",
    ]
    story = [line for line in played.story.splitlines() if not line.endswith(" TimerFired()")]
    tail = ["What happened last, event by event:", *story[-STORY_LINES:]]
    text = "\n\n".join([_comment(head), played.text.strip(), _comment(tail)]) + "\n"
    return Explained(text, len(least), len(whole))


def _event_by_event(violation: Violation, trial: Callable[[Luck], object]) -> Explained:
    try:
        trial(seeded(violation.seed))
    except (TwoHolders, Deserted, Spinning) as error:
        head = [f"Seed {violation.seed}: {violation.words}.", "What happened, event by event:"]
        return Explained("\n".join([*_comment(head).splitlines(), str(error), ""]), 0, 0)
    raise AssertionError(f"seed {violation.seed} did not do the same again")


def _comment(lines: Iterable[str]) -> str:
    return "\n".join(f"# {line}" for line in lines)


def _most(one: float | None, other: float | None) -> float | None:
    return max((value for value in (one, other) if value is not None), default=None)
