"""``ha.cf``: what becomes of each directive of heartbeat's manual page."""

import pytest

from stillup.alone.fate import Fate, Kind
from stillup.alone.ha_cf import KNOWN, HaCf, read
from stillup.alone.ha_cf_rest import REST

MANUAL = [
    "apiauth",
    "auto_failback",
    "autojoin",
    "baud",
    "bcast",
    "compression",
    "compression_threshold",
    "conn_logd_time",
    "coredumps",
    "crm",
    "crm_daemon_dir",
    "crmd_spawns_pengine",
    "deadping",
    "deadtime",
    "debug",
    "debugfile",
    "hbaping",
    "hbgenmethod",
    "hopfudge",
    "initdead",
    "keepalive",
    "logfacility",
    "logfile",
    "mcast",
    "mcast6",
    "msgfmt",
    "node",
    "pacemaker",
    "ping",
    "ping_group",
    "realtime",
    "respawn",
    "rtprio",
    "serial",
    "stonith",
    "stonith_host",
    "traditional_compression",
    "ucast",
    "ucast6",
    "udpport",
    "use_logd",
    "uuidfrom",
    "warntime",
    "watchdog",
]
"""Every directive of ha.cf(5) of heartbeat 3.0.6."""

BINARY = [
    "coreroot",
    "enable_config_writes",
    "env",
    "log_badpack",
    "max_rexmit_delay",
    "memreserve",
    "nice_failback",
    "ping6",
    "quorum_server",
    "record_config_changes",
    "record_pengine_inputs",
    "syslogmsgfmt",
    "use_apphbd",
]
"""What its program knows besides."""


def asked(*lines: str) -> HaCf:
    return read("\n".join(lines), "ha.cf")


def fate(line: str) -> Fate:
    return asked(line).fates[0]


@pytest.mark.parametrize("name", [*MANUAL, *BINARY])
def test_every_directive_is_known_and_says_why(name: str) -> None:
    assert name in KNOWN or name in REST
    told = fate(f"{name} 1")
    assert "no such directive" not in told.text
    assert len(told.text) > 20


def test_what_is_refused_says_what_to_write_instead() -> None:
    for line in ("autojoin any", "crm respawn", "pacemaker on", "ping6 ::1", "hbaping fc0"):
        told = fate(line)
        assert told.kind is Kind.REFUSED
        assert "write" in told.text


def test_the_recipes_misspelled_logfile_is_taken_as_meant_and_said_to_be_misspelled() -> None:
    cf = asked("loglife /var/log/ha-log")

    assert cf.logs == ["/var/log/ha-log"]
    assert cf.fates[0].kind is Kind.HONOURED
    assert '"loglife" is a misspelling of logfile, with which heartbeat' in cf.fates[0].text


def test_any_other_misspelling_is_refused_as_it_may_matter() -> None:
    told = fate("deadtme 5")

    assert told.kind is Kind.REFUSED
    assert "did you mean deadtime?" in told.text


def test_an_unknown_directive_is_refused() -> None:
    assert fate("xyzzy").kind is Kind.REFUSED


@pytest.mark.parametrize(
    ("words", "lease_s"),
    [
        ("5", 5.0),
        ("500ms", 0.5),
        ("1.7", 1.7),
        ("1700 ms", 1.7),
        ("150000us", 0.15),
        ("2s", 2.0),
        ("30", 10.0),
        ("60ms", 0.1),
    ],
)
def test_the_deadtime_is_the_lease_within_its_bounds(words: str, lease_s: float) -> None:
    assert asked(f"deadtime {words}").lease_s == pytest.approx(lease_s)


def test_a_bound_is_said() -> None:
    assert "10 s, as no lease is longer" in fate("deadtime 30").text
    assert "100 ms, as no lease is shorter" in fate("deadtime 60ms").text


@pytest.mark.parametrize(
    "line", ["deadtime soon", "keepalive", "warntime 5 minutes", "initdead -1"]
)
def test_what_is_no_time_is_refused(line: str) -> None:
    assert fate(line).kind is Kind.REFUSED


def test_without_a_deadtime_the_lease_is_ours_and_that_is_said() -> None:
    cf = asked("node lb1")

    assert cf.lease_s is None
    assert any(fate.what == "deadtime" and "500 ms" in fate.text for fate in cf.fates)


@pytest.mark.parametrize(
    ("line", "failback"),
    [
        ("auto_failback on", True),
        ("auto_failback YES", True),
        ("auto_failback legacy", True),
        ("auto_failback off", False),
        ("auto_failback 0", False),
        ("nice_failback on", False),
    ],
)
def test_failback(line: str, failback: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    assert asked(line).failback is failback


def test_nodes_are_in_lower_case_on_one_line_or_several() -> None:
    assert asked("node LB1 lb2 # these", "node\tlb3").nodes == {"lb1": 1, "lb2": 1, "lb3": 2}


def test_without_nodes_there_is_nothing_to_be_had() -> None:
    refusals = [fate for fate in asked("deadtime 1").fates if fate.kind is Kind.REFUSED]
    assert [fate.what for fate in refusals] == ["node"]


def test_addresses_that_ucast_and_ping_name() -> None:
    cf = asked("ucast eth0 10.0.0.3", "ping 10.0.0.254", "ping_group routers 10.0.0.252 10.0.0.253")

    assert cf.peers == [("eth0", "10.0.0.3")]
    assert cf.pings == [("10.0.0.254", 2), ("10.0.0.252", 3), ("10.0.0.253", 3)]


def test_ipfail_is_not_needed_and_another_program_is_systemds() -> None:
    assert fate("respawn hacluster /usr/lib/heartbeat/ipfail").kind is Kind.NOT_NEEDED
    other = fate("respawn nobody /usr/bin/watcher --loud")
    assert other.kind is Kind.REFUSED
    assert "User=nobody, ExecStart=/usr/bin/watcher --loud" in other.text


def test_no_pacemaker_is_no_trouble() -> None:
    assert fate("crm off").kind is Kind.NOT_NEEDED
    assert fate("autojoin none").kind is Kind.NOT_NEEDED


@pytest.mark.parametrize("port", ["0", "65536", "ha-cluster"])
def test_a_wrong_port_is_refused(port: str) -> None:
    assert fate(f"udpport {port}").kind is Kind.REFUSED


def test_whatever_stands_in_it_it_is_read_to_its_end() -> None:
    for name in [*KNOWN, *REST]:
        for rest in ("", " ", " x", " 1 2 3", " \x00\xff", " ='\"\\"):
            assert asked(name + rest).fates
