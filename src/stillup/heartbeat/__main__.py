"""``python3 -m stillup.heartbeat run|check|reload|status|metrics|yield|failover|resume``.

``run`` is the daemon, ``check`` its settings' checker, the others ask the daemon that runs.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from stillup.errors import EXIT_DONE, EXIT_WORLD, InputRefused, ServerFailed, StillupError
from stillup.heartbeat import hooks, key_file, process, settings, succession
from stillup.heartbeat.control import ask
from stillup.heartbeat.settings import CONTROL, DaemonSettings
from stillup.heartbeat.settings_reader import Json
from stillup.heartbeat.succession import Heir

CONFIG = "/etc/stillup/heartbeat.json"
RELOAD_S = 30.0

if TYPE_CHECKING:
    from stillup.heartbeat.daemon import Daemon


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        match arguments.command:
            case "run":
                return run(arguments.config, arguments.control)
            case "check":
                return check(arguments.config)
            case "reload":
                return reload(arguments.config, arguments.control)
            case "yield":
                question: dict[str, Json] = {"op": "yield", "seconds": arguments.seconds}
                question["to"], question["address"] = arguments.to, arguments.address
                return tell(arguments.control, question)
            case "failover":
                question = {"op": "failover", "to": arguments.to, "address": arguments.address}
                return tell(arguments.control, question)
            case "resume":
                return tell(arguments.control, {"op": "resume", "address": arguments.address})
            case other:
                return tell(arguments.control, {"op": other})
    except StillupError as error:
        sys.stderr.write(f"stillup-heartbeat: {error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"stillup-heartbeat: {error}\n")
        return EXIT_WORLD


def run(config: Path, control: Path | None) -> int:
    """Be the daemon, with the settings and keys in these files or handed over by systemd."""
    heir = succession.heir(os.environ)
    try:
        told, keys = given(config, heir)
    except (StillupError, OSError) as error:
        if heir is not None:
            heir.refuse(error)
        raise
    return serve(told, keys, control, heir)


def given(config: Path, heir: Heir | None) -> tuple[DaemonSettings, Mapping[int, bytes]]:
    """Return the settings and the keys.

    Args:
        config: The settings' file, where systemd has no copy of it.
        heir: If this process is to go on where another one stops.

    Raises:
        InputRefused: If they cannot be read, are wrong, or are older than those in force.
    """
    handed = os.environ.get("CREDENTIALS_DIRECTORY")
    if heir is not None and heir.files:
        # systemd's copies are from the service's start; these are as they are now.
        settings_descriptor, key_descriptor = heir.files
        told = settings.parse(_content(settings_descriptor), str(config))
        return told, key_file.keys(_content(key_descriptor), told.key_file)
    if handed and (Path(handed) / config.name).exists():
        if heir is not None:
            # Who votes may have changed since, and votes by a list of long ago are not safe.
            raise InputRefused(
                "the settings that systemd handed over are as old as this service; run: "
                "systemctl reload stillup-heartbeat"
            )
        config = Path(handed) / config.name
    told = settings.load(config)
    return told, key_file.load_keys(told.key_file, handed)


def serve(
    told: DaemonSettings,
    keys: Mapping[int, bytes],
    control: Path | None,
    heir: Heir | None = None,
) -> int:
    """Be the daemon, with these settings and keys, or its successor."""
    heir = heir or succession.heir(os.environ)
    if heir is None:
        _daemon(told, keys, control, None).run()
        return EXIT_DONE
    try:
        daemon = _daemon(told, keys, control, heir)
        heir.take()
    except (StillupError, OSError) as error:
        heir.refuse(error)
        raise
    daemon.run()
    return EXIT_DONE


def _daemon(
    told: DaemonSettings, keys: Mapping[int, bytes], control: Path | None, heir: Heir | None
) -> "Daemon":
    """Return the daemon, with what a predecessor has handed over if it is a successor."""
    from stillup.heartbeat.daemon import Daemon

    folder = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    runtime = Path(folder) if folder else None
    if control is None:
        control = runtime / "control.sock" if runtime else Path(CONTROL)
    runner = hooks.runner() if told.on_acquire or told.on_release else None
    if heir is None:
        return Daemon(told, keys, control, runtime, None, runner)
    # What takes long is done before the predecessor stops.
    process.settle()
    return Daemon(told, keys, control, runtime, heir.receive(), runner)


def _content(descriptor: int) -> bytes:
    with open(descriptor, "rb") as file:
        return file.read()


def reload(config: Path, control: Path | None) -> int:
    """Have the running daemon replaced by its program as it is now, with these settings."""
    told = settings.load(config)
    key_file.load_keys(told.key_file, None)
    question: dict[str, Json] = {"op": "reload"}
    with _memory(settings.content(config)) as settings_file, Path(told.key_file).open("rb") as key:
        files = (settings_file.fileno(), key.fileno())
        answer = ask(control or Path(CONTROL), question, files, RELOAD_S)
    sys.stdout.write(json.dumps(answer, indent=2) + "\n")
    former = answer.get("restarts")
    if isinstance(former, int):
        # Whoever reloads servers one after another must not take the votes of two at a time.
        await_vote(control or Path(CONTROL), former)
    return EXIT_DONE


def _memory(data: bytes) -> BinaryIO:
    """Return a file that is nowhere but in memory: settings and change are one for the daemon."""
    file = os.fdopen(os.memfd_create("settings"), "w+b")
    file.write(data)
    file.seek(0)
    return file


def await_vote(control: Path, former: int) -> None:
    """Wait until the daemon that follows on process ``former`` votes.

    Raises:
        ServerFailed: If it does not in time.
    """
    end_s = time.monotonic() + RELOAD_S
    while True:
        time.sleep(0.1)  # the old one ends, systemd starts the new one: nothing tells when
        try:
            status = ask(control, {"op": "status"})
        except ServerFailed:
            status = {}
        if status.get("silent_s") == 0 and status.get("pid") != former:
            return
        if time.monotonic() > end_s:
            raise ServerFailed(
                f"the heartbeat was restarted and does not vote after {RELOAD_S:.0f} s; "
                "see `journalctl -u stillup-heartbeat`"
            )


def check(config: Path) -> int:
    """Say whether the settings and the key are right; a problem is raised."""
    told = settings.load(config)
    key_file.load_keys(told.key_file, None)
    sys.stdout.write(f"{config}: the settings of {told.name} are right\n")
    return EXIT_DONE


def tell(control: Path | None, question: dict[str, Json]) -> int:
    """Ask the daemon and print its answer as JSON."""
    answer = ask(control or Path(CONTROL), question)
    text = answer.get("text")
    sys.stdout.write(text if isinstance(text, str) else json.dumps(answer, indent=2) + "\n")
    return EXIT_DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stillup-heartbeat", description="The virtual-IP daemon of stillup."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("run", "be the daemon"),
        ("check", "say whether the settings and the key are right"),
        ("reload", "have the daemon replaced by its program, settings and key as they are now"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--config", type=Path, default=Path(CONFIG), help=f"[{CONFIG}]")
        command.add_argument("--control", type=Path, default=None, help="its socket")
    for name, text in (
        ("status", "print how it stands, as JSON"),
        ("metrics", "print it for Prometheus"),
        ("yield", "let go to another candidate, and do not stand for a while"),
        ("failover", "hand over to another candidate, for good"),
        ("resume", "stand again"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--control", type=Path, default=None, help=f"[{CONTROL}]")
        if name != "status":
            command.add_argument(
                "--address", metavar="VIP", default=None, help="which virtual IP [all of them]"
            )
        if name == "yield":
            command.add_argument("--seconds", type=float, default=30.0, help="for how long [30]")
        if name in ("yield", "failover"):
            command.add_argument("--to", default=None, help="to which candidate [any]")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
