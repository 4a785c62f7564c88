"""What apply, drain and release say while they work: one line an event, with the seconds."""

import sys
import time
from typing import assert_never

from stillup.deploy.events import Began, Done, Event, Planned, Reached, Stopped, Told
from stillup.deploy.plan import Plan

SLOW_S = 1.0
"""A step that took longer has its time said."""
ROUTINE = ("files ", "check ", "health ", "start ", "enable ", "command ")
"""What a server tells while all goes well; said with ``--verbose`` only."""


class Progress:
    """Tells events on stderr; stdout is for what was asked for."""

    def __init__(self, *, verbose: bool = False) -> None:
        self._began_s = time.monotonic()
        self._verbose = verbose

    def __call__(self, event: Event) -> None:
        """Tell one event."""
        match event:
            case Reached():
                count = len(event.servers)
                noun = "server" if count == 1 else "servers"
                self.say(f"{count} {noun} reached in {event.seconds:.1f} s")
                for sentence in event.unreached:
                    self.say(sentence)
            case Planned():
                self._planned(event.plan)
            case Began():
                self.say(str(event.step))
            case Told():
                if self._verbose or not event.text.startswith(ROUTINE):
                    self.say(f"  {event.server}: {event.text}")
            case Done():
                if event.seconds >= SLOW_S:
                    self.say(f"  done in {event.seconds:.1f} s")
            case Stopped():
                self._stopped(event)
            case _:
                assert_never(event)

    def _planned(self, plan: Plan) -> None:
        for sentence in plan.warnings:
            self.say(f"note: {sentence}")
        changed = [name for name, standing in plan.standings.items() if standing.to_change]
        if changed:
            count = sum(len(plan.standings[name].changes) for name in changed)
            self.say(f"{count} changes to make on {', '.join(changed)}")

    def _stopped(self, event: Stopped) -> None:
        if event.done:
            self.say(f"changed before: {', '.join(event.done)}")
        if event.left:
            self.say(f"not changed, or not to the end: {', '.join(event.left)}")
        self.say("`stillup apply` carries on from here")

    def say(self, text: str) -> None:
        """Tell a sentence."""
        print(f"[{time.monotonic() - self._began_s:6.1f} s] {text}", file=sys.stderr, flush=True)
