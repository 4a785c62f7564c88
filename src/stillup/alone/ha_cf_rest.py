"""The directives of ``ha.cf`` that change nothing here, or cannot be had, and why: pure."""

from collections.abc import Callable

from stillup.alone.fate import Verdict, not_needed, refused, translated

Words = tuple[str, ...]

_FALSE = {"false", "off", "no", "n", "0"}
_WIRE = "the datagrams are another protocol's: about a hundred bytes each, signed and numbered"
_CRM = "this is for a Pacemaker cluster, and there is none"


def _always(verdict: Verdict) -> Callable[[Words], Verdict]:
    return lambda _: verdict


def _pacemaker(words: Words) -> Verdict:
    if words and words[0].lower() in _FALSE:
        return not_needed("there is no Pacemaker here anyway")
    return refused(
        "the addresses of a Pacemaker cluster stand in its own database; write them into haresources, "
        "as: lb1 IPaddr::10.0.0.1/24/eth0, and take this line out"
    )


def _autojoin(words: Words) -> Verdict:
    if words and words[0].lower() == "none":
        return not_needed("who has a vote is always named")
    return refused(
        "votes can only be counted among servers that are named: write a node line for each, "
        "and autojoin none"
    )


def _respawn(words: Words) -> Verdict:
    program = words[1] if len(words) > 1 else ""
    if program.endswith("/ipfail"):
        return not_needed(
            "a server that loses its network loses its votes there and lets the addresses go"
        )
    return refused(
        f"systemd does this: make a unit with User={words[0] if words else 'USER'}, "
        f"ExecStart={' '.join(words[1:]) or 'PROGRAM'} and Restart=always, "
        "and take this line out"
    )


def _logfacility(words: Words) -> Verdict:
    facility = words[0] if words else "daemon"
    if facility == "none":
        return translated("the log goes to systemd's journal, which syslog may read or not")
    return translated(
        f"the log goes to systemd's journal; SyslogFacility={facility} in the unit says the rest"
    )


def _realtime(words: Words) -> Verdict:
    if words and words[0].lower() in _FALSE:
        return translated("to have it so, write LimitRTPRIO=0 in the unit")
    return not_needed("it runs in real time, with its memory locked, where the unit allows it")


_STONITH = not_needed(
    "the kernel of a server that has lost its lease drops what is sent to the address and what "
    "would come from it, so nobody need be shot; a shared disk would need it, and is refused in haresources"
)
_SERIAL = translated(
    "votes go over the network that bears the addresses, as a cable beside it says nothing of that "
    "network; the serial line is not used"
)
_IPV4 = translated(
    "servers talk over IPv4, on the network that bears the addresses; virtual addresses may be IPv6"
)
_NO_COMPRESSION = not_needed("the datagrams are about a hundred bytes each")
_JOURNAL = not_needed("the log goes to systemd's journal, and nobody waits for it")
_CORES = not_needed("systemd-coredump, or LimitCORE= in the unit, decides that")
_MEMORY = not_needed("the daemon takes 25 MB and locks what it uses")

REST: dict[str, Callable[[Words], Verdict]] = {
    "watchdog": _always(
        not_needed(
            "the lease is kept by the kernel and ends by itself, whatever the daemon does; and "
            "systemd ends a daemon that hangs (WatchdogSec= in the unit)"
        )
    ),
    "logfacility": _logfacility,
    "use_logd": _always(_JOURNAL),
    "conn_logd_time": _always(_JOURNAL),
    "syslogmsgfmt": _always(_JOURNAL),
    "debug": _always(not_needed("there is one level: an event a line")),
    "log_badpack": _always(
        not_needed("refused datagrams are counted in the status, and logged once in a while")
    ),
    "respawn": _respawn,
    "apiauth": _always(
        not_needed("there is no such interface; the control socket is for root and its group")
    ),
    "crm": _pacemaker,
    "pacemaker": _pacemaker,
    "crm_daemon_dir": _always(not_needed(_CRM)),
    "crmd_spawns_pengine": _always(not_needed(_CRM)),
    "record_config_changes": _always(not_needed(_CRM)),
    "record_pengine_inputs": _always(not_needed(_CRM)),
    "enable_config_writes": _always(not_needed(_CRM)),
    "autojoin": _autojoin,
    "stonith": _always(_STONITH),
    "stonith_host": _always(_STONITH),
    "quorum_server": _always(
        refused("a third server with a node line is what it was for; it needs nothing but a vote")
    ),
    "serial": _always(_SERIAL),
    "baud": _always(not_needed("nothing goes over a serial line")),
    "hopfudge": _always(not_needed("nothing is passed on from server to server")),
    "mcast6": _always(_IPV4),
    "ucast6": _always(_IPV4),
    "openais": _always(_IPV4),
    "ping6": _always(refused("the witness has an IPv4 address; write ping and that")),
    "hbaping": _always(
        refused(
            "a fibre channel says nothing of the users' network; write ping and an address on it"
        )
    ),
    "realtime": _realtime,
    "rtprio": _always(
        translated("it asks for the lowest real-time priority, which is above all ordinary work")
    ),
    "hbgenmethod": _always(
        not_needed("each start draws a number that was never used, and replays are refused by it")
    ),
    "uuidfrom": _always(not_needed("servers go by their names")),
    "msgfmt": _always(not_needed(_WIRE)),
    "max_rexmit_delay": _always(not_needed("a lost datagram is made up for by the next one")),
    "compression": _always(_NO_COMPRESSION),
    "compression_threshold": _always(_NO_COMPRESSION),
    "traditional_compression": _always(_NO_COMPRESSION),
    "env": _always(translated("write Environment= in the unit; hooks inherit it")),
    "coredumps": _always(_CORES),
    "coreroot": _always(_CORES),
    "memreserve": _always(_MEMORY),
    "normalpoll": _always(_MEMORY),
    "use_apphbd": _always(
        not_needed("systemd is told three times in WatchdogSec= that the daemon's loop turns")
    ),
}
