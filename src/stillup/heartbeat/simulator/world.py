"""The simulated farm: runs nodes against clocks, a network and kernels, and watches promise 1.

True time is the simulator's; every node sees only its own clock. The safety check is made
where it can break: whenever a kernel begins or goes on answering for the address, no other
kernel may still do so.
"""

import heapq
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from stillup.heartbeat.core import Node, Settings
from stillup.heartbeat.events import (
    Arm,
    AskWitness,
    Changed,
    DatagramReceived,
    Effect,
    Event,
    Forward,
    Give,
    HealthChanged,
    Hold,
    LetGo,
    MoveAsked,
    NotGiven,
    Send,
    Stopped,
    TimerFired,
    WitnessAnswered,
)
from stillup.heartbeat.membership import Configuration
from stillup.heartbeat.messages import Message
from stillup.heartbeat.quorum import Electorate
from stillup.heartbeat.seal import NotOpened, Opened, Seal
from stillup.heartbeat.simulator.kernels import Kernels
from stillup.heartbeat.simulator.luck import Luck, seeded
from stillup.heartbeat.simulator.machine import Clock, Machine, Parcel
from stillup.heartbeat.simulator.network import Network
from stillup.heartbeat.simulator.spy import Spy

Build: TypeAlias = Callable[[Settings, int, float, Callable[[], float]], Node]
Step: TypeAlias = tuple[float, int, Callable[[], None]]

INBOX = 500
"""A socket's buffer: what arrives beyond it while the daemon is frozen is lost."""

TRACE = 400

KEY = bytes(range(32))

SPINS = 2
"""How often a node may want its timer again at once: when its plans change as it fires."""


class TwoHolders(Exception):
    """Promise 1 is broken: two kernels answer for the address at one instant."""


class Deserted(Exception):
    """Nobody held the address although a fit candidate could have."""


class Spinning(Exception):
    """A node asks to be woken at an instant, is woken, and asks for the same again and again."""


class World:
    """A farm in virtual time.

    Args:
        electorate: Who takes part.
        clocks: Each server's clock.
        luck: Decides what is done to the farm.
        build: Makes a node; ``Node``, or one with a fault made on purpose.
        preferred: The preferred candidate.
        spy: If there is one, datagrams are sealed bytes, and it records and replays them;
            if not, messages travel as they are, which is faster.
        nature: The seed of what the network and the nodes draw, so that it does not depend on
            how the faults were chosen, and the same faults can be done again; with None they
            draw from ``luck``.
        newcomers: Servers that take no part yet; ``bring`` tells them to.

    Attributes:
        asked_to: Whom somebody was last asked to move the address to.
    """

    def __init__(
        self,
        electorate: Electorate,
        clocks: dict[str, Clock],
        luck: Luck,
        build: Build = Node,
        preferred: str | None = None,
        spy: Spy | None = None,
        nature: int | None = None,
        newcomers: tuple[str, ...] = (),
    ) -> None:
        self.electorate = electorate
        self.luck = luck
        self._nature = luck if nature is None else seeded(nature)
        self.network = Network(self._nature)
        first = Configuration(electorate)
        self.machines = {
            name: Machine(name, clocks[name], told=first) for name in electorate.servers
        }
        self.machines |= {name: Machine(name, clocks[name]) for name in newcomers}
        self.now_s = 0.0
        self.kernels = Kernels(self.machines)
        self.late_s = 0.0
        self.asked_to: str | None = None
        self.trace: deque[tuple[float, str, object]] = deque(maxlen=TRACE)
        self.watch: Callable[[float, str, Effect], None] | None = None
        self._build = build
        self._spy = spy
        self._preferred = preferred
        self._steps: list[Step] = []
        self.count = 0

    # -- time ------------------------------------------------------------------------------

    def at(self, true_s: float, do: Callable[[], None]) -> None:
        """Do something at a true instant."""
        self.count += 1
        heapq.heappush(self._steps, (true_s, self.count, do))

    def run_until(self, true_s: float) -> None:
        """Let time pass up to and including this instant."""
        steps = self._steps
        while steps and steps[0][0] <= true_s:
            self.now_s, _, do = heapq.heappop(steps)
            do()
        self.now_s = true_s

    # -- machines --------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Start a server's daemon, and the machine if it has no power."""
        machine = self.machines[name]
        told = machine.told
        if machine.node is not None or told is None:
            return
        machine.powered = True
        machine.life += 1
        machine.runs = told
        machine.longest_s = max(machine.longest_s, told.electorate.longest_s)
        settings = Settings(name, told.electorate, self._preferred, machine.longest_s)
        self._note(name, "starts")
        now_s = machine.clock.read(self.now_s)
        incarnation = self._nature.getrandbits(64)
        machine.node = self._build(settings, incarnation, now_s, self._nature.random)
        if self._spy is not None:
            peers = frozenset(self.machines) - {name}
            farm = told.fingerprint
            machine.seal = Seal(name, peers, incarnation, farm, {1: KEY}, told.predecessor)
        self.tell(name, HealthChanged(machine.healthy, "as it was at the start"))

    def bring(self, name: str, configuration: Configuration) -> bool:
        """Put a configuration on a server's disk and let its daemon go on with it.

        Returns:
            Whether it runs it now; False where no daemon runs, or it is frozen.
        """
        machine = self.machines[name]
        machine.told = configuration
        if machine.node is None or machine.frozen or machine.freeze_after is not None:
            return False
        self._note(name, f"goes on under {configuration}")
        machine.runs = configuration
        machine.longest_s = max(machine.longest_s, configuration.electorate.longest_s)
        settings = Settings(name, configuration.electorate, self._preferred)
        effects = machine.node.reconfigure(settings, machine.clock.read(self.now_s))
        self._carry_out(machine, effects)
        self._set_timer(machine, machine.node)
        return True

    def kill(self, name: str) -> None:
        """Kill a server's daemon; its kernel goes on answering until the lease is over."""
        machine = self.machines[name]
        self._note(name, "daemon killed")
        machine.node = None
        machine.frozen, machine.freeze_after, machine.timer_s = False, None, None
        machine.inbox.clear()
        machine.undone.clear()

    def power_off(self, name: str) -> None:
        """Pull a server's plug: daemon and kernel are gone."""
        self.kill(name)
        machine = self.machines[name]
        machine.powered = False
        self.kernels.power_off(machine, self.now_s)

    def freeze(self, name: str, after: int | None = None) -> None:
        """Stop a daemon, at once or in the middle of its next effects; the kernel goes on."""
        machine = self.machines[name]
        if machine.node is None or machine.frozen:
            return
        self._note(name, f"frozen, in the middle after {after}" if after else "frozen")
        if after is None:
            machine.frozen = True
        else:
            machine.freeze_after = after

    def thaw(self, name: str) -> None:
        """Let a stopped daemon go on: first what it was doing, then what waits for it."""
        machine = self.machines[name]
        machine.freeze_after = None
        if machine.node is None or not machine.frozen:
            return
        self._note(name, "thawed")
        machine.frozen = False
        undone, machine.undone = machine.undone, []
        self._carry_out(machine, undone)
        inbox, machine.inbox = machine.inbox, []
        for parcel in inbox:
            self._arrive(name, parcel)
        self.tell(name, HealthChanged(machine.healthy, "as it is after the freeze"))

    def set_health(self, name: str, *, healthy: bool) -> None:
        """Let a server's HAProxy die or come back."""
        self.machines[name].healthy = healthy
        self.tell(name, HealthChanged(healthy, "haproxy answers" if healthy else "haproxy died"))

    def tell(self, name: str, event: Event) -> None:
        """Let something happen to a server's daemon, if it is there to notice."""
        machine = self.machines[name]
        node = machine.node
        if node is None:
            return
        if machine.frozen:
            return
        if isinstance(event, MoveAsked):
            self.asked_to = event.to
        self.trace.append((self.now_s, name, event))
        self._carry_out(machine, node.handle(event, machine.clock.read(self.now_s)))
        self._set_timer(machine, node)

    def holder(self) -> str | None:
        """Return which kernel answers for the address now; None if none does."""
        return self.kernels.holder(self.now_s)

    def holds_by_votes(self) -> bool:
        """Return whether somebody holds by votes of its own."""
        holder = self.holder()
        node = self.machines[holder].node if holder is not None else None
        return node is not None and node.candidate.holds_by_votes

    def fit(self) -> list[str]:
        """Return the candidates that could hold: healthy, running, and heard by enough voters."""
        there = [m.name for m in self.machines.values() if m.node is not None and not m.frozen]
        return [
            name
            for name in there
            if name in self.electorate.candidates
            and self.machines[name].healthy
            and self.electorate.is_enough([v for v in there if self.hear(name, v)], name)
        ]

    def hear(self, one: str, other: str) -> bool:
        """Return whether two servers hear each other."""
        return one == other or self.network.connected(one, other)

    def gap_s(self) -> float:
        """Return for how long nobody has answered for the address."""
        return self.kernels.gap_s(self.now_s)

    def expect_holder(self, name: str | None = None) -> None:
        """Check that somebody answers now, or that one.

        Raises:
            Deserted: If not.
        """
        holder = self.holder()
        if holder is None:
            raise Deserted(self.story("nobody holds, though somebody could"))
        if name not in {None, holder}:
            raise Deserted(self.story(f"{holder} holds, though it was to move to {name}"))

    def expect_steady(self, from_s: float, most_s: float) -> None:
        """Check that from then on nobody was missing for long.

        Args:
            from_s: The true instant from which it counts.
            most_s: The longest time without an answer that is let pass.

        Raises:
            Deserted: If nobody answered for longer.
        """
        gap = self.kernels.too_long(from_s, most_s, self.now_s)
        if gap is not None:
            text = f"nobody held from {gap.from_s:.6f} to {gap.to_s:.6f}"
            raise Deserted(self.story(text))

    # -- what nodes want done --------------------------------------------------------------

    def _carry_out(self, machine: Machine, effects: list[Effect]) -> None:
        for number, effect in enumerate(effects):
            if machine.freeze_after is not None and number >= machine.freeze_after:
                machine.freeze_after, machine.frozen = None, True
                machine.undone.extend(effects[number:])
                return
            if not isinstance(effect, Send):
                self.trace.append((self.now_s, machine.name, effect))
            self._do(machine, effect)
            if self.watch is not None:
                self.watch(self.now_s, machine.name, effect)

    def _do(self, machine: Machine, effect: Effect) -> None:
        match effect:
            case Send(to, message):
                self._send(machine.name, to, message)
            case Hold() | LetGo() | Arm() | Give():
                wrong = self.kernels.do(machine, effect, self.now_s)
                if wrong is not None:
                    raise TwoHolders(self.story(wrong))
            case AskWitness(address, number):
                self._ping(machine.name, address, number)
            case Changed() | NotGiven() | Forward() | Stopped():
                pass

    def _send(self, sender: str, to: str, message: Message) -> None:
        seal = self.machines[sender].seal
        if seal is None or self._spy is None:
            self._transmit(sender, to, DatagramReceived(sender, message))
            return
        data = seal.close(to, message)
        self._transmit(sender, to, data)
        replayed = self._spy.hear(to, data, self._nature)
        if replayed is not None:
            self.at(self.now_s, lambda: self._arrive(*replayed))

    def _transmit(self, sender: str, to: str, parcel: Parcel) -> None:
        runs = self.machines[sender].runs
        for delay_s in self.network.delays_s(sender, to):
            self.at(self.now_s + delay_s, lambda: self._arrive(to, parcel, runs))

    def _ping(self, name: str, address: str, number: int) -> None:
        """Let a ping travel to a witness, which never fails, and its answer back."""
        answer = WitnessAnswered(address, number)
        for there_s in self.network.delays_s(name, address):
            for back_s in self.network.delays_s(address, name):
                self.at(self.now_s + there_s + back_s, lambda: self._arrive(name, answer))

    def _arrive(self, name: str, parcel: Parcel, sent_by: Configuration | None = None) -> None:
        """Let a datagram reach a socket; the daemon reads it if it runs and is not frozen."""
        machine = self.machines[name]
        if machine.node is None or not _is_heard(machine.runs, sent_by):
            return
        if machine.frozen:
            if len(machine.inbox) < INBOX:
                machine.inbox.append(parcel)
            return
        if isinstance(parcel, DatagramReceived | WitnessAnswered):
            self.tell(name, parcel)
            return
        assert machine.seal is not None
        match machine.seal.open(parcel):
            case Opened(sender, message):
                self.tell(name, DatagramReceived(sender, message))
            case NotOpened(_, sender, answer):
                if sender is not None and answer is not None:
                    self._transmit(name, sender, answer)

    def _set_timer(self, machine: Machine, node: Node) -> None:
        due_s = node.next_timer_s()
        if due_s is None:
            machine.timer_s = None
            return
        # A hair later, so that rounding does not make the node's clock show too little.
        true_s = max(machine.clock.true(due_s) + 1e-7, self.now_s)
        if machine.timer_s == true_s:
            return
        machine.timer_s = true_s
        life = machine.life
        late_s = self.late_s * self._nature.random() if self.late_s else 0.0
        self.at(true_s + late_s, lambda: self._fire(machine, life, true_s))

    def _fire(self, machine: Machine, life: int, true_s: float) -> None:
        if machine.life == life and machine.timer_s == true_s and not machine.frozen:
            machine.timer_s = None
            self.tell(machine.name, TimerFired())
            machine.spins = machine.spins + 1 if machine.timer_s == true_s else 0
            if machine.spins > SPINS:
                raise Spinning(self.story(f"{machine.name} did nothing about its timer"))

    # -- for people ------------------------------------------------------------------------

    def _note(self, name: str, what: str) -> None:
        self.trace.append((self.now_s, name, what))

    def story(self, what: str) -> str:
        """Return what happened last, a line each, oldest first."""
        lines = [f"{at_s:10.6f} {name:6} {thing}" for at_s, name, thing in self.trace]
        return "\n".join([*lines, f"{self.now_s:10.6f} {what}"])


def _is_heard(here: Configuration | None, there: Configuration | None) -> bool:
    """Return whether one configuration's datagrams are believed here; seals check for themselves."""
    return here is there or here is None or there is None or here.believes(there)
