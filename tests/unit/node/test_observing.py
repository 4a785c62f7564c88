"""What is read of a server: facts, packages, units, kernel settings, HAProxy's answers."""

import hashlib
import json
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from tests.unit.node.scripted import Folder

from stillup.errors import ServerFailed
from stillup.node import haproxy
from stillup.node.bundle import Facts
from stillup.node.facts import facts
from stillup.node.look import look
from stillup.node.machine import Machine
from stillup.node.observed import SeenUnit
from stillup.node.packages import pristine
from stillup.node.sysctls import read_sysctl, write_sysctl
from stillup.node.units import show
from stillup.node.world import NOT_FOUND, OUT_OF_TIME, Ran


class Saying(Folder):
    """A server whose programs say what they are told to say."""

    def __init__(self, root: Path, said: Mapping[str, Ran]) -> None:
        super().__init__(root)
        self._said = said

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        within_s: float = 60.0,
        environment: Mapping[str, str] | None = None,
    ) -> Ran:
        return self._said.get(argv[0], Ran(NOT_FOUND))


def write(root: Path, path: str, text: str) -> None:
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


TRIXIE = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_ID="13"\n'
LINKS = json.dumps(
    [
        {"ifname": "lo", "addr_info": [{"local": "127.0.0.1"}]},
        {"ifname": "eth1", "addr_info": [{"local": "10.0.0.1"}, {"local": "10.0.0.4"}]},
        {"ifname": "down"},
    ]
).encode()


def test_a_server_tells_its_debian_its_php_and_the_interface_of_its_address(
    tmp_path: Path,
) -> None:
    write(tmp_path, "/etc/os-release", TRIXIE)
    told = facts(Saying(tmp_path, {"ip": Ran(0, LINKS)}), "10.0.0.4")
    assert told == Facts(13, "8.4", "eth1", told.python)


def test_a_lab_machine_whose_kernel_has_no_packet_filter_says_so(tmp_path: Path) -> None:
    world = Saying(tmp_path, {"ip": Ran(0, LINKS)})
    write(tmp_path, "/etc/os-release", TRIXIE)
    assert facts(world, "10.0.0.4").filters
    write(tmp_path, "/run/no-packet-filter", "this kernel filters no packets")
    assert not facts(world, "10.0.0.4").filters


def test_the_port_that_a_session_came_in_by_is_told_even_below_sudo(tmp_path: Path) -> None:
    world, process = Saying(tmp_path, {"ip": Ran(0, LINKS)}), os.getpid()
    write(tmp_path, "/etc/os-release", TRIXIE)
    assert facts(world, "10.0.0.4").ssh_port == 0
    write(tmp_path, f"/proc/{process}/stat", f"{process} (a ) b) S 777 1")
    write(tmp_path, f"/proc/{process}/environ", "SUDO_UID=1000")
    write(tmp_path, "/proc/777/environ", "A=b\0SSH_CONNECTION=10.0.0.9 5555 10.0.0.4 2222\0C=d")
    assert facts(world, "10.0.0.4").ssh_port == 2222


@pytest.mark.parametrize(
    ("release", "address", "error"),
    [
        ("ID=ubuntu\nPRETTY_NAME='Ubuntu 24.04'\n", "10.0.0.4", "this is Ubuntu 24.04; stillup"),
        ("ID=debian\nVERSION_ID=11\nPRETTY_NAME=old\n", "10.0.0.4", "this is old; stillup knows"),
        ("", "10.0.0.4", "no Linux that says its name"),
        (TRIXIE, "10.0.0.9", "no interface of this server has the address 10.0.0.9"),
    ],
)
def test_a_server_that_is_not_what_we_know_says_what_it_is(
    tmp_path: Path, release: str, address: str, error: str
) -> None:
    write(tmp_path, "/etc/os-release", release)
    with pytest.raises(ServerFailed, match=error):
        facts(Saying(tmp_path, {"ip": Ran(0, LINKS)}), address)


@pytest.mark.parametrize(
    ("hosts", "untouched"),
    [
        ("127.0.0.1 localhost\n127.0.1.1 web1\n::1 localhost # six\nff02::1 all\n\n", True),
        ("127.0.0.1 localhost\n10.1.2.3 printer\n", False),
    ],
)
def test_a_hosts_file_that_names_others_is_somebodys_work(
    tmp_path: Path, hosts: str, *, untouched: bool
) -> None:
    write(tmp_path, "/etc/hosts", hosts)
    world = Folder(tmp_path)
    found = pristine(world, {"/etc/hosts": look(world, "/etc/hosts")})
    assert found == (frozenset({"/etc/hosts"}) if untouched else frozenset())


def test_a_link_to_a_conffile_is_its_package_s(tmp_path: Path) -> None:
    write(tmp_path, "/etc/nginx/sites-available/default", "as packaged\n")
    write(tmp_path, "/var/lib/ucf/hashfile", "d41d8cd98f00b204e9800998ecf8427e  /etc/empty\n")
    write(tmp_path, "/etc/empty", "")
    write(tmp_path, "/etc/other", "")
    enabled = tmp_path / "etc/nginx/sites-enabled"
    enabled.mkdir()
    (enabled / "default").symlink_to("../sites-available/default")
    digest = hashlib.md5(b"as packaged\n").hexdigest()
    sums = f" /etc/nginx/sites-available/default {digest}\n".encode()
    world = Folder(tmp_path)
    paths = ["/etc/nginx/sites-enabled/default", "/etc/empty", "/etc/other"]
    strangers = {path: look(world, path) for path in paths}
    assert pristine(Saying(tmp_path, {"dpkg-query": Ran(0, sums)}), strangers) == {
        "/etc/nginx/sites-enabled/default",
        "/etc/empty",
    }


def test_units_are_told_apart_by_their_order(tmp_path: Path) -> None:
    said = (
        b"ActiveState=active\nUnitFileState=enabled\nLoadState=loaded\nNeedDaemonReload=no\n\n"
        b"ActiveState=failed\nUnitFileState=\nLoadState=not-found\nNeedDaemonReload=yes\n"
    )
    world = Saying(tmp_path, {"systemctl": Ran(0, said)})
    assert show(world, ["mysql.service", "b.service", "mysql.service"]) == {
        "mysql.service": SeenUnit("active", "enabled", "loaded"),
        "b.service": SeenUnit("failed", "", "not-found", stale=True),
    }
    with pytest.raises(ServerFailed, match="systemd does not say how its units stand"):
        show(world, ["only-one.service"])


def test_a_kernel_setting_is_written_where_it_is_and_refused_where_it_is_not(
    tmp_path: Path,
) -> None:
    write(tmp_path, "/proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n")
    write(tmp_path, "/proc/sys/net/ipv4/conf/eth0.100/arp_ignore", "0\n")
    world = Folder(tmp_path)
    assert read_sysctl(world, "net.ipv4.ip_local_port_range") == "32768 60999"
    write_sysctl(world, "net/ipv4/conf/eth0.100/arp_ignore", "1")
    assert read_sysctl(world, "net.ipv4.conf.eth0/100.arp_ignore") == "1"
    assert read_sysctl(world, "-net.ipv4.ip_local_port_range") == "32768 60999"
    assert read_sysctl(world, "no.such") is None
    with pytest.raises(ServerFailed, match=r"sysctl no\.such = 1 was not taken: there is no such"):
        write_sysctl(world, "no.such", "1")


def test_the_real_machine_runs_programs_to_their_end_and_says_how_it_was() -> None:
    machine = Machine()
    assert machine.run(["sh", "-c", "cat; echo no >&2; exit 3"], stdin=b"yes") == Ran(
        3, b"yes", b"no\n"
    )
    assert machine.run(["/no/such/program"]).code == NOT_FOUND
    assert machine.run(["sh", "-c", "echo half; sleep 30 & wait"], within_s=0.2) == Ran(
        OUT_OF_TIME, b"half\n"
    )


def test_the_real_machine_gives_programs_nothing_of_its_own_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    ran = Machine().run(["env"], environment={"MORE": "x"})
    assert b"MORE=x" in ran.out
    assert b"hunter2" not in ran.out


def test_a_program_that_leaves_a_child_behind_does_not_keep_us_waiting() -> None:
    machine = Machine()
    began = machine.now_s()
    assert machine.run(["sh", "-c", "sleep 5 & echo started"]).out == b"started\n"
    assert machine.now_s() - began < 3


STATES = """1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight
4 site 1 web1 10.0.0.4 2 0 1
4 site 2 web2 10.0.0.5 2 8 1
4 site 3 web3 10.0.0.6 0 12 1
5 anyway 1 web1 10.0.0.4 2 0 1
5 anyway 2 web2 10.0.0.5 2 0 1
"""
STATS = """# pxname,svname,qcur,scur,status,weight,lastchg,check_status,last_chk
site,web1,0,3,UP,1,17,L7OK,
site,web2,0,1,DRAIN,0,5,L7OK,
site,web3,0,,DOWN,1,,L7STS,Not Found
anyway,web1,0,4,UP,1,17,L4OK,
anyway,web2,0,,UP,1,17,L4OK,
"""


@pytest.fixture
def balancer(tmp_path: Path) -> Iterator[tuple[Folder, list[str]]]:
    """A socket that answers as HAProxy does, and what it was asked."""
    place = tmp_path / "run/haproxy"
    place.mkdir(parents=True)
    (tmp_path / "var/lib/stillup").mkdir(parents=True)
    asked: list[str] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place / "admin.sock"))
        listener.listen(8)

        def serve() -> None:
            while True:
                line, _ = listener.accept()
                with line:
                    command = line.recv(4096).decode().strip()
                    if command == "end":
                        return
                    asked.append(command)
                    known = {"show servers state": STATES, "show stat -1 4 -1": STATS}
                    line.sendall(known.get(command, "").encode() + b"\n")

        thread = threading.Thread(target=serve)
        thread.start()
        world = Folder(tmp_path)
        yield world, asked
        haproxy.ask(world, "end")
        thread.join()


def test_a_balancer_tells_every_server_and_which_are_drained(
    balancer: tuple[Folder, list[str]],
) -> None:
    seen = [item for item in haproxy.targets(balancer[0]) if item.backend == "site"]
    found = [(item.server, item.status, item.drain) for item in seen]
    assert found == [("web1", "UP", False), ("web2", "DRAIN", True), ("web3", "DOWN", True)]
    assert [item.check for item in seen] == [
        "L7OK",
        "L7OK",
        "L7STS Not Found",
    ]


def test_a_drain_is_asked_for_once_and_saved_each_time(
    balancer: tuple[Folder, list[str]],
) -> None:
    world, asked = balancer
    # In both backends, and its users in either are waited for.
    assert haproxy.drain(world, "web1", drain=True) == 7
    assert [word for word in asked if word.startswith("set")] == [
        "set server site/web1 state drain",
        "set server site/web1 weight 0%",
        "set server anyway/web1 state drain",
        "set server anyway/web1 weight 0%",
    ]
    # An apply leaves it to the user who drained it, but not half.
    asked.clear()
    assert haproxy.drain(world, "web2", drain=False, by=haproxy.BY_APPLY) == 1
    assert [word for word in asked if word.startswith("set")] == [
        "set server anyway/web2 state drain",
        "set server anyway/web2 weight 0%",
    ]
    # What is so already is not set again; an older configuration has one backend only.
    asked.clear()
    assert haproxy.drain(world, "web3", drain=True) == 0
    assert [word for word in asked if word.startswith("set")] == [
        "set server site/web3 state drain",
        "set server site/web3 weight 0%",
    ]
    asked.clear()
    saved = world.root / "var/lib/haproxy/server-state"
    assert saved.read_text() == STATES + "\n"
    assert haproxy.drain(world, "web2", drain=False) == 1
    assert [word for word in asked if word.startswith("set")] == [
        "set server site/web2 weight 100%",
        "set server site/web2 state ready",
    ]


def test_a_server_that_haproxy_does_not_know_is_said(balancer: tuple[Folder, list[str]]) -> None:
    with pytest.raises(ServerFailed, match="no server web9 in its backend site"):
        haproxy.drain(balancer[0], "web9", drain=True)


def test_a_haproxy_that_does_not_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match=r"HAProxy does not answer at /run/haproxy/admin\.sock"):
        haproxy.targets(Folder(tmp_path))
