"""The heartbeat on a server: its code, its settings, its key, its unit.

Every server runs it: balancers are candidates for the virtual IP, the others only vote.
"""

import json
from collections.abc import Mapping
from importlib import resources

from stillup.heartbeat.changing import Side
from stillup.model.farm import Farm, Role, Secrets, Server
from stillup.node.bundle import Bundle, Check, Directory, Facts, File, Health, Unit
from stillup.parts import keeper

SETTINGS = "/etc/stillup/heartbeat.json"
KEY = "/etc/stillup/heartbeat.key"
CODE = "/usr/lib/stillup/heartbeat"
UNIT = "/etc/systemd/system/stillup-heartbeat.service"
PORT = 6940
ALIVE = "http://127.0.0.1:8405/alive"
RUNTIME = "/run/haproxy/heartbeat.sock"
"""HAProxy's runtime socket for the daemon, which may do little there."""

TELLS_HAPROXY = "stillup-haproxy"
"""The group that may use it; the unit of balancers names it too."""


def wanted(
    farm: Farm, server: Server, secrets: Secrets, facts: Facts, code: Mapping[str, str]
) -> Bundle:
    """Return what the heartbeat needs on ``server``."""
    ours = sorted(item for item in code.items() if not item[0].startswith(keeper.PACKAGE))
    run = ("/usr/bin/env", f"PYTHONPATH={CODE}", "/usr/bin/python3", "-m", "stillup.heartbeat")
    return Bundle(
        farm.name,
        server.name,
        directories=(Directory("/etc/stillup"), Directory(CODE)),
        files=(
            *(File(f"{CODE}/{path}", text) for path, text in ours),
            File(SETTINGS, settings(farm, server, facts), mode=0o640),
            File(KEY, keys(secrets), mode=0o600, secret=True),
            File(UNIT, unit(candidate=Role.BALANCER in server.roles)),
        ),
        checks=(Check("heartbeat", (*run, "check"), (SETTINGS, KEY, f"{CODE}/")),),
        units=(
            Unit(
                "stillup-heartbeat.service",
                reload_on=(SETTINGS, KEY, f"{CODE}/"),
                restart_on=(UNIT,),
            ),
        ),
        healths=(Health("the heartbeat answers", (*run, "status")),),
    )


def keys(secrets: Secrets) -> str:
    """Return the key file's text: the first key signs, each is believed."""
    return "".join(
        f"{key}\n" for key in (secrets.heartbeat_key, secrets.heartbeat_key_beside) if key
    )


def side(farm: Farm) -> Side:
    """Return who takes part by the farm file."""
    return Side(
        {server.name: str(server.address) for server in farm.servers},
        tuple(server.name for server in farm.having(Role.BALANCER)),
        farm.vip.lease_s,
        str(farm.vip.witness) if farm.vip.witness else None,
    )


def settings(farm: Farm, server: Server, facts: Facts) -> str:
    """Return the daemon's settings as JSON; ``stillup.heartbeat.settings`` reads them."""
    candidate = Role.BALANCER in server.roles
    watch = {"unit": "haproxy.service", "pid_file": "/run/haproxy.pid", "check": ALIVE}
    taking_part = side(farm).as_json()
    values: dict[str, object] = {
        "farm": farm.name,
        "name": server.name,
        "key_file": KEY,
        "port": PORT,
        **{key: taking_part[key] for key in ("lease_ms", "candidates", "voters")},
        "vips": [
            {
                "address": str(address),
                "prefix": (farm.lan6 if farm.lan6 and address.version == 6 else farm.lan).prefixlen,
                "preferred": farm.vip.preferred_for(str(address)),
            }
            for address in farm.vip.addresses
        ],
        "failback": farm.vip.failback,
        "address": str(server.address),
        "interface": facts.interface,
        "watch": watch if candidate else None,
        "drain_s": round(farm.vip.drain_s),
    }
    if candidate:
        values["haproxy"] = RUNTIME
        hooks = {"on_acquire": farm.vip.on_acquire, "on_release": farm.vip.on_release}
        values |= {key: [list(command)] for key, command in hooks.items() if command}
    if "witness" in taking_part:
        values["witness"] = taking_part["witness"]
    if candidate and server.direct is not None:
        values["direct"] = _direct(farm, server)
    return json.dumps(values, indent=2) + "\n"


def _direct(farm: Farm, server: Server) -> dict[str, object]:
    """Return this balancer's place in the second network, and the other balancers'."""
    others = (other for other in farm.having(Role.BALANCER) if other != server)
    return {
        "address": str(server.direct),
        "peers": {other.name: str(other.direct) for other in others},
    }


def unit(*, candidate: bool) -> str:
    """Return the unit's text, which stands beside the daemon's code; a voter has no rights."""
    name = "stillup-heartbeat.service" if candidate else "stillup-heartbeat-voter.service"
    return (resources.files("stillup.heartbeat") / name).read_text("utf-8")
