"""``stillup backup timer on|off``: the units that have this machine's systemd make backups.

As JSON: ``{"timer": "on"|"off", "units": [path], "next": str|null}``.
"""

import json
import os
import pwd
import shlex
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

from stillup.backup.timer import Timed, service, timer
from stillup.cli.arguments import Subparsers
from stillup.cli.backup_place import local_folder
from stillup.errors import EXIT_DONE, BackupFailed, InputRefused
from stillup.model.farm import Farm
from stillup.model.problems import printable

_RUNS = Path("/run/systemd/system")
_SYSTEM = Path("/etc/systemd/system")
_WITHIN_S = 60.0


def add(actions: Subparsers) -> None:
    """Add the action's parser."""
    parser = actions.add_parser(
        "timer",
        help="have this machine's systemd make backups",
        description="on writes a service and a timer for this machine's systemd, which makes a backup\n"
        "at `backup.at`; off removes them. As root the service runs as the farm file's owner and\n"
        "may write to the folder of backups alone; as a user they are units of your own.",
    )
    parser.add_argument("switch", choices=("on", "off"))


def run(arguments: Namespace, farm: Farm) -> int:
    """Do it; return the exit code."""
    if arguments.lab:
        raise InputRefused("a lab has no timer; leave out --lab")
    timed = _timed(arguments, farm)
    if not _RUNS.is_dir():
        command = shlex.join(timed.command)
        raise BackupFailed(
            f"this machine does not run systemd; in cron, a line does the same: 0 3 * * * {command}"
        )
    folder = _units_folder()
    units = [folder / f"{timed.name}.{kind}" for kind in ("service", "timer")]
    if arguments.switch == "on":
        _switch_on(timed, units)
    else:
        _switch_off(timed, units)
    return _told(arguments, timed, units)


def _timed(arguments: Namespace, farm: Farm) -> Timed:
    farm_path = arguments.file.resolve()
    folder = local_folder(arguments, farm)
    user = pwd.getpwuid(farm_path.stat().st_uid).pw_name if os.geteuid() == 0 else None
    writes = folder.resolve() if folder else None
    # As an absolute path: the service begins in another folder, and maybe as another user.
    place = ("--place", str(writes or arguments.place)) if arguments.place else ()
    command = (sys.executable, "-P", "-m", "stillup", "-f", str(farm_path), "backup", *place)
    return Timed(farm.name, command, user, writes, farm.backup.at)


def _units_folder() -> Path:
    if os.geteuid() == 0:
        return _SYSTEM
    config = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(config) / "systemd/user"


def _switch_on(timed: Timed, units: list[Path]) -> None:
    done = _ran("systemd-analyze", "calendar", "--", timed.at)
    if done.returncode != 0:
        raise InputRefused(
            f"backup.at: {printable(timed.at)} is no time that systemd knows; see systemd.time(7)"
        )
    try:
        if timed.writes is not None:
            timed.writes.mkdir(mode=0o700, parents=True, exist_ok=True)
            if timed.user is not None:
                owner = pwd.getpwnam(timed.user)
                os.chown(timed.writes, owner.pw_uid, owner.pw_gid)
        for unit, text in zip(units, (service(timed), timer(timed)), strict=True):
            unit.parent.mkdir(parents=True, exist_ok=True)
            new = unit.with_name(f".{unit.name}.new")
            new.write_text(text)
            new.rename(unit)
    except OSError as error:
        raise BackupFailed(f"{error.filename}: {error.strerror}") from error
    _systemctl("daemon-reload")
    _systemctl("enable", "--now", f"{timed.name}.timer")


def _switch_off(timed: Timed, units: list[Path]) -> None:
    if any(unit.exists() for unit in units):
        _systemctl("disable", "--now", f"{timed.name}.timer")
        for unit in units:
            unit.unlink(missing_ok=True)
        _systemctl("daemon-reload")


def _told(arguments: Namespace, timed: Timed, units: list[Path]) -> int:
    is_on = arguments.switch == "on"
    coming = None
    if is_on:
        asked = ("show", "-P", "NextElapseUSecRealtime", f"{timed.name}.timer")
        coming = _systemctl(*asked).strip() or None
    if arguments.json:
        told = {"timer": arguments.switch, "units": [str(unit) for unit in units], "next": coming}
        print(json.dumps(told, indent=2))
    elif is_on:
        print(f"{timed.name}.timer is on; the next backup: {coming or 'not known'}")
        if timed.user is None:
            print("`loginctl enable-linger` has it go on while you are logged out")
    else:
        print(f"{timed.name}.timer is off")
    return EXIT_DONE


def _systemctl(*words: str) -> str:
    mine = () if os.geteuid() == 0 else ("--user",)
    done = _ran("systemctl", *mine, *words)
    if done.returncode != 0:
        raise BackupFailed(f"`systemctl {' '.join((*mine, *words))}`: {done.stderr.strip()}")
    return done.stdout


def _ran(*argv: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=_WITHIN_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackupFailed(f"{argv[0]}: {error}") from error
