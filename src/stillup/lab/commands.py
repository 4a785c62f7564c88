"""Runs the host's own tools (ip, nft, ssh-keygen) and says in one sentence what failed."""

import subprocess
from pathlib import Path

from stillup.errors import LabFailed


def run(command: list[str], given: str = "", *, inside: Path | None = None) -> str:
    """Run a short command to its end and return what it wrote.

    Args:
        command: The argument list.
        given: Its standard input.
        inside: A network namespace to run it in, as ``/proc/PID/ns/net``.

    Raises:
        LabFailed: If it is missing, takes longer than 30 s or fails; with its last words.
    """
    whole = command if inside is None else ["nsenter", f"--net={inside}", *command]
    try:
        done = subprocess.run(
            whole, input=given, capture_output=True, text=True, timeout=30, check=False
        )
    except FileNotFoundError:
        raise LabFailed(f"{whole[0]} is missing on this machine; install it") from None
    except subprocess.TimeoutExpired:
        raise LabFailed(f"{command[0]} did not end within 30 s") from None
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise LabFailed(f"{' '.join(command)}: {words[-1] if words else 'failed'}")
    return done.stdout
