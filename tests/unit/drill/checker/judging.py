"""What the tests of the checker ask of it."""

from tests.unit.drill.checker.histories import RATES, well
from tests.unit.drill.farms import FARM

from stillup.drill.checker.judge import judge
from stillup.drill.fault import Action, Fault
from stillup.drill.history import History, Kind
from stillup.drill.verdict import Verdict, Word

WELL = well()
PAGES = (Kind.NEW, Kind.KEPT)
EVERYTHING = tuple(RATES)
LB1_OFF = Fault(Action.POWER_OFF, ("lb1",))
WEB1_OFF = Fault(Action.POWER_OFF, ("web1",))
DATA1_OFF = Fault(Action.POWER_OFF, ("data1",))
BOTH_OFF = Fault(Action.POWER_OFF, ("data1", "data2"))
FAILOVER = Fault(Action.FAILOVER)


def verdict(history: History, fault: Fault = LB1_OFF) -> Verdict:
    return judge(fault, history, FARM.promises, FARM)


def not_kept(history: History, fault: Fault = LB1_OFF) -> dict[str, tuple[str, str]]:
    """Return what is not kept, with the word and the sentence."""
    rulings = verdict(history, fault).rulings
    return {r.promise: (str(r.word), r.text) for r in rulings if r.word is not Word.KEPT}
