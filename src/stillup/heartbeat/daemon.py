"""The daemon: the process round the seats, one for each virtual IP.

Turns datagrams, signals and what is seen of the world into events and hands them to the seats
they concern (``seat.py``). A bug ends the process: the kernel's leases end by themselves,
systemd starts the daemon anew.
"""

import contextlib
import functools
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from stillup import __version__
from stillup.heartbeat import estate, memory, process, report
from stillup.heartbeat.control import Control, Refused
from stillup.heartbeat.direct import Direct
from stillup.heartbeat.events import (
    DatagramReceived,
    Event,
    HealthChanged,
    Stopping,
    WitnessAnswered,
)
from stillup.heartbeat.holding import clear_others
from stillup.heartbeat.hooks import Hooks, Runner
from stillup.heartbeat.journal import Journal
from stillup.heartbeat.lineage import Lineage, Possessions, named, sockets, sockets_of
from stillup.heartbeat.link import LinkWatch
from stillup.heartbeat.loop import Loop
from stillup.heartbeat.margins import warnings
from stillup.heartbeat.messages import Message
from stillup.heartbeat.notify import Notify
from stillup.heartbeat.pinger import Pingers
from stillup.heartbeat.probe import Probe
from stillup.heartbeat.questions import Questions
from stillup.heartbeat.route import LinkSeen
from stillup.heartbeat.seal import Seal
from stillup.heartbeat.seat import Seat, Surroundings
from stillup.heartbeat.settings import DaemonSettings
from stillup.heartbeat.settings_reader import Json
from stillup.heartbeat.signals import Signals
from stillup.heartbeat.succession import Handed, NotNow
from stillup.heartbeat.transport import Transport

FAREWELL_S = 0.1
"""How long the daemon goes on after letting go, so that the release can be said again."""

LONGEST_FAREWELL_S = 30.0
"""How long a daemon that was told to end waits for connections that are open here, at most."""

CAUGHT = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


class Daemon:
    """One server's heartbeat.

    Args:
        settings: What it is told.
        keys: The keys that sign, by id; the first signs.
        control: Where it listens for questions.
        runtime: systemd's runtime folder for it; None if there is none.
        handed: What a predecessor that still runs has handed over, and its sockets: nothing is
            touched before ``run``.
        runner: Runs the commands that go with gaining and losing an address.

    Raises:
        NotUnderstood: If what is handed over is another version's.
        RestartNeeded: If it is another server's.
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
        handed: Handed | None = None,
        runner: Runner | None = None,
    ) -> None:
        inherited = estate.inherited(handed[0], settings) if handed else None
        self._sockets = sockets(handed)
        before = inherited.estate if inherited else None
        self.settings = settings
        self.loop = Loop()
        self.journal = Journal(self.loop.now_s)
        self.notify = Notify()
        self._runtime = runtime
        configuration = settings.configuration
        peers = {name: at for name, at in settings.voters.items() if name != settings.name}
        incarnation = int.from_bytes(os.urandom(8), "big")
        self.seal = Seal(
            settings.name,
            frozenset(peers),
            incarnation,
            configuration.fingerprint,
            keys,
            configuration.predecessor,
        )
        self.transport = Transport(
            self.loop,
            self.seal,
            (settings.address, settings.port),
            settings.interface,
            peers,
            self._on_message,
            self.journal.rarely,
        )
        self.direct: Direct | None = None
        if settings.direct is not None and settings.is_candidate:
            self.direct = Direct(
                self.loop,
                self.seal,
                settings.direct,
                settings.port,
                self._on_release,
                self.journal.rarely,
            )
        if before is not None:
            self.seal.remember(before.seal)
        else:
            # First of all: with another daemon on this server, nothing must be touched.
            for network in self._networks().values():
                network.open()
        self.link = LinkWatch(self.loop, settings.interface, self._on_link, self._on_address_gone)
        if settings.is_candidate and before is None:
            clear_others(settings.vips, self.journal)
        self.pingers = Pingers(
            self.loop,
            configuration.electorate,
            settings.name,
            settings.interface,
            self._on_witness,
            self.journal.rarely,
        )
        self.hooks = Hooks(self.loop, settings, self.journal, runner)
        around = Surroundings(
            settings,
            configuration.electorate,
            self.loop,
            self._send,
            self.link,
            self.journal,
            functools.partial(memory.moves, runtime),
            self.hooks.run,
            self._tell_state,
            self._on_settled,
            self.pingers.ask,
        )
        silence_s = memory.silence_s(runtime, configuration.electorate.longest_s)
        # A successor is not silent, but what was lent for longer before it may be lent still.
        self.loop.at("remember", self.loop.now_s() + silence_s, self._remember_lease)
        known = inherited.seats() if inherited else {}
        self.seats = {
            vip.address: Seat(around, vip, silence_s, known.pop(vip.address, None))
            for vip in settings.vips
        }
        # Virtual IPs that the new settings do not have any more; they go with ``run``.
        self._former = [Seat(around, each[0].vip, silence_s, each) for each in known.values()]
        self.probe: Probe | None = None
        if settings.is_candidate and settings.watch is not None:
            self.probe = Probe(self.loop, settings.watch, self._judge, self.journal)
        self.lineage = Lineage(
            self.loop, self.journal, self.notify, settings.lease_s / 2, self._possessions, self._end
        )
        questions = Questions(settings, self.seats, self._status, self.lineage.reload)
        self.control = Control(self.loop, control, questions.answer, self._sockets.get("control"))
        self._heard: dict[str, float] = before.heard if before else {}
        self._fit: tuple[bool, str] | None = before.fit if before else None
        if self.probe is not None and before is not None and before.judge is not None:
            self.probe.go_on_with(before.judge)
        self._stopping = False

    def run(self) -> None:
        """Run until told to end by SIGTERM or SIGINT, or until a successor goes on."""
        self._signals = Signals(self.loop, CAUGHT, self._on_signals)
        if self._sockets:
            self._take_up()
        standing = process.standing() if self._sockets else process.settle()
        if self.probe is not None:
            self.probe.start()
        self._judge()
        for seat in self.seats.values():
            seat.begin()
        self.notify.feed_watchdog(self.loop)
        # Ready is who has a vote: whoever restarts servers one after another, waiting for each,
        # never takes the votes of two at a time.
        silent_s = max(seat.known().silent_s for seat in self.seats.values())
        self.loop.at("ready", self.loop.now_s() + silent_s, self._tell_ready)
        self.journal(
            "heartbeat goes on" if self._sockets else "heartbeat started",
            {
                "name": self.settings.name,
                "candidate": "yes" if self.settings.is_candidate else "no",
                "lease": f"{self.settings.lease_s:g}s",
                "voters": len(self.settings.voters),
                "vips": len(self.seats),
                "scheduling": standing.scheduling,
                "locked": "yes" if standing.locked else "no",
                "version": __version__,
            },
        )
        self.loop.run()
        if self.lineage.succeeded:
            return
        for seat in self.seats.values():
            seat.clear()
        self.control.close()
        self.journal("heartbeat ended", {"name": self.settings.name})

    # -- one process after another -----------------------------------------------------------

    def _take_up(self) -> None:
        """Begin to act: the predecessor has stopped for good."""
        for name, network in self._networks().items():
            network.take_up(sockets_of(name, self._sockets))
        while self._former:
            self._former[-1].begin()
            self._former.pop().remove()
        if self._fit is not None:
            for seat in self.seats.values():
                if not seat.is_taken_up:
                    seat.handle(HealthChanged(*self._fit))

    def _networks(self) -> dict[str, Transport]:
        direct = {} if self.direct is None else {"direct": self.direct.transport}
        return {"lan": self.transport, **direct}

    def _possessions(self) -> Possessions:
        """Return all that a successor must have; nothing is handled after this."""
        if self._stopping:
            raise NotNow("it is about to end")
        if any(seat.is_moving for seat in self.seats.values()):
            raise NotNow("an address is just being handed over")
        known = estate.Estate(
            estate.identity(self.settings),
            self.seal.memory,
            self._heard,
            self._fit,
            self.probe.judge if self.probe is not None else None,
            {address: seat.memory for address, seat in self.seats.items()},
        )
        nodes = {address: seat.node for address, seat in self.seats.items()}
        sockets = {"control": self.control.descriptor}
        for name, network in self._networks().items():
            sockets |= named(name, network.descriptors)
        return Possessions(known, nodes, sockets)

    def handle(self, event: Event) -> None:
        """Hand an event to every seat."""
        for seat in self.seats.values():
            seat.handle(event)

    # -- the world -------------------------------------------------------------------------

    def _send(self, to: str, message: Message, subject: str) -> None:
        self.transport.send(to, message, subject)
        if self.direct is not None:
            self.direct.send(to, message, subject)

    def _on_release(self, sender: str, message: Message, subject: str) -> None:
        """Take in what was heard on the second network; it says nothing of the LAN."""
        if subject in self.seats:
            self.seats[subject].handle(DatagramReceived(sender, message))

    def _on_message(self, sender: str, message: Message, subject: str) -> None:
        now_s = self.loop.now_s()
        away_s = now_s - self._heard.get(sender, now_s)
        self._heard[sender] = now_s
        seat = self.seats.get(subject)
        if seat is None:
            # While an address is being added or removed, some servers know it and some do not.
            self.transport.refused["unknown virtual IP"] += 1
        else:
            seat.handle(DatagramReceived(sender, message))
        if away_s > 2 * self.settings.lease_s:
            self._on_heard_again(sender, away_s)

    def _on_witness(self, subject: str, address: str, number: int) -> None:
        if subject in self.seats:
            self.seats[subject].handle(WitnessAnswered(address, number))

    def _on_heard_again(self, sender: str, away_s: float) -> None:
        """Announce what is held: the network may have been cut and healed.

        Others on its far side may have learnt of another holder meanwhile, or of none.
        """
        held = [seat for seat in self.seats.values() if seat.held]
        if held:
            self.journal("voter heard again", {"voter": sender, "away": f"{away_s:.3f}s"})
        for seat in held:
            seat.announce()

    def _on_link(self, before: LinkSeen | None, now: LinkSeen | None) -> None:
        trouble = self.link.trouble
        if trouble is not None or before is None or not before.carrier:
            words = "link lost" if trouble else "link back"
            self.journal(words, {"interface": self.settings.interface, "reason": trouble or "up"})
        if now is not None and (before is None or before.index != now.index):
            self.transport.open()
            self.pingers.open()
        for seat in self.seats.values():
            seat.on_link(before, now)
        self._judge()

    def _on_address_gone(self, address: str) -> None:
        for seat in self.seats.values():
            seat.on_address_gone(address)

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

    def _on_signals(self, numbers: set[int]) -> None:
        if numbers == {signal.SIGHUP}:
            with contextlib.suppress(Refused):
                self.lineage.reload(None)
            return
        self._end()

    def _end(self) -> None:
        """End in order."""
        if self._stopping:
            return
        self._stopping = True
        self.notify.say("STOPPING=1")
        self.handle(Stopping())
        bound_s = max(FAREWELL_S, min(self.settings.drain_s, LONGEST_FAREWELL_S))
        self.loop.at("end", self.loop.now_s() + bound_s, lambda _: self.loop.stop())
        self._on_settled()

    def _on_settled(self) -> None:
        """End soon, if told to end and nothing is left to wait for."""
        if self._stopping and all(seat.settled for seat in self.seats.values()):
            self.loop.at("end", self.loop.now_s() + FAREWELL_S, lambda _: self.loop.stop())

    def _remember_lease(self, _now_s: float) -> None:
        memory.remember(self._runtime, self.settings.configuration.electorate.longest_s)

    def _tell_ready(self, _now_s: float) -> None:
        self.notify.say("READY=1", f"STATUS={self._sentence()}")

    def _tell_state(self) -> None:
        moves = {address: seat.history.moves for address, seat in self.seats.items()}
        memory.remember_moves(self._runtime, moves)
        self.notify.say(f"STATUS={self._sentence()}")

    def _sentence(self) -> str:
        return "; ".join(seat.sentence() for seat in self.seats.values())

    def _status(self) -> dict[str, Json]:
        seats: dict[str, dict[str, Json]] = {
            address: seat.status() for address, seat in self.seats.items()
        }
        known = [seat.known() for seat in self.seats.values()]
        status = report.status(self.settings, known, seats, self.loop.lateness)
        status["version"] = __version__
        status["pid"] = os.getpid()
        slowest_s = {
            address: seat.holding.renewals.recent_s
            for address, seat in self.seats.items()
            if seat.holding is not None and seat.held
        }
        late_s, real_time = self.loop.lateness.recent_s, process.standing().scheduling == "rr"
        late = warnings(self.settings.lease_s, late_s, slowest_s, real_time=real_time)
        status["warnings"] = [*late, *self.hooks.warnings()]
        if self.direct is not None:
            status["direct"] = self.direct.status()
        status["pings"] = self.pingers.status()
        status["datagrams"] = self.transport.status()
        status["hooks"] = dict(self.hooks.last)
        return status
