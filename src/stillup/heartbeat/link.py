"""Watches the LAN interface: there or not, carrier or not, the virtual IP on it or not."""

from collections.abc import Callable

from stillup.heartbeat import route
from stillup.heartbeat.address import Addresses
from stillup.heartbeat.loop import Loop
from stillup.heartbeat.netlink import ROUTE, NetlinkEvents
from stillup.heartbeat.route import AddressGone, LinkGone, LinkSeen


class LinkWatch:
    """Follows one interface by what the kernel tells.

    Args:
        loop: Calls when something is told.
        name: The interface's name.
        on_change: Called with the interface as it was and as it is; None for "not there".
        on_address_gone: Called with an address that was taken off some interface.

    Attributes:
        now: The interface as last seen.
    """

    def __init__(
        self,
        loop: Loop,
        name: str,
        on_change: Callable[[LinkSeen | None, LinkSeen | None], None],
        on_address_gone: Callable[[str], None],
    ) -> None:
        self.name = name
        self._on_change = on_change
        self._on_address_gone = on_address_gone
        self._addresses = Addresses()
        # Subscribed first, looked at second: nothing falls between the two.
        groups = route.GROUP_LINK | route.GROUP_IPV4_ADDRESS | route.GROUP_IPV6_ADDRESS
        self._events = NetlinkEvents(ROUTE, groups)
        self.now: LinkSeen | None = self._addresses.link(name)
        loop.watch(self._events, self._on_told)

    @property
    def trouble(self) -> str | None:
        """What is wrong with the interface, in words; None if nothing is."""
        if self.now is None:
            return f"the interface {self.name} is missing"
        return None if self.now.carrier else f"the interface {self.name} has no carrier"

    def _on_told(self) -> None:
        told, lost = self._events.receive()
        for message in told:
            match route.seen(message):
                case LinkSeen(name=name) as link if name == self.name:
                    self._become(link)
                case LinkSeen(index=index) | LinkGone(index=index) if self._is_ours(index):
                    self._become(None)  # removed, or renamed
                case AddressGone(_, address):
                    self._on_address_gone(address)
                case _:
                    pass  # other interfaces, and addresses that came
        if lost:
            self._become(self._addresses.link(self.name))
            self._on_address_gone("")

    def _is_ours(self, index: int) -> bool:
        return self.now is not None and self.now.index == index

    def _become(self, link: LinkSeen | None) -> None:
        if link != self.now:
            before, self.now = self.now, link
            self._on_change(before, link)
