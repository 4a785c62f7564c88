"""What people and programs on the same server may ask of the daemon, and what they are answered."""

from collections.abc import Callable, Mapping

from stillup.heartbeat import metrics
from stillup.heartbeat.control import Asked, Refused
from stillup.heartbeat.events import MoveAsked, Resumed, YieldAsked
from stillup.heartbeat.force_asked import force
from stillup.heartbeat.seat import Seat
from stillup.heartbeat.settings import DaemonSettings
from stillup.heartbeat.settings_reader import Json

LONGEST_YIELD_S = 86_400.0


class Questions:
    """Answers them.

    Args:
        settings: The daemon's.
        seats: The seats by virtual IP.
        status: Returns how the daemon stands.
        reload: Has it replaced; that is answered later.
    """

    def __init__(
        self,
        settings: DaemonSettings,
        seats: Mapping[str, Seat],
        status: Callable[[], dict[str, Json]],
        reload: Callable[[Asked], None],
    ) -> None:
        self.settings = settings
        self.seats = seats
        self._status = status
        self._reload = reload

    def answer(self, asked: Asked) -> dict[str, Json] | None:
        """Return the answer; None if it comes later.

        Raises:
            Refused: If it cannot be done; the text says why.
        """
        question = asked.question
        match question.get("op"):
            case "status":
                return self._status()
            case "metrics":
                return {"text": metrics.text(self._status())}
            case "yield":
                return self._yield(question)
            case "failover":
                return self._failover(question)
            case "resume":
                for seat in self._asked_about(question):
                    seat.handle(Resumed())
                return {"resumed": True}
            case "force":
                return force(self.settings.name, self._asked_about(question), question)
            case "reload":
                self._reload(asked)
                return None
            case _:
                words = "status, metrics, yield, failover, resume, force, reload"
                raise Refused(f"the operations are: {words}")

    def _asked_about(self, question: dict[str, Json]) -> list[Seat]:
        """Return the seat of the question's ``address``; without one, all of them."""
        address = question.get("address")
        if address is None:
            return list(self.seats.values())
        seat = self.seats.get(address) if isinstance(address, str) else None
        if seat is None:
            raise Refused(f"address: must be one of {', '.join(self.seats)}")
        return [seat]

    def _yield(self, question: dict[str, Json]) -> dict[str, Json]:
        if not self.settings.is_candidate:
            raise Refused(f"{self.settings.name} is no candidate; it has nothing to yield")
        seconds = question.get("seconds", 30)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise Refused("seconds: must be a number")
        if not 0 < seconds <= LONGEST_YIELD_S:
            raise Refused(f"seconds: must be above 0 and at most {LONGEST_YIELD_S:.0f}")
        to = self._other_candidate(question)
        seats = self._asked_about(question)
        held = [seat for seat in seats if seat.held]
        asked = YieldAsked(float(seconds), to)
        # A hand-over takes two round trips; "yielded" says that it has begun.
        let_go = [seat for seat in seats if seat.handle(asked) or seat.known().move.offered_to]
        return {"yielded": bool(held) and len(let_go) == len(held), "held": bool(held)}

    def _failover(self, question: dict[str, Json]) -> dict[str, Json]:
        """Have what is held here handed over, for good; the status tells what becomes of it."""
        to = self._other_candidate(question)
        held = [seat for seat in self._asked_about(question) if seat.held]
        for seat in held:
            seat.handle(MoveAsked(to))
        return {"asked": [seat.vip.address for seat in held]}

    def _other_candidate(self, question: dict[str, Json]) -> str | None:
        to = question.get("to")
        if to is None:
            return None
        if to not in self.settings.candidates or to == self.settings.name:
            raise Refused("to: must be another candidate")
        return str(to)
