"""What was acknowledged, and what the keepers of the data have of it (pure).

Only numbers that this drill asked for are looked at: what earlier drills wrote is there, too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stillup.drill.history import History, Kind, Outcome
from stillup.model.problems import joined

NOTHING_SENT = frozenset({Outcome.NOT_DONE, Outcome.REFUSED, Outcome.NO_ROUTE})
"""Outcomes after which it is known that nothing was written."""


@dataclass(frozen=True)
class Written:
    """One kind of write, at all of its keepers."""

    kind: Kind
    lost: Mapping[str, tuple[int, ...]]
    """Acknowledged and missing, by keeper; only those that lack something."""
    gone: frozenset[int]
    """Acknowledged, and no keeper has it."""
    doubtful: int
    """Not acknowledged, nor known to have failed, and there: which is allowed."""
    false: tuple[int, ...]
    """Known not to have been written, and there."""
    disagree: str
    """A sentence on keepers that do not have the same; "" where they agree."""
    keepers: tuple[str, ...]
    """Who was asked."""


def written(history: History, kind: Kind) -> Written | None:
    """Return what became of one kind of write; None where no keeper told what it has."""
    copies = [one for one in history.copies if one.kind is kind]
    if not copies:
        return None
    deeds = [deed for deed in history.deeds if deed.kind is kind]
    asked = frozenset(deed.number for deed in deeds)
    done = frozenset(deed.number for deed in deeds if deed.outcome is Outcome.DONE)
    # The same number may have been tried again; one that may have worked counts.
    nothing = asked - {deed.number for deed in deeds if deed.outcome not in NOTHING_SENT}
    found = {one.server: one.numbers & asked for one in copies}
    anywhere = frozenset[int]().union(*found.values())
    missing = {name: tuple(sorted(done - has)) for name, has in found.items()}
    return Written(
        kind,
        lost={name: numbers for name, numbers in missing.items() if numbers},
        gone=done - anywhere,
        doubtful=len(anywhere - done - nothing),
        false=tuple(sorted(anywhere & nothing)),
        disagree=_disagreement(kind, found),
        keepers=tuple(found),
    )


def both_kinds(history: History) -> Iterator[Written]:
    """Yield what became of rows and of files, where a keeper told."""
    for kind in (Kind.ROW, Kind.FILE):
        if (found := written(history, kind)) is not None:
            yield found


def _disagreement(kind: Kind, found: Mapping[str, frozenset[int]]) -> str:
    if len(set(found.values())) < 2:
        return ""
    everywhere = frozenset.intersection(*found.values())
    extra = [f"{name} has {len(has - everywhere)}" for name, has in found.items()]
    return f"of {kind}s that not all keepers have {joined(extra)}"
