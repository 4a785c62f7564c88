"""The witness: an address that two balancers can ping, for when they no longer hear each other.

With two voters neither is a majority, so when one dies the other cannot hold: it cannot tell that
from a cut between them. A witness tells it one thing: "you are not the one that was cut off". So
the own vote and the witness's answer to that very attempt are enough,

* to go on holding, without more;
* to begin, only when for one *quiet time* (``Timing.quiet_s``) the witness has answered without a
  break and nothing at all was heard of the other voter.

Why two do not hold, as long as two servers that reach the witness reach each other. Say p and q
both hold at an instant, and q began to hold later, by the witness (by p's vote it could not: p's
own vote is p's). In q's quiet time, which lasted longer than any lease, lies the instant at which
p asked for the lease it holds, or was there to be asked for one it has gone on holding since. At
that instant p reached the witness, as it answered, or had q's vote, which q then could not use. And
q reached the witness. So what p sent reached q, against q's having heard nothing.

**What it does not protect from**: a fault that leaves both servers the witness but not each other,
be it in one direction (a broken switch port, a firewall rule, a cable between two switches that
both reach the router). Then both hold. It is a guess where a third voter is a proof.

A lost ping does not break the contact, a missing answer for ``gap_s`` does; a server that was
frozen or was cut off therefore starts its quiet time anew. Pure: the shell pings (``pinger.py``).
"""

from dataclasses import dataclass, field

from stillup.heartbeat.candidate import Candidate
from stillup.heartbeat.events import AskWitness, WitnessAnswered
from stillup.heartbeat.messages import Message, Prepare, Propose
from stillup.heartbeat.quorum import Electorate
from stillup.heartbeat.timing import Timing

OUTSTANDING = 64
"""How many pings may be under way; older ones are forgotten."""


@dataclass(frozen=True, slots=True)
class _Ping:
    """A question to the witness: when it was asked, and for which message, if any."""

    asked_s: float
    message: Prepare | Propose | None


@dataclass(slots=True)
class Witness:
    """What one server knows of one witness.

    Args:
        address: The witness.
        timing: The protocol's durations.
        quiet_since_s: When the other voter was last heard; at first, when this server started.
    """

    address: str
    timing: Timing
    quiet_since_s: float
    due_s: float = 0.0
    number: int = 0
    contact_since_s: float | None = None
    answered_s: float = float("-inf")
    pings: dict[int, _Ping] = field(default_factory=dict)

    def ask(self, message: Prepare | Propose | None, now_s: float) -> int:
        """Note that the witness is asked; return the number that its answer must bear."""
        self.number += 1
        self.pings[self.number] = _Ping(now_s, message)
        if len(self.pings) > OUTSTANDING:
            del self.pings[next(iter(self.pings))]
        self.due_s = now_s + self.timing.longest_wait_s
        return self.number

    def on_answer(self, number: int, now_s: float) -> Prepare | Propose | None:
        """Take an answer; return what it answers, None for nothing that is still asked.

        One that took longer than a contact may be broken says nothing of now.
        """
        ping = self.pings.pop(number, None)
        if ping is None or now_s - ping.asked_s > self.gap_s:
            return None
        if self.contact_since_s is None or now_s - self.answered_s > self.gap_s:
            self.contact_since_s = now_s
        self.answered_s = now_s
        return ping.message

    def may_begin(self, now_s: float) -> bool:
        """Return whether a quiet time has passed: contact with the witness, none with the other."""
        if self.contact_since_s is None or now_s - self.answered_s > self.gap_s:
            return False
        return now_s - max(self.contact_since_s, self.quiet_since_s) >= self.timing.quiet_s

    @property
    def gap_s(self) -> float:
        """How long the witness may go without answering before the contact is broken."""
        return 2.5 * self.timing.longest_wait_s


class Witnesses:
    """The witnesses of an electorate: none mostly, one for two servers, two while it changes.

    Args:
        electorate: Who takes part.
        name: This server; it asks only if it may stand.
        timing: The protocol's durations.
        now_s: The clock; whoever was heard before it does not count as heard.
    """

    def __init__(self, electorate: Electorate, name: str, timing: Timing, now_s: float) -> None:
        self._pairs = electorate.witnesses if name in electorate.eligible else {}
        self.known = {
            vote: Witness(address, timing, now_s, now_s)
            for vote, address in electorate.witness_addresses.items()
            if vote in self._pairs
        }

    def ask(self, vote: str, message: Message, now_s: float) -> list[AskWitness]:
        """Return the ping in which a witness is asked for its vote; nothing if it is not known."""
        witness = self.known.get(vote)
        if witness is None or not isinstance(message, Prepare | Propose):
            return []
        return [AskWitness(witness.address, witness.ask(message, now_s))]

    def on_heard(self, sender: str, now_s: float) -> None:
        """Note that a server was heard: a quiet time ends."""
        for vote, witness in self.known.items():
            if sender in self._pairs[vote]:
                witness.quiet_since_s = now_s

    def on_answer(self, answered: WitnessAnswered, candidate: Candidate, now_s: float) -> None:
        """Take an answer; where it may be counted, it counts for what was asked."""
        for vote, witness in self.known.items():
            if witness.address != answered.address:
                continue
            message = witness.on_answer(answered.number, now_s)
            if candidate.held_until_s is None and not witness.may_begin(now_s):
                continue
            match message:
                case Prepare(ballot):
                    candidate.on_promised(vote, ballot, now_s)
                case Propose(ballot, attempt):
                    candidate.on_accepted(vote, ballot, attempt, now_s)
                case None:
                    pass

    def next_timer_s(self) -> float | None:
        """Return when one is to be pinged next; None for never."""
        return min((witness.due_s for witness in self.known.values()), default=None)

    def on_timer(self, now_s: float) -> list[AskWitness]:
        """Return the pings that are due to keep the contact."""
        return [
            AskWitness(witness.address, witness.ask(None, now_s))
            for witness in self.known.values()
            if witness.due_s <= now_s
        ]
