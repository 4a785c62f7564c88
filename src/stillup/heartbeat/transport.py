"""The datagrams: what is signed and believed.

The sockets (``mailboxes.py``) are bound to the LAN's interface and not only to the address: a
vote says "I hear you on the LAN", which it must not say when it came another way. Nothing that
happens to a datagram is an error of the daemon: what cannot be sent is lost, as any datagram
may be.
"""

import errno
from collections import Counter
from collections.abc import Callable, Mapping

from stillup.errors import ServerFailed
from stillup.heartbeat.loop import Loop
from stillup.heartbeat.mailboxes import Mailboxes
from stillup.heartbeat.messages import Message
from stillup.heartbeat.report import counted
from stillup.heartbeat.seal import NotOpened, Rejected, Seal
from stillup.heartbeat.settings_reader import Json

_RETRY_S = 0.5


class Transport:
    """Sends and receives messages.

    Args:
        loop: For the sockets.
        seal: Signs and checks.
        here: This server's address and the port, the same on all servers.
        interface: The interface's name; None to hear the address on whichever it is.
        peers: Each other server's address by name.
        on_message: Called with each message that is believed, who sent it, and about which
            virtual IP.
        log: Takes an event that may come in floods.
    """

    def __init__(
        self,
        loop: Loop,
        seal: Seal,
        here: tuple[str, int],
        interface: str | None,
        peers: Mapping[str, str],
        on_message: Callable[[str, Message, str], None],
        log: Callable[[str, Mapping[str, object]], None],
    ) -> None:
        self.sent = 0
        self.received = 0
        self.refused: Counter[str] = Counter()
        self._loop = loop
        self._seal = seal
        self._here = here
        self._retry = f"open {here[0]}"
        self._peers = peers.keys()
        self._on_message = on_message
        self._log = log
        self._mailboxes = Mailboxes(loop, here, interface, peers, self._open, log)

    def status(self) -> dict[str, Json]:
        """Return how much was said and heard."""
        return {
            "sent": self.sent,
            "received": self.received,
            "floods": self._mailboxes.rests,
            "unsent": counted(self._mailboxes.unsent),
            "refused": counted(self.refused),
        }

    def open(self) -> None:
        """Open the sockets, or open them anew after the interface came back.

        Where the interface or its address is missing, it is tried again until it is there.

        Raises:
            ServerFailed: If another daemon runs on this server already.
        """
        try:
            self._mailboxes.open()
        except OSError as error:
            address = f"{self._here[0]}:{self._here[1]}"
            if error.errno == errno.EADDRINUSE:
                raise ServerFailed(
                    f"another program listens at {address}: is a heartbeat running already? "
                    "see `systemctl status stillup-heartbeat`"
                ) from error
            self._log("listening impossible", {"address": address, "reason": error.strerror})
            self._loop.at(self._retry, self._loop.now_s() + _RETRY_S, lambda _: self.open())
            return
        self._loop.at(self._retry, None, lambda _: None)

    @property
    def descriptors(self) -> dict[str, int]:
        """The sockets', for a successor; none while they are not open."""
        return self._mailboxes.descriptors

    def take_up(self, descriptors: Mapping[str, int]) -> None:
        """Go on with a predecessor's sockets, and with what waits in them; open what it had not.

        Raises:
            ServerFailed: If it had none, and another program listens there.
        """
        if not descriptors:
            self.open()
            return
        try:
            self._mailboxes.take_up(descriptors)
        except OSError as error:
            self._log("listening impossible", {"reason": error.strerror})
            self._mailboxes.close()
            self._loop.at(self._retry, self._loop.now_s(), lambda _: self.open())

    def send(self, to: str, message: Message, subject: str) -> None:
        """Sign and send, or lose it."""
        self._send(self._seal.close(to, message, subject), to)

    def _send(self, data: bytes, to: str) -> None:
        self.sent += self._mailboxes.send(data, to)

    def _open(self, source: str, data: bytes) -> None:
        """Take in what came from the address of the server ``source``."""
        opened = self._seal.open(data)
        if isinstance(opened, NotOpened):
            self._refuse(opened, source)
        elif opened.sender != source:
            self.refused["other address"] += 1
            self._log("datagram refused", {"source": source, "reason": "not its sender's address"})
        else:
            self.received += 1
            self._on_message(opened.sender, opened.message, opened.subject)

    def _refuse(self, refused: NotOpened, source: str) -> None:
        if refused.reason is Rejected.INTRODUCTION:
            return
        self.refused[refused.reason.value] += 1
        if refused.answer is not None and refused.sender in self._peers:
            self._send(refused.answer, refused.sender)
            return
        self._log("datagram refused", {"source": source, "reason": refused.reason.value})
