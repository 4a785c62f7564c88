"""Handing one virtual IP over, on this server: what the kernel and HAProxy are told, and when.

The core decides (``handover.py``); here it is carried out. Of a giver: ``give``, and then the
*drain*: open connections go on until none is left or ``drain_s`` have passed; what is left then
is destroyed, with a reset to the user. Of a taker: ``arm``, and ``forward`` while it holds.

The kernel forgets all of it within seconds when it is not renewed, so whatever becomes of the
daemon, nothing stays behind. The address lies on ``lo`` meanwhile, where nobody on the LAN sees
it: without it there, open connections could neither be received nor spoken for.
"""

import math
from collections.abc import Callable, Mapping

from stillup.heartbeat import peer_hardware
from stillup.heartbeat.ending import Ending
from stillup.heartbeat.estate import HandingMemory
from stillup.heartbeat.haproxy import Haproxy
from stillup.heartbeat.journal import Journal
from stillup.heartbeat.kernel_handing import KernelHanding
from stillup.heartbeat.kernel_lease import KernelLease
from stillup.heartbeat.loop import Loop
from stillup.heartbeat.netlink import NetlinkRefused
from stillup.heartbeat.nftables import NftablesRefused
from stillup.heartbeat.peer_hardware import PeerHardware
from stillup.heartbeat.route import LinkSeen
from stillup.heartbeat.ruleset import is_ipv6
from stillup.heartbeat.settings_reader import Json
from stillup.heartbeat.socket_diagnosis import Connections

RENEW_S = 1.0
"""How often the kernel is told that it goes on; it forgets after five times that."""


class Handing:
    """One address's hand-overs.

    Args:
        loop: For timers.
        fence: The address's lease in the kernel.
        peers: The other candidates' LAN addresses by name.
        drain_s: How long open connections may live on at most.
        haproxy: Told when the address is given away.
        journal: The log.
        ended: Called when a drain is over: the address can be taken off.
        memory: What a predecessor knew that still runs: nothing is touched before ``take_up``.
    """

    def __init__(
        self,
        loop: Loop,
        fence: KernelLease,
        peers: Mapping[str, str],
        drain_s: float,
        haproxy: Haproxy,
        journal: Journal,
        ended: Callable[[], None],
        memory: HandingMemory | None = None,
    ) -> None:
        before = memory or HandingMemory()
        self.drain_until_s = before.drain_until_s
        self.open = before.open
        self.forwards = before.forwards
        self._loop = loop
        self._address = fence.address
        self._drain_s = drain_s
        self._haproxy = haproxy
        self._journal = journal
        self._ended = ended
        self._passing_until_s = before.passing_until_s
        self._link: LinkSeen | None = None
        self._hardware = PeerHardware(peers)
        self._connections = Connections(fence.address)
        self._ending = Ending(loop, fence.address, self._connections, journal, self._on_all_ended)
        self._gateways = _gateways(fence, peers)
        self.kernel = KernelHanding(fence, self._gateways)
        fence.on_create(self._on_rules_anew)
        if memory is None:
            # What an earlier life of the daemon left of a hand-over.
            self._quietly(self.kernel.end_open)
            self._quietly(lambda: self.kernel.forward(()))
            haproxy.tell(self._address, given=False)

    @property
    def memory(self) -> HandingMemory:
        """What a successor must know."""
        return HandingMemory(self.drain_until_s, self._passing_until_s, self.open, self.forwards)

    def take_up(self) -> None:
        """Go on where a predecessor stopped."""
        if self.draining or self.forwards:
            self._on_timer(self._loop.now_s())

    @property
    def draining(self) -> bool:
        """Whether open connections live on here after the address was given away."""
        return self.drain_until_s is not None

    def on_link(self, link: LinkSeen | None) -> None:
        """Use this interface from now on; None while there is none."""
        if link is not None and (self._link is None or self._link.index != link.index):
            self._forget_former(link.index)
        self._link = link

    def arm(self, giver: str, until_s: float) -> bool:
        """Take what ``giver`` passes on, until then; return whether the kernel does."""
        hardware = self._known().get(giver)
        if hardware is None:
            # Connections that users open at the very instant of the move come a second later.
            fields = {"address": self._address, "giver": giver, "reason": "its hardware address"}
            self._journal.rarely("not armed", {**fields, "is": "unknown"})
            return False
        try:
            return self.kernel.arm(hardware, until_s)
        except (NetlinkRefused, NftablesRefused) as error:
            self._journal.rarely("not armed", {"address": self._address, "reason": error})
            return False

    def give(self, to: str, until_s: float) -> None:
        """End the lease, and begin the drain.

        Raises:
            LeaseNotEnded: If the kernel did not take it; the daemon must end and say nothing more.
        """
        self._known()
        now_s = self._loop.now_s()
        self.kernel.give(to, max(1, math.floor((until_s - now_s) * 1000)))
        self.drain_until_s = now_s + self._drain_s
        self._passing_until_s = until_s
        self.forwards = ()
        self._haproxy.tell(self._address, given=True)
        self._again(now_s)

    def forward(self, givers: tuple[str, ...]) -> None:
        """Pass what belongs to nothing here on to these, from now on."""
        self.forwards = givers
        self._renew_forwards()
        self._again(self._loop.now_s())

    def gained(self) -> None:
        """The address is held here: what is open here needs no exception any more."""
        if self.draining:
            self.drain_until_s = None
            self._ending.stop()
            self._haproxy.tell(self._address, given=False)
        self._quietly(self.kernel.end_open)

    def let_go(self) -> None:
        """End the lease and everything beside it.

        Raises:
            LeaseNotEnded: As ``give``.
        """
        self.kernel.let_go(keeps_open=self.draining)
        self.forwards = ()

    def close(self) -> None:
        """Do no more for this address; what the kernel still does ends by itself."""
        self._loop.at(self._timer, None, self._on_timer)
        self._ending.stop()
        self._connections.close()
        self._hardware.close()

    def status(self) -> dict[str, Json]:
        """Return how it stands, for the seat's status."""
        until_s, now_s = self.drain_until_s, self._loop.now_s()
        if self.draining:
            self._count()
        forwards: list[Json] = list(self.forwards)
        return {
            "draining": self.draining,
            "open": self.open if self.draining else 0,
            "drain_left_s": round(max(0.0, until_s - now_s), 3) if until_s is not None else 0.0,
            "forwards": forwards,
            "trouble": self.kernel.trouble,
        }

    # -- steps -----------------------------------------------------------------------------

    @property
    def _timer(self) -> str:
        return f"handing {self._address}"

    def _again(self, now_s: float) -> None:
        due_s = now_s + RENEW_S if self.draining or self.forwards else None
        self._loop.at(self._timer, due_s, self._on_timer)

    def _on_timer(self, now_s: float) -> None:
        if self.forwards:
            self._renew_forwards()
        if self.drain_until_s is not None:
            self._drain(self.drain_until_s, now_s)
        self._again(now_s)

    def _drain(self, until_s: float, now_s: float) -> None:
        self._count()
        if (self.open and now_s < until_s) or self._ending.is_under_way:
            self._quietly(self.kernel.renew_open)
        elif now_s >= self._passing_until_s:
            # While they may still say so to the users; then all is silent.
            self._ending.begin()

    def _count(self) -> None:
        try:
            self.open = self._connections.count()
        except NetlinkRefused as error:
            self._journal.rarely("connections not counted", {"reason": error.strerror})
            self.open = -1

    def _on_all_ended(self, destroyed: int) -> None:
        self.drain_until_s, self.open = None, 0
        self._quietly(self.kernel.end_open)
        self._haproxy.tell(self._address, given=False)
        self._journal("vip drained", {"address": self._address, "destroyed": destroyed})
        self._ended()

    def _on_rules_anew(self) -> None:
        """Put back at once what rules that are new lack: without it open connections are reset."""
        if self.forwards:
            self._quietly(lambda: self.kernel.forward(self.forwards))
        if self.draining:
            self._quietly(self.kernel.renew_open)

    def _renew_forwards(self) -> None:
        self._known()
        self._quietly(lambda: self.kernel.forward(self.forwards))

    def _known(self) -> dict[str, bytes]:
        """Look the peers' hardware addresses up, and see to it that IPv6 reaches them."""
        if self._link is None:
            return {}
        try:
            known = self._hardware.known(self._link.index)
            if is_ipv6(self._address):
                for place, name in enumerate(self._gateways):
                    if name in known:
                        gateway = peer_hardware.gateway(place)
                        self._hardware.pin(self._link.index, gateway, known[name])
        except NetlinkRefused as error:
            self._journal.rarely("peers not looked up", {"reason": error.strerror})
            return {}
        return known

    def _forget_former(self, index: int) -> None:
        """Forget what stood for balancers that the farm had once."""
        if is_ipv6(self._address):
            try:
                self._hardware.forget(index, len(self._gateways))
            except NetlinkRefused as error:
                self._journal.rarely("former balancers kept", {"reason": error.strerror})

    def _quietly(self, act: Callable[[], None]) -> None:
        try:
            act()
        except (NetlinkRefused, NftablesRefused) as error:
            # The kernel forgets what is not renewed, so this ends well, only later.
            fields = {"address": self._address, "reason": error}
            self._journal.rarely("hand-over not kept up", fields)


def _gateways(fence: KernelLease, peers: Mapping[str, str]) -> dict[str, str]:
    """Return how packets for the address get to each peer, as the rules have it."""
    if not is_ipv6(fence.address):
        return dict(sorted(peers.items()))
    return {
        name: f'{peer_hardware.gateway(place)} device "{fence.interface}"'
        for place, name in enumerate(sorted(peers))
    }
