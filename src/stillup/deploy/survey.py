"""Looking at every server before a change: facts, bundle, comparison, state, all at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from stillup.deploy.session import Sessions
from stillup.deploy.standing import Standing, compared, standing
from stillup.model.farm import Farm, Role, Secrets
from stillup.node.bundle import Bundle, Facts
from stillup.node.codec import encode
from stillup.node.message import JsonObject
from stillup.parts.bundle import wanted
from stillup.servers.code import server_code
from stillup.servers.connection import Connection

LOOK_WITHIN_S = 60.0
Amend: TypeAlias = Callable[[Bundle], Bundle]
"""Changes what a server is to have; a drill changes it beyond what any farm file can say."""


def as_written(bundle: Bundle) -> Bundle:
    """Return the bundle as it is made of the farm file."""
    return bundle


@dataclass(frozen=True, slots=True)
class Survey:
    """How the reached servers stand, and the bundle of each, ready to send."""

    standings: Mapping[str, Standing]
    bundles: Mapping[str, JsonObject]
    keeping: Mapping[str, JsonObject]
    """Those of the database servers as they are meanwhile: the site's old account still valid."""


async def survey(
    farm: Farm, secrets: Secrets, sessions: Sessions, amend: Amend = as_written
) -> Survey:
    """Look at every server that has a session; changes nothing.

    Raises:
        ServerFailed: If one is no Debian we know, or could not compare.
        ServerUnreachable: If one was lost meanwhile.
    """
    bundles: dict[str, JsonObject] = {}
    keeping: dict[str, JsonObject] = {}

    async def look(session: Connection) -> Standing:
        server = session.server
        facts = _facts(await session.request("facts", {"address": str(server.address)}))
        code = server_code()
        bundle = encode(amend(wanted(farm, server, secrets, facts, code)))
        bundles[server.name] = bundle
        if Role.DATABASE in server.roles:
            meanwhile = wanted(farm, server, secrets, facts, code, keeps_old=True)
            keeping[server.name] = encode(amend(meanwhile))
        answer = await session.request("compare", {"bundle": bundle}, within_s=LOOK_WITHIN_S)
        state = await session.request("state", within_s=LOOK_WITHIN_S)
        return standing(server.name, compared(answer), state)

    return Survey(await sessions.ask(look), bundles, keeping)


def _facts(answer: JsonObject) -> Facts:
    debian, port = answer.get("debian"), answer.get("ssh_port")
    return Facts(
        debian if isinstance(debian, int) else 0,
        str(answer.get("php", "")),
        str(answer.get("interface", "")),
        str(answer.get("python", "")),
        port if isinstance(port, int) else 0,
        answer.get("filters") is not False,
    )
