"""``python3 -m stillup.keeper.storage``: the shared storage's programs on a server.

keep    the keeper, on the storage servers and their arbiter (``stillup-storage.service``)
seed    before Gluster starts: its identity and its pool
choose  on a web server, before the storage is mounted: a server that answers
watch   on a web server: looks at the mounted storage
ready   whether the mounted storage is well, or there is no volume yet to mount
looks   whether the keeper has looked just now
check   reads the settings that are there
"""

import sys
from pathlib import Path

from stillup.errors import InputRefused, StillupError
from stillup.keeper import (
    storage_daemon,
    storage_mount,
    storage_seed,
    storage_settings,
    storage_watch,
)


def main(arguments: list[str]) -> int:
    """Run one of them; return the exit code."""
    try:
        return _run(*arguments)
    except StillupError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


def _run(what: str = "") -> int:
    if what == "keep":
        storage_daemon.run(_storage())
    elif what == "seed":
        storage_seed.seed(_storage())
    elif what == "choose":
        storage_mount.choose(_shared())
    elif what == "watch":
        storage_watch.run(_shared())
    elif what == "ready":
        return _told(storage_mount.missing(_shared()))
    elif what == "looks":
        return _told(storage_daemon.silent())
    elif what == "check":
        _check()
    else:
        raise InputRefused("say keep, seed, choose, watch, ready, looks or check")
    return 0


def _told(why: str) -> int:
    if why:
        sys.stderr.write(f"{why}\n")
    return 1 if why else 0


def _check() -> None:
    if Path(storage_settings.PATH).exists():
        _storage()
    if Path(storage_mount.PATH).exists():
        _shared()


def _storage() -> storage_settings.StorageSettings:
    return storage_settings.read_settings(_text(storage_settings.PATH))


def _shared() -> storage_mount.SharedSettings:
    return storage_mount.read_settings(_text(storage_mount.PATH))


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise InputRefused(f"{path}: {error.strerror}") from error


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
