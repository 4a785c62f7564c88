"""Servers as network namespaces on one bridge, in a namespace of its own as well."""

import subprocess
from types import TracebackType


class Spaces:
    """Namespaces with ``eth0`` each, made on entering and removed on leaving.

    Args:
        mark: What their names on this host begin with.
        addresses: Each server's name and address.
    """

    def __init__(self, mark: str, addresses: dict[str, str]) -> None:
        self._mark = mark
        self._addresses = addresses

    def __enter__(self) -> "Spaces":
        try:
            _ip("netns", "add", self._name("bridge"))
            self._in("bridge", "link", "add", "br0", "type", "bridge", "forward_delay", "0")
            self._in("bridge", "link", "set", "br0", "up")
            for server, address in self._addresses.items():
                self._connect(server, address)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()

    def enter(self, server: str) -> tuple[str, ...]:
        """Return the words that run a command there."""
        return ("ip", "netns", "exec", self._name(server))

    def _name(self, server: str) -> str:
        return f"{self._mark}-{server}"

    def _in(self, server: str, *words: str) -> None:
        _ip("-n", self._name(server), *words)

    def _connect(self, server: str, address: str) -> None:
        _ip("netns", "add", self._name(server))
        peer = ("peer", "name", server, "netns", self._name("bridge"))
        self._in(server, "link", "add", "eth0", "type", "veth", *peer)
        self._in("bridge", "link", "set", server, "master", "br0", "up")
        self._in(server, "address", "add", f"{address}/24", "dev", "eth0")
        self._in(server, "link", "set", "eth0", "up")
        self._in(server, "link", "set", "lo", "up")

    def _remove(self) -> None:
        for server in ("bridge", *self._addresses):
            words = ["ip", "netns", "delete", self._name(server)]
            subprocess.run(words, check=False, stderr=subprocess.DEVNULL)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
