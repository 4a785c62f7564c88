"""Asks a page of a drill at PHP's own pool, past nginx and the balancers."""

from stillup.errors import ServerFailed
from stillup.node import fcgi
from stillup.node.drill_place import HOME, PROBE
from stillup.node.world import World, at

ANSWERS_S = 45.0
"""The slowest page removes files for 20 s, and may wait for the storage and the database."""
MOST_TIMES = 100
DONE, AGAIN = 200, 202


def do(world: World, folder: str, deed: str) -> None:
    """Have the page ``deed`` of the drill in ``folder`` (below the home of all) do its work, wholly.

    Raises:
        ServerFailed: If PHP does not answer, or says that it could not.
    """
    script = f"{HOME}/{folder}/{PROBE}"
    status, told = AGAIN, ""
    for _ in range(MOST_TIMES):
        status, told = _asked(world, script, deed)
        if status != AGAIN:
            break
    if status != DONE:
        raise ServerFailed(f"the drill's page {deed!r} answers {status}: {told}")


def _asked(world: World, script: str, deed: str) -> tuple[int, str]:
    words = {"REQUEST_METHOD": "POST", "REQUEST_URI": f"/{deed}", "CONTENT_LENGTH": "0"}
    try:
        out, _ = fcgi.call(at(world, fcgi.POOL), script, ANSWERS_S, words)
    except (OSError, ValueError) as error:
        raise ServerFailed(f"PHP does not answer here: {error}") from error
    return fcgi.status(out), fcgi.body(out).decode(errors="replace").strip()[:300]
