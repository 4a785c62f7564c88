"""The lease as the kernel enforces it, whatever becomes of this process.

Renewing sets the timeout of a set element to what is left of the lease. That alone has a
hole: between reading the clock and the kernel's taking the renewal the process may be
stopped, starved or swapped out for any time, and a stale "480 ms left" then begins long
after the lease has ended. So a renewal takes two transactions:

1. a *ticket* that times out after ``TICKET_MS`` is put into a set of its own;
2. only then is the clock read; the renewal deletes the ticket and sets the lease to what is
   left, less ``TICKET_MS``.

Deleting an element that has timed out fails, and with it its whole transaction. So the
kernel takes a renewal only within ``TICKET_MS`` of the clock's reading, and the lease ends
in time even if all of ``TICKET_MS`` passed. A renewal that came late changes nothing and is
tried again with a fresh ticket.

Both take 0.06 ms together (docs/decisions/0302-the-kernel-enforces-the-lease.md). What no
program can help: when the whole machine is paused, the kernel's clock may stand still too.
"""

import errno
import math
from collections.abc import Callable, Collection

from stillup.errors import StillupError
from stillup.heartbeat import lease_messages
from stillup.heartbeat.asking import ask_as_itself
from stillup.heartbeat.lease_messages import ARP, INET, IPV4, IPV6, NETDEV, Operation
from stillup.heartbeat.netlink import NETFILTER, Netlink, NetlinkRefused
from stillup.heartbeat.nftables import Nftables, NftablesRefused
from stillup.heartbeat.ruleset import PREFIX, interface_rules, is_ipv6, rules, table, without

TICKET_MS = 20
"""How long a renewal may take. Elements time out on the kernel's tick (4 or 10 ms), early."""

TRIES = 3
NAMES = {INET: "inet", ARP: "arp", NETDEV: "netdev", IPV4: "ip", IPV6: "ip6"}


class LeaseNotEnded(StillupError):
    """The kernel did not take the end of a lease; the process must stop and let it run out."""

    code = "lease-not-ended"


class KernelLease:
    """The kernel's rules for one virtual IP, and the lease in them.

    Args:
        address: The virtual IP.
        interface: The LAN interface's name; it need not exist yet.
        now_s: The clock that ``renew`` is counted on.
        log: Takes an event: fixed words, then fields.
        take_up: The rules and perhaps a lease are there, of a predecessor that still runs:
            touch nothing before ``take_up`` is called.

    Raises:
        NftablesRefused: If libnftables is missing or the rules cannot be made.
    """

    def __init__(
        self,
        address: str,
        interface: str,
        now_s: Callable[[], float],
        log: Callable[[str, dict[str, object]], None],
        *,
        take_up: bool = False,
    ) -> None:
        self.address = address
        self.interface = interface
        self.late = 0
        self.recreated = 0
        self._now_s = now_s
        self._log = log
        self._nftables = Nftables()
        self._netlink = Netlink(NETFILTER)
        self._own_families = [INET] if is_ipv6(address) else [INET, ARP]
        self._families = self._own_families
        self._others: list[Callable[[], None]] = []
        self._is_others = take_up
        if not take_up:
            self.create()
            self.guard_interface()

    def take_up(self) -> None:
        """Make the rules as this version wants them, with a predecessor's lease going on.

        Raises:
            NftablesRefused: If the kernel refuses them.
        """
        self._is_others = False
        self.create()
        try:
            # Not begun anew as in ``guard_interface``: the lease in them would be lost.
            self._nftables.run(interface_rules(self.address, self.interface))
        except NftablesRefused:
            self.guard_interface()
        else:
            self._on_guarded([*self._own_families, NETDEV])

    @property
    def families(self) -> list[str]:
        """Names of the table families in force."""
        return [NAMES[family] for family in self._families]

    def close(self) -> None:
        """Close the socket; rules and lease stay as they are."""
        self._netlink.close()

    def remove(self) -> None:
        """Remove the rules for good: the address is no virtual IP any more.

        Raises:
            NftablesRefused: If the kernel refuses.
        """
        self._nftables.run(
            self._without(*self._own_families, NETDEV, IPV6 if is_ipv6(self.address) else IPV4)
        )
        self.close()

    def create(self) -> None:
        """Make the rules, or renew them; a running lease goes on.

        Raises:
            NftablesRefused: If the kernel refuses them.
        """
        commands = rules(self.address)
        try:
            self._nftables.run(commands)
        except NftablesRefused:
            # A table of ours that another version made differently: begin anew.
            self._nftables.run(self._without(*self._own_families) + "\n" + commands)

    def guard_interface(self) -> None:
        """Make the rules on the LAN interface; to be called again when it has come anew.

        Without them (the interface is missing, or the kernel is older than 5.16) one thing
        is lost: an announcement that was on its way through the process when it was frozen
        may come late. That is said, and is in the status.
        """
        families = list(self._own_families)
        commands = interface_rules(self.address, self.interface)
        try:
            self._nftables.run(self._without(NETDEV) + "\n" + commands)
            families.append(NETDEV)
        except NftablesRefused as error:
            self._log("fence partial", {"missing": "netdev", "reason": str(error)})
        self._on_guarded(families)

    def _on_guarded(self, families: list[int]) -> None:
        """Do what follows whenever rules on the interface were made, in these families."""
        self._families = families
        self._ask_as_itself()
        for create in self._others:
            create()

    def _ask_as_itself(self) -> None:
        if is_ipv6(self.address):
            return  # without a lease it lies on ``lo``, and the kernel asks with one of the interface
        told: dict[str, object] = {"interface": self.interface}
        try:
            if ask_as_itself(self.interface):
                self._log("arp_announce set to 2", told)
        except OSError as error:
            # What it costs is a slow hand-over; the address is as safe as with it.
            self._log("arp_announce not set to 2", {**told, "reason": error.strerror})

    def on_create(self, create: Callable[[], None]) -> None:
        """Call this now, and whenever rules on the interface are made anew."""
        self._others.append(create)
        if not self._is_others:
            create()

    def run(self, commands: str) -> None:
        """Run nftables commands, one transaction.

        Raises:
            NftablesRefused: If the kernel refuses them.
        """
        self._nftables.run(commands)

    def renew(self, until_s: float) -> bool:
        """Set the lease to end at ``until_s`` at the latest; return whether it was taken.

        Raises:
            NetlinkRefused: If the kernel refuses for another reason than lateness.
            NftablesRefused: If the rules were gone and cannot be made again.
        """
        return self.within(
            until_s,
            lambda left_ms: lease_messages.renew(self._families, self.address, left_ms),
        )

    def within(self, until_s: float, steps: Callable[[int], list[Operation]]) -> bool:
        """Do what is right until ``until_s`` only; return whether the kernel took it in time.

        Args:
            until_s: On the clock.
            steps: Given the milliseconds that are left for sure, returns the transaction; its
                first step hands the ticket in.

        Raises:
            As ``renew``.
        """
        for _ in range(TRIES):
            if self._missing(lease_messages.take_ticket(self.address, TICKET_MS)) is not None:
                self._recreate()
                continue
            left_ms = math.floor((until_s - self._now_s()) * 1000) - TICKET_MS
            if left_ms < 1:
                return False
            missing = self._missing(steps(left_ms))
            if missing is None:
                return True
            if missing == 0:
                self.late += 1
            else:
                self._recreate()
        return False

    def change(self, steps: Callable[[], list[Operation]]) -> None:
        """Do one transaction; if our tables were gone they are made again first.

        Args:
            steps: Returns it; called again when the tables were made again.

        Raises:
            NetlinkRefused: If the kernel refuses it.
            NftablesRefused: If the rules were gone and cannot be made again.
        """
        if self._missing(steps()) is None:
            return
        self._recreate()
        if self._missing(steps()) is not None:
            raise NetlinkRefused(errno.ENOENT)

    def end(self) -> None:
        """End the lease now.

        Raises:
            LeaseNotEnded: If the kernel did not take it, for whatever reason.
        """
        self.end_and(list)

    def end_and(self, steps: Callable[[], list[Operation]]) -> None:
        """End the lease now and do something else in the same transaction.

        Raises:
            LeaseNotEnded: As ``end``; then the rest was not done either.
        """
        try:
            self.change(lambda: lease_messages.end(self._families, self.address) + steps())
        except (NetlinkRefused, NftablesRefused) as error:
            raise LeaseNotEnded(f"the kernel did not end the lease: {error}") from error

    def left_ms(self) -> int:
        """Return how long the lease still runs, as the kernel says; 0 if it does not."""
        step = lease_messages.question(self.address)
        answers = self._netlink.dump(step.kind, step.flags, step.body)
        try:
            return lease_messages.left_ms(answers, self.address)
        except NetlinkRefused as error:
            if error.errno == errno.ENOENT:
                return 0
            raise

    def check(self) -> None:
        """Make the rules again if somebody removed them."""
        if self._missing(lease_messages.take_ticket(self.address, TICKET_MS)) is not None:
            self._recreate()

    def _without(self, *families: int) -> str:
        return without(table(self.address), *(NAMES[family] for family in families))

    def _recreate(self) -> None:
        self.recreated += 1
        self._log("fence restored", {"reason": "somebody removed its tables"})
        self.create()
        self.guard_interface()

    def _missing(self, steps: list[Operation]) -> int | None:
        """Run one transaction; return which step found nothing to work on, None if all did.

        Raises:
            NetlinkRefused: If the kernel refuses for another reason.
        """
        data, sequences = lease_messages.batch(steps, self._netlink.next_sequence)
        try:
            self._netlink.exchange(data, lambda sequence: sequence == sequences[-1])
        except NetlinkRefused as error:
            if error.errno == errno.ENOENT and error.sequence in sequences:
                return sequences.index(error.sequence)
            raise
        return None


def remove_all_but(addresses: Collection[str]) -> list[str]:
    """Remove the tables of addresses that are no virtual IPs any more; return their names.

    Raises:
        NftablesRefused: If the kernel refuses.
    """
    netlink = Netlink(NETFILTER)
    step = lease_messages.all_tables()
    answers = netlink.dump(step.kind, step.flags, step.body)
    found = [lease_messages.table_name(answer) for answer in answers]
    netlink.close()
    kept = {table(address) for address in addresses}
    old = [
        (NAMES[family], name)
        for family, name in found
        if family in NAMES and name.startswith(PREFIX) and name not in kept
    ]
    if old:
        Nftables().run("\n".join(without(name, family) for family, name in old))
    return sorted({name for _, name in old})
