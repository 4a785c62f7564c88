"""What must hold of every server's bundle, whatever the templates say."""

import dataclasses
import itertools
import json
from importlib import resources
from ipaddress import IPv4Address, IPv4Network

import pytest
from tests.unit.parts.farms import CASES, SECRETS, Case

from stillup.model.farm import Role, Secrets
from stillup.node.bundle import Bundle
from stillup.node.codec import decode, encode
from stillup.parts import database_keeper, firewall, galera, heartbeat, packages
from stillup.parts.database import native_hash

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@each_case
def test_no_secret_is_outside_a_secret_file(case: Case) -> None:
    for bundle in case.bundles().values():
        shown = repr(bundle) + "".join(file.text for file in bundle.files if not file.secret)
        argument_lists = [
            *(check.argv for check in bundle.checks),
            *(command.argv + command.unless for command in bundle.commands),
            *(health.argv for health in bundle.healths),
        ]
        shown += "".join(word for argv in argument_lists for word in argv)
        for secret in filter(None, dataclasses.astuple(SECRETS)):
            assert secret.strip() not in shown
        assert native_hash(SECRETS.database_password) not in shown


@each_case
def test_a_secret_file_can_be_read_by_one_account_alone(case: Case) -> None:
    secret = [file for bundle in case.bundles().values() for file in bundle.files if file.secret]
    assert secret
    assert {file.mode for file in secret} == {0o600}
    # A key that an engine reads after it gave its rights up belongs to that engine.
    assert {file.owner for file in secret if not file.path.endswith("/key.pem")} == {"root"}


@each_case
def test_the_database_server_never_sees_the_password(case: Case) -> None:
    for bundle in case.bundles().values():
        for command in bundle.commands:
            assert SECRETS.database_password not in command.stdin + command.unless_stdin


@each_case
def test_another_password_changes_secret_files_and_the_guarded_command_only(case: Case) -> None:
    others = Secrets("6" * 64, "another", "one more", "others\n", cluster_pem=SECRETS.cluster_pem)
    for before, after in zip(case.bundles().values(), case.bundles(others).values(), strict=True):
        assert [file for file in before.files if not file.secret] == [
            file for file in after.files if not file.secret
        ]
        assert [file.text for file in before.files if file.secret] != [
            file.text for file in after.files if file.secret
        ]


@each_case
def test_a_bundle_survives_its_journey(case: Case) -> None:
    for bundle in case.bundles().values():
        assert decode(json.loads(json.dumps(encode(bundle)))) == bundle


@each_case
def test_every_file_that_a_unit_or_check_watches_is_in_the_bundle(case: Case) -> None:
    for bundle in case.bundles().values():
        paths = {file.path for file in bundle.files}
        for watched in _watched(bundle):
            assert watched in paths or any(
                watched.endswith("/") and path.startswith(watched) for path in paths
            ), watched


def _watched(bundle: Bundle) -> set[str]:
    units = (path for unit in bundle.units for path in unit.reload_on + unit.restart_on)
    checks = (path for check in bundle.checks for path in check.paths)
    return {*units, *checks}


@each_case
def test_every_configuration_of_an_engine_is_watched(case: Case) -> None:
    """A file that no unit takes notice of would change without any effect."""
    # Read by programs that start anew each time, or at the next boot only.
    unwatched = {
        "/etc/stillup/hosts",
        "/etc/apt/apt.conf.d/52stillup",
        "/etc/systemd/system/apt-daily-upgrade.timer.d/stillup.conf",
        "/etc/needrestart/conf.d/stillup.conf",
        "/etc/systemd/journald.conf.d/stillup.conf",
        "/etc/logrotate.d/glusterfs-common",
        "/etc/logrotate.d/stillup-php",
        "/etc/stillup/site-shared.json",
        "/usr/lib/stillup/save-server-state",
        "/usr/lib/stillup/have-http2-leave",
        "/usr/lib/stillup/opcache.php",
    }
    for bundle in case.bundles().values():
        watched = _watched(bundle)
        # Read by systemd itself, which needs to restart nothing for it.
        unwatched |= {file.path for file in bundle.files if "/stillup-restart.conf" in file.path}
        # A member of a group restarts by a guarded command, in order, when its settings are newer.
        unwatched |= {database_keeper.STARTS, galera.MEMBERS}
        unwatched |= {
            file.path
            for file in bundle.files
            for command in bundle.commands
            if command.name == galera.RESTARTED and file.path in command.unless[-1]
        }
        folders = tuple(path for path in watched if path.endswith("/"))
        for file in bundle.files:
            assert file.path in watched | unwatched or file.path.startswith(folders), file.path


@each_case
def test_only_balancers_get_the_unit_with_rights(case: Case) -> None:
    for name, bundle in case.bundles().items():
        server = case.farm.server(name)
        assert server is not None
        candidate = Role.BALANCER in server.roles
        text = next(file.text for file in bundle.files if file.path == heartbeat.UNIT)
        assert ("AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW" in text) == candidate
        unit = "stillup-heartbeat.service" if candidate else "stillup-heartbeat-voter.service"
        assert text == (resources.files("stillup.heartbeat") / unit).read_text("utf-8")


def test_the_heartbeat_starts_after_what_it_watches() -> None:
    units = [unit.name for unit in CASES[0].bundles()["lb1"].units]
    assert units.index("stillup-firewall.service") < units.index("haproxy.service")
    assert units.index("haproxy.service") < units.index("stillup-heartbeat.service")


def test_packages_are_those_of_the_roles_each_once() -> None:
    both = packages.of(frozenset({Role.BALANCER, Role.WEB}))
    assert len(both) == len(set(both))
    assert {"haproxy", "nginx-light", "php-fpm", "nftables"} <= set(both)
    assert "mariadb-server" not in both


def test_the_hash_is_what_mariadb_makes_of_a_password() -> None:
    # SELECT PASSWORD('geheim') in MariaDB 11.8.
    assert native_hash("geheim") == "*462366917EEDD1970A48E87D8EF59EB67D2CA26F"


def test_commands_of_a_move_are_for_the_balancers() -> None:
    case = CASES[0]
    vip = dataclasses.replace(case.farm.vip, on_acquire=("/bin/moved", "here"))
    farm = dataclasses.replace(case.farm, vip=vip)
    told = {
        server.name: json.loads(heartbeat.settings(farm, server, case.facts))
        for server in farm.servers
    }
    assert told["lb1"]["on_acquire"] == [["/bin/moved", "here"]]
    assert not {"on_acquire", "on_release"} & set(told["web1"])
    assert "on_release" not in told["lb1"]


@each_case
def test_every_engine_is_started_again_whenever_it_dies(case: Case) -> None:
    for name, bundle in case.bundles().items():
        texts = {file.path: file.text for file in bundle.files}
        for unit in bundle.units:
            if unit.name == "stillup-firewall.service":
                continue  # A table in the kernel: its guard is what may die.
            if unit.name.endswith(".path"):
                continue  # A watch of systemd itself.
            files = [text for path, text in texts.items() if f"/{unit.name}" in path]
            joined = "\n".join(files)
            # What the kernel does once it is told cannot die, only fail to begin.
            ends = unit.name in {"nfs-server.service", "stillup-shared.service"}
            word = (
                "Restart=on-failure"
                if ends and "Restart=always" not in joined
                else "Restart=always"
            )
            assert word in joined, f"{unit.name} on {name}"
            assert "StartLimitIntervalSec=0" in joined, f"{unit.name} on {name}"


@each_case
def test_the_port_that_we_came_in_by_stays_open_whatever_the_farm_file_says(case: Case) -> None:
    server, own = case.farm.servers[0], case.farm.ssh.port
    for port in (0, own):
        assert f"tcp dport {own} accept" in firewall.rules(case.farm, server, port)
    assert f"tcp dport {{ {own}, 5022 }} accept" in firewall.rules(case.farm, server, 5022)


def test_users_come_in_over_ipv6_with_a_second_network_too() -> None:
    case = next(case for case in CASES if case.name == "several")
    balancers = {server.name for server in case.farm.having(Role.BALANCER)}
    number = itertools.count(2)
    servers = tuple(
        dataclasses.replace(server, direct=IPv4Address(f"10.100.100.{next(number)}"))
        if server.name in balancers
        else server
        for server in case.farm.servers
    )
    farm = dataclasses.replace(case.farm, servers=servers, direct=IPv4Network("10.100.100.0/24"))
    for server in farm.having(Role.BALANCER):
        assert "ip6 daddr @vips6 tcp dport { 80, 443 } accept" in firewall.rules(farm, server)
