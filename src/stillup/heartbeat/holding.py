"""The virtual IP on this server: the kernel's lease, the address, the announcements.

The order is what matters. To hold: the kernel's lease first, then the address, then the
announcement. To let go: the kernel's lease first, at once; the address is tidied away after
the others have been told, since without a lease it is silent anyway. When it was given away
instead (``handing.py``), it goes over to ``lo`` until the open connections have ended.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from stillup.heartbeat.address import Addresses
from stillup.heartbeat.announce import Announcer
from stillup.heartbeat.estate import HoldingMemory
from stillup.heartbeat.handing import Handing
from stillup.heartbeat.haproxy import Haproxy
from stillup.heartbeat.journal import Journal
from stillup.heartbeat.kernel_lease import KernelLease, remove_all_but
from stillup.heartbeat.lateness import Lateness
from stillup.heartbeat.loop import Loop
from stillup.heartbeat.netlink import NetlinkRefused
from stillup.heartbeat.nftables import NftablesRefused
from stillup.heartbeat.repeats import Claim, spoken
from stillup.heartbeat.route import AddressSeen, LinkSeen
from stillup.heartbeat.settings import Vip

CHECK_S = 1.0
"""How often the rules are looked after while the address is not held; each renewal does it
otherwise."""

RESTORE_S = 0.05
"""The shortest time between two restorations of an address that somebody else removes."""


LOOPBACK = 1
"""The index of ``lo``, the first interface of every network namespace."""


@dataclass(frozen=True, slots=True)
class Succession:
    """What handing an address over takes.

    Args:
        peers: The other candidates' LAN addresses by name.
        drain_s: How long open connections may live on here at most.
        haproxy: Told that the address was given away.
        drained: Called when they have ended, or were ended.
    """

    peers: Mapping[str, str]
    drain_s: float
    haproxy: Haproxy
    drained: Callable[[], None]


class Holding:
    """Holds one virtual IP, or does not.

    Args:
        loop: For timers.
        vip: The virtual IP.
        link: The LAN interface; None while it is missing.
        interface: Its name.
        journal: The log.
        succession: For handing it over.
        memory: What a predecessor knew that still runs: nothing is touched before ``take_up``.

    Raises:
        NftablesRefused: If the rules cannot be made; without them nothing may be held.
    """

    def __init__(
        self,
        loop: Loop,
        vip: Vip,
        link: LinkSeen | None,
        interface: str,
        journal: Journal,
        *,
        succession: Succession,
        memory: HoldingMemory | None = None,
    ) -> None:
        self.vip = vip
        self.since_s = memory.since_s if memory else None
        self.held = self.since_s is not None
        self.restored = memory.restored if memory else 0
        self._loop = loop
        self._link = link
        self._journal = journal
        self.renewals = Lateness()
        self._renewed_s = loop.now_s()
        self._restored_s = 0.0
        self._armed_until_s = 0.0
        self._addresses = Addresses()
        take_up = memory is not None
        self.fence = KernelLease(vip.address, interface, loop.now_s, journal, take_up=take_up)
        self.announcer = Announcer(loop, vip.address, self._on_claim, journal.rarely)
        self.announcer.attach_to(link)
        self._drained = succession.drained
        self.handing = Handing(
            loop,
            self.fence,
            succession.peers,
            succession.drain_s,
            succession.haproxy,
            journal,
            self._on_drained,
            memory.handing if memory else None,
        )
        self.handing.on_link(link)
        if not take_up:
            self._clear_leftovers()
            self._loop.at(self._timer("fence"), loop.now_s() + CHECK_S, self._look_after_fence)

    # -- one process after another -----------------------------------------------------------

    @property
    def memory(self) -> HoldingMemory:
        """What a successor must know."""
        since_s = self.since_s if self.held else None
        return HoldingMemory(since_s, self.restored, self.handing.memory)

    @property
    def armed(self) -> bool:
        """Whether it waits for a giver to let go."""
        return not self.held and self._loop.now_s() < self._armed_until_s

    def take_up(self, until_s: float | None) -> None:
        """Go on where the predecessor stopped.

        Args:
            until_s: Until when the address is held; None if it is not.

        Raises:
            NftablesRefused: If the rules cannot be made.
        """
        self.fence.take_up()
        self.handing.take_up()
        if self.held and until_s is not None:
            self.hold(until_s)
            self._place()
            self.announce()
        else:
            if not self.handing.draining:
                self._clear_leftovers()
            now_s = self._loop.now_s()
            self._loop.at(self._timer("fence"), now_s + CHECK_S, self._look_after_fence)

    # -- what the core wants ---------------------------------------------------------------

    def hold(self, until_s: float) -> None:
        """Have the kernel answer for the address until then; whoever calls begins or renews.

        If the kernel does not take it, the present lease simply runs out.
        """
        try:
            taken = self.fence.renew(until_s)
        except (NetlinkRefused, NftablesRefused) as error:
            self._journal.rarely(
                "lease not renewed", {"address": self.vip.address, "reason": error}
            )
            return
        if not taken:
            fields = {"address": self.vip.address, "reason": "it came too late"}
            self._journal.rarely("lease not renewed", fields)
            return
        now_s = self._loop.now_s()
        if self.held:
            self.renewals.add(now_s - self._renewed_s, now_s)
        else:
            self._gain()
        self._renewed_s = now_s

    def let_go(self) -> None:
        """Have the kernel stop answering, now.

        Raises:
            LeaseNotEnded: If it did not take that; the daemon must end and say nothing more.
        """
        self.handing.let_go()
        self._end()
        # What it was handed and could not take may be what it gave away itself a while ago.
        self._tidy(self._tidy_if_idle)

    def give(self, to: str, until_s: float) -> None:
        """Have the kernel stop answering, now, but let open connections go on.

        Args:
            to: Who has it now.
            until_s: Until when what is not for connections here is passed on to it.

        Raises:
            LeaseNotEnded: As ``let_go``.
        """
        self.handing.give(to, until_s)
        self._end()
        # It is on both at no time too few: sockets need it on one of them.
        self._tidy(self._put_aside)

    def arm(self, giver: str, until_s: float) -> None:
        """Take what ``giver`` passes on as soon as it lets go, and announce nothing."""
        if self.handing.arm(giver, until_s):
            self._armed_until_s = until_s
            self._add(LOOPBACK, self._host_prefix)
            due_s = max(self._loop.now_s(), until_s)
            self._loop.at(self._timer("armed"), due_s, lambda _: self._tidy_if_idle())

    def forward(self, givers: tuple[str, ...]) -> None:
        """Pass what belongs to no connection here on to these."""
        self.handing.forward(givers)

    def clear(self) -> None:
        """Take the address off before the daemon ends; the rules stay and keep it silent."""
        self._remove()

    def remove(self) -> None:
        """Leave nothing of the address on this server: it is no virtual IP any more.

        To be called when it has been let go; no other call may follow.
        """
        for timer in ("fence", "leftover", "restore", "armed"):
            self._loop.at(self._timer(timer), None, lambda _: None)
        self.handing.close()
        self.announcer.end()
        self.announcer.attach_to(None)
        self._remove()
        self._addresses.close()
        try:
            self.fence.remove()
        except NftablesRefused as error:
            self._journal("fence not removed", {"address": self.vip.address, "reason": error})

    # -- what the world does ---------------------------------------------------------------

    def on_link(self, before: LinkSeen | None, now: LinkSeen | None) -> None:
        """The interface changed: it came, went, or got or lost its carrier."""
        self._link = now
        self.handing.on_link(now)
        anew = now is not None and (before is None or before.index != now.index)
        if now is None or anew or (before and before.hardware != now.hardware):
            self.announcer.attach_to(now)
        if anew:
            self.fence.guard_interface()
        if self.held and now is not None:
            if anew:
                self._place()
            self.announce()

    def on_address_gone(self, address: str) -> None:
        """Somebody took an address off; "" means it is not known which."""
        if self.held and address in (self.vip.address, ""):
            due_s = max(self._loop.now_s(), self._restored_s + RESTORE_S)
            self._loop.at(self._timer("restore"), due_s, self._restore)

    def announce(self) -> None:
        """Begin the announcements anew, if the address is held."""
        if self.held:
            self.announcer.begin(self._loop.now_s())

    def _on_claim(self, claim: Claim) -> None:
        fields: Mapping[str, object] = {
            "address": claim.address,
            "hardware": spoken(claim.hardware),
        }
        self._journal.rarely("vip claimed by another", fields)

    # -- steps -----------------------------------------------------------------------------

    def _timer(self, name: str) -> str:
        return f"{name} {self.vip.address}"

    def _gain(self) -> None:
        self.held = True
        self.since_s = self._loop.now_s()
        self._loop.at(self._timer("fence"), None, self._look_after_fence)
        self._place()
        self.announce()
        self.handing.gained()
        self._tidy(self._remove_aside)

    def _place(self) -> None:
        """Put the address on the interface; when that is missing, ``on_link`` does it later."""
        if self._link is None:
            return
        if not self._add(self._link.index, self.vip.prefix):
            self._loop.at(self._timer("restore"), self._loop.now_s() + RESTORE_S, self._restore)

    def _add(self, index: int, prefix: int) -> bool:
        try:
            return self._addresses.add(index, self.vip.address, prefix)
        except NetlinkRefused as error:
            self._journal.rarely("address not added", {"reason": error.strerror})
            return False

    @property
    def _host_prefix(self) -> int:
        return 128 if ":" in self.vip.address else 32

    def _end(self) -> None:
        self.held = False
        self.since_s = None
        self.announcer.end()
        due_s = self._loop.now_s() + CHECK_S
        self._loop.at(self._timer("fence"), due_s, self._look_after_fence)

    def _tidy(self, act: Callable[[], None]) -> None:
        """Do this when the others have been told, unless another is to be done by then."""
        self._loop.at(self._timer("leftover"), self._loop.now_s(), lambda _: act())

    def _tidy_if_idle(self) -> None:
        if not self.held and not self.handing.draining:
            self._remove()

    def _put_aside(self) -> None:
        """Leave the address on ``lo`` only."""
        self._add(LOOPBACK, self._host_prefix)
        self._remove_from(lambda index: index != LOOPBACK)

    def _remove_aside(self) -> None:
        self._remove_from(lambda index: index == LOOPBACK)

    def _on_drained(self) -> None:
        if not self.held:
            self._remove()
        self._drained()

    def _restore(self, now_s: float) -> None:
        """Put the address back if it is not there."""
        if not self.held or self._link is None:
            return
        there = [seen.index for seen in self._addresses.places(self.vip.address)]
        if self._link.index in there:
            return
        self.restored += 1
        self._restored_s = now_s
        self._journal.rarely("address restored", {"address": self.vip.address})
        self._place()
        self.announce()

    def _clear_leftovers(self) -> None:
        """Deal with what an earlier life of the daemon left on the interfaces.

        The virtual IP stays while the kernel's lease of that life runs: it is a true lease,
        and ends by itself. Everything else goes at once.
        """
        left_s = self.fence.left_ms() / 1000
        if left_s > 0:
            due_s = self._loop.now_s() + left_s
            self._loop.at(self._timer("leftover"), due_s, lambda _: self._remove())
            self._journal("earlier lease", {"address": self.vip.address, "left": left_s})
        else:
            self._remove()

    def _remove(self) -> None:
        self._remove_from(lambda _: True)

    def _remove_from(self, chosen: Callable[[int], bool]) -> None:
        found = self._addresses.places(self.vip.address)
        _take_off(self._addresses, (each for each in found if chosen(each.index)), self._journal)

    def _look_after_fence(self, now_s: float) -> None:
        try:
            self.fence.check()
        except (NetlinkRefused, NftablesRefused) as error:
            self._journal.rarely("fence not checked", {"reason": error})
        self._loop.at(self._timer("fence"), now_s + CHECK_S, self._look_after_fence)


def clear_others(vips: Collection[Vip], journal: Journal) -> None:
    """Remove what earlier lives of the daemon left of addresses that are no virtual IPs now."""
    kept = {vip.address for vip in vips}
    addresses = Addresses()
    _take_off(addresses, addresses.leftovers(kept), journal)
    addresses.close()
    for table in remove_all_but(kept):
        journal("old fence removed", {"table": table})


def _take_off(addresses: Addresses, found: Iterable[AddressSeen], journal: Journal) -> None:
    for each in found:
        try:
            addresses.remove(each.index, each.address, each.prefix)
        except NetlinkRefused as error:
            # It is silent without a lease; the next loss or start tries again.
            journal.rarely("address not removed", {"reason": error.strerror})
