"""Asks: the loop on epoll that is the workload's one thread.

Everything that is due goes out in the same turn in which its time has come; everything that is
over is written down in the turn in which it ended.
"""

import heapq
import os
import select
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from stillup.drill.history import Deed, Kind, Outcome
from stillup.drill.workload import pages
from stillup.drill.workload.answer import Answer, Malformed
from stillup.drill.workload.connection import Broken, Connection, Destination
from stillup.drill.workload.lane import Asked, Lane
from stillup.drill.workload.schedule import Due, Schedule
from stillup.drill.workload.settings import Settings

_FLUSH_EVERY_S = 0.1


@dataclass(slots=True, eq=False)
class _Line:
    """A connection with what it is used for; ``asked`` is None while nobody uses it."""

    connection: Connection
    lane: "Lane[_Line]"
    asked: Asked | None = None
    answer: Answer = field(default_factory=Answer)
    listens_for: int = 0


class Client:
    """All users.

    Args:
        settings: What is asked.
        to: Where.
        write: Takes each deed as it ends.
        flush: Called now and then: what was written may go out.
        origin_s: When the workload began, on the monotonic clock.
    """

    def __init__(
        self,
        settings: Settings,
        to: Destination,
        write: Callable[[Deed], None],
        flush: Callable[[], None],
        origin_s: float,
    ) -> None:
        self._settings, self._to = settings, to
        self._write, self._flush, self._origin_s = write, flush, origin_s
        self._schedule = Schedule(settings.loads, settings.first)
        self._lanes = {
            (kind, visitor): Lane[_Line](load)
            for kind, load in settings.loads.items()
            for visitor in range(settings.visitors if kind is Kind.SESSION else 1)
        }
        self._epoll = select.epoll()
        self._lines: dict[int, _Line] = {}
        self._using: dict[Asked, _Line] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._under_way = 0
        self._running = True

    def run(self, stop: int) -> float:
        """Ask until the file ``stop`` ends, then until nothing is under way.

        Returns:
            When nothing was due any more, since the workload began.
        """
        self._epoll.register(stop, select.EPOLLIN)
        ended_s = flushed_s = 0.0
        while self._running or self._under_way:
            for number, _ in self._epoll.poll(self._wait_s()):
                if number == stop:
                    ended_s = ended_s or self._maybe_end(stop)
                elif number in self._lines:
                    self._go_on(self._lines[number])
            self._tick(self._now_s())
            if self._now_s() - flushed_s >= _FLUSH_EVERY_S:
                flushed_s = self._now_s()
                self._flush()
        self._close()
        return ended_s

    # -- time ------------------------------------------------------------------------------

    def _now_s(self) -> float:
        return time.monotonic() - self._origin_s

    def _wait_s(self) -> float:
        next_s = self._now_s() + _FLUSH_EVERY_S
        if self._running:
            next_s = min(next_s, self._schedule.next_s)
        if self._timers:
            next_s = min(next_s, self._timers[0][0])
        return max(0.0, next_s - self._now_s())

    def _tick(self, now_s: float) -> None:
        """Do what the time has come for."""
        if self._running:
            for due in self._schedule.due(now_s):
                self._take(due)
        while self._timers and self._timers[0][0] <= now_s:
            heapq.heappop(self._timers)[2]()
        for lane in self._lanes.values():
            while (asked := lane.next()) is not None:
                self._ask(lane, asked)

    def _at(self, at_s: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (at_s, next(self._order), do))

    def _maybe_end(self, stop: int) -> float:
        """Read what may be the end of the program's input; nothing is due after it."""
        if os.read(stop, 4096):
            return 0.0
        self._epoll.unregister(stop)
        self._running = False
        return self._now_s()

    # -- one request -----------------------------------------------------------------------

    def _take(self, due: Due) -> None:
        visitor = due.number % self._settings.visitors if due.kind is Kind.SESSION else 0
        asked = Asked(due.kind, due.number, visitor, due.at_s, self._now_s())
        lane = self._lanes[due.kind, visitor]
        lane.waiting.append(asked)
        self._under_way += 1
        self._at(due.at_s + lane.load.timeout_s, lambda: self._expire(lane, asked))

    def _ask(self, lane: "Lane[_Line]", asked: Asked) -> None:
        line = lane.free()
        try:
            if line is None:
                line = self._open(lane, slow=asked.kind is Kind.DOWNLOAD)
            line.asked, line.answer = asked, Answer()
            self._using[asked] = line
            line.connection.send(
                pages.request(
                    asked.kind,
                    asked.number,
                    token=self._settings.token,
                    host=self._settings.host,
                    cookie=lane.cookie(),
                    kept=lane.keeps,
                )
            )
            self._listen(line)
        except Broken as broken:
            self._break(lane, line, asked, broken)

    def _open(self, lane: "Lane[_Line]", *, slow: bool) -> _Line:
        line = _Line(Connection(self._to, slow=slow), lane)
        self._lines[line.connection.fileno()] = line
        self._epoll.register(line.connection.fileno(), line.connection.wants)
        line.listens_for = line.connection.wants
        lane.open += 1
        return line

    def _go_on(self, line: _Line) -> None:
        """Take what came in on a connection."""
        asked = line.asked
        if asked is None:  # it was kept open, and the farm has closed it
            line.lane.idle.remove(line)
            self._drop(line)
            return
        try:
            data = line.connection.go_on()
            if data is not None:
                self._read(line, asked, data)
        except Malformed as error:
            line.answer.headers["connection"] = "close"
            self._end(line, asked, Outcome.WRONG, str(error))
        except Broken as broken:
            self._break(line.lane, line, asked, broken)
        else:
            if line.asked is not None:
                self._listen(line)

    def _read(self, line: _Line, asked: Asked, data: bytes) -> None:
        asked.heard_s = self._now_s()
        answer = line.answer
        if data:
            answer.feed(data)
        else:
            answer.end()
        if answer.whole:
            self._judge(line, asked)
        elif not data:
            cut = Outcome.CUT_SHORT if answer.begun else Outcome.RESET
            self._end(line, asked, cut, "the connection was closed")
        elif asked.kind is Kind.DOWNLOAD:
            self._read_slowly(line, asked, len(data))

    def _read_slowly(self, line: _Line, asked: Asked, size: int) -> None:
        """Read on when its time has come; at the end of the load a download that flows is done."""
        if not self._running and line.answer.status == 200:
            self._end(line, asked, Outcome.DONE)
            return
        line.connection.wants = 0
        self._at(
            self._now_s() + size / self._settings.download_bytes_per_s,
            lambda: None if asked.over else self._listen_again(line),
        )

    def _listen_again(self, line: _Line) -> None:
        line.connection.wants = select.EPOLLIN
        self._listen(line)

    def _judge(self, line: _Line, asked: Asked) -> None:
        """Take a whole answer."""
        answer, token = line.answer, self._settings.token
        if asked.kind is Kind.SESSION:
            line.lane.cookies |= answer.cookies
        outcome, number = pages.judged(
            asked.kind, asked.number, token, answer.status, bytes(answer.body)
        )
        if asked.kind is Kind.DOWNLOAD and outcome is Outcome.DONE and not answer.zero:
            outcome = Outcome.WRONG
        asked.number = number
        told = "" if outcome is Outcome.DONE else pages.shortened(bytes(answer.body), token)
        self._end(line, asked, outcome, told)

    def _expire(self, lane: "Lane[_Line]", asked: Asked) -> None:
        """Give up what has taken too long; a download lasts as long as something comes."""
        if asked.over:
            return
        silent_s = self._now_s() - asked.heard_s
        if asked.kind is Kind.DOWNLOAD and silent_s < lane.load.timeout_s:
            at_s = asked.heard_s + lane.load.timeout_s
            self._at(at_s, lambda: self._expire(lane, asked))
            return
        line = self._using.get(asked)
        if line is None:
            told = f"not sent: {lane.load.at_once} are under way and not answered"
            self._note(asked, Outcome.TIMED_OUT, Answer(), told)
            return
        told = "" if line.connection.sent else "not sent: no connection"
        self._end(line, asked, Outcome.TIMED_OUT, told)

    # -- its end ---------------------------------------------------------------------------

    def _break(self, lane: "Lane[_Line]", line: _Line | None, asked: Asked, broken: Broken) -> None:
        if line is None:
            lane.under_way -= 1
            self._note(asked, broken.outcome, Answer(), str(broken))
            return
        begun = line.answer.begun and broken.outcome is Outcome.RESET
        self._end(line, asked, Outcome.CUT_SHORT if begun else broken.outcome, str(broken))

    def _end(self, line: _Line, asked: Asked, outcome: Outcome, told: str = "") -> None:
        """Note how a request ended that has a connection, and keep or drop that."""
        lane = line.lane
        lane.under_way -= 1
        self._note(asked, outcome, line.answer, told)
        line.asked = None
        del self._using[asked]
        if lane.keeps and line.answer.keeps and not lane.surplus:
            lane.idle.append(line)
            self._listen_again(line)
        else:
            self._drop(line)

    def _note(self, asked: Asked, outcome: Outcome, answer: Answer, told: str) -> None:
        asked.over = True
        self._under_way -= 1
        ended_s = self._now_s()
        if asked.kind is Kind.DOWNLOAD:
            self._schedule.over(Due(asked.due_s, asked.kind, asked.number), ended_s)
        number = 0 if asked.kind is Kind.SESSION and outcome is not Outcome.DONE else asked.number
        self._write(
            Deed(
                kind=asked.kind,
                number=number,
                visitor=asked.visitor,
                due_s=asked.due_s,
                sent_s=asked.sent_s,
                ended_s=ended_s,
                outcome=outcome,
                status=answer.status,
                balancer=answer.headers.get("x-balancer", ""),
                web=answer.headers.get("x-web", ""),
                told=told,
            )
        )

    def _listen(self, line: _Line) -> None:
        if line.listens_for != line.connection.wants:
            line.listens_for = line.connection.wants
            self._epoll.modify(line.connection.fileno(), line.listens_for)

    def _drop(self, line: _Line) -> None:
        number = line.connection.fileno()
        self._epoll.unregister(number)
        del self._lines[number]
        line.connection.close()
        line.lane.open -= 1

    def _close(self) -> None:
        for line in [*self._lines.values()]:
            self._drop(line)
        self._epoll.close()
