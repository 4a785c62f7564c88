"""The daemon: a thin shell round ``core.Node``.

Turns datagrams, timers, signals and what is seen of the world into events, and carries out
the effects in the order given; ``events.py`` has the rules that bind it. A bug ends the
process: the kernel's lease ends by itself, systemd starts the daemon anew.
"""

import os
import random
import signal
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from stillup import __version__
from stillup.heartbeat import memory, process, report
from stillup.heartbeat.control import Control, Refused
from stillup.heartbeat.core import Node
from stillup.heartbeat.core import Settings as NodeSettings
from stillup.heartbeat.events import (
    Changed,
    DatagramReceived,
    Event,
    HealthChanged,
    Hold,
    LetGo,
    Resumed,
    Send,
    Stopping,
    TimerFired,
    YieldAsked,
)
from stillup.heartbeat.holding import Holding
from stillup.heartbeat.journal import Journal
from stillup.heartbeat.link import LinkWatch
from stillup.heartbeat.loop import Loop
from stillup.heartbeat.messages import Message
from stillup.heartbeat.notify import Notify
from stillup.heartbeat.probe import Probe
from stillup.heartbeat.quorum import Electorate
from stillup.heartbeat.report import History, Move
from stillup.heartbeat.route import LinkSeen
from stillup.heartbeat.seal import Seal
from stillup.heartbeat.settings import DaemonSettings, Json
from stillup.heartbeat.transport import Transport

FAREWELL_S = 0.1
"""How long the daemon goes on after letting go, so that the release can be said again."""

LONGEST_YIELD_S = 86_400.0


class Daemon:
    """One server's heartbeat.

    Args:
        settings: What it is told.
        keys: The keys that sign, by id; the first signs.
        control: Where it listens for questions.
        runtime: systemd's runtime folder for it; None if there is none.

    Raises:
        NftablesRefused: On a candidate, if the kernel's rules cannot be made.
        OSError: If the control socket cannot be made.
        ServerFailed: If another daemon runs on this server already.
    """

    def __init__(
        self,
        settings: DaemonSettings,
        keys: Mapping[int, bytes],
        control: Path,
        runtime: Path | None,
    ) -> None:
        self.settings = settings
        self.loop = Loop()
        self.journal = Journal(self.loop.now_s)
        self.notify = Notify()
        incarnation = int.from_bytes(os.urandom(8), "big")
        self._runtime = runtime
        self.node = self._node(incarnation)
        self.history = History(self.loop.now_s())
        peers = {name: at for name, at in settings.voters.items() if name != settings.name}
        fingerprint = self.node.electorate.fingerprint()
        self.transport = Transport(
            self.loop,
            Seal(settings.name, frozenset(peers), incarnation, fingerprint, keys),
            (settings.address, settings.port),
            settings.interface,
            peers,
            self._on_message,
            self.journal.rarely,
        )
        # First of all: with another daemon on this server, nothing must be touched.
        self.transport.open()
        self.link = LinkWatch(self.loop, settings.interface, self._on_link, self._on_address_gone)
        self.holding: Holding | None = None
        self.probe: Probe | None = None
        if settings.is_candidate:
            self.holding = Holding(
                self.loop, settings.vip, self.link.now, settings.interface, self.journal
            )
            if settings.watch is not None:
                self.probe = Probe(self.loop, settings.watch, self._judge, self.journal)
        self.control = Control(self.loop, control, self._answer)
        self._heard: dict[str, float] = {}
        self._fit: tuple[bool, str] | None = None
        self._stopping = False

    def run(self) -> None:
        """Run until told to end by SIGTERM or SIGINT."""
        self._catch_signals()
        standing = process.settle()
        if self.probe is not None:
            self.probe.start()
        self._judge()
        self.handle(TimerFired())
        self._feed_watchdog(self.loop.now_s())
        # Ready is who has a vote: whoever restarts servers one after another, waiting for each,
        # never takes the votes of two at a time.
        silent_s = self.node.status(self.loop.now_s()).silent_s
        self.loop.at("ready", self.loop.now_s() + silent_s, self._tell_ready)
        self.journal(
            "heartbeat started",
            {
                "name": self.settings.name,
                "candidate": "yes" if self.settings.is_candidate else "no",
                "lease": f"{self.settings.lease_s:g}s",
                "voters": len(self.settings.voters),
                "scheduling": standing.scheduling,
                "locked": "yes" if standing.locked else "no",
                "version": __version__,
            },
        )
        self.loop.run()
        if self.holding is not None:
            self.holding.clear()
        self.control.close()
        self.journal("heartbeat ended", {"name": self.settings.name})

    # -- the core --------------------------------------------------------------------------

    def handle(self, event: Event) -> bool:
        """Hand an event to the core and do what it says; return whether it let go."""
        let_go = False
        for effect in self.node.handle(event, self.loop.now_s()):
            match effect:
                case Send(to, message):
                    self.transport.send(to, message)
                case Hold(until_s):
                    if self.holding is not None:
                        self.holding.hold(until_s)
                case LetGo(reason):
                    let_go = True
                    self._let_go(reason)
                case Changed():
                    self._on_changed(effect)
        self.loop.at("core", self.node.next_timer_s(), self._on_timer)
        return let_go

    def _node(self, incarnation: int) -> Node:
        settings = self.settings
        electorate = Electorate(tuple(settings.voters), settings.candidates, settings.lease_s)
        silence_s = memory.silence_s(self._runtime, settings.lease_s)
        luck = random.Random(incarnation).random
        return Node(
            NodeSettings(settings.name, electorate, settings.vip.preferred, silence_s),
            incarnation,
            self.loop.now_s(),
            luck,
        )

    def _on_timer(self, _now_s: float) -> None:
        self.handle(TimerFired())

    def _let_go(self, reason: str) -> None:
        """Let go; if the kernel does not take it, this raises and the process ends."""
        assert self.holding is not None
        held_s = self.loop.now_s() - (self.holding.since_s or self.loop.now_s())
        self.holding.let_go()
        address = self.settings.vip.address
        self.journal("vip let go", {"address": address, "held": f"{held_s:.3f}s", "reason": reason})

    def _on_changed(self, changed: Changed) -> None:
        ballot = str(changed.ballot) if changed.ballot else None
        move = Move(time.time(), changed.holder, ballot, changed.reason)
        lasted_s = self.history.add(move, self.loop.now_s())
        address = self.settings.vip.address
        if changed.holder == self.settings.name:
            fields = {"address": address, "ballot": ballot, "after": f"{lasted_s:.3f}s"}
            self.journal("vip acquired", fields)
        elif changed.holder is not None:
            self.journal("vip held", {"address": address, "by": changed.holder, "ballot": ballot})
        else:
            self.journal("vip vacant", {"address": address, "reason": changed.reason})
        self.notify.say(f"STATUS={self._sentence()}")

    # -- the world -------------------------------------------------------------------------

    def _on_message(self, sender: str, message: Message) -> None:
        now_s = self.loop.now_s()
        away_s = now_s - self._heard.get(sender, now_s)
        self._heard[sender] = now_s
        self.handle(DatagramReceived(sender, message))
        if away_s > 2 * self.settings.lease_s and self.holding is not None and self.holding.held:
            # The network may have been cut and healed: others on its far side may have
            # learnt of another holder meanwhile, or have heard of none.
            self.journal("voter heard again", {"voter": sender, "away": f"{away_s:.3f}s"})
            self.holding.announce()

    def _on_link(self, before: LinkSeen | None, now: LinkSeen | None) -> None:
        trouble = self.link.trouble
        if trouble is not None or before is None or not before.carrier:
            words = "link lost" if trouble else "link back"
            self.journal(words, {"interface": self.settings.interface, "reason": trouble or "up"})
        if now is not None and (before is None or before.index != now.index):
            self.transport.open()
        if self.holding is not None:
            self.holding.on_link(before, now)
        self._judge()

    def _on_address_gone(self, address: str) -> None:
        if self.holding is not None:
            self.holding.on_address_gone(address)

    def _judge(self) -> None:
        """Tell the core whether this server is fit, if that has changed or was never told."""
        if not self.settings.is_candidate:
            return
        fit = self._fitness()
        if fit is not None and (self._fit is None or fit[0] != self._fit[0]):
            words = "fit" if fit[0] else "not fit"
            self.journal(words, {"name": self.settings.name, "reason": fit[1]})
            self._fit = fit
            self.handle(HealthChanged(*fit))

    def _fitness(self) -> tuple[bool, str] | None:
        if self.link.trouble is not None:
            return False, self.link.trouble
        if self.probe is None:
            return True, "nothing is watched"
        judge = self.probe.judge
        return None if judge.healthy is None else (judge.healthy, judge.reason)

    # -- people and systemd ----------------------------------------------------------------

    def _catch_signals(self) -> None:
        ours, pythons = socket.socketpair(type=socket.SOCK_STREAM)
        for end in (ours, pythons):
            end.settimeout(0)
        signal.set_wakeup_fd(pythons.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._signals = (ours, pythons)
        self.loop.watch(ours, self._on_signal)

    def _on_signal(self) -> None:
        self._signals[0].recv(16)
        if self._stopping:
            return
        self._stopping = True
        self.notify.say("STOPPING=1")
        self.handle(Stopping())
        self.loop.at("farewell", self.loop.now_s() + FAREWELL_S, lambda _: self.loop.stop())

    def _feed_watchdog(self, now_s: float) -> None:
        """Say that the loop turns: this runs in it, after what was due and waiting."""
        period_s = self.notify.watchdog_s
        if period_s is not None:
            self.notify.say("WATCHDOG=1")
            self.loop.at("watchdog", now_s + period_s, self._feed_watchdog)

    def _tell_ready(self, _now_s: float) -> None:
        memory.remember(self._runtime, self.settings.lease_s)
        self.notify.say("READY=1", f"STATUS={self._sentence()}")

    def _sentence(self) -> str:
        status = self.node.status(self.loop.now_s())
        holder = "nobody" if status.holder is None else status.holder
        return f"{self.settings.vip.address} is held by {holder}"

    def _answer(self, question: dict[str, Json]) -> dict[str, Json]:
        match question.get("op"):
            case "status":
                return self._status()
            case "yield":
                return self._yield(question)
            case "resume":
                self.handle(Resumed())
                return {"resumed": True}
            case _:
                raise Refused("the operations are: status, yield, resume")

    def _yield(self, question: dict[str, Json]) -> dict[str, Json]:
        if not self.settings.is_candidate:
            raise Refused(f"{self.settings.name} is no candidate; it has nothing to yield")
        seconds, to = question.get("seconds", 30), question.get("to")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise Refused("seconds: must be a number")
        if not 0 < seconds <= LONGEST_YIELD_S:
            raise Refused(f"seconds: must be above 0 and at most {LONGEST_YIELD_S:.0f}")
        if to is not None and (to not in self.settings.candidates or to == self.settings.name):
            raise Refused("to: must be another candidate")
        held = self.holding is not None and self.holding.held
        let_go = self.handle(YieldAsked(float(seconds), str(to) if to is not None else None))
        return {"yielded": let_go, "held": held}

    def _status(self) -> dict[str, Json]:
        now_s = self.loop.now_s()
        status = report.status(
            self.settings, self.node.status(now_s), self.history, self.loop.lateness, now_s
        )
        status["version"] = __version__
        status["datagrams"] = {
            "sent": self.transport.sent,
            "received": self.transport.received,
            "unsent": report.counted(self.transport.unsent),
            "refused": report.counted(self.transport.refused),
        }
        if self.holding is not None:
            fence, announcer = self.holding.fence, self.holding.announcer
            families: list[Json] = list(fence.families)
            status["kernel"] = {
                "families": families,
                "left_ms": fence.left_ms(),
                "late_renewals": fence.late,
                "rules_restored": fence.recreated,
                "address_restored": self.holding.restored,
                "announcements": announcer.sent,
                "foreign_claims": announcer.claims,
            }
        return status
