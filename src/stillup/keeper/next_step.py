"""Decides a database keeper's next step from what is seen: pure.

**Never** (each is tried on every state by ``tests/unit/keeper/test_every_state.py``):

1. Two primary components. Apart from Galera's own majority, one comes into being only by ``Found``, and
   a server founds only after *every* other database server has said that its MariaDB does not run and
   that it has not declared itself, asked after this one had declared its intent in public. Whoever is
   the second to declare sees the first one's declaration. MariaDB at rest becomes primary by itself
   only from Galera's saved view of its group (``Await``), and a keeper removes that before it gives such
   an answer, as it does before ``Join``: also long after, an old view must not bring back what was
   left behind. The declaration and the removal survive the death of the keeper.
2. Founding from older data. It founds who has the highest position of *all* database servers, each known;
   of equal ones the first by name. One whose data cannot be read might be the newest: then nobody founds.
3. A birth without a mark, or where anybody heard was ever a member. (It does not wait for who does not
   answer: the mark says that all were asked before it was given, and that none was ever a member.)
4. A copy over data that nobody else has. A server joins only when its position is part of the history
   of the primary component: not beyond it, and not of another history, except up to the point where a
   person ended that one. Data that cannot be read count as what the server was a member of last.
   Databases that never belonged to the cluster are not overwritten.
5. Two histories of one name. Whoever gives up what others may hold founds from rest, under a new name.

**Only a person** may set 1 and 2 aside for servers that do not answer (``forced``): then the history gets a
new name, and 4 keeps what they hold.

**Progress.** From every state in which all keepers answer and no data are broken or another's, the farm comes
to a primary component. Where some do not answer, Galera's own memory of its last view is given its
chance: it founds by itself once all of that view are back, which is right also without the others, if
what came before that view was on the disk already (``remembers_view``).
That is why a server waits running (``Await``), and why it is stopped before anybody founds.
"""

from stillup.keeper.seen import AT_REST, PRIMARY, Phase, Position, Report, Seen
from stillup.keeper.steps import (
    Await,
    Declare,
    Found,
    Join,
    Read,
    Rest,
    Settle,
    Step,
    Stop,
    Withdraw,
)

TOGETHER_S = 15.0
"""How long after its own start a server waits for the others: a rack does not boot at once."""
QUIET_S = 5.0
"""How long Galera may try to come to a majority by itself when everybody is there: it takes 1-3 s."""
HUNG_S = 30.0
"""How long MariaDB may not answer before it is killed, if another one serves."""
APART_S = 60.0
"""How long one may be cut off while another is primary before it is started anew."""


def next_step(seen: Seen) -> Step:
    """Return what the keeper of ``seen.name`` does now."""
    match seen.me.phase:
        case Phase.UNREAD:
            return Read()
        case Phase.MEMBER:
            return _member(seen.me)
        case Phase.JOINING:
            return Rest("it receives what it missed")
        case Phase.STOPPING:
            return Rest("MariaDB ends")
        case Phase.HUNG:
            return _hung(seen)
        case Phase.STARTING:
            return _starting(seen)
        case Phase.CUT_OFF:
            return _cut_off(seen)
        case _:
            return _at_rest(seen)


def _member(me: Report) -> Step:
    return Settle() if me.founding or me.birth or me.forced else Rest()


def _hung(seen: Seen) -> Step:
    if _primary(seen) is not None and seen.phase_s >= HUNG_S:
        return Stop(f"MariaDB has not answered for {HUNG_S:.0f} s", hard=True)
    return Rest("MariaDB runs and does not answer")


def _starting(seen: Seen) -> Step:
    if seen.me.founding:
        return Rest("it founds the primary component")
    if _others_are_primary(seen):
        if _is_of_another_history(seen):
            return Stop("a copy of the others would overwrite what only it holds", hard=True)
        return Rest("it joins the others, or receives a copy")
    if seen.me.forced:
        return Stop("a person has decided for this server's data", hard=True)
    if _asked_to_stop(seen) or (not seen.silent and seen.quiet_s >= QUIET_S):
        return Stop("everybody is there and nobody is primary", hard=True)
    return Rest(_waits_for(seen))


def _cut_off(seen: Seen) -> Step:
    if _primary(seen) is not None:
        if seen.phase_s >= APART_S:
            return Stop("the others are primary and it does not find them")
        return Rest("the others are primary; it looks for them")
    if _asked_to_stop(seen):
        return Stop("a person has decided for another server's data")
    if seen.me.forced:
        # A group that goes on where it stands keeps its history's name: who holds what was given up
        # would be taken for a copy of it. The name is new only for who founds from rest.
        return Stop("a person has decided for this server's data")
    if seen.silent or seen.quiet_s < QUIET_S:
        return _back(seen, _waits_for(seen))
    if _first(seen.all) != seen.name:
        return Stop("everybody is there and nobody is primary")
    return _found(seen)


def _at_rest(seen: Seen) -> Step:
    """MariaDB does not run, and what its data are is known."""
    primary = _primary(seen)
    if primary is not None:
        return _back(seen, "the others are primary") if seen.me.founding else _join(seen, primary)
    if _others_are_primary(seen):
        return _back(seen, "another one receives what it missed")
    if seen.me.forced and seen.me.position is not None:
        return _forced(seen)
    if seen.me.birth and seen.me.phase in (Phase.EMPTY, Phase.PLAIN):
        return _birth(seen)
    if _view_may_help(seen):
        return _back(seen, "") if seen.me.founding else Await()
    if seen.silent:
        return _back(seen, _waits_for(seen))
    return _found(seen)


def _view_may_help(seen: Seen) -> bool:
    """Whether Galera may come to a majority by itself if this server runs too."""
    if not seen.remembers_view or seen.me.phase is not Phase.STOPPED:
        return False
    if _asked_to_stop(seen) or any(said.founding for said in seen.heard.values()):
        return False
    waiting = any(said.phase in (Phase.CUT_OFF, Phase.STARTING) for said in seen.heard.values())
    if seen.silent:
        return waiting or seen.phase_s >= TOGETHER_S
    return waiting and seen.quiet_s < QUIET_S


def _join(seen: Seen, primary: Report) -> Step:
    """The others are primary: become one of them, if nothing is lost by it."""
    match seen.me.phase:
        case Phase.EMPTY:
            return Join("it receives a whole copy", afresh=True)
        case Phase.BROKEN:
            return _join_unread(seen.member, primary)
        case Phase.PLAIN:
            return Rest(
                "here are databases that never belonged to the farm's, and a copy would overwrite them: "
                "move /var/lib/mysql away to join"
            )
        case _:
            return _join_from(seen.me.position, primary)


def _join_unread(member: str | None, primary: Report) -> Step:
    """A member's data are gone or cannot be read: of the primary's history the others have all of it."""
    if member is None:
        return Join("its data are gone; it receives a whole copy", afresh=True)
    if primary.position is None:
        return Rest("the others' position is not known yet")
    if member == primary.position.cluster:
        return Join("its data cannot be read; it receives a whole copy", afresh=True)
    return Rest(
        "here are data of another history that cannot be read, and a copy would overwrite them: "
        "move /var/lib/mysql away to join"
    )


def _join_from(mine: Position | None, primary: Report) -> Step:
    there = primary.position
    if mine is None or there is None:
        return Rest("the others' position is not known yet")
    if mine.cluster == there.cluster:
        if mine.seqno <= there.seqno:
            return Join("it receives what it missed")
        return Rest(f"its data go to commit {mine.seqno}, the others' only to {there.seqno}")
    ended = {point.cluster: point.seqno for point in primary.ancestors}.get(mine.cluster)
    if ended is not None and mine.seqno <= ended:
        return Join("its history was ended, it receives a whole copy", afresh=True)
    lost = (
        "of another cluster"
        if ended is None
        else f"{mine.seqno - ended} commits that the farm gave up"
    )
    return Rest(f"here are data {lost}: move /var/lib/mysql away to join and lose them")


def _birth(seen: Seen) -> Step:
    """The mark of the first birth lies here."""
    if any(said.phase not in (Phase.EMPTY, Phase.PLAIN) for said in seen.heard.values()):
        return _back(
            seen,
            "the mark of a first birth lies here, and another server may have a cluster's data",
        )
    if any(said.birth and name < seen.name for name, said in seen.heard.items()):
        return _back(seen, "the mark of a first birth lies on another server too, which goes first")
    return _declared(seen)


def _forced(seen: Seen) -> Step:
    """A person has decided for this server's data, whatever those hold that do not answer."""
    running = sorted(name for name, said in seen.heard.items() if said.phase not in AT_REST)
    if running:
        return _back(seen, f"{', '.join(running)} must stop first")
    if any(said.forced and name < seen.name for name, said in seen.heard.items()):
        return _back(seen, "another server's data were decided for too, which goes first")
    return _declared(seen, new_history=True)


def _found(seen: Seen) -> Step:
    """Every keeper answers and nobody is primary: the newest founds, if it is known."""
    unknown = _unknown(seen.all)
    if unknown:
        return _back(seen, unknown)
    first = _first(seen.all)
    if first is None:
        return _back(
            seen, "the database was never born: `stillup apply` marks the server that begins"
        )
    if first != seen.name:
        return _back(seen, f"{first} has the newest data and goes first")
    running = sorted(name for name, said in seen.heard.items() if said.phase not in AT_REST)
    if running:
        return _back(seen, f"{', '.join(running)} must come to rest first")
    return _declared(seen)


def _declared(seen: Seen, *, new_history: bool = False) -> Step:
    """Declare, hear everyone again, and found: the order is what makes it safe."""
    if any(said.founding for said in seen.heard.values()):
        return _back(seen, "another one founds")
    if not seen.me.founding:
        return Declare()
    if any(said is not None and not said.since_declared for said in seen.peers.values()):
        return Rest("it asks the others once more")
    return Found(running=seen.me.phase is Phase.CUT_OFF, new_history=new_history)


def _back(seen: Seen, reason: str) -> Step:
    """Wait, and be seen not to found."""
    return Withdraw() if seen.me.founding else Rest(reason)


def _primary(seen: Seen) -> Report | None:
    """Return the report of the member that is furthest, None where nobody says to be one."""
    members = [said for said in seen.heard.values() if said.phase is Phase.MEMBER]
    return max(members, key=_seqno, default=None)


def _others_are_primary(seen: Seen) -> bool:
    return any(said.phase in PRIMARY for said in seen.heard.values())


def _is_of_another_history(seen: Seen) -> bool:
    """Whether this server, being started, holds what the others' history does not go through."""
    mine, primary = seen.me.position, _primary(seen)
    if mine is None or primary is None or primary.position is None:
        return False
    return mine.cluster != primary.position.cluster and isinstance(_join_from(mine, primary), Rest)


def _asked_to_stop(seen: Seen) -> bool:
    return not seen.me.forced and any(said.forced for said in seen.heard.values())


def _first(everyone: dict[str, Report]) -> str | None:
    """Return who founds if it must be: the newest data; of equals one that runs, then by name."""
    ended = _ended(everyone)
    return max(
        (name for name in sorted(everyone) if _cluster(everyone[name]) not in {None, *ended}),
        key=lambda name: (_seqno(everyone[name]), everyone[name].phase is Phase.CUT_OFF),
        default=None,
    )


def _ended(everyone: dict[str, Report]) -> frozenset[str]:
    """Return the histories that a person ended."""
    return frozenset(point.cluster for said in everyone.values() for point in said.ancestors)


def _unknown(everyone: dict[str, Report]) -> str:
    """Return why it is not known who has the newest data; empty if it is."""
    broken = sorted(name for name, said in everyone.items() if said.phase is Phase.BROKEN)
    if broken:
        return f"the data of {', '.join(broken)} cannot be read and may be the newest: " + FORCE
    hung = sorted(n for n, said in everyone.items() if said.phase in (Phase.HUNG, Phase.UNREAD))
    if hung:
        return f"how far the data of {', '.join(hung)} go is not known yet"
    if len({_cluster(said) for said in everyone.values()} - {None, *_ended(everyone)}) > 1:
        return "the servers hold data of different clusters: " + FORCE
    return ""


FORCE = "`python3 -m stillup.keeper bootstrap` on the server to go on with says what would be lost"


def _waits_for(seen: Seen) -> str:
    if not seen.silent:
        return "nobody is primary; Galera looks for a majority"
    return (
        f"no majority, and {', '.join(seen.silent)} may have newer data and does not answer; if it never will: "
        + FORCE
    )


def _cluster(said: Report) -> str | None:
    return None if said.position is None else said.position.cluster


def _seqno(said: Report) -> int:
    return -1 if said.position is None else said.position.seqno
