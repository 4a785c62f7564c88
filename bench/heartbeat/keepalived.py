"""keepalived as Debian has it."""

import os
import subprocess
from pathlib import Path

from bench.debian import libraries

CONFIGURATION = """\
global_defs {{
    router_id {name}
    {version}
}}
vrrp_instance bench {{
    state BACKUP
    interface eth0
    virtual_router_id {router}
    priority {priority}
    advert_int {interval}
    virtual_ipaddress {{ {address}/24 dev eth0 }}
}}
"""


def start(
    root: Path, enter: tuple[str, ...], folder: Path, name: str, *, interval: str, number: int
) -> subprocess.Popen[bytes]:
    """Start keepalived in a namespace; the ``number``-th of a pair.

    Args:
        root: Where it is unpacked.
        enter: The words that run a command in the namespace.
        folder: For its configuration, pid files and log.
        name: What to call it.
        interval: Seconds from advertisement to advertisement; whole ones with VRRP 2.
        number: 0 for the preferred one of the pair, else 1.
    """
    configuration = folder / f"{name}.conf"
    fast = "." in interval
    configuration.write_text(
        CONFIGURATION.format(
            name=name,
            version="vrrp_version 3" if fast else "",
            router=52 if fast else 51,
            priority=150 - 50 * number,
            interval=interval,
            address="10.0.0.252" if fast else "10.0.0.251",
        )
    )
    argv = [str(root / "usr" / "sbin" / "keepalived"), "--dont-fork", "--log-console", "--vrrp"]
    argv += ["-f", str(configuration), "-p", str(folder / f"{name}.pid")]
    argv += ["-r", str(folder / f"{name}.vrrp.pid")]
    environment = {**os.environ, "LD_LIBRARY_PATH": libraries(root)}
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen([*enter, *argv], stdout=log, stderr=log, env=environment)
