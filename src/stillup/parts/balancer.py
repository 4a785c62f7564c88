"""HAProxy on a balancer: see ``templates/balancer/haproxy.cfg.j2``, where every setting says why."""

from stillup.model.farm import Farm, Role, Secrets, Server
from stillup.node.bundle import Bundle, Check, Directory, File, Health, Unit, User
from stillup.parts import heartbeat, ports
from stillup.parts.template import render, text

CONFIG = "/etc/haproxy/haproxy.cfg"
SECRETS = "/etc/haproxy/stats.cfg"
CERTIFICATE = "/etc/haproxy/site.pem"
ERROR_PAGE = "/etc/haproxy/errors/unavailable.html"
DROP_IN = "/etc/systemd/system/haproxy.service.d/stillup.conf"
SAVE = "/usr/lib/stillup/save-server-state"
LEAVE = "/usr/lib/stillup/have-http2-leave"
LEAVES = {
    name: f"/etc/systemd/system/{name}"
    for name in (
        "stillup-http2-leaves.path",
        "stillup-http2-leaves.timer",
        "stillup-http2-leaves.service",
    )
}
"""What has HTTP/2's users go over after a move."""
OLD_PROCESS_S = 300
"""How long HAProxy's old process lives on after a reload, at least."""
GIVEN = 6940
"""The access list that the heartbeat puts addresses into that were given away."""
ALIVE = f"http://127.0.0.1:{ports.ALIVE}/alive"


CLAIMS = (
    "Forwarded",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Server",
    "X-Real-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "Client-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-Original-Host",
    "Proxy",
)
"""Headers by which a proxy in front tells of a user, and by which a user could tell lies."""


def wanted(farm: Farm, server: Server, secrets: Secrets) -> Bundle:
    """Return what the balancer ``server`` needs."""
    values = _values(farm, server)
    files = [
        File(CONFIG, render("balancer/haproxy.cfg.j2", values)),
        File(
            SECRETS,
            render("balancer/stats.cfg.j2", {"password": secrets.stats_password}),
            mode=0o600,
            secret=True,
        ),
        File(ERROR_PAGE, text("balancer/unavailable.html")),
        File(DROP_IN, text("balancer/haproxy-unit.conf")),
        File(SAVE, text("balancer/save-server-state"), mode=0o755),
        File(LEAVE, text("balancer/have-http2-leave"), mode=0o755),
        *(File(path, text(f"balancer/{name}")) for name, path in LEAVES.items()),
    ]
    if farm.tls.enabled:
        # HAProxy reads it as root, before it gives its rights up.
        files.append(File(CERTIFICATE, secrets.tls_pem, mode=0o600, secret=True))
    reload_on = tuple(file.path for file in files if file.path.startswith("/etc/haproxy/"))
    return Bundle(
        farm.name,
        server.name,
        users=(User(heartbeat.TELLS_HAPROXY, "/nonexistent"),),
        directories=(
            Directory("/etc/haproxy"),
            Directory("/etc/haproxy/errors"),
            Directory("/usr/lib/stillup"),
        ),
        files=tuple(files),
        checks=(
            Check(
                "HAProxy",
                ("/usr/sbin/haproxy", "-c", "-f", CONFIG, "-f", SECRETS),
                reload_on,
            ),
        ),
        units=(
            Unit("haproxy.service", reload_on=reload_on, restart_on=(DROP_IN,)),
            Unit("stillup-http2-leaves.path", restart_on=tuple(LEAVES.values())),
        ),
        healths=(
            Health(
                "HAProxy answers",
                ("/usr/bin/curl", "-sS", "--fail", "--max-time", "2", ALIVE),
            ),
        ),
    )


def _values(farm: Farm, server: Server) -> dict[str, object]:
    return {
        "farm": farm,
        "server": server,
        "balancers": farm.having(Role.BALANCER),
        "webs": farm.having(Role.WEB),
        "places": farm.balancer.maxconn_per_server * len(farm.having(Role.WEB)),
        "claims": CLAIMS,
        "known_hosts": _known_hosts(farm),
        "queue_ms": round(farm.balancer.queue_s * 1000),
        "old_process_s": max(OLD_PROCESS_S, round(farm.vip.drain_s)),
        "certificate": CERTIFICATE,
        "error_page": ERROR_PAGE,
        "ports": ports,
        "runtime": heartbeat.RUNTIME,
        "tells_haproxy": heartbeat.TELLS_HAPROXY,
        "given": GIVEN,
    }


def _known_hosts(farm: Farm) -> list[str]:
    """Return every name that a request may ask for; an IPv6 address as it stands in a URL."""
    addresses = map(str, farm.vip.addresses)
    virtual = [f"[{each}]" if ":" in each else each for each in addresses]
    return [*farm.site.hosts, *virtual, "localhost", "127.0.0.1", "[::1]"]
