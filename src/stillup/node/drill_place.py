"""Where a drill's pages are on a web server, and by what names.

/var/lib/stillup-drill/TOKEN       the pages, as nginx finds them; root's, readable by PHP
                      /.TOKEN      the same, when the drill is over and they are being removed
                      /.MARK.code  what the timer runs
/etc/systemd/system/stillup-drill-MARK.{timer,service}   what removes it all, also after a reboot

A token is 32 hexadecimal digits that nobody can guess; its first eight are its mark, for names
that others on the server may see. Not below /var/lib/stillup, which is for root's eyes only.
"""

import json
import re
from pathlib import Path

from stillup.errors import InputRefused
from stillup.node.world import World, at

HOME = "/var/lib/stillup-drill"
LOCK = "/run/stillup/drill.lock"
TOKEN = re.compile(r"[0-9a-f]{32}")
MARK_LENGTH = 8
SETTINGS = "settings.json"
PROBE = "probe.php"


def require_token(token: str) -> None:
    """Return if that is a token.

    Raises:
        InputRefused: If it is not.
    """
    if not TOKEN.fullmatch(token):
        raise InputRefused("a drill's token has 32 hexadecimal digits")


def mark_of(token: str) -> str:
    """Return the part of a token that others may see."""
    return token[:MARK_LENGTH]


def home(world: World) -> Path:
    """Return the folder of all drills."""
    return at(world, HOME)


def code_of(mark: str) -> str:
    """Return the name of the folder with what the timer runs."""
    return f".{mark}.code"


def new_of(mark: str) -> str:
    """Return the name of the folder in which the pages are put together."""
    return f".{mark}.new"


def unit_of(mark: str, kind: str) -> str:
    """Return the name of the ``timer`` or the ``service``."""
    return f"stillup-drill-{mark}.{kind}"


def tokens(world: World) -> list[str]:
    """Return the drills whose pages are here, those being removed as well."""
    place = home(world)
    names = [path.name.removeprefix(".") for path in place.iterdir()] if place.is_dir() else []
    return sorted({name for name in names if TOKEN.fullmatch(name)})


def until_s(folder: Path) -> float:
    """Return when a drill is over, in seconds since 1970; 0 for a folder that does not say."""
    try:
        return float(json.loads((folder / SETTINGS).read_bytes())["until"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0
