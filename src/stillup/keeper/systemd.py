"""Starts and stops MariaDB's service and tells systemd how the keeper is: acting.

MariaDB starts with a *permit* only: how it is to start, once. ``mariadb-kept.service`` asks for it. So an
upgrade of its package, or a person, cannot start it in a way that the keepers did not agree on, and
a start that was interrupted leaves nothing behind that a later one would find.
"""

import json
import os
import shlex
import socket
import subprocess
import time
from pathlib import Path

from stillup.errors import ServerFailed

UNIT = "mariadb.service"
PERMIT = Path("/run/stillup/database/permit.json")
START = Path("/run/stillup/database/start.env")
PERMIT_S = 5.0
COMMAND_S = 10.0


def state() -> str:
    """Return systemd's word for MariaDB's service: ``active``, ``activating``, ``inactive``, ...

    Raises:
        ServerFailed: If systemd does not answer.
    """
    return _systemctl("show", "--property=ActiveState", "--value", UNIT).strip()


def start(options: tuple[str, ...]) -> None:
    """Have MariaDB started with these options.

    Raises:
        ServerFailed: If systemd refuses.
    """
    permit = {"options": list(options), "until_s": time.monotonic() + PERMIT_S}
    PERMIT.parent.mkdir(parents=True, exist_ok=True)
    PERMIT.write_text(json.dumps(permit), "utf-8")
    # One that failed before does not stand in the way.
    _systemctl("reset-failed", UNIT)
    _systemctl("start", "--no-block", UNIT)


def forbid() -> None:
    """Take back a permit that nobody has used."""
    PERMIT.unlink(missing_ok=True)


def take_permit() -> None:
    """Use the permit: what ``mariadb-kept.service`` calls before MariaDB starts.

    Raises:
        ServerFailed: If there is none, or it is too old.
    """
    try:
        permit = json.loads(PERMIT.read_text("utf-8"))
        PERMIT.unlink()
        options, until_s = permit["options"], float(permit["until_s"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ServerFailed(
            "MariaDB is started by stillup-database.service alone, when the database servers agree: "
            "`systemctl start stillup-database`"
        ) from error
    if time.monotonic() > until_s:
        raise ServerFailed("the permit to start MariaDB has run out; the keeper writes another")
    START.write_text(f'STILLUP_START="{shlex.join(options)}"\n', "utf-8")


def stop(*, hard: bool) -> None:
    """Have MariaDB stopped, at once and without order if ``hard``.

    Raises:
        ServerFailed: If systemd refuses.
    """
    _systemctl("stop", "--no-block", UNIT)
    if hard:
        kill()


def kill() -> None:
    """End MariaDB at once, as a power cut would."""
    _systemctl("kill", "--signal=KILL", UNIT)


def tell(message: str) -> None:
    """Tell systemd about this daemon, as ``READY=1``; nothing where there is no systemd."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.connect("\0" + path[1:] if path.startswith("@") else path)
        notify.sendall(message.encode())


def _systemctl(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["systemctl", *arguments],
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerFailed(f"systemctl {arguments[0]} {UNIT}: no answer: {error}") from error
    if done.returncode != 0 and arguments[0] in ("start", "stop", "show"):
        raise ServerFailed(f"systemctl {arguments[0]} {UNIT}: {done.stderr.strip()}")
    return done.stdout
