"""The operations of a session for the pages that a drill's users ask for.

    drill.install  {"token": hex32, "seconds": int, "shared"?: path} -> {"until": seconds since 1970}
                   on a web server; again with the same token, the end is put off
    drill.begin    {"token"} -> {}; the table and the folder are made, through PHP's own pool
    drill.remove   {"token"} -> {}; pages, table and files are gone; what is not there is no error
    drill.kept     {"token", "kind": "row", "database": str} -> {"spans": [[first, last]]}
                   on a database server: the numbers that its own MariaDB has
                   {"token", "kind": "file", "folder": path} -> the same
                   on a storage server: the numbers that lie on its own disk

Imported when the first of them is asked for.
"""

from stillup.errors import ChangeRefused, InputRefused
from stillup.node import drill_install, drill_kept, drill_place, drill_pool, drill_removal
from stillup.node.message import Json, JsonObject
from stillup.node.requests import Operation, Session, number, text


def _install(session: Session, request: JsonObject) -> JsonObject:
    shared = text(request, "shared") if request.get("shared") is not None else None
    token, seconds = text(request, "token"), number(request, "seconds")
    return {"until": drill_install.install(session.world, token, seconds, shared)}


def _begin(session: Session, request: JsonObject) -> JsonObject:
    token = text(request, "token")
    drill_place.require_token(token)
    if token not in drill_place.tokens(session.world):
        raise ChangeRefused("this drill's pages are not here; drill.install comes first")
    drill_pool.do(session.world, token, "begin")
    return {}


def _remove(session: Session, request: JsonObject) -> JsonObject:
    token = text(request, "token")
    drill_place.require_token(token)
    drill_removal.remove(session.world, drill_place.mark_of(token))
    return {}


def _kept(session: Session, request: JsonObject) -> JsonObject:
    token = text(request, "token")
    match text(request, "kind"):
        case "row":
            found = drill_kept.rows(session.world, token, text(request, "database"))
        case "file":
            found = drill_kept.files(session.world, token, text(request, "folder"))
        case other:
            raise InputRefused(f"drill.kept: nothing is kept of the kind {other!r}")
    told: list[Json] = [[first, last] for first, last in found]
    return {"spans": told}


OPERATIONS: dict[str, Operation] = {
    "drill.install": _install,
    "drill.begin": _begin,
    "drill.remove": _remove,
    "drill.kept": _kept,
}
