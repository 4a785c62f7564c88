"""The storage keeper: looks, decides (``storage_step``), acts, and writes down what it saw."""

import json
import sys
import time
from pathlib import Path

from stillup.errors import ServerFailed
from stillup.keeper import storage_step as step
from stillup.keeper.storage_gluster import Gluster
from stillup.keeper.storage_seen import Storage
from stillup.keeper.storage_settings import STATE, StorageSettings

BUSY_S = 2.0
CALM_S = 5.0
REFUSED_S = 5.0
OLD_S = 15.0


def run(settings: StorageSettings) -> None:
    """Keep the storage, for ever."""
    Path(STATE).parent.mkdir(parents=True, exist_ok=True)
    gluster = Gluster(settings)
    said = ""
    while True:
        seen = gluster.look(time.monotonic())
        wanted = step.next_storage_step(settings, seen)
        write(settings, seen, wanted)
        said = _say(said, wanted)
        try:
            gluster.act(wanted)
        except ServerFailed as error:
            sys.stderr.write(f"storage refused {error}\n")
            write(settings, seen, step.Wait(str(error)))
            time.sleep(REFUSED_S)
        calm = isinstance(wanted, step.Rest) and not step.well(settings, seen)
        time.sleep(CALM_S if calm else BUSY_S)


def silent() -> str:
    """Return why the keeper has not looked just now, or "" if it has."""
    try:
        age_s = time.time() - Path(STATE).stat().st_mtime
    except OSError:
        return "the storage's keeper has not looked yet"
    return "" if age_s < OLD_S else f"the storage's keeper has not looked for {age_s:.0f} s"


def write(settings: StorageSettings, seen: Storage, wanted: step.Step) -> None:
    """Write what was seen, for ``stillup status``; its age is the file's."""
    place = Path(STATE)
    beside = place.with_name(".state.new")
    beside.write_text(json.dumps(as_json(settings, seen, wanted)))
    beside.replace(place)


def as_json(settings: StorageSettings, seen: Storage, wanted: step.Step) -> dict[str, object]:
    """Return one look as ``stillup.node`` reads it."""
    why = step.well(settings, seen)
    return {
        "name": settings.name,
        "well": not why,
        "why": wanted.why if why and isinstance(wanted, step.Wait) else why,
        "doing": type(wanted).__name__,
        "arbiter": settings.own.is_arbiter,
        "born": seen.volume is not None,
        "pending": seen.pending,
        "connected": sorted(settings.named(address) for address in seen.connected),
        "peers": [m.name for m in settings.members if m != settings.own and not m.is_arbiter],
    }


def _say(said: str, wanted: step.Step) -> str:
    """Log a step when it is another one than the last."""
    words = f"storage step={wanted}"
    if words != said:
        sys.stderr.write(f"{words}\n")
    return words
