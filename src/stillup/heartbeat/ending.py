"""Ends the connections that are left at the end of a drain, a few at a time.

To end one takes some 30 microseconds, so twenty thousand at once would keep the loop for longer
than a lease lasts, and other addresses that this server holds would be lost by that.
"""

from collections.abc import Callable, Mapping

from stillup.heartbeat.loop import Loop
from stillup.heartbeat.netlink import NetlinkRefused
from stillup.heartbeat.socket_diagnosis import Connections

AT_ONCE = 200
PAUSE_S = 0.01


class Ending:
    """Ends what is open to one address.

    Args:
        loop: For the pauses.
        address: The virtual IP.
        connections: Those to it.
        log: Takes an event.
        ended: Called when all have been, with how many they were.
    """

    def __init__(
        self,
        loop: Loop,
        address: str,
        connections: Connections,
        log: Callable[[str, Mapping[str, object]], None],
        ended: Callable[[int], None],
    ) -> None:
        self._loop = loop
        self._address = address
        self._connections = connections
        self._log = log
        self._ended = ended
        self._left: list[bytes] = []
        self._count = 0

    @property
    def is_under_way(self) -> bool:
        """Whether some are still to be ended."""
        return bool(self._left)

    def begin(self) -> None:
        """End all that are open now, each with a reset to its user."""
        try:
            self._left = self._connections.identities()
        except NetlinkRefused as error:
            self._refused(error)
        self._count = len(self._left)
        self._go_on()

    def stop(self) -> None:
        """Leave open what still is: the address is held here again."""
        self._left = []
        self._loop.at(self._timer, None, lambda _: None)

    @property
    def _timer(self) -> str:
        return f"ending {self._address}"

    def _go_on(self) -> None:
        now, self._left = self._left[:AT_ONCE], self._left[AT_ONCE:]
        try:
            self._connections.destroy(now)
        except NetlinkRefused as error:
            self._refused(error)
        if self._left:
            self._loop.at(self._timer, self._loop.now_s() + PAUSE_S, lambda _: self._go_on())
        else:
            self._ended(self._count)

    def _refused(self, error: NetlinkRefused) -> None:
        self._left, self._count = [], 0
        fields = {"address": self._address, "reason": error.strerror}
        self._log("connections not destroyed", fields)
