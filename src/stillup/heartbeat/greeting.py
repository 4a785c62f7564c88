"""When a candidate greets the others, and what it says of itself: see ``messages.Hello``."""

from stillup.heartbeat.messages import Hello
from stillup.heartbeat.timing import Timing


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

    def say(self, hello: Hello, now_s: float, silent_until_s: float, timing: Timing) -> None:
        """Note that all are greeted now.

        Args:
            hello: What they are told.
            now_s: The clock.
            silent_until_s: When the own voter begins to vote. Until then, just after the
                start, the servers get to know each other (``seal.py``): so be quick.
            timing: The protocol's durations.
        """
        self.said = hello
        if now_s < silent_until_s:
            self.due_s = min(now_s + timing.renew_s, silent_until_s)
        else:
            self.due_s = now_s + timing.hello_s
