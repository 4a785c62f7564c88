"""The way from this host's loopback to the virtual IP, for a browser: started and found here."""

import select
import socket
import subprocess
import sys
from pathlib import Path

from stillup.errors import LabFailed
from stillup.lab import cgroup
from stillup.lab.network import client_network
from stillup.lab.state import Home, read_record, write_record

_LOOPBACK = "127.0.0.1"
# Port of the virtual IP: the first port of the loopback that is tried, and its scheme.
_WAYS = {80: (8080, "http"), 443: (8443, "https")}
_TRIED = 200
_READY_S = 30.0


def ensure(home: Home, vip: str) -> None:
    """Start the forwarder if it does not run; it keeps the ports it had, if they are free."""
    group = cgroup.group_of(home.id) / "forwarder"
    record = read_record(home.ports) or {}
    # A forwarder of a client that died speaks from a network that leads nowhere.
    network = client_network(home).stat().st_ino
    if cgroup.populated(group) and (record.get("vip"), record.get("network")) == (vip, network):
        return
    cgroup.kill(group)
    listening = {port: _listen(_remembered(record, port), _WAYS[port][0]) for port in _WAYS}
    ports = {str(port): sock.getsockname()[1] for port, sock in listening.items()}
    write_record(home.ports, {"vip": vip, "network": network, **ports})
    arguments = [f"{sock.fileno()}:{vip}:{port}" for port, sock in listening.items()]
    with (home.path / "forwarder.log").open("wb") as log:
        forwarder = subprocess.Popen(
            [sys.executable, "-P", "-m", "stillup.lab.forwarder", str(home.path), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            cwd="/",
            pass_fds=[sock.fileno() for sock in listening.values()],
        )
    for sock in listening.values():
        sock.close()
    _wait_ready(forwarder, home.path / "forwarder.log")


def addresses(home: Home) -> tuple[str, ...]:
    """Return the forwarder's addresses, plain first; none when it does not run."""
    record = read_record(home.ports)
    if record is None or not cgroup.populated(cgroup.group_of(home.id) / "forwarder"):
        return ()
    return tuple(
        f"{scheme}://{_LOOPBACK}:{record[str(port)]}/" for port, (_, scheme) in _WAYS.items()
    )


def _remembered(record: object, port: int) -> int | None:
    before = record.get(str(port)) if isinstance(record, dict) else None
    return before if isinstance(before, int) else None


def _listen(remembered: int | None, first: int) -> socket.socket:
    """Return a listening socket on the first port that is free."""
    tried = ([] if remembered is None else [remembered]) + list(range(first, first + _TRIED))
    for port in tried:
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((_LOOPBACK, port))
            listening.listen(1024)
        except OSError:
            listening.close()
            continue
        return listening
    raise LabFailed(f"no free port on {_LOOPBACK} from {first} to {first + _TRIED - 1}")


def _wait_ready(forwarder: subprocess.Popen[bytes], log: Path) -> None:
    if forwarder.stdout is None:
        raise AssertionError  # it is a pipe
    with forwarder.stdout as words:
        if not select.select([words], [], [], _READY_S)[0]:
            forwarder.kill()
            forwarder.wait()
            raise LabFailed(f"the forwarder did not start within {_READY_S:g} s; see {log}")
        if words.readline() != b"ready\n":
            lines = log.read_text(errors="replace").strip().splitlines()
            raise LabFailed(f"the forwarder did not start: {lines[-1] if lines else log}")
    # It outlives this process, so it is not waited for.
    forwarder.returncode = 0
