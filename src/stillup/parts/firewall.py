"""The firewall of a server: shut, but for what its roles need from the roles that need it.

It is a table of its own, ``inet stillup_firewall``, loaded by a unit of its own, so that
nothing here ever touches another program's tables: not the heartbeat's, whose table enforces
the lease, and not the user's. Others are less careful ("nft flush ruleset"), so a second unit
watches that the table is there and puts it back.
"""

from stillup.model.farm import Farm, Role, Server
from stillup.node.bundle import Bundle, Check, Command, Directory, Facts, File, Health, Unit
from stillup.parts import arbiter, galera, heartbeat, nfs, ports, storage
from stillup.parts.ports import BRICKS, DATABASE, GLUSTERD, NFS, PEERS
from stillup.parts.template import render, text

RULES = "/etc/stillup/firewall.nft"
UNIT = "/etc/systemd/system/stillup-firewall.service"
GUARD = "/usr/lib/stillup/firewall-guard"
GUARD_UNIT = "/etc/systemd/system/stillup-firewall-guard.service"
NFT = "/usr/sbin/nft"
IS_THERE = (NFT, "list", "chain", "inet", "stillup_firewall", "input")


def wanted(farm: Farm, server: Server, facts: Facts) -> Bundle:
    """Return the rules and the unit that loads them."""
    return Bundle(
        farm.name,
        server.name,
        directories=(Directory("/etc/stillup"), Directory("/usr/lib/stillup")),
        files=(
            File(RULES, rules(farm, server, facts.ssh_port)),
            File(UNIT, text("base/stillup-firewall.service")),
            File(GUARD, text("base/firewall-guard"), mode=0o755),
            File(GUARD_UNIT, text("base/stillup-firewall-guard.service")),
        ),
        checks=(Check("firewall", (NFT, "--check", "--file", RULES), (RULES,)),),
        commands=(
            # Loaded and running as systemd sees it, and yet gone: only looking tells.
            Command(
                "the firewall's table",
                (NFT, "--file", RULES),
                unless=IS_THERE,
                needs="stillup-firewall.service",
            ),
        ),
        units=(
            Unit("stillup-firewall.service", reload_on=(RULES,), restart_on=(UNIT,)),
            Unit("stillup-firewall-guard.service", restart_on=(GUARD, GUARD_UNIT)),
        ),
        healths=(Health("the firewall is shut", IS_THERE),),
    )


def rules(farm: Farm, server: Server, came_in_by: int = 0) -> str:
    """Return the whole ruleset as nft reads it.

    ``came_in_by``: the port that this very session came in by, which stays open even if the farm
    file names another one (a forwarded port, a slip): nobody is locked out by an apply.
    """
    ports = sorted({farm.ssh.port, came_in_by or farm.ssh.port})
    return render(
        "base/firewall.nft.j2",
        {
            "farm": farm,
            "server": server,
            "vips": [vip for vip in farm.vip.addresses if vip.version == 4],
            "vips6": [vip for vip in farm.vip.addresses if vip.version == 6],
            "is_balancer": Role.BALANCER in server.roles,
            "is_web": Role.WEB in server.roles,
            "is_database": Role.DATABASE in server.roles,
            "balancers": farm.having(Role.BALANCER),
            "webs": farm.having(Role.WEB),
            "heartbeat_port": heartbeat.PORT,
            "peers_port": PEERS,
            "database_port": DATABASE,
            "is_nfs": Role.STORAGE in server.roles and nfs.is_only(farm),
            "nfs_port": NFS,
            **_group(farm, server),
            **_storage(farm, server),
            "ssh_ports": f"{{ {', '.join(map(str, ports))} }}" if len(ports) > 1 else ports[0],
        },
    )


def _group(farm: Farm, server: Server) -> dict[str, object]:
    """Return what the rules of a group of database servers ask for."""
    several = len(farm.having(Role.DATABASE)) > 1
    return {
        "is_member": several and Role.DATABASE in server.roles,
        "is_arbiter": arbiter.is_on(farm, server),
        "databases": farm.having(Role.DATABASE),
        "members": galera.members(farm) if several else (),
        "group_ports": ports,
    }


def _storage(farm: Farm, server: Server) -> dict[str, object]:
    """Return what the rules of several storage servers and their arbiter ask for."""
    members = storage.members(farm)
    return {
        "is_storage_member": server in members,
        "storage_users": tuple(dict.fromkeys((*members, *farm.having(Role.WEB)))),
        "gluster_ports": f"{{ {GLUSTERD}, {BRICKS.start}-{BRICKS.stop - 1} }}",
    }
