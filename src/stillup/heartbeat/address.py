"""Puts the virtual IP on an interface and takes it off again, over rtnetlink."""

import errno
from collections.abc import Collection

from stillup.heartbeat import route
from stillup.heartbeat.attributes import CREATE, DUMP, REPLACE
from stillup.heartbeat.netlink import ROUTE, Netlink, NetlinkRefused
from stillup.heartbeat.route import AddressSeen, LinkSeen


class Addresses:
    """The addresses of this server (of its network namespace)."""

    def __init__(self) -> None:
        self._netlink = Netlink(ROUTE)

    def close(self) -> None:
        """Close the socket; the addresses stay as they are."""
        self._netlink.close()

    def link(self, name: str) -> LinkSeen | None:
        """Return the interface called ``name``; None if there is none."""
        return next((link for link in self.links() if link.name == name), None)

    def links(self) -> list[LinkSeen]:
        """Return every interface."""
        dump = self._netlink.dump(route.GET_LINK, DUMP, route.all_links())
        return [found for found in map(route.seen, dump) if isinstance(found, LinkSeen)]

    def present(self) -> list[AddressSeen]:
        """Return every address, IPv4 and IPv6."""
        dump = self._netlink.dump(route.GET_ADDRESS, DUMP, route.all_addresses())
        return [found for found in map(route.seen, dump) if isinstance(found, AddressSeen)]

    def places(self, address: str) -> list[AddressSeen]:
        """Return where ``address`` is."""
        return [found for found in self.present() if found.address == address]

    def leftovers(self, kept: Collection[str]) -> list[AddressSeen]:
        """Return what this daemon has ever added, but not these."""
        return [found for found in self.present() if found.ours and found.address not in kept]

    def add(self, index: int, address: str, prefix: int) -> bool:
        """Put ``address`` on the interface; return False if the interface is gone.

        It is well if the address is there already.

        Raises:
            NetlinkRefused: If the kernel refuses for another reason.
        """
        body = route.address(index, address, prefix)
        try:
            self._netlink.request(route.NEW_ADDRESS, CREATE | REPLACE, body)
        except NetlinkRefused as error:
            if error.errno == errno.ENODEV:
                return False
            if error.errno != errno.EEXIST:
                raise
        return True

    def remove(self, index: int, address: str, prefix: int) -> None:
        """Take ``address`` off the interface; it is well if it is not there.

        Raises:
            NetlinkRefused: If the kernel refuses for another reason.
        """
        try:
            self._netlink.request(route.DELETE_ADDRESS, 0, route.address(index, address, prefix))
        except NetlinkRefused as error:
            if error.errno not in (errno.ENODEV, errno.EADDRNOTAVAIL):
                raise
