"""Galera's arbitrator on the server that breaks ties: it votes for the database and keeps none.

Debian's own unit (``garb.service``) is left alone, and off: its settings are a shell's. The program
cannot check a configuration; it ends at once with one it does not understand.
"""

from stillup.model.farm import Farm, Role, Secrets, Server
from stillup.model.tiebreakers import database_arbiter
from stillup.node.bundle import Bundle, Command, Directory, File, Unit, User
from stillup.parts import galera, ports
from stillup.parts.template import render, text

ACCOUNT = "stillup-arbiter"
CONFIG = "/etc/stillup/arbiter.cfg"
UNIT = "/etc/systemd/system/stillup-arbiter.service"
ALONE = {
    name: f"/etc/systemd/system/{name}"
    for name in ("stillup-arbiter-alone.path", "stillup-arbiter-alone.service")
}
"""What looks after an arbitrator that everybody has left."""
TLS = galera.Tls("/etc/stillup/arbiter", ACCOUNT)
PACKAGES = ("galera-arbitrator-4",)


def wanted(farm: Farm, server: Server, secrets: Secrets) -> Bundle:
    """Return what the arbiter needs on ``server``; nothing where it is not its place."""
    if not is_on(farm, server):
        return Bundle(farm.name, server.name)
    tls = TLS.files(secrets)
    return Bundle(
        farm.name,
        server.name,
        packages=PACKAGES,
        users=(User(ACCOUNT, "/nonexistent"),),
        directories=(Directory("/etc/stillup"), TLS.directory),
        files=(
            *tls,
            File(CONFIG, config(farm, server)),
            File(UNIT, text("database/stillup-arbiter.service")),
            *(File(path, text(f"database/{name}")) for name, path in ALONE.items()),
        ),
        commands=(_left_alone(),),
        units=(
            Unit(
                "stillup-arbiter.service",
                restart_on=(UNIT, CONFIG, *(file.path for file in tls)),
            ),
            Unit("stillup-arbiter-alone.path", restart_on=tuple(ALONE.values())),
        ),
    )


def _left_alone() -> Command:
    """Have systemd not start Debian's own unit."""
    return Command(
        "Debian's own arbitrator is off",
        ("/usr/bin/systemctl", "disable", "--now", "garb.service"),
        unless=("/bin/sh", "-c", "! systemctl is-enabled --quiet garb.service"),
    )


def is_on(farm: Farm, server: Server) -> bool:
    """Tell whether ``server`` is the one that breaks ties for the database."""
    return len(farm.having(Role.DATABASE)) > 1 and database_arbiter(farm) == server


def config(farm: Farm, server: Server) -> str:
    """Return garbd's settings."""
    return render(
        "database/arbiter.cfg.j2",
        {
            "farm": farm,
            "server": server,
            "databases": farm.having(Role.DATABASE),
            "provider_options": galera.provider_options(TLS),
            "ports": ports,
        },
    )
