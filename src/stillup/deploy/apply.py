"""Apply: look at every server, plan, and do the steps one after another.

Interrupted anywhere (a key, a cut, a dead server) it leaves every server either as it was or
as it should be, drains marked as ours, and no lock; run again it looks, plans anew and carries
on. A server that fails stops the rest.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from stillup.deploy.events import Began, Done, Planned, Reached, Report, Stopped
from stillup.deploy.package import Package, pack
from stillup.deploy.plan import Plan, plan
from stillup.deploy.session import Sessions, lock_all, open_all, raise_all
from stillup.deploy.standing import Standing
from stillup.deploy.steps import Change, Step
from stillup.deploy.survey import Amend, Survey, as_written, survey
from stillup.deploy.view import Situation
from stillup.deploy.work import Work
from stillup.errors import ChangeRefused, ServerUnreachable, StillupError
from stillup.model.farm import Farm, Role, Secrets
from stillup.servers.connection import Access

CLEAN_UP_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user overrides; each field is the option of that name."""

    overwrite: bool = False
    force: bool = False
    skip_unreachable: bool = False

    def forces(self, option: str) -> bool:
        """Tell whether the refusal that ``option`` overrides is overridden."""
        return {
            "--overwrite": self.overwrite,
            "--force": self.force,
            "--skip-unreachable": self.skip_unreachable,
        }.get(option, False)


@dataclass
class Stop:
    """The user's wish to stop, heard at the next moment when nothing is half done."""

    asked: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an apply came to. No steps: there was nothing to change."""

    plan: Plan
    seconds: float


@dataclass(frozen=True)
class _Looked:
    plan: Plan
    survey: Survey
    package: Package | None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.package is not None:
            self.package.archive.close()


async def look(
    farm: Farm, secrets: Secrets, access: Access, source: Path, *, report: Report
) -> Plan:
    """Plan without changing or locking anything; what ``stillup plan`` shows.

    Servers that cannot be reached are refusals in the plan. ``source`` is the site's folder.
    """
    began = time.monotonic()
    async with open_all(access, farm.servers) as sessions:
        _tell_reached(sessions, began, report)
        with await _look(farm, secrets, source, sessions) as looked:
            return looked.plan


async def apply(
    farm: Farm,
    secrets: Secrets,
    access: Access,
    source: Path,
    *,
    wishes: Wishes | None = None,
    report: Report,
    stop: Stop | None = None,
    amend: Amend = as_written,
) -> Outcome:
    """Bring every server to what the farm file says, serving all the while.

    Args:
        farm: The farm.
        secrets: Its secrets.
        access: How its servers are reached.
        source: The site's folder, released to web servers that have no release.
        wishes: What the user overrides.
        report: Told what happens.
        stop: Set ``asked`` to end after the server under way.
        amend: Changes each server's bundle before it is compared.

    Raises:
        ChangeRefused: If it was not begun, or somebody else changes the farm right now.
        ServerUnreachable: If a server could not be reached, or was lost in the middle.
        ServerFailed: If a server could not do its part, or did not come up again.
        ChangeTakenBack: If a server did not come to health and is as it was before.
        InputRefused: If the site's folder is needed and cannot be released.
    """
    wishes = wishes or Wishes()
    began = time.monotonic()
    async with open_all(access, farm.servers) as sessions:
        _tell_reached(sessions, began, report)
        _require_reached(sessions, wishes)
        await lock_all(sessions, what="apply")
        done: tuple[Step, ...] = ()
        while True:
            with await _look(farm, secrets, source, sessions, amend) as looked:
                report(Planned(looked.plan))
                _refuse(looked.plan, wishes)
                work = Work(sessions, looked.survey, looked.package, wishes, report)
                await _run(looked.plan, work, stop or Stop(), report)
            done += looked.plan.steps
            # Each completes one change of who votes, so this ends.
            if not looked.plan.again:
                break
    return Outcome(replace(looked.plan, steps=done), time.monotonic() - began)


async def _look(
    farm: Farm, secrets: Secrets, source: Path, sessions: Sessions, amend: Amend = as_written
) -> _Looked:
    seen = await survey(farm, secrets, sessions, amend)
    package = (
        await asyncio.to_thread(pack, source) if _lacks_release(farm, seen.standings) else None
    )
    situation = Situation(
        farm,
        seen.standings,
        {name: str(error) for name, error in sessions.unreached.items()},
        package.release if package else None,
    )
    return _Looked(plan(situation), seen, package)


def _lacks_release(farm: Farm, standings: Mapping[str, Standing]) -> bool:
    return any(
        server.name in standings and standings[server.name].release is None
        for server in farm.having(Role.WEB)
    )


async def _run(plan: Plan, work: Work, stop: Stop, report: Report) -> None:
    """Do the steps; when one fails, put back what we hold of the balancers and tell the rest."""
    for position, step in enumerate(plan.steps):
        try:
            if stop.asked and not work.is_holding_anything:
                raise ChangeRefused("stopped as asked, with nothing left half done")
            began = time.monotonic()
            report(Began(step))
            await work.do(step)
            report(Done(step, time.monotonic() - began))
        except StillupError:
            report(Stopped(_servers(plan.steps[:position]), _servers(plan.steps[position:])))
            await _clean_up(work)
            raise


async def _clean_up(work: Work) -> None:
    try:
        async with asyncio.timeout(CLEAN_UP_WITHIN_S):
            await work.let_go()
    except TimeoutError:
        # What stays drained is marked as ours on the balancers; the next apply undrains it.
        return


def _servers(steps: tuple[Step, ...]) -> tuple[str, ...]:
    return tuple(name for step in steps if isinstance(step, Change) for name in step.servers)


def _tell_reached(sessions: Sessions, began: float, report: Report) -> None:
    unreached = tuple(str(error) for error in sessions.unreached.values())
    report(Reached(tuple(sessions.open), unreached, time.monotonic() - began))


def _require_reached(sessions: Sessions, wishes: Wishes) -> None:
    if not sessions.unreached or (wishes.skip_unreachable and sessions.open):
        return
    kinds = {type(error) for error in sessions.unreached.values()}
    kind = kinds.pop() if len(kinds) == 1 else ServerUnreachable
    sentences = "\n".join(str(error) for error in sessions.unreached.values())
    others = (
        "the other servers were left as they were; --skip-unreachable goes on without it"
        if sessions.open
        else "no server was reached"
    )
    raise kind(f"{sentences}\n{others}")


def _refuse(plan: Plan, wishes: Wishes) -> None:
    raise_all(
        ChangeRefused(str(refusal))
        for refusal in plan.refusals
        if plan.steps and not wishes.forces(refusal.forced_by)
    )
