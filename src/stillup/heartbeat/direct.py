"""The balancers' second network, where there is one: it carries one word, "I let go".

No vote goes over it, since one that did would say nothing of the LAN. But a balancer that has
lost the LAN cannot tell anybody there that it lets go, and the others would wait for its lease
to run out. Over the second network it can, and the next one takes the address at once. The
word is true whichever way it comes (``messages.Release``), so hearing it here, there, twice or
not at all changes nothing but the time. While this network is cut nothing else changes.
"""

from collections.abc import Callable, Mapping

from stillup.heartbeat.loop import Loop
from stillup.heartbeat.messages import Message, Release
from stillup.heartbeat.seal import Seal
from stillup.heartbeat.settings import DirectNetwork
from stillup.heartbeat.settings_reader import Json
from stillup.heartbeat.transport import Transport


class Direct:
    """Says and hears releases on the second network.

    Args:
        loop: For the socket.
        seal: The same that signs on the LAN.
        settings: This server's address there, and the other balancers'.
        port: The same as on the LAN.
        on_message: Called with each release, who sent it, and about which virtual IP.
        log: Takes an event that may come in floods.
    """

    def __init__(
        self,
        loop: Loop,
        seal: Seal,
        settings: DirectNetwork,
        port: int,
        on_message: Callable[[str, Message, str], None],
        log: Callable[[str, Mapping[str, object]], None],
    ) -> None:
        self._peers = settings.peers
        self._on_message = on_message
        here = (settings.address, port)
        self.transport = Transport(loop, seal, here, None, settings.peers, self._hear, log)

    def open(self) -> None:
        """Open the socket.

        Raises:
            ServerFailed: If another program listens there.
        """
        self.transport.open()

    def send(self, to: str, message: Message, subject: str) -> None:
        """Say it if it is a release, and to another balancer."""
        if isinstance(message, Release) and to in self._peers:
            self.transport.send(to, message, subject)

    def status(self) -> dict[str, Json]:
        """Return how much was said and heard, for the daemon's status."""
        return self.transport.status()

    def _hear(self, sender: str, message: Message, subject: str) -> None:
        if isinstance(message, Release):
            self._on_message(sender, message, subject)
        else:
            # Nobody says anything else here; a vote that did would say nothing of the LAN.
            self.transport.refused["not for this network"] += 1
