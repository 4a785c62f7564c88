"""What every server of the farm has: names, kernel settings, clock, updates, log limits."""

from stillup.model.farm import Farm, Role, Server
from stillup.node.bundle import IF_THERE, Bundle, Check, Command, Directory, File, Unit
from stillup.parts import packages
from stillup.parts.template import render, text

HOSTS = "/etc/stillup/hosts"
CHRONY = "/etc/chrony/conf.d/stillup.conf"
JOURNAL = "/etc/systemd/journald.conf.d/stillup.conf"
CHRONY_UNIT = "/etc/systemd/system/chrony.service.d/stillup.conf"

# A dot for the apostrophe of the lines: it would end the shell's quotes.
BEGIN = "^# stillup: the farm.s servers, begin"
END = "^# stillup: the farm.s servers, end"
OTHERS = (
    # Our own file first, for its names; then the lines of /etc/hosts that are not our block's.
    f'FNR == NR {{ if ($1 != "#") named[$2] = 1; next }} '
    f'{{ line[++n] = $0; name[n] = (NF == 2) ? $2 : "" }} '
    f"/{BEGIN}/ {{ begins[n] = 1 }} "
    f"/{END}/ {{ ends[n] = 1 }} "
    "END { for (i = 1; i <= n; i++) { "
    "if (begins[i]) { for (e = i + 1; e <= n && !ends[e] && !begins[e]; e++); "
    "whole = e <= n && ends[e]; inside = 1; continue } "
    "if (inside && ends[i]) { inside = 0; continue } "
    "if (ends[i]) continue; "
    "if (inside && (whole || name[i] in named)) continue; "
    "if (inside && !whole) inside = 0; "
    "print line[i] } }"
)

SYSCTLS = (
    # HAProxy listens on the virtual IP wherever that is, and no engine fails to start at boot
    # because its address comes a moment later.
    ("net.ipv4.ip_nonlocal_bind", "1"),
    # Answer ARP only on the interface that has the address, and never ask with the virtual IP
    # as the sender: both would teach the neighbours a holder that is none.
    ("net.ipv4.conf.all.arp_ignore", "1"),
    ("net.ipv4.conf.all.arp_announce", "2"),
    # Take no route from the network, and give none.
    ("net.ipv4.conf.all.accept_redirects", "0"),
    ("net.ipv4.conf.all.send_redirects", "0"),
    ("net.ipv4.conf.all.accept_source_route", "0"),
    # Room for a rush of new connections; beyond it, SYN cookies.
    ("net.core.somaxconn", "4096"),
    ("net.ipv4.tcp_max_syn_backlog", "4096"),
    ("net.ipv4.tcp_syncookies", "1"),
    # Kept-alive connections that were idle start at full speed again.
    ("net.ipv4.tcp_slow_start_after_idle", "0"),
    # Connections from balancer to web server and from web server to database: more local ports
    # for them (still above every port that the parts listen on), used again sooner.
    ("net.ipv4.ip_local_port_range", "16384 65000"),
    ("net.ipv4.tcp_tw_reuse", "1"),
    ("net.ipv4.tcp_fin_timeout", "20"),
    # Find a smaller path MTU even where ICMP is filtered on the way.
    ("net.ipv4.tcp_mtu_probing", "1"),
)
"""All of them belong to the network namespace, so that they hold in a container as well."""

SYSCTLS_INSIDE = (
    # What got lost on the way is sent again after 50 ms, not 200, and so on doubled: a network that
    # loses every third packet is then slow instead of away. Longer than an acknowledgement is put off (40 ms).
    (f"{IF_THERE}net.ipv4.tcp_rto_min_us", "50000"),
)
"""Not for balancers: their users may be far away and acknowledge later. From Linux 6.11 on."""

SYSCTLS6 = (("net.ipv6.ip_nonlocal_bind", "1"),)
"""As its counterpart above; only for a farm with IPv6, as a kernel without it has no such key."""


def kept_running(unit: str) -> File:
    """Return the drop-in that has systemd start ``unit`` again whenever it dies, for ever."""
    return File(f"/etc/systemd/system/{unit}.d/stillup-restart.conf", text("base/restart.conf"))


def wanted(farm: Farm, server: Server) -> Bundle:
    """Return what ``server`` has whatever its roles are."""
    values = {"farm": farm, "server": server, "index": farm.servers.index(server)}
    sysctls: tuple[tuple[str, str], ...] = SYSCTLS
    if farm.lan6 is not None:
        sysctls += SYSCTLS6
    if Role.BALANCER not in server.roles:
        sysctls += SYSCTLS_INSIDE
    return Bundle(
        farm.name,
        server.name,
        packages=packages.of(server.roles),
        directories=(Directory("/etc/stillup"), Directory("/usr/lib/stillup")),
        sysctls=sysctls,
        files=(
            File(HOSTS, render("base/hosts.j2", values)),
            File(CHRONY, render("base/chrony.conf.j2", values)),
            File(CHRONY_UNIT, text("base/chrony-unit.conf")),
            kept_running("chrony.service"),
            File("/etc/apt/apt.conf.d/52stillup", text("base/apt.conf")),
            File(
                "/etc/systemd/system/apt-daily-upgrade.timer.d/stillup.conf",
                render("base/apt-timer.conf.j2", values),
            ),
            File("/etc/needrestart/conf.d/stillup.conf", text("base/needrestart.conf")),
            File(JOURNAL, text("base/journald.conf")),
        ),
        checks=(Check("chrony", ("/usr/sbin/chronyd", "-p", "-f", CHRONY), (CHRONY,)),),
        commands=(hosts(), _journal()),
        units=(Unit("chrony.service", restart_on=(CHRONY, CHRONY_UNIT)),),
    )


def hosts() -> Command:
    """Keep our block of /etc/hosts as /etc/stillup/hosts says, and the user's lines alone.

    The block ends at its end mark. Where somebody removed that, only lines as we write them (an
    address, one name) right below the begin mark are ours, and of those only what names one of
    the farm's servers: a printer or a name server that stands there stays.
    """
    return Command(
        "the farm's names in /etc/hosts",
        (
            "/bin/sh",
            "-euc",
            f"new=$(mktemp /etc/.hosts.XXXXXX); trap 'rm -f \"$new\"' EXIT; "
            f"awk '{OTHERS}' {HOSTS} /etc/hosts >\"$new\"; "
            f'cat {HOSTS} >>"$new"; chmod 644 "$new"; mv "$new" /etc/hosts; trap - EXIT',
        ),
        unless=("/bin/sh", "-euc", f"sed -n '/{BEGIN}/,/{END}/p' /etc/hosts | cmp -s - {HOSTS}"),
    )


def _journal() -> Command:
    """Have journald read its limits, which it does at its start only; it loses nothing by it.

    Not a ``Unit``: that would be stopped when the bundle names it no more.
    """
    started = "systemctl show --property=ActiveEnterTimestamp --value systemd-journald.service"
    return Command(
        "the journal's limits",
        ("/usr/bin/systemctl", "restart", "systemd-journald.service"),
        unless=(
            "/bin/sh",
            "-euc",
            f'test "$(stat -c %Y {JOURNAL})" -le "$(date -d "$({started})" +%s)"',
        ),
    )
