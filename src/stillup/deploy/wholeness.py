"""Waiting until every copy of the database or of the shared files is whole again.

A copy that is received anew takes as long as there is data, so the bound is generous, and what is
still missing is told whenever it changes.
"""

from stillup.deploy.copies import copies
from stillup.deploy.events import Report, Told
from stillup.deploy.session import Sessions, part_of_state, until
from stillup.deploy.steps import AwaitWhole
from stillup.errors import ServerFailed
from stillup.model.farm import Role
from stillup.servers.connection import Connection

WHOLE_WITHIN_S = 1800.0
LEFT_OUT_WITHIN_S = 30.0
"""When another server of the role is left out: what is missing may be missing because of it."""
LOOK_EVERY_S = 1.0
"""A server is asked what its engines say, which costs more than a look at its HAProxy."""


async def await_whole(sessions: Sessions, step: AwaitWhole, report: Report) -> None:
    """Wait until each server of ``step`` says that its copy is whole.

    Raises:
        ServerFailed: If one does not in time, with what it says is missing.
    """
    missing: dict[str, str] = {}

    async def whole() -> bool:
        seen = await sessions.ask(lambda session: _missing(session, step.role), step.servers)
        now = {name: why for name, why in seen.items() if why}
        for name, why in now.items():
            if missing.get(name) != why:
                report(Told(name, why))
        missing.clear()
        missing.update(now)
        return not missing

    within_s = WHOLE_WITHIN_S if step.must else LEFT_OUT_WITHIN_S
    if await until(whole, within_s=within_s, every_s=LOOK_EVERY_S) or not step.must:
        return
    sentences = "; ".join(f"{name}: {why}" for name, why in missing.items())
    raise ServerFailed(
        f"not every copy is whole {within_s:g} s after the last change ({sentences}); the servers "
        "after these were left as they were; `stillup status` says more"
    )


async def _missing(session: Connection, role: Role) -> str:
    copy = copies(await part_of_state(session, "copies")).get(role)
    if copy is None:
        return f"says nothing of its copy of the {role}"
    return "" if copy.well else copy.why or "its copy is not whole"
