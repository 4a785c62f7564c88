"""When a candidate greets the others, and what it says of itself: see ``messages.Hello``."""

from stillup.heartbeat.messages import Hello
from stillup.heartbeat.timing import Timing

HOLDERS_REST = 4
"""How many times as long a holder waits between greetings."""


class Greeting:
    """A candidate's greetings.

    Args:
        due_s: When the first is due; None for a server that is no candidate.
    """

    def __init__(self, due_s: float | None) -> None:
        self.due_s = due_s
        self.said = Hello(fit=False)

    def is_due(self, now_s: float) -> bool:
        """Return whether it is time to greet."""
        return self.due_s is not None and self.due_s <= now_s

    def is_news(self, hello: Hello) -> bool:
        """Return whether the others should hear this before it is time."""
        return self.due_s is not None and hello != self.said

    def hasten(self, due_s: float) -> None:
        """Greet by then at the latest: who holds has changed."""
        if self.due_s is not None:
            self.due_s = min(self.due_s, due_s)

    def say(
        self, hello: Hello, now_s: float, silent_until_s: float, timing: Timing, *, asks: bool
    ) -> None:
        """Note that all are greeted now.

        Args:
            hello: What they are told.
            now_s: The clock.
            silent_until_s: When the own voter begins to vote. Until then, just after the
                start, the servers get to know each other (``seal.py``): so be quick.
            timing: The protocol's durations.
            asks: Whether this server holds and so asks everybody four times a lease anyway:
                then a greeting says nothing new, and is only repeated in case one was lost.
        """
        self.said = hello
        if now_s < silent_until_s:
            self.due_s = min(now_s + timing.longest_wait_s, silent_until_s)
        else:
            self.due_s = now_s + timing.hello_s * (HOLDERS_REST if asks else 1)
