"""The way into the lab's machines: the same SSH as to real servers, from the lab's client."""

import asyncio
import errno
import socket
from pathlib import Path

from stillup.errors import LabFailed
from stillup.lab.namespace import SocketMaker
from stillup.lab.network import client_network
from stillup.lab.state import Home, home_of
from stillup.model.farm import Farm
from stillup.servers.connection import Access
from stillup.servers.ssh import SshAccess


def lab_access(farm: Farm, farm_path: Path, user: str = "root") -> Access:
    """Return an access to the lab's machines, with strict host keys from the lab.

    Args:
        farm: The farm.
        farm_path: Its file, which tells its lab.
        user: ``root``, or ``admin``, who may use sudo.

    Raises:
        LabFailed: If the lab is not up.
    """
    home = home_of(farm.name, farm_path)
    client_network(home)
    return SshAccess(user, 22, home.key, home.known_hosts, Dialer(home))


class Dialer:
    """Opens connections on the lab's LAN, as the lab's client."""

    def __init__(self, home: Home) -> None:
        """Speak of a lab; its network is entered on the first call."""
        self._home = home
        self._maker: SocketMaker | None = None

    async def __call__(self, address: str, port: int) -> socket.socket:
        """Return a connected TCP socket; the caller bounds the wait.

        Raises:
            OSError: As from connect(2), also when the lab is gone.
        """
        opened = await asyncio.to_thread(self._make)
        opened.settimeout(0)
        try:
            await asyncio.get_running_loop().sock_connect(opened, (address, port))
        except BaseException:
            opened.close()
            raise
        return opened

    def _make(self) -> socket.socket:
        try:
            if self._maker is None:
                self._maker = SocketMaker(client_network(self._home))
            return self._maker.make()
        except LabFailed as error:
            raise OSError(errno.ENETDOWN, str(error)) from error
