"""To whom this keeper has promised not to wait for its saved view.

Who founds has asked every other server for it. A promise ends when the founder says, asked after the
promise was given, that it does not found any more. It outlives the keeper and the server.
"""

from collections.abc import Mapping

from stillup.keeper.acquaintance import Told
from stillup.keeper.data_folder import Marks


class Promises:
    """The promises; called under the keeper's lock, times in monotonic seconds."""

    def __init__(self, marks: Marks, now_s: float) -> None:
        self._marks = marks
        self._given_s = dict.fromkeys(marks.read("promised").split(), now_s)

    @property
    def names(self) -> frozenset[str]:
        """To whom there is a promise."""
        return frozenset(self._given_s)

    def give(self, founder: str, now_s: float) -> None:
        """Promise it; on the disk before this returns."""
        is_new = founder not in self._given_s
        self._given_s[founder] = now_s
        if is_new:
            self._write()

    def hear(self, told: Mapping[str, Told | None]) -> None:
        """End the promises to those who say that it is over."""
        over = {
            name
            for name, given_s in self._given_s.items()
            if _is_over(told.get(name), given_s) or name not in told
        }
        if over:
            self._given_s = {n: s for n, s in self._given_s.items() if n not in over}
            self._write()

    def _write(self) -> None:
        if self._given_s:
            self._marks.write("promised", " ".join(sorted(self._given_s)))
        else:
            self._marks.remove("promised")


def _is_over(said: Told | None, given_s: float) -> bool:
    return said is not None and said.asked_s > given_s and not said.words.report.founding
