"""Changing who votes, who stands or how long a lease is, while the address stays where it is.

The farm goes from the electorate O to N in three stages, each of which is brought to every
server that can be reached before the next one begins:

| stage   | what is enough       | believes the datagrams of  | holds for    | lends for   |
|---------|----------------------|----------------------------|--------------|-------------|
| before  | enough in O          | O, joint                   | O's lease    | O's lease   |
| joint   | enough in O and in N | O, joint, settled, after   | the shorter  | the longer  |
| settled | enough in O and in N | joint, settled, after      | the shorter  | the longer  |
| after   | enough in N          | joint, settled, after      | N's lease    | N's lease   |

A datagram says the fingerprint of its sender's electorate and of that one's *predecessor*; it is
believed if the two fingerprints are equal or one is the other's predecessor (``is_kin``). Joint
and settled are one electorate; only ``joint`` names O as its predecessor.

Why two never hold, whatever stages the servers are in:

1. A set that is enough under joint or settled is enough in O and in N. So it shares a voter with
   every set that is enough in O, in N, or under joint or settled. What remains is a holder by O
   beside a holder by N.
2. ``after`` begins only when the servers not confirmed at ``settled`` could not be enough for
   anybody in O (``may_go_on``), and have not been for a longest lease (``wait_s``). Whoever asks
   by O is believed by servers ``before`` or ``joint`` alone, all of which are among those. What
   was granted by O earlier has run out. So once there is a holder by N, there is none by O.
3. What was lent for O's lease is never counted on for N's: who counts on N's lease alone is
   ``after``, and believes nobody who lends for less; who is joint counts on the shorter one.
4. A server that was away comes back ``before`` or ``joint`` and changes none of this, however
   long it was away: it was not confirmed. The same holds for the change after this one, whose
   O is this one's N.

Why it disturbs nobody: each stage hears the one before and the one after it, so a holder keeps
being answered by all while a stage is brought to the servers one by one. What it takes: enough in
O *and* in N while the change lasts. It is not needed for the change to *succeed*: where O has lost
its quorum, the servers that are left may still be taken to an electorate of their own, as
long as those that are not confirmed could not be enough in O.

Done without these stages, a change is sound only if every set that is enough in O shares a voter
with every one that is enough in N (``directly``): then votes, remembered or waited out in
silence, do the rest. One voter that is no candidate more or less is such a change: the majorities of n
and of n + 1 are n + 2 votes of n + 1 voters, and all candidates are the same. A candidate more
or less is not: of lb1, lb2, web1, web2, web3 both balancers are enough; with lb3 added,
lb3 and the three web servers are a majority of six and contain neither.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

from stillup.heartbeat.quorum import FINGERPRINT_BYTES, Electorate

NOBODY = bytes(FINGERPRINT_BYTES)
"""The predecessor of a configuration that follows nothing."""


@dataclass(frozen=True)
class Configuration:
    """An electorate, and whose datagrams besides its own are believed under it.

    Args:
        electorate: Who takes part.
        predecessor: The fingerprint of the electorate it follows; ``NOBODY`` for none.
    """

    electorate: Electorate
    predecessor: bytes = NOBODY

    @cached_property
    def fingerprint(self) -> bytes:
        """The electorate's fingerprint."""
        return self.electorate.fingerprint()

    def believes(self, other: "Configuration") -> bool:
        """Return whether a server that runs this one believes one that runs the other."""
        ours, theirs = self.fingerprint, other.fingerprint
        return is_kin(ours, self.predecessor, theirs, other.predecessor)


def is_kin(own: bytes, before_own: bytes, theirs: bytes, before_theirs: bytes) -> bool:
    """Return whether two configurations believe each other's datagrams.

    Args:
        own: One electorate's fingerprint.
        before_own: Its predecessor's.
        theirs: The other one's fingerprint.
        before_theirs: Its predecessor's.
    """
    return theirs in (own, before_own) or before_theirs == own


def stages(old: Electorate, new: Electorate) -> tuple[Configuration, Configuration, Configuration]:
    """Return the configurations joint, settled and after.

    Raises:
        ValueError: If nobody is a candidate in both: the address could not be held meanwhile.
    """
    joint = replace(new, left=replace(old, left=None, dead=frozenset()))
    return (
        Configuration(joint, old.fingerprint()),
        Configuration(joint),
        Configuration(new, joint.fingerprint()),
    )


def may_go_on(old: Electorate, confirmed: Collection[str]) -> bool:
    """Return whether the next stage may begin.

    True when the servers that have not confirmed the stage could not be enough in the old
    electorate for anybody, not even if all of them are up and hear each other and a witness.

    Args:
        old: The electorate that is being left.
        confirmed: Who runs the stage, or is known to run a later one.
    """
    others = [name for name in old.asked if name not in confirmed]
    return not any(old.is_enough(others, name) for name in old.candidates)


def wait_s(old: Electorate, new: Electorate) -> float:
    """Return how long ``settled`` must have been confirmed before ``after`` begins.

    By then what was granted under the old electorate has run out, on clocks 1 % wrong either way.
    """
    return max(old.lease_s, new.lease_s) * 1.02


def directly(old: Electorate, new: Electorate) -> bool:
    """Return whether the change is sound in one step, without the stages.

    Only whether the quorums of the two always share a voter, judged by kind: the same
    candidates, no witness on either side, and at most one voter more or less.
    """
    if set(old.candidates) != set(new.candidates) or old.witness != new.witness:
        return False
    return len(set(old.voters).symmetric_difference(new.voters)) <= 1
