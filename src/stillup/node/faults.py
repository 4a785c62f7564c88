"""The operations of a session for the faults of a drill.

    fault.begin   {"action": str, "seconds": number, "units"?: [str], "address"?: str,
                   "others"?: [str], "one_way"?: bool, "percent"?: int}
                  -> {"in_s": float, "told": str}; it has come about, or does ``in_s`` from now
    fault.end     {} -> {}; it is undone, if there is one
    fault.state   {} -> {"under_way": bool, "boot": str}; ``boot`` is another one after each boot

``action`` is kill, hang, cut, loss, full-disk, slow-disk, busy-cpu, reboot or power-off; ``units``
are systemd's names or patterns, ``address`` is this server's on the LAN, ``others`` are those to be
cut off from (none: everybody).

What undoes a fault is armed before it begins, and is systemd's, not ours: the fault is a transient
unit whose end undoes it (``ExecStopPost``), and whose end comes by itself (``RuntimeMaxSec``); and a
transient timer undoes it a little later once more, for who kills all of the unit's processes kills
what undoes it, too. So it is undone in time when the tool, its connection, this session or the
fault's own processes die, and nothing of it survives a reboot. There is at most one at a time.
"""

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from stillup.errors import ChangeRefused, InputRefused, ServerFailed
from stillup.node import fault_program, fault_rules, units
from stillup.node.facts import facts
from stillup.node.fault_rules import DELAY_S, FOLDER, Script
from stillup.node.fault_units import Running, are_gone, are_stopped, io_limited, running
from stillup.node.lock import Lock
from stillup.node.message import Json, JsonObject
from stillup.node.requests import Operation, Session, number, text
from stillup.node.said import first_lines
from stillup.node.world import World, at

UNIT = "stillup-fault.service"
AGAIN = "stillup-fault-undo"
"""The timer that undoes a fault once more, so long after it should be undone."""
AGAIN_S = 2.0
LOCK = "/run/stillup/fault.lock"
MOST_S = 600
COME_ABOUT_S = 20
"""For how long a fault may take to come about; then it is undone."""
SHARED_BYTES = 16_000_000_000
"""In a container, a file system larger than this is taken for the host's, and is not filled."""
STOLEN_PERCENT = 90
WRITTEN = ("/", "/var", "/var/lib", "/var/lib/mysql", "/var/log", "/srv", "/srv/stillup")
"""The folders that engines write below, each maybe a file system of its own."""
BOOT = "/proc/sys/kernel/random/boot_id"


def _begin(session: Session, request: JsonObject) -> JsonObject:
    world, action = session.world, text(request, "action")
    seconds = _seconds(request)
    prepare = ACTIONS.get(action)
    if prepare is None:
        raise InputRefused(f"fault.begin: there is no action {action!r}")
    lock = Lock(world, LOCK, "another fault")
    lock.take(action)
    try:
        if _under_way(world):
            raise ChangeRefused("a fault is under way on this server already; it ends by itself")
        told, later = prepare(world, request, seconds)
    finally:
        lock.free()
    return {"in_s": DELAY_S if later else 0.0, "told": told}


def _end(session: Session, _request: JsonObject) -> JsonObject:
    if _under_way(session.world):
        units.act(session.world, "stop", UNIT)
    _undo_again(session.world)
    return {}


def _state(session: Session, _request: JsonObject) -> JsonObject:
    boot = at(session.world, BOOT).read_text().strip()
    return {"under_way": _under_way(session.world), "boot": boot}


def _under_way(world: World) -> bool:
    return units.show(world, [UNIT])[UNIT].active not in {"inactive", "failed"}


def _seconds(request: Mapping[str, Json]) -> float:
    value = request.get("seconds")
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= MOST_S:
        raise InputRefused(f"fault.begin: seconds must be a number up to {MOST_S}")
    return float(value)


def _play(world: World, script: Script, seconds: float) -> None:
    """Arm the undoing, begin, and return when it has come about.

    Raises:
        ServerFailed: If it did not; then it is undone.
    """
    _undo_again(world)
    folder = at(world, FOLDER)
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "begin").write_text(f"set -eu\n{script.begin}")
    (folder / "undo").write_text(script.undo)
    at(world, fault_rules.RULES).write_text(script.rules)
    lasts_s = seconds + DELAY_S if script.later else seconds
    properties = {
        "NotifyAccess": "all",
        "RuntimeMaxSec": f"{lasts_s:g}",
        "TimeoutStartSec": f"{COME_ABOUT_S}",
        # Its processes have nothing to tidy up, and must not keep the undoing waiting.
        "KillSignal": "SIGKILL",
        "ExecStopPost": f"/bin/sh {FOLDER}/undo",
        # Before everything else where time is short, as it must be undone in time.
        "Nice": "-15",
        "OOMScoreAdjust": "-900",
    }
    began_s = world.wall_s()
    _arm_again(world, lasts_s + AGAIN_S)
    ran = world.run(
        [
            *("systemd-run", "--quiet", "--collect", f"--unit={UNIT}", "--service-type=notify"),
            "--description=A fault of a drill of stillup; it undoes itself",
            *(f"--property={name}={value}" for name, value in properties.items()),
            *("/bin/sh", f"{FOLDER}/begin"),
        ],
        within_s=COME_ABOUT_S + 10.0,
    )
    if ran.code:
        logged = units.journal_lines(world, [UNIT], began_s)
        why = first_lines(logged if logged.out.strip() else ran)
        raise ServerFailed(f"the fault did not come about, and is undone: {why}")


def _arm_again(world: World, after_s: float) -> None:
    ran = world.run(
        [
            *("systemd-run", "--quiet", "--collect", f"--unit={AGAIN}"),
            *(f"--on-active={after_s:g}s", "--timer-property=AccuracySec=100ms"),
            *("/bin/sh", f"{FOLDER}/undo"),
        ]
    )
    if ran.code:
        raise ServerFailed(f"no fault is begun, as none could be undone: {first_lines(ran)}")


def _undo_again(world: World) -> None:
    """Undo the fault before, which did so itself unless its processes were killed; forget it."""
    undo = at(world, f"{FOLDER}/undo")
    if undo.is_file():
        world.run(["/bin/sh", str(undo)])
        undo.unlink()
    timer = f"{AGAIN}.timer"
    if units.show(world, [timer])[timer].load == "loaded":
        units.act(world, "stop", timer)


def _strings(request: Mapping[str, Json], name: str) -> list[str]:
    value = request.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InputRefused(f"fault.begin: {name} must be a list of strings")
    return [str(item) for item in value]


def _running(world: World, request: Mapping[str, Json]) -> list[Running]:
    return running(world, _strings(request, "units"))


_Told = tuple[str, bool]


def _kill(world: World, request: JsonObject, _seconds: float) -> _Told:
    found = _running(world, request)
    # Starting again is systemd's: there is nothing to undo. By their numbers, not by `systemctl
    # kill`: after the kernel's cgroup.kill, Linux 6.18 also kills what is then started in the group.
    numbers = (str(process.number) for unit in found for process in unit.processes)
    world.run(["/bin/sh", "-c", f"kill -KILL {' '.join(numbers)}"])
    if not are_gone(world, found):
        raise ServerFailed("the processes do not die of SIGKILL: they hang in the kernel")
    return _counted("killed", found), False


def _hang(world: World, request: JsonObject, seconds: float) -> _Told:
    found = _running(world, request)
    _play(world, fault_rules.hang([unit.name for unit in found]), seconds)
    if not are_stopped(world, found):
        raise ServerFailed("the processes do not stop")
    return _counted("stopped", found), False


def _counted(what: str, found: list[Running]) -> str:
    return f"{what} {', '.join(f'{unit.name} ({len(unit.processes)})' for unit in found)}"


def _cut(world: World, request: JsonObject, seconds: float) -> _Told:
    interface = facts(world, text(request, "address")).interface
    others = _strings(request, "others")
    one_way = request.get("one_way") is True
    _play(world, fault_rules.cut(interface, others, one_way=one_way), seconds)
    return f"cut {interface}", True


def _loss(world: World, request: JsonObject, seconds: float) -> _Told:
    interface = facts(world, text(request, "address")).interface
    percent = number(request, "percent")
    if not 0 < percent < 100:
        raise InputRefused("fault.begin: percent must be 1 to 99")
    _play(world, fault_rules.loss(interface, percent), seconds)
    return f"{percent} % of the frames of {interface} are lost, each way", True


def _full_disk(world: World, _request: JsonObject, seconds: float) -> _Told:
    folders = _file_systems(world)
    for folder in folders:
        if _is_container(world) and _size_bytes(folder) > SHARED_BYTES:
            raise ServerFailed(f"{folder} is not filled: this container's disk is its host's")
    _play(world, fault_rules.fill(fault_program.__file__, [str(one) for one in folders]), seconds)
    for folder in folders:
        if not _refuses(folder):
            raise ServerFailed(f"{folder} still takes what is written, though its disk is full")
    return f"no byte is free below {', '.join(map(str, folders))}", False


def _file_systems(world: World) -> list[Path]:
    """Return one folder of each file system that engines write to."""
    found: dict[int, Path] = {}
    for folder in (at(world, path) for path in WRITTEN):
        if folder.is_dir():
            found.setdefault(folder.stat().st_dev, folder)
    return list(found.values())


def _size_bytes(folder: Path) -> int:
    state = os.statvfs(folder)
    return state.f_blocks * state.f_frsize


def _refuses(folder: Path) -> bool:
    """Try to write, as root."""
    path = folder / f".stillup-fault-{os.getpid()}"
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        return error.errno == errno.ENOSPC
    try:
        os.write(descriptor, b"\0" * 65536)
        os.fsync(descriptor)
    except OSError as error:
        return error.errno == errno.ENOSPC
    finally:
        os.close(descriptor)
        path.unlink()
    return False


def _slow_disk(world: World, request: JsonObject, seconds: float) -> _Told:
    controllers = at(world, "/sys/fs/cgroup/cgroup.controllers").read_text().split()
    if "io" not in controllers:
        raise ServerFailed(
            "no disk can be slowed here: this kernel's control groups have no io controller"
        )
    found = _running(world, request)
    folder = _on_a_disk(world)
    _play(world, fault_rules.slow([unit.name for unit in found], str(folder)), seconds)
    if not all(io_limited(world, unit) for unit in found):
        units.act(world, "stop", UNIT)
        raise ServerFailed(f"systemd did not slow the disk below {folder}: it is no plain disk")
    return f"{fault_rules.SLOW_IOPS} reads and writes a second for each engine", False


def _on_a_disk(world: World) -> Path:
    """Return where engines write to a disk; the first place where none of them is one."""
    folders = [at(world, path) for path in reversed(WRITTEN) if at(world, path).is_dir()]
    return next((one for one in folders if os.major(one.stat().st_dev)), folders[0])


def _busy_cpu(world: World, request: JsonObject, seconds: float) -> _Told:
    found = _running(world, request)
    groups = [unit.group for unit in found]
    _play(world, fault_rules.steal(fault_program.__file__, STOLEN_PERCENT, groups), seconds)
    return f"{STOLEN_PERCENT} % of the time is taken from {len(found)} units", False


def _reboot(world: World, _request: JsonObject, seconds: float) -> _Told:
    _play(world, fault_rules.reboot(in_order=True), seconds)
    return "reboots in order", True


def _power_off(world: World, _request: JsonObject, seconds: float) -> _Told:
    if _is_container(world):
        # It would be the host's power.
        raise ServerFailed("a container has no power of its own to lose")
    _play(world, fault_rules.reboot(in_order=False), seconds)
    return "reboots at once, without a word to anybody", True


def _is_container(world: World) -> bool:
    return world.run(["systemd-detect-virt", "--container", "--quiet"]).code == 0


ACTIONS: dict[str, Callable[[World, JsonObject, float], _Told]] = {
    "kill": _kill,
    "hang": _hang,
    "cut": _cut,
    "loss": _loss,
    "full-disk": _full_disk,
    "slow-disk": _slow_disk,
    "busy-cpu": _busy_cpu,
    "reboot": _reboot,
    "power-off": _power_off,
}

OPERATIONS: dict[str, Operation] = {
    "fault.begin": _begin,
    "fault.end": _end,
    "fault.state": _state,
}
