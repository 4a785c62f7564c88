"""``stillup lab``: the farm's servers as real machines on this one."""

import argparse
import json
import sys
import time
from collections.abc import Callable

from stillup.cli import failing
from stillup.cli.arguments import Subparsers
from stillup.cli.context import load_farm
from stillup.errors import EXIT_DONE, InputRefused, LabFailed
from stillup.lab import preflight
from stillup.lab.image import image
from stillup.lab.lab import Lab, MachineState, down, list_labs
from stillup.lab.shell import become_client, become_console, become_ssh
from stillup.lab.state import LABS, home_of, read_record
from stillup.model.quantities import DurationBetween
from stillup.model.refused import ValueRefused

_DESCRIPTION = """\
Runs the farm's servers as real Debian 13 machines on this one, with a LAN of their own.
Nothing of this machine's network is changed. Every command may be interrupted at any point
and run again. What they keep is in /var/lib/stillup/labs, the image in
/var/cache/stillup/images."""


def add(subparsers: Subparsers) -> None:
    """Add the command's parser."""
    parser = subparsers.add_parser(
        "lab",
        help="the farm's servers as machines on this one",
        description=_DESCRIPTION,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    _add_whole(actions)
    _add_inside(actions)
    _add_faults(actions)


def run(arguments: argparse.Namespace) -> int:
    """Do it; return the exit code."""
    actions: dict[str, Callable[[argparse.Namespace], int]] = {
        "up": _up,
        "down": _down,
        "status": _status,
        "list": _list,
        "shell": _shell,
        "client": _client,
        "power": _power,
        "cut": _cut,
        "heal": _heal,
        "fail": _fail,
        "image": _image,
    }
    return actions[str(arguments.action)](arguments)


def _add_whole(actions: Subparsers) -> None:
    up = actions.add_parser(
        "up",
        help="boot the machines that are off, and apply the farm file",
        description="Boots the machines that are off, waits until they answer, and applies the\n"
        "farm file to them. The first time it builds the machines' image: that takes minutes.",
    )
    up.add_argument("servers", nargs="*", metavar="SERVER", help="only these; implies --no-apply")
    up.add_argument("--no-apply", action="store_true", help="boot bare machines only")
    up.add_argument(
        "--own-disks",
        action="store_true",
        help="new machines get a disk of their own, so that a drill may fill it",
    )
    actions.add_parser(
        "down",
        help="remove the machines, their disks and their network",
        description="Removes the lab: its machines with their disks, its network, its keys.\n"
        "The image is kept, so that the next `lab up` takes seconds.",
    )
    actions.add_parser("status", help="which machines are on, and where to look at the site")
    actions.add_parser("list", help="all labs of this machine, whatever the farm file")
    actions.add_parser("image", help="build the machines' image if it is not there yet")


def _add_inside(actions: Subparsers) -> None:
    shell = actions.add_parser(
        "shell",
        help="a shell on a machine, or one command",
        description="Opens a shell on a machine over SSH, or runs one command there. One word is a\n"
        "line for its shell, several are the command's arguments.",
        epilog="example: stillup lab shell web1 -- systemctl status nginx",
    )
    shell.add_argument(
        "--console",
        action="store_true",
        help="go in without the network, for a machine that is cut off",
    )
    shell.add_argument("server", metavar="SERVER")
    shell.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    client = actions.add_parser(
        "client",
        help="run a program of this machine as one more host on the LAN",
        description="Runs a program of this machine as one more host on the lab's LAN. The site's\n"
        "names lead to the virtual IP.",
        epilog="example: stillup lab client -- curl -s http://shop.example/",
    )
    client.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND")


def _add_faults(actions: Subparsers) -> None:
    power = actions.add_parser(
        "power",
        help="pull a machine's plug, or switch it on again",
        description="off kills every process of a machine at once, with its link; on boots it\n"
        "again from the same disk.",
    )
    power.add_argument("switch", choices=("off", "on"))
    power.add_argument("server", metavar="SERVER")
    _add_for(power, "off: it comes on again by itself after so long, as 20s")
    cut = actions.add_parser(
        "cut",
        help="cut a machine off the LAN",
        description="Pulls a machine's network cable: it sees its link go down. With --silent,\n"
        "--from or --one-way the link stays up and frames are lost on the way.",
    )
    cut.add_argument("server", metavar="SERVER", help="a server, or client")
    cut.add_argument("--silent", action="store_true", help="lose the frames, keep the link up")
    cut.add_argument(
        "--from",
        dest="others",
        action="append",
        default=[],
        metavar="SERVER",
        help="cut it off from this one only; may be repeated",
    )
    cut.add_argument("--one-way", action="store_true", help="lose only what SERVER sends")
    cut.add_argument(
        "--direct", action="store_true", help="cut it off the second network, not the LAN"
    )
    _add_for(cut, "the link is whole again by itself after so long, as 20s")
    heal = actions.add_parser("heal", help="make cut links whole: a machine's, or all")
    heal.add_argument("server", nargs="?", metavar="SERVER")
    failing.add(actions)


def _add_for(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--for", dest="for_", metavar="TIME", help=what)


def _for_s(arguments: argparse.Namespace) -> float | None:
    """Return the time of ``--for`` in seconds.

    Raises:
        InputRefused: If it is none.
    """
    if arguments.for_ is None:
        return None
    try:
        return DurationBetween("100ms", "60min")(str(arguments.for_))
    except ValueRefused as error:
        raise InputRefused(f"--for: {error}") from error


def _up(arguments: argparse.Namespace) -> int:
    from stillup.cli.main import run as stillup

    began = time.monotonic()
    lab = _lab(arguments)
    lab.up(arguments.servers or None, own_disks=arguments.own_disks)
    _report(f"{len(arguments.servers or lab.farm.servers)} machines up", began)
    if not arguments.no_apply and not arguments.servers:
        code = stillup(["-f", str(arguments.file), "--lab", "apply"])
        if code != EXIT_DONE:
            return code
        _report("the farm file is applied", began)
    for address in lab.forwards():
        print(f"{lab.farm.site.hosts[0]} is at {address}")
    return EXIT_DONE


def _down(arguments: argparse.Namespace) -> int:
    # By the file's path alone: a lab must go away even when its farm file is broken or gone.
    home = home_of(None, arguments.file)
    there = home.path.is_dir()
    down(home, _say)
    _say(f"the lab {home.id} is removed" if there else "this farm has no lab here")
    return EXIT_DONE


def _status(arguments: argparse.Namespace) -> int:
    lab = _lab(arguments)
    up, machines, forwards = lab.is_up(), lab.state(), lab.forwards()
    if arguments.json:
        told = {
            "lab": lab.home.id,
            "up": up,
            "machines": [_as_json(machine) for machine in machines],
            "vip": [str(address) for address in lab.farm.vip.addresses],
            "client": str(lab.client),
            "forwards": [*forwards],
        }
        print(json.dumps(told, indent=2))
        return EXIT_DONE
    if not up:
        print("this farm's lab is not up; `stillup lab up` starts it")
        return EXIT_DONE
    width = max(len(machine.name) for machine in machines)
    for machine in machines:
        on = f"on, {machine.memory_bytes // 10**6} MB" if machine.on else "off"
        kernel = ["User-Mode Linux"] if machine.as_uml else []
        parts = [on, *kernel, *([machine.cut] if machine.cut else [])]
        roles = ", ".join(machine.roles)
        print(f"{machine.name:{width}}  {machine.address:15}  {roles:10}  {', '.join(parts)}")
    print(f"{'client':{width}}  {lab.client!s:15}  stillup lab client -- COMMAND")
    for address in forwards:
        print(f"the virtual IP {lab.farm.vip.first} is at {address}")
    return EXIT_DONE


def _as_json(machine: MachineState) -> dict[str, object]:
    return {
        "name": machine.name,
        "address": machine.address,
        "roles": [*machine.roles],
        "on": machine.on,
        "cut": machine.cut,
        "memory_bytes": machine.memory_bytes,
        "user_mode_linux": machine.as_uml,
    }


def _list(arguments: argparse.Namespace) -> int:
    try:
        labs = [{"lab": home.id, **(read_record(home.record) or {})} for home in list_labs()]
    except PermissionError as error:
        raise LabFailed(f"{LABS} belongs to root; `sudo stillup lab list` shows it") from error
    if arguments.json:
        print(json.dumps(labs, indent=2))
        return EXIT_DONE
    for lab in labs:
        print(f"{lab['lab']}  {lab.get('farm_file', '(not finished)')}")
    if not labs:
        print("no labs on this machine")
    return EXIT_DONE


def _shell(arguments: argparse.Namespace) -> int:
    lab = _lab(arguments)
    server = lab.server(arguments.server)
    become = become_console if arguments.console else become_ssh
    become(lab.home, server, _words(arguments))


def _client(arguments: argparse.Namespace) -> int:
    words = _words(arguments)
    if not words:
        raise InputRefused("say what to run: stillup lab client -- COMMAND")
    become_client(_lab(arguments).home, words)


def _words(arguments: argparse.Namespace) -> list[str]:
    """Return the command; argparse leaves the first ``--`` in, depending on its version."""
    words: list[str] = arguments.words
    return words[1:] if words[:1] == ["--"] else words


def _power(arguments: argparse.Namespace) -> int:
    began, for_s = time.monotonic(), _for_s(arguments)
    if for_s is not None and arguments.switch == "on":
        raise InputRefused("--for goes with `power off`: what is on stays on")
    _lab(arguments).power(arguments.server, on=arguments.switch == "on", for_s=for_s)
    _report(f"{arguments.server} is {arguments.switch}", began)
    return EXIT_DONE


def _cut(arguments: argparse.Namespace) -> int:
    _lab(arguments).cut(
        arguments.server,
        silent=arguments.silent,
        others=arguments.others,
        one_way=arguments.one_way,
        direct=arguments.direct,
        for_s=_for_s(arguments),
    )
    return EXIT_DONE


def _heal(arguments: argparse.Namespace) -> int:
    _lab(arguments).heal(arguments.server)
    return EXIT_DONE


def _fail(arguments: argparse.Namespace) -> int:
    return failing.run(_lab(arguments), arguments)


def _image(_: argparse.Namespace) -> int:
    LABS.mkdir(mode=0o700, parents=True, exist_ok=True)
    preflight.check(LABS)
    print(image(_say))
    return EXIT_DONE


def _lab(arguments: argparse.Namespace) -> Lab:
    return Lab(load_farm(arguments.file), arguments.file, _say)


def _report(what: str, began: float) -> None:
    _say(f"{what} after {time.monotonic() - began:.1f} s")


def _say(text: str) -> None:
    """Tell progress; it goes to stderr, as stdout is for what was asked for."""
    print(text, file=sys.stderr, flush=True)
