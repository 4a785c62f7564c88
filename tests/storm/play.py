"""Plays a storm on a farm: begins and undoes each strike when it is due, and keeps a history."""

import heapq
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.netns.farm import BALANCERS, Farm
from tests.storm import faults
from tests.storm.plan import CALM_S, Strike, episodes
from tests.storm.verdict import Calm, Verdict, verdict

FIVE = {
    "lb1": "10.0.0.2",
    "lb2": "10.0.0.3",
    "web1": "10.0.0.4",
    "web2": "10.0.0.5",
    "db1": "10.0.0.6",
}
# From when the last fault is undone: a daemon starts (Python, then the voters' silence of one
# lease), a HAProxy answers five times in a row, a lease runs out, and it is asked for.
SETTLED_S = 2.5
ASK_S = 0.005


@dataclass
class Storm:
    """A storm and what came of it.

    Args:
        farm: Where; whole, with five servers.
        seed: Of the strikes.
        length_s: How long, calms and all.
        history: Where each thing done is written, one JSON object a line.
        say: Told now and then how far it is.
    """

    farm: Farm
    seed: int
    length_s: float
    history: Path
    say: Callable[[str], None] = lambda _: None
    done: list[Strike] = field(default_factory=list)
    calms: list[Calm] = field(default_factory=list)

    def play(self) -> Verdict:
        """Play it and return what the wire has to say."""
        lease_s = self.farm.lease_ms / 1000
        luck = random.Random(self.seed)
        planned = episodes(luck, self.length_s, lease_s, list(self.farm.servers), BALANCERS)
        watcher = self.farm.watcher(ask_s=ASK_S, arp_only=True)
        end_s = time.monotonic() + self.length_s
        try:
            for number, strikes in enumerate(planned, 1):
                # On a busy host what is planned takes longer; the length is kept all the same.
                if time.monotonic() > end_s:
                    break
                self._episode(strikes)
                self.say(f"episode {number} of {len(planned)}, {len(self.done)} faults so far")
        finally:
            sightings = watcher.stop()
        return verdict(sightings, self.calms)

    def _episode(self, strikes: Sequence[Strike]) -> None:
        due = [(each.begin_s, 1, each.number, each) for each in strikes]
        due += [(each.end_s, 0, each.number, each) for each in strikes]
        heapq.heapify(due)
        began_s = time.monotonic()
        while due:
            at_s, begins, _, strike = heapq.heappop(due)
            time.sleep(max(0.0, began_s + at_s - time.monotonic()))
            self._note("begins" if begins else "ends", strike)
            (faults.begin if begins else faults.undo)(self.farm, strike)
        self.done += strikes
        time.sleep(CALM_S)
        now_s = time.monotonic()
        self.calms.append(Calm(now_s - CALM_S + SETTLED_S, now_s))

    def _note(self, what: str, strike: Strike) -> None:
        with self.history.open("a") as lines:
            lines.write(json.dumps({"at_s": time.monotonic(), what: asdict(strike)}) + "\n")
