"""What the kernel does for an address during a hand-over, besides its lease.

Elements of the sets that ``handing_rules.py`` explains. Whatever must not last longer than a
lease is taken with a ticket, as a renewal is (``kernel_lease.py``); the rest only lets open
connections go on, and times out after ``LASTING_MS`` unless it is renewed.
"""

from collections.abc import Collection, Mapping

from stillup.heartbeat import lease_messages
from stillup.heartbeat.handing_rules import ARMED, OPEN, TAKEN, giver, passing, taker
from stillup.heartbeat.kernel_lease import KernelLease
from stillup.heartbeat.lease_messages import INET, IPV4, IPV6, Operation
from stillup.heartbeat.nftables import NftablesRefused
from stillup.heartbeat.ruleset import is_ipv6, table

LASTING_MS = 5000
"""How long open connections go on, and are passed on, when nobody renews that."""


class KernelHanding:
    """The kernel's part in handing one virtual IP over.

    Args:
        fence: The address's lease; whatever is done here is done in its tables.
        gateways: How packets get to each other candidate, by its name: as ``handing_rules`` has it.

    Attributes:
        trouble: Why nothing can be passed on, in words; None if it can.
    """

    def __init__(self, fence: KernelLease, gateways: Mapping[str, str]) -> None:
        self.trouble: str | None = None
        self._fence = fence
        self._address = fence.address
        self._gateways = gateways
        self._places = {name: place for place, name in enumerate(gateways)}
        self._family = IPV6 if is_ipv6(fence.address) else IPV4
        fence.on_create(self.create)

    def create(self) -> None:
        """Make the table that passes packets on, or make it again.

        Where the kernel cannot (it has no ``dup``, the interface is missing), a move costs
        the open connections, as it would without a hand-over.
        """
        commands = passing(self._address, table(self._address), list(self._gateways.values()))
        try:
            self._fence.run(commands)
        except NftablesRefused as error:
            self.trouble = str(error)
        else:
            self.trouble = None

    def arm(self, hardware: bytes, until_s: float) -> bool:
        """Take what comes from this hardware address until then; return whether it was in time.

        Raises:
            NetlinkRefused: If the kernel refuses.
            NftablesRefused: If the rules were gone and cannot be made again.
        """
        return self._fence.within(
            until_s,
            lambda left_ms: [
                lease_messages.hand_in(self._address),
                *self._set(INET, OPEN, LASTING_MS),
                *self._set(INET, ARMED, left_ms, hardware),
            ],
        )

    def give(self, to: str, passing_ms: int) -> None:
        """End the lease, let open connections go on, pass the rest on to ``to``: at one instant.

        Raises:
            LeaseNotEnded: If the kernel did not take it; then nothing was done.
        """

        def steps() -> list[Operation]:
            found = [*self._set(INET, OPEN, LASTING_MS), *self._none(INET, ARMED)]
            if self.trouble is None:
                found += self._to_taker(to, passing_ms)
                found += self._none(self._family, giver(self._places[to]))
            return found

        self._fence.end_and(steps)

    def let_go(self, *, keeps_open: bool) -> None:
        """End the lease and all that is done for the address beside it.

        Args:
            keeps_open: Connections that have lived on here since an earlier hand-over go on.

        Raises:
            LeaseNotEnded: If the kernel did not take it.
        """

        def steps() -> list[Operation]:
            ended = self._none(INET, ARMED) if keeps_open else self._nothing_open()
            return [*ended, *self._forwarding(())]

        self._fence.end_and(steps)

    def renew_open(self, lasting_ms: int = LASTING_MS) -> None:
        """Let open connections go on for that long.

        Raises:
            NetlinkRefused, NftablesRefused: As ``arm``.
        """
        self._fence.change(lambda: self._set(INET, OPEN, lasting_ms))

    def end_open(self) -> None:
        """Let no open connection go on without a lease, and pass nothing on to a taker.

        Raises:
            NetlinkRefused, NftablesRefused: As ``arm``.
        """
        self._fence.change(self._nothing_open)

    def forward(self, givers: Collection[str]) -> None:
        """Pass what belongs to nothing here on to these, for ``LASTING_MS``.

        Raises:
            NetlinkRefused, NftablesRefused: As ``arm``.
        """
        self._fence.change(lambda: self._forwarding(givers))

    def _forwarding(self, givers: Collection[str]) -> list[Operation]:
        if self.trouble is not None:
            return []
        steps = self._set(INET, TAKEN, LASTING_MS if givers else 0)
        for name, place in self._places.items():
            steps += self._set(self._family, giver(place), LASTING_MS if name in givers else 0)
        return steps

    def _to_taker(self, to: str | None, passing_ms: int) -> list[Operation]:
        steps = []
        for name, place in self._places.items():
            steps += self._set(self._family, taker(place), passing_ms if name == to else 0)
        return steps

    def _nothing_open(self) -> list[Operation]:
        steps = [*self._none(INET, OPEN), *self._none(INET, ARMED)]
        return steps + (self._to_taker(None, 0) if self.trouble is None else [])

    def _set(
        self, family: int, name: str, lasting_ms: int, key: bytes | None = None
    ) -> list[Operation]:
        """Return the steps that put one element, or none for 0 ms, in place of all in a set."""
        steps = self._none(family, name)
        if lasting_ms > 0:
            steps.append(lease_messages.add(family, name, self._address, lasting_ms, key))
        return steps

    def _none(self, family: int, name: str) -> list[Operation]:
        return [lease_messages.empty(family, name, self._address)]
