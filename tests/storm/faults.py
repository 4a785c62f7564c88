"""How each fault of a storm is done to a farm of namespaces, and undone.

Wires are cut by rules at the bridge's ports and not by the port's state, so that each
direction can be cut alone. The watcher's own questions pass, so that a server that would
answer is heard even while it is cut off. Datagrams are not delayed: not every kernel can
(``sch_netem``), and a late answer could not be told from a second holder; a daemon that is
stopped for a while is the same to the protocol.
"""

import contextlib
import json
import signal
import socket
import subprocess
import time

from tests.netns.farm import BALANCERS, VIP, Farm, end, run
from tests.netns.successor import Process
from tests.storm.plan import Strike
from tests.wire import ASKERS

CUTS = {
    "cut": ("ingress", "egress"),
    "hears nothing": ("egress",),
    "is not heard": ("ingress",),
    "loses datagrams": ("ingress", "egress"),
}

SIGNALS = {"daemon stopped": signal.SIGSTOP, "daemon replaced": signal.SIGHUP}
REPLACED_S = 8.0


def begin(farm: Farm, strike: Strike) -> None:
    """Do it."""
    name = strike.target
    match strike.kind:
        case "daemon killed":
            end(farm.daemons[name])
        case "daemon stopped" | "daemon replaced" as kind:
            farm.signal_daemon(name, SIGNALS[kind])
        case "daemon restarted":
            _ask_to_end(farm.daemons[name])
            farm.start_daemon(name)
        case "no carrier":
            farm.link(name, "down")
        case "machine dies":
            _die(farm, name)
        case "HAProxy dies":
            end(farm.services[name])
        case "HAProxy hangs":
            farm.services[name].send_signal(signal.SIGSTOP)
        case "address taken off":
            _take_off(farm, name)
        case "planned move":
            _move(farm, strike)
        case _:
            _cut(farm, strike)


def undo(farm: Farm, strike: Strike) -> None:
    """Undo it."""
    name = strike.target
    match strike.kind:
        case "daemon killed":
            farm.start_daemon(name)
        case "daemon stopped":
            farm.signal_daemon(name, signal.SIGCONT)
        case "daemon replaced":
            _know_successor(farm, name)
        case "no carrier":
            farm.link(name, "up")
        case "machine dies":
            _boot(farm, name)
        case "HAProxy dies":
            farm.start_service(name)
        case "HAProxy hangs":
            farm.services[name].send_signal(signal.SIGCONT)
        case kind if kind in CUTS:
            run(*farm.enter("bridge"), "nft", "delete", "table", "netdev", _table(strike))
        case _:
            pass  # a restart, a reload, a move and a lost address end by themselves


def _ask_to_end(daemon: Process) -> None:
    daemon.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        daemon.wait(2)
        return
    end(daemon)  # as systemd would


def _know_successor(farm: Farm, name: str) -> None:
    """Take note of the process that has taken the daemon's place; without one, begin anew."""
    before = farm.daemons[name]
    end_s = time.monotonic() + REPLACED_S
    while time.monotonic() < end_s:
        process = farm.status(name).get("pid")
        if isinstance(process, int) and process != before.pid:
            farm.follow(name, process)
            return
        time.sleep(0.05)
    end(before)
    farm.start_daemon(name)


def _die(farm: Farm, name: str) -> None:
    farm.link(name, "down")
    end(farm.daemons[name])
    if name in BALANCERS:
        end(farm.services[name])


def _boot(farm: Farm, name: str) -> None:
    farm.link(name, "up")
    if name in BALANCERS:
        farm.start_service(name)
    farm.start_daemon(name)


def _take_off(farm: Farm, name: str) -> None:
    with contextlib.suppress(RuntimeError):  # it is only there while, and after, it is held
        run("ip", "-n", farm.space(name), "address", "delete", f"{VIP}/24", "dev", "eth0")


def _move(farm: Farm, strike: Strike) -> None:
    seconds = max(1, round(strike.end_s - strike.begin_s))
    question = json.dumps({"op": "yield", "seconds": seconds}).encode() + b"\n"
    # Nobody waits for the answer: another fault may have stopped the daemon, or killed it.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(0.2)
        connection.connect(str(farm.control(strike.target)))
        connection.sendall(question)


def _table(strike: Strike) -> str:
    return f"storm_{strike.number}"


def _cut(farm: Farm, strike: Strike) -> None:
    drop = "drop"
    if strike.share < 1.0:
        drop = f"numgen random mod 100 < {round(100 * strike.share)} drop"
    chains = [
        f"chain {hook} {{ type filter hook {hook} device {strike.target} priority 0;"
        f" ether saddr & ff:ff:ff:00:00:00 == {ASKERS.hex(':')}:00:00:00 accept; {drop}; }}"
        for hook in CUTS[strike.kind]
    ]
    rules = f"table netdev {_table(strike)} {{\n" + "\n".join(chains) + "\n}\n"
    words = [*farm.enter("bridge"), "nft", "-f", "-"]
    subprocess.run(words, input=rules, text=True, check=True)
