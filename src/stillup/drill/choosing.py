"""Which faults are played: by name as a person types it, by set, and by what the farm file allows (pure).

Small and capital letters, spaces and the order of servers are of no account: ``Power-off data2+lb1``
is ``power-off lb1 + data2``. ``*`` stands for any word or part of one, so that ``power-off web*`` is
one web server at a time, and ``*`` alone everything; ``all web`` (or any other role, or ``servers``) for all of them at once;
and a planned change may be named without that word.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import permutations, product

from stillup.drill.catalogue import CONTROL, SETS, catalogue, in_set
from stillup.drill.fault import Fault
from stillup.drill.report.run import Untested
from stillup.errors import InputRefused
from stillup.model.farm import Farm, Role
from stillup.model.problems import nearest, shown

USUAL = "short"
_LIST = re.compile(r"[a-z0-9*-]+(?: \+ [a-z0-9*-]+)+")
_EVERY = re.compile(r"\ball (\w+)(?: servers)?\b")
_GROUPS = ("servers", "engines", "links", "partitions", "pairs", "roles", "planned")
_SHOWN = 5
_MOST_ORDERED = 4
"""Of a pattern with more servers than that, the rest stand in the order in which they are sorted."""


def chosen(farm: Farm, names: Sequence[str], sets: Sequence[str]) -> tuple[Fault, ...]:
    """Return the faults of the names and sets, each once, in the catalogue's order, the control first.

    Args:
        farm: The farm.
        names: Names of faults, or patterns of them.
        sets: Names of ``SETS``. Where there is neither, ``USUAL``.

    Raises:
        InputRefused: If a name or a set is unknown; all of them at once, each with the nearest known.
    """
    known = _Known(farm)
    told = [*known.unknown(names), *_unknown_sets(sets)]
    if told:
        raise InputRefused(f"{'; '.join(told)}. `stillup drill --list` names all there are")
    wanted = {fault for name in names for fault in known.meant(name)}
    for name in sets or ([] if names else [USUAL]):
        wanted |= set(in_set(farm, name))
    return tuple(fault for fault in catalogue(farm) if fault in wanted or fault == CONTROL)


def allowed(farm: Farm) -> frozenset[Fault]:
    """Return what ``[drills] allow`` lets be done to the real servers; to do nothing needs no leave."""
    known = _Known(farm)
    found = {CONTROL}
    for words in farm.drills.allow:
        found |= set(in_set(farm, words)) if words in SETS else set(known.meant(words))
    return frozenset(found)


def unknown_allowed(farm: Farm) -> Iterator[str]:
    """Yield a sentence for each word of ``[drills] allow`` that is no fault and no set."""
    words = [word for word in farm.drills.allow if word not in SETS]
    yield from _Known(farm).unknown(words, also=SETS)


def not_tested(farm: Farm, played: Iterable[Fault], *, lab: bool) -> tuple[Untested, ...]:
    """Return what was not played, set by set: the names, shortened, and why.

    Args:
        farm: The farm.
        played: What was.
        lab: Whether it was in the lab, where everything is allowed.
    """
    done = set(played)
    may = frozenset(catalogue(farm)) if lab else allowed(farm)
    found = []
    for group in _GROUPS:
        rest = [fault for fault in in_set(farm, group) if fault not in done]
        for faults, why in (
            ([fault for fault in rest if fault not in may], "[drills] allow does not name it"),
            ([fault for fault in rest if fault in may], "it was not chosen"),
        ):
            if names := [fault.name for fault in faults if fault != CONTROL]:
                found.append(Untested(_several(names), why))
    return (*found, *_never(farm))


def _never(farm: Farm) -> Iterator[Untested]:
    """Yield what no drill plays."""
    if len(farm.having(Role.STORAGE)) == 1:
        yield Untested("kill and hang nfs", "the kernel serves it: it goes with its server alone")
    if farm.direct is not None:
        yield Untested("cut of the second network", "nothing depends on it")
    yield Untested("faults of different kinds at once", "there would be no end of them")


def _several(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


class _Known:
    """A farm's faults by every spelling of their names."""

    def __init__(self, farm: Farm) -> None:
        self._faults = catalogue(farm)
        self._every = {"servers": [server.name for server in farm.servers]}
        for role in Role:
            names = [server.name for server in farm.having(role)]
            self._every |= {str(role): names, f"{role}s": names}
        self._by_key: dict[str, Fault] = {}
        for fault in self._faults:
            key = self._key(fault.name)
            self._by_key |= {key: fault, key.removeprefix("planned "): fault}

    def meant(self, name: str) -> tuple[Fault, ...]:
        """Return the faults that a name or pattern means."""
        key = self._key(name)
        if key == "*":
            return self._faults
        if "*" in key:
            pattern = re.compile("|".join(map(_expression, _orders(key))))
            found = {fault: None for each, fault in self._by_key.items() if pattern.fullmatch(each)}
            return tuple(found)
        return (self._by_key[key],) if key in self._by_key else ()

    def unknown(self, names: Iterable[str], also: Iterable[str] = ()) -> Iterator[str]:
        """Yield a sentence for each name that means nothing, with the nearest that does."""
        known = {fault.name: fault for fault in self._faults}
        for name in names:
            if not self.meant(name):
                near = nearest(name, [*known, *also])
                hint = f"; did you mean {shown(near)}?" if near else ""
                yield f"{shown(name)} is no fault of this farm{hint}"

    def _key(self, name: str) -> str:
        """Return the same for each spelling of a name."""
        text = " ".join(name.lower().replace("+", " + ").split())
        text = _EVERY.sub(self._all_of, text)
        text = _LIST.sub(lambda found: " + ".join(sorted(found[0].split(" + "))), text)
        action, _, sides = text.partition(" ")
        one, between, other = sides.partition(" from ")
        return f"{action} {between.join(sorted((one, other)))}" if between else text

    def _all_of(self, found: re.Match[str]) -> str:
        names = self._every.get(found[1])
        return " + ".join(names) if names else found[0]


def _orders(key: str) -> Iterator[str]:
    """Yield a pattern with the servers of each list, and the sides of a cut, in every order."""
    action, _, sides = key.partition(" ")
    lists = [side.split(" + ") for side in sides.split(" from ")]
    for places in permutations(lists):
        for order in product(*(permutations(names[:_MOST_ORDERED]) for names in places)):
            rest = (names[_MOST_ORDERED:] for names in places)
            told = [" + ".join([*first, *more]) for first, more in zip(order, rest, strict=True)]
            yield f"{action} {' from '.join(told)}"


def _expression(pattern: str) -> str:
    return re.escape(pattern).replace(r"\*", "[^ ]*")


def _unknown_sets(sets: Iterable[str]) -> Iterator[str]:
    for name in sets:
        if name not in SETS:
            near = nearest(name, SETS)
            hint = f"did you mean {near}?" if near else f"there are {', '.join(SETS)}"
            yield f"{shown(name)} is no set of faults; {hint}"
