"""Which host keys are trusted, and what to say when one is not.

Strict always: a key that no known-hosts file holds is refused, never learnt on first use. The
person is told the fingerprint, how to compare it and how to add it.
"""

from collections.abc import Sequence
from pathlib import Path

import asyncssh

from stillup.errors import InputRefused, ServerRefused

SYSTEM_FILE = Path("/etc/ssh/ssh_known_hosts")


class KnownHosts:
    """The trusted host keys of one known-hosts file (and the system's, beside it)."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._entries: asyncssh.SSHKnownHosts | None = None

    def entries(self) -> asyncssh.SSHKnownHosts:
        """Return what asyncssh compares with; a missing file trusts nobody.

        Raises:
            InputRefused: If a file cannot be read or a line in it is broken.
        """
        if self._entries is None:
            self._entries = _read((self.file, SYSTEM_FILE))
        return self._entries

    def refusal(self, name: str, address: str, port: int, shown: asyncssh.SSHKey) -> ServerRefused:
        """Say why the key that a server showed is not trusted, and the way out.

        Args:
            name: What the server is called.
            address: Its address, or its name in the network.
            port: Where its sshd listens.
            shown: The key.
        """
        known = asyncssh.match_known_hosts(
            self.entries(), address, address, port if port != asyncssh.DEFAULT_PORT else None
        )[0]
        place = f"{name} ({address}, port {port})"
        kind, fingerprint = shown.get_algorithm(), shown.get_fingerprint()
        scan = f"ssh-keyscan -p {port} {address} >> {self.file}"
        if known:
            entry = address if port == asyncssh.DEFAULT_PORT else f"[{address}]:{port}"
            return ServerRefused(
                f"{place} shows ANOTHER HOST KEY than the one in {self.file}: {fingerprint} "
                f"instead of {known[0].get_fingerprint()}; either it was reinstalled or somebody "
                f"stands in between, so nothing was sent to it; if it was reinstalled, "
                f"`ssh-keygen -f {self.file} -R '{entry}'` and then `{scan}`"
            )
        return ServerRefused(
            f"{place} has a host key that {self.file} does not hold: {kind} {fingerprint}; compare "
            f"it with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the server's console, "
            f"then add it with `{scan}`"
        )


class Visitor(asyncssh.SSHClient):
    """Remembers the host key that was shown when it is not a trusted one."""

    def __init__(self) -> None:
        self.shown: asyncssh.SSHKey | None = None

    def validate_host_public_key(
        self,
        host: str,  # noqa: ARG002 - asyncssh's signature
        addr: str,  # noqa: ARG002
        port: int,  # noqa: ARG002
        key: asyncssh.SSHKey,
    ) -> bool:
        """Trust no key that the known hosts do not hold."""
        self.shown = key
        return False


def _read(files: Sequence[Path]) -> asyncssh.SSHKnownHosts:
    trusted = asyncssh.SSHKnownHosts()
    for file in files:
        try:
            trusted.load(file.read_text(encoding="utf-8", errors="replace"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise InputRefused(f"{file}: {error}") from error
    return trusted
