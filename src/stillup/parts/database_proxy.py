"""The way from a web server to the database: an HAProxy of its own, where servers share it.

PHP connects to 127.0.0.1 as if the database were here. Whoever writes says so to the checks
(``stillup.keeper``), so that no virtual IP is in the way and nothing has to move.
"""

from stillup.model.farm import Farm, Role, Server
from stillup.node.bundle import Bundle, Check, Directory, File, Health, Unit, User
from stillup.parts import database, ports
from stillup.parts.template import render, text

CONFIG = "/etc/stillup/database-proxy.cfg"
NAME = "stillup-database-proxy.service"
UNIT = f"/etc/systemd/system/{NAME}"
ACCOUNT = "stillup-database-proxy"
ADDRESS = "127.0.0.1"
RUNTIME = "/run/stillup-database-proxy/admin.sock"


def is_wanted(farm: Farm) -> bool:
    """Tell whether web servers reach the database through a proxy: when there are several."""
    return len(farm.having(Role.DATABASE)) > 1


def address(farm: Farm) -> str:
    """Return where a web server's pages find the database."""
    return ADDRESS if is_wanted(farm) else str(farm.having(Role.DATABASE)[0].address)


def wanted(farm: Farm, server: Server) -> Bundle:
    """Return what the proxy needs on the web server ``server``; nothing where there is one database."""
    if not is_wanted(farm):
        return Bundle(farm.name, server.name)
    return Bundle(
        farm.name,
        server.name,
        packages=("haproxy",),
        users=(User(ACCOUNT, "/nonexistent"),),
        directories=(Directory("/etc/stillup"),),
        files=(
            File(CONFIG, config(farm, server)),
            File(UNIT, text("database/stillup-database-proxy.service")),
        ),
        checks=(
            Check("the database's proxy", ("/usr/sbin/haproxy", "-c", "-f", CONFIG), (CONFIG,)),
        ),
        units=(Unit(NAME, reload_on=(CONFIG,), restart_on=(UNIT,)),),
        healths=(
            # Not that the database is up behind it: that is not this server's health.
            Health("the database's proxy runs", ("/usr/bin/test", "-S", RUNTIME)),
        ),
    )


def config(farm: Farm, server: Server) -> str:
    """Return HAProxy's settings."""
    return render(
        "database/proxy.cfg.j2",
        {
            "farm": farm,
            "server": server,
            "databases": farm.having(Role.DATABASE),
            "address": ADDRESS,
            "runtime": RUNTIME,
            "connections": database.connections(farm),
            "ports": ports,
        },
    )
