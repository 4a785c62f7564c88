"""The firewall of a server: shut, but for what its roles need from the roles that need it.

It is a table of its own, ``inet stillup_firewall``, loaded by a unit of its own, so that
nothing here ever touches another program's tables: not the heartbeat's, whose table enforces
the lease, and not the user's.
"""

from stillup.model.farm import Farm, Role, Server
from stillup.node.bundle import Bundle, Check, Directory, File, Health, Unit
from stillup.parts import heartbeat
from stillup.parts.ports import DATABASE, PEERS
from stillup.parts.template import render, text

RULES = "/etc/stillup/firewall.nft"
UNIT = "/etc/systemd/system/stillup-firewall.service"
NFT = "/usr/sbin/nft"


def wanted(farm: Farm, server: Server) -> Bundle:
    """Return the rules and the unit that loads them."""
    return Bundle(
        farm.name,
        server.name,
        directories=(Directory("/etc/stillup"),),
        files=(
            File(RULES, rules(farm, server)),
            File(UNIT, text("base/stillup-firewall.service")),
        ),
        checks=(Check("firewall", (NFT, "--check", "--file", RULES), (RULES,)),),
        units=(Unit("stillup-firewall.service", reload_on=(RULES,), restart_on=(UNIT,)),),
        healths=(
            Health(
                "the firewall is shut",
                (NFT, "list", "chain", "inet", "stillup_firewall", "input"),
            ),
        ),
    )


def rules(farm: Farm, server: Server) -> str:
    """Return the whole ruleset as nft reads it."""
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
        },
    )
