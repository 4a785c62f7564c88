"""The rulings on what may never be, whatever the fault was (pure): they are never excused."""

from collections.abc import Callable, Iterator

from stillup.drill.checker import bounds, holders, sessions
from stillup.drill.checker.case import Case
from stillup.drill.checker.timing import seconds
from stillup.drill.checker.writes import Written
from stillup.drill.fault import Action
from stillup.drill.history import Deed, Kind, Mark, Outcome
from stillup.drill.verdict import Ruling, Word
from stillup.model.farm import Role
from stillup.model.problems import joined

_KEEPERS = {Kind.ROW: Role.DATABASE, Kind.FILE: Role.STORAGE}
_STAYS = frozenset({Action.NONE, Action.FAILOVER})
"""Through these every visitor stays at his web server."""
_SHOWN = 8


def came_about(case: Case) -> Ruling | None:
    """Rule on whether there was a fault at all."""
    if case.fault.action is Action.NONE or case.history.at(Mark.FAULT_BEGUN) is not None:
        return None
    why = "; ".join(case.history.notes) or "nothing says that it began"
    return Ruling("fault", Word.UNKNOWN, f"the fault did not come about: {why}")


def changed(case: Case) -> Ruling | None:
    """Rule on whether a change on purpose could be made at all."""
    if not case.fault.planned:
        return None
    failed = [one.text for one in case.history.moments if one.mark is Mark.FAILED]
    if failed:
        return Ruling("change", Word.BROKEN, f"it could not be made: {'; '.join(failed)}")
    return Ruling("change", Word.KEPT, "it was made")


def lost_writes(case: Case) -> Ruling | None:
    """Rule on what was acknowledged and is not there."""
    if not (silent := _silent(case)) and not case.written:
        return None
    most = case.promises.lost_writes
    gone = {one.kind: one.gone | _lacking(case, one) for one in case.written}
    count = sum(map(len, gone.values()))
    if count > most:
        told = joined([_missing(one) for one in case.written if gone[one.kind]])
        return Ruling("lost-writes", Word.BROKEN, f"{told} ({most} promised)")
    doubts = [*_unfinished(case), *(f"{name} did not say what it has" for name in silent)]
    if doubts:
        return Ruling("lost-writes", Word.UNKNOWN, joined(doubts))
    return Ruling(
        "lost-writes", Word.KEPT, f"{_acknowledged(case)}; {count} lost ({most} promised)"
    )


def _lacking(case: Case, one: Written) -> frozenset[int]:
    """Return what some keeper lacks; none where the copies were not whole yet."""
    numbers = (number for lost in one.lost.values() for number in lost)
    return frozenset(numbers) if _whole(case) else frozenset()


def _missing(one: Written) -> str:
    told = [
        f"{len(lost)} acknowledged {one.kind}s lost at {name} ({_some(lost)})"
        for name, lost in one.lost.items()
    ]
    return joined(told)


def _unfinished(case: Case) -> Iterator[str]:
    if not _whole(case):
        for one in case.written:
            for name, lost in one.lost.items():
                yield f"{name} lacks {len(lost)} acknowledged {one.kind}s and was not whole again"


def _acknowledged(case: Case) -> str:
    done = {one.kind: 0 for one in case.written}
    for deed in case.history.deeds:
        if deed.outcome is Outcome.DONE and deed.kind in done:
            done[deed.kind] += 1
    doubtful = sum(one.doubtful for one in case.written)
    told = joined([f"{count} {kind}s" for kind, count in done.items()])
    return f"{told} acknowledged" + (f", {doubtful} more are there" if doubtful else "")


def _silent(case: Case) -> list[str]:
    """Return who keeps data that users wrote and did not tell what it has."""
    told = {(one.server, one.kind) for one in case.history.copies}
    wrote = {deed.kind for deed in case.history.deeds}
    return [
        f"{server.name} ({kind}s)"
        for kind, role in _KEEPERS.items()
        for server in case.farm.having(role)
        if kind in wrote and (server.name, kind) not in told
    ]


def same_copies(case: Case) -> Ruling | None:
    """Rule on keepers that do not have the same."""
    several = [one for one in case.written if len(one.keepers) > 1]
    if not several:
        return None
    found = [one.disagree for one in several if one.disagree]
    if not found:
        names = joined([joined(one.keepers) for one in several[:1]])
        return Ruling("same-copies", Word.KEPT, f"{names} have the same")
    word = Word.BROKEN if _whole(case) else Word.UNKNOWN
    return Ruling("same-copies", word, "; ".join(found))


def wrong_content(case: Case) -> Ruling:
    """Rule on answers to other questions, and on what is there though nobody wrote it."""
    wrong = [deed for deed in case.history.deeds if deed.outcome is Outcome.WRONG]
    flaws = []
    if wrong:
        said = f": {_first(wrong)}" if _first(wrong) else ""
        flaws.append(f"{len(wrong)} answers were wrong, the first at {wrong[0].due_s:.2f} s{said}")
    flaws += [
        f"{len(one.false)} {one.kind}s are there that were said not to be written ({_some(one.false)})"
        for one in case.written
        if one.false
    ]
    if flaws:
        return Ruling("wrong-content", Word.BROKEN, joined(flaws))
    return Ruling("wrong-content", Word.KEPT, "every answer was the one that was asked for")


def _first(wrong: list[Deed]) -> str:
    status = f"status {wrong[0].status}" if wrong[0].status not in {0, 200} else ""
    return " ".join(filter(None, [status, wrong[0].told]))


def kept_sessions(case: Case) -> Ruling | None:
    """Rule on sessions that began anew."""
    if not _visited(case):
        return None
    count = case.figures.sessions_lost
    if count:
        return Ruling("sessions", Word.BROKEN, f"{count} times a session began anew")
    return Ruling("sessions", Word.KEPT, "every session went on")


def sticky(case: Case) -> Ruling | None:
    """Rule on visitors who were sent to another web server though nothing was wrong with theirs."""
    if case.farm.balancer.sticky is None or not _visited(case):
        return None
    until_s = float("inf") if case.fault.action in _STAYS else case.from_s
    count = sessions.strayed(deed for deed in case.history.deeds if deed.ended_s < until_s)
    when = "" if case.fault.action in _STAYS else "before the fault began "
    if count:
        told = f"{count} times {when}a visitor's next page came from another web server"
        return Ruling("sticky", Word.BROKEN, told)
    return Ruling("sticky", Word.KEPT, f"{when}every visitor stayed at his web server")


def _visited(case: Case) -> bool:
    return Kind.SESSION in case.figures.kinds


def never_both(case: Case) -> Ruling:
    """Rule on two servers that answered for one address."""
    if case.history.heard is None:
        why = "; ".join(case.history.notes)
        told = "nobody could listen on the wire" + (f" ({why})" if why else "")
        return Ruling("never-both", Word.UNKNOWN, told)
    both_s = case.figures.both_s or 0.0
    if both_s:
        found = holders.both(case.history.heard, dict(case.history.names))
        told = f"two servers answered for one address for {seconds(both_s)}, from {found[0].from_s:.2f} s on"
        return Ruling("never-both", Word.BROKEN, told)
    deaf_s = max((to_s - from_s for from_s, to_s in case.history.deaf_s), default=0.0)
    if deaf_s > bounds.DEAF_S or not case.history.heard:
        told = f"the listener missed {seconds(deaf_s)}" if deaf_s else "the listener heard nobody"
        return Ruling("never-both", Word.UNKNOWN, told)
    return Ruling(
        "never-both", Word.KEPT, f"{len(case.history.heard)} answers, never of two at once"
    )


def whole_again(case: Case) -> Ruling | None:
    """Rule on whether the farm became whole again by itself."""
    if case.fault.action is Action.NONE:
        return None
    after_s = case.figures.whole_after_s
    if after_s is None and case.history.at(Mark.FAULT_BEGUN) is None:
        return None  # Nothing was done, so nothing was waited for; ``came_about`` says it.
    if after_s is not None:
        return Ruling("whole-again", Word.KEPT, f"whole {after_s:.1f} s after the fault was undone")
    last = case.history.looks[-1].why if case.history.looks else "nobody looked"
    return Ruling("whole-again", Word.BROKEN, f"not whole again in time: {last}")


def _whole(case: Case) -> bool:
    return case.fault.action is Action.NONE or case.figures.whole_after_s is not None


def _some(numbers: tuple[int, ...]) -> str:
    more = ", ..." if len(numbers) > _SHOWN else ""
    return ", ".join(map(str, numbers[:_SHOWN])) + more


RULES: tuple[Callable[[Case], Ruling | None], ...] = (
    changed,
    lost_writes,
    same_copies,
    wrong_content,
    kept_sessions,
    sticky,
    never_both,
    whole_again,
)
