"""keepalived as Debian has it, unpacked into a cache folder: no service lands on this host."""

import os
import subprocess
from pathlib import Path

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


def unpacked(cache: Path) -> Path:
    """Return a folder with keepalived and the libraries that this host lacks.

    apt works out what is missing and downloads it; nothing is installed.
    """
    root = cache / "keepalived"
    if not (root / "complete").exists():
        archives = cache / "archives"
        (archives / "partial").mkdir(parents=True, exist_ok=True)
        words = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "--download-only"]
        words += ["-o", f"Dir::Cache::archives={archives}", "-o", "APT::Sandbox::User=root"]
        subprocess.run(["apt-get", "update", "-qq"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([*words, "keepalived"], check=True, stdout=subprocess.DEVNULL)
        root.mkdir(exist_ok=True)
        for package in archives.glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(package), str(root)], check=True)
        (root / "complete").touch()
    return root


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
    libraries = sorted({str(library.parent) for library in root.rglob("*.so.*")})
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen([*enter, *argv], stdout=log, stderr=log, env=environment)
