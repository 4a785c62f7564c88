"""From a history to a verdict (pure)."""

from stillup.drill.checker import timing, truth
from stillup.drill.checker.case import Case
from stillup.drill.checker.figures import figures
from stillup.drill.checker.writes import both_kinds
from stillup.drill.expectation import expectation
from stillup.drill.fault import Fault
from stillup.drill.history import History
from stillup.drill.verdict import Ruling, Verdict, Word
from stillup.model.farm import Farm, Promises


def judge(fault: Fault, history: History, promises: Promises, farm: Farm) -> Verdict:
    """Return what one drill says of the promises."""
    written = tuple(both_kinds(history))
    counted = figures(history, written)
    case = Case(fault, history, promises, farm, counted, written, expectation(farm, fault))
    rules = (truth.came_about, timing.control, *timing.RULES, *truth.RULES)
    rulings = tuple(ruling for rule in rules if (ruling := rule(case)) is not None)
    return Verdict(fault, _word(rulings), rulings, counted)


def _word(rulings: tuple[Ruling, ...]) -> Word:
    words = {ruling.word for ruling in rulings}
    return next(word for word in (Word.BROKEN, Word.UNKNOWN, Word.KEPT) if word in words)
