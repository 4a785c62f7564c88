"""One virtual IP on this server: its node, its history and, on a candidate, its holding.

Carries out the node's effects in the order given; ``events.py`` has the rules that bind it.
A server has as many seats as the farm has virtual IPs. Each has votes, ballots and a silence
after its start of its own; they share the loop, the datagrams and what is seen of the world.
"""

import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from stillup.heartbeat import report, snapshot
from stillup.heartbeat.core import Node
from stillup.heartbeat.core import Settings as NodeSettings
from stillup.heartbeat.estate import SeatMemory
from stillup.heartbeat.events import (
    Arm,
    AskWitness,
    Changed,
    DrainEnded,
    Effect,
    Event,
    Forward,
    Give,
    Hold,
    LetGo,
    NotGiven,
    Send,
    Stopped,
    Stopping,
    TimerFired,
)
from stillup.heartbeat.haproxy import Haproxy
from stillup.heartbeat.holding import Holding, Succession
from stillup.heartbeat.journal import Journal
from stillup.heartbeat.known import Status
from stillup.heartbeat.link import LinkWatch
from stillup.heartbeat.loop import Loop
from stillup.heartbeat.messages import Message
from stillup.heartbeat.quorum import Electorate
from stillup.heartbeat.report import History, Move
from stillup.heartbeat.route import LinkSeen
from stillup.heartbeat.settings import DaemonSettings, Vip
from stillup.heartbeat.settings_reader import Json


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all seats of a daemon share.

    Args:
        settings: What the daemon is told.
        electorate: Who takes part.
        loop: For timers.
        send: Sends a message to a server, about a virtual IP.
        link: The LAN interface.
        journal: The log.
        earlier: Returns the moves of an address that earlier lives of the daemon saw.
        hook: Has commands run: kind, address, reason.
        changed: Called when an address has another holder.
        settled: Called when an address has become nothing to wait for before the daemon ends.
        ping: Pings a witness about a virtual IP, with a number.
    """

    settings: DaemonSettings
    electorate: Electorate
    loop: Loop
    send: Callable[[str, Message, str], None]
    link: LinkWatch
    journal: Journal
    earlier: Callable[[str], Sequence[Move]]
    hook: Callable[[str, str, str], None]
    changed: Callable[[], None]
    settled: Callable[[], None]
    ping: Callable[[str, str, int], None]


class Seat:
    """This server's part in one virtual IP.

    Args:
        around: What is shared.
        vip: The virtual IP.
        silence_s: How long the voter is silent, from now: the longest lease that it may have
            promised for this address in an earlier life.
        memory: What a predecessor knew that still runs, and the picture of its node: nothing
            is touched before ``begin``.

    Raises:
        NotUnderstood: If the picture is of another version.
        NftablesRefused: On a candidate, if the kernel's rules cannot be made.
    """

    def __init__(
        self,
        around: Surroundings,
        vip: Vip,
        silence_s: float,
        memory: tuple[SeatMemory, Json] | None = None,
    ) -> None:
        self.vip = vip
        self._around = around
        settings, loop = around.settings, around.loop
        # A life of its own for each seat: should the address be removed and added again while
        # the daemon runs, what was said about the first seat says nothing about the second.
        incarnation = int.from_bytes(os.urandom(8), "big")
        self._settings = NodeSettings(
            settings.name, around.electorate, vip.preferred, failback=settings.failback
        )
        luck = random.Random(incarnation).random
        first = replace(self._settings, silence_s=silence_s)
        self.node = Node(first, incarnation, loop.now_s(), luck)
        self.history = History(loop.now_s())
        self.history.moves.extend(around.earlier(vip.address))
        self._refused: Json = None
        self._stopped = False
        known = None
        if memory is not None:
            known, pictured = memory
            snapshot.restore(self.node, pictured)
            self.history = known.history
        self._before = known.settings if known else None
        self.holding: Holding | None = None
        if settings.is_candidate:
            self.holding = Holding(
                loop,
                vip,
                around.link.now,
                settings.interface,
                around.journal,
                succession=self._succession(),
                memory=known.holding if known else None,
            )

    @property
    def memory(self) -> SeatMemory:
        """What a successor must know, besides the node."""
        holding = self.holding.memory if self.holding else None
        return SeatMemory(self.vip, self._settings, self.history, holding)

    @property
    def is_taken_up(self) -> bool:
        """Whether it goes on where a predecessor stopped."""
        return self._before is not None

    @property
    def is_moving(self) -> bool:
        """Whether the address is just being handed over, which takes some milliseconds."""
        armed = self.holding is not None and self.holding.armed
        return armed or self.node.moving.known().offered_to is not None

    def begin(self) -> None:
        """Go on where the predecessor stopped, or begin."""
        if self.is_taken_up and self.holding is not None:
            self.holding.take_up(self.node.candidate.held_until_s)
        if self._before not in (None, self._settings):
            self._carry_out(self.node.reconfigure(self._settings, self._around.loop.now_s()))
        self.handle(TimerFired())

    @property
    def address(self) -> str:
        """The virtual IP."""
        return self.vip.address

    def why_not_dead(self, servers: Sequence[str]) -> str | None:
        """Return why these servers cannot be declared dead here; None if they can."""
        return self.node.why_not_dead(servers, self._around.loop.now_s())

    @property
    def held(self) -> bool:
        """Whether this server holds the address."""
        return self.holding is not None and self.holding.held

    @property
    def settled(self) -> bool:
        """Whether a daemon that stops need not wait: nothing is held, no connection is open."""
        return self.holding is None or (self._stopped and not self.holding.handing.draining)

    def handle(self, event: Event) -> bool:
        """Hand an event to the node and do what it says; return whether it let go."""
        return self._carry_out(self.node.handle(event, self._around.loop.now_s()))

    def _carry_out(self, effects: Sequence[Effect]) -> bool:
        let_go = False
        for effect in effects:
            let_go = let_go or isinstance(effect, LetGo | Give)
            self._do(effect)
        self._around.loop.at(self._timer, self.node.next_timer_s(), self._on_timer)
        return let_go

    def _do(self, effect: Effect) -> None:
        match effect:
            case Send(to, message):
                self._around.send(to, message, self.vip.address)
            case Changed():
                self._on_changed(effect)
            case NotGiven(to, reason):
                self._not_given(to, reason)
            case Stopped():
                self._stopped = True
                self._around.settled()
            case AskWitness(address, number):
                self._around.ping(self.vip.address, address, number)
            case Hold() | LetGo() | Give() | Arm() | Forward():
                if self.holding is not None:
                    self._do_with(self.holding, effect)
            case _:
                assert_never(effect)

    def _do_with(self, holding: Holding, effect: Hold | LetGo | Give | Arm | Forward) -> None:
        match effect:
            case Hold(until_s):
                holding.hold(until_s)
            case LetGo(reason):
                self._let_go(holding, reason)
            case Give():
                self._give(holding, effect)
            case Arm(giver, until_s):
                holding.arm(giver, until_s)
            case Forward(givers):
                holding.forward(givers)
            case _:
                assert_never(effect)

    def on_link(self, before: LinkSeen | None, now: LinkSeen | None) -> None:
        """The interface changed."""
        if self.holding is not None:
            self.holding.on_link(before, now)

    def on_address_gone(self, address: str) -> None:
        """Somebody took an address off an interface; "" means it is not known which."""
        if self.holding is not None:
            self.holding.on_address_gone(address)

    def announce(self) -> None:
        """Announce the address anew, if it is held."""
        if self.holding is not None:
            self.holding.announce()

    def clear(self) -> None:
        """Tidy up before the daemon ends."""
        if self.holding is not None:
            self.holding.clear()

    def remove(self) -> None:
        """Let go and leave nothing behind: the address is no virtual IP any more."""
        self.handle(Stopping(at_once=True))
        self._around.loop.at(self._timer, None, self._on_timer)
        if self.holding is not None:
            self.holding.remove()
        self._around.journal("vip removed", {"address": self.vip.address})

    def status(self) -> dict[str, Json]:
        """Return how it stands, for ``vips`` in the daemon's status."""
        now_s = self._around.loop.now_s()
        told = report.seat(self.vip, self.node.status(now_s), self.history, now_s)
        if self.holding is not None:
            told["kernel"] = _kernel(self.holding)
            told["handing"] = {**self.holding.handing.status(), "refused": self._refused}
        return told

    def sentence(self) -> str:
        """Return who holds the address, in words."""
        holder = self.known().holder
        return f"{self.vip.address} is held by {'nobody' if holder is None else holder}"

    def known(self) -> Status:
        """Return what the node knows."""
        return self.node.status(self._around.loop.now_s())

    @property
    def _timer(self) -> str:
        return f"core {self.vip.address}"

    def _on_timer(self, _now_s: float) -> None:
        self.handle(TimerFired())

    def _succession(self) -> Succession:
        settings, journal = self._around.settings, self._around.journal
        others = [name for name in settings.candidates if name != settings.name]
        return Succession(
            {name: settings.voters[name] for name in others},
            settings.drain_s,
            Haproxy(self._around.loop, settings.haproxy, journal.rarely),
            self._on_drained,
        )

    def _on_drained(self) -> None:
        self.handle(DrainEnded())
        self._around.settled()

    def _give(self, holding: Holding, effect: Give) -> None:
        """Give the address away; if the kernel does not take it, this raises, as below."""
        held_s = self._held_s(holding)
        holding.give(effect.to, effect.until_s)
        fields = {"address": self.vip.address, "to": effect.to, "held": f"{held_s:.3f}s"}
        self._around.journal("vip given", {**fields, "reason": effect.reason})
        self._around.hook("on_release", self.vip.address, effect.reason)

    def _not_given(self, to: str | None, reason: str) -> None:
        self._refused = {"at": round(time.time(), 3), "to": to, "reason": reason}
        fields = {"address": self.vip.address, "to": to, "reason": reason}
        self._around.journal("vip not given", fields)

    def _held_s(self, holding: Holding) -> float:
        now_s = self._around.loop.now_s()
        return now_s - (holding.since_s or now_s)

    def _let_go(self, holding: Holding, reason: str) -> None:
        """Let go; if the kernel does not take it, this raises and the process ends."""
        held_s = self._held_s(holding)
        holding.let_go()
        fields = {"address": self.vip.address, "held": f"{held_s:.3f}s", "reason": reason}
        self._around.journal("vip let go", fields)
        self._around.hook("on_release", self.vip.address, reason)

    def _on_changed(self, changed: Changed) -> None:
        ballot = str(changed.ballot) if changed.ballot else None
        move = Move(time.time(), changed.holder, ballot, changed.reason)
        lasted_s = self.history.add(move, self._around.loop.now_s())
        address, journal = self.vip.address, self._around.journal
        if changed.holder == self._around.settings.name:
            fields = {"address": address, "ballot": ballot, "after": f"{lasted_s:.3f}s"}
            journal("vip acquired", fields)
            self._around.hook("on_acquire", address, changed.reason)
        elif changed.holder is not None:
            journal("vip held", {"address": address, "by": changed.holder, "ballot": ballot})
        else:
            journal("vip vacant", {"address": address, "reason": changed.reason})
        self._around.changed()


def _kernel(holding: Holding) -> dict[str, Json]:
    fence, announcer = holding.fence, holding.announcer
    families: list[Json] = list(fence.families)
    return {
        "families": families,
        "left_ms": fence.left_ms(),
        "slowest_renewal_ms": round(holding.renewals.recent_s * 1000, 1),
        "late_renewals": fence.late,
        "rules_restored": fence.recreated,
        "address_restored": holding.restored,
        "announcements": announcer.sent,
        "foreign_claims": announcer.claims,
    }
