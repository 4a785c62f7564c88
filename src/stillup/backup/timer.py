"""The units that have systemd make a backup: pure texts.

The service may write nothing on this machine but the folder of backups, gains no privileges, and
gives way to everything else.
"""

from dataclasses import dataclass
from pathlib import Path

WITHIN = "12h"
"""How long a backup may take: a service without an end would wait for ever for a place of backups that
hangs, and the timer with it, as it starts nothing that is still starting."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A farm's backups by the clock."""

    farm: str
    command: tuple[str, ...]
    """The whole command; absolute paths."""
    user: str | None
    """Whose account it runs as; None for units of one's own (``systemctl --user``)."""
    writes: Path | None
    """The folder of backups; None where they go to another machine."""
    at: str

    @property
    def name(self) -> str:
        """What both units are called, without their ending."""
        return f"stillup-backup-{self.farm}"


def service(timed: Timed) -> str:
    """Return the service."""
    user = f"User={timed.user}\n" if timed.user else ""
    # Bounding sets and namespaces of the system are the system's systemd to give.
    walls = _WALLS if timed.user else ""
    writes = (
        f"ReadWritePaths={_escaped(str(timed.writes))}\n" if timed.user and timed.writes else ""
    )
    return f"""\
# Made by `stillup backup timer on`; `stillup backup timer off` removes it.
[Unit]
Description=Backup of the farm {timed.farm}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart={" ".join(_escaped(word) for word in timed.command)}
TimeoutStartSec={WITHIN}
{user}UMask=0077
Nice=10
IOSchedulingClass=idle
NoNewPrivileges=yes
{walls}{writes}"""


_WALLS = """\
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
"""


def timer(timed: Timed) -> str:
    """Return the timer. A time that was slept through is made up for."""
    return f"""\
# Made by `stillup backup timer on`; `stillup backup timer off` removes it.
[Unit]
Description=Backups of the farm {timed.farm}

[Timer]
OnCalendar={timed.at}
Persistent=yes
RandomizedDelaySec=5min

[Install]
WantedBy=timers.target
"""


def _escaped(word: str) -> str:
    """Return a word as units quote it."""
    inside = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{inside}"'
