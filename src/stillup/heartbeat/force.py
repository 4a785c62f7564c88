"""Force: a person lets a balancer hold although the votes that are left are not enough.

What no program can know, a person may: that the servers which do not answer are dead, and not merely
out of reach. He names them. From then on, at the balancer that was asked, they do not count:
enough is a majority of the others, or every other balancer (``Electorate.without``).

That is sound if what he said is true. Let D be truly dead, and T enough without D. Whatever S
is enough by the whole rule, for a balancer that lives, is a set of living servers. Two majorities of
the living share one; T of every living balancer contains the one that asked for S; S of every
balancer contains the one that asked for T. It also takes no more than what the dead were lent: it
begins only when nothing was heard of any of them for a quiet time, which is longer than a lease.

It ends by itself. A server that is heard again, or that has a vote, as somebody says, is no longer dead;
if the votes are not enough without the others, the address is let go at once. Once
the whole rule is met again, nobody is dead. A restart of the daemon forgets it all.
"""

from collections.abc import Iterable, Mapping

from stillup.heartbeat.candidate import Candidate
from stillup.heartbeat.quorum import Electorate
from stillup.heartbeat.timing import Timing


def refusal(
    electorate: Electorate, name: str, dead: Iterable[str], silent_s: Mapping[str, float],
    quiet_s: float,
) -> str | None:  # fmt: skip
    """Return why the servers cannot be declared dead; None if they can.

    Args:
        electorate: Who takes part.
        name: The balancer that shall hold.
        dead: The servers, by name.
        silent_s: For how long nothing has been heard of each other server.
        quiet_s: How long that must be.
    """
    named = sorted(set(dead))
    if name not in electorate.eligible:
        return f"{name} is no balancer, so it cannot hold the address"
    for server in named:
        if server not in electorate.servers:
            return f"{server} is no server of this farm; they are {', '.join(electorate.servers)}"
        if server == name:
            return f"{server} is the server that shall hold; name those that are dead"
        if silent_s[server] < quiet_s:
            return (
                f"{server} was heard {silent_s[server]:.1f} s ago, so it is not dead; switch it "
                f"off, or leave it out"
            )
    living = [server for server in electorate.servers if server not in named]
    heard = [server for server in living if server == name or silent_s[server] < quiet_s]
    if electorate.is_enough(heard, name):
        return "enough servers vote without force; nothing has to be forced"
    if not electorate.without(named).is_enough(heard, name):
        missing = [server for server in living if server not in heard]
        return (
            f"the others are not enough either: {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} silent too; if dead, name them as well"
        )
    return None


def risks(name: str, dead: Iterable[str], address: str) -> tuple[str, ...]:
    """Return what a person risks, a sentence each.

    Args:
        name: The balancer that shall hold.
        dead: The servers that are declared dead.
        address: The virtual IP.
    """
    named = " and ".join(sorted(set(dead)))
    return (
        f"{name} will hold {address} without the votes of {named}, which you declare dead.",
        "If one of them lives and only cannot be reached, two servers may answer for the address, "
        "and users reach either of them.",
        f"Make sure that they are switched off before you go on, and that they come back where "
        f"{name} hears them: it stops by itself when it hears a balancer that was declared dead.",
    )


class Declared:
    """The servers that count as dead at one balancer; mostly none.

    They stand in the ``Candidate``'s electorate, by which it counts.

    Args:
        name: This server.
        electorate: Who takes part, all alive.
        timing: The protocol's durations.
        now_s: The clock at the start.
    """

    def __init__(self, name: str, electorate: Electorate, timing: Timing, now_s: float) -> None:
        self.heard_s: dict[str, float] = {}
        """When each other server was last heard, or last said to be alive."""
        self._name = name
        self._electorate = electorate
        self._timing = timing
        self._started_s = now_s

    def begin_under(self, electorate: Electorate, timing: Timing) -> None:
        """Go on under another electorate; nobody is dead in it."""
        self._electorate, self._timing = electorate, timing

    def refusal(self, servers: Iterable[str], now_s: float) -> str | None:
        """Return why these servers cannot be declared dead; None if they can."""
        silent_s = {
            server: now_s - self.heard_s.get(server, self._started_s)
            for server in self._electorate.servers
        }
        return refusal(self._electorate, self._name, servers, silent_s, self._timing.quiet_s)

    def declare(self, candidate: Candidate, servers: frozenset[str], now_s: float) -> None:
        """Count exactly these servers as dead from now on, unless something speaks against it."""
        if servers and self.refusal(servers, now_s) is not None:
            return
        self._count_without(candidate, servers, now_s)
        if candidate.held_until_s is None and servers:
            candidate.let_go(now_s, "it begins anew without the dead")

    def on_heard(self, candidate: Candidate, server: str, now_s: float) -> None:
        """Note that a server was heard."""
        self.heard_s[server] = now_s
        self.on_alive(candidate, server, now_s)

    def heard_ago_s(self, now_s: float) -> dict[str, float]:
        """Return how long ago each other server was last heard, or was said to be alive."""
        return {name: now_s - at_s for name, at_s in sorted(self.heard_s.items())}

    def hears_enough(self, now_s: float) -> bool:
        """Return whether voters that are enough were heard lately."""
        fresh_s = self._timing.fresh_s
        heard = [name for name, at_s in self.heard_s.items() if now_s - at_s <= fresh_s]
        return self._electorate.is_enough([*heard, self._name], self._name)

    def on_alive(self, candidate: Candidate, server: str, now_s: float) -> None:
        """Note that a server lives, as it was heard, or as somebody says that it has its vote."""
        dead = candidate.electorate.dead
        if server in dead:
            self._count_without(candidate, dead - {server}, now_s)

    def settle(self, candidate: Candidate, now_s: float) -> None:
        """Take the declaration back once enough servers vote without it."""
        ask = candidate.confirmed
        if not candidate.electorate.dead or ask is None:
            return
        if self._electorate.is_enough(ask.votes, self._name):
            self._count_without(candidate, frozenset(), now_s)

    def _count_without(self, candidate: Candidate, dead: frozenset[str], now_s: float) -> None:
        """Count these servers as dead and no others; let go of what is not enough then."""
        candidate.use(self._electorate.without(dead))
        ask = candidate.confirmed
        if ask is None or candidate.electorate.is_enough(ask.votes, self._name):
            return
        candidate.let_go(now_s, "a server that was declared dead lives")
