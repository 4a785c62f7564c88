"""Doing an apply's steps: each handler asks servers, and waits, with a bound, until it is so."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol, assert_never

from stillup.deploy.events import Report, Told
from stillup.deploy.package import Package
from stillup.deploy.session import Sessions, part_of_state, pause, together, until
from stillup.deploy.standing import BY_APPLY, Backend, Heartbeat, backends, changes, heartbeat
from stillup.deploy.steps import (
    AwaitHolder,
    AwaitUp,
    AwaitVote,
    AwaitWhole,
    Change,
    Drain,
    Elect,
    FirstRelease,
    Forget,
    Found,
    OutwaitGrants,
    Resume,
    Step,
    TakeLead,
    Undrain,
    Yield,
)
from stillup.deploy.survey import Survey
from stillup.deploy.upload import switch, upload
from stillup.deploy.wholeness import await_whole
from stillup.errors import ChangeRefused, ServerFailed
from stillup.node.message import JsonObject
from stillup.servers.connection import Connection

# A server may install packages in silence for long; that it died is seen by SSH's keepalives.
CHANGE_WITHIN_S = 1800.0
DRAIN_WITHIN_S = 30.0
UP_WITHIN_S = 30.0
HOLDER_WITHIN_S = 15.0
YIELD_FOR_S = 120
DRAIN_SLACK_S = 10.0
TAKE_WITHIN_S = 90.0


class Forced(Protocol):
    """What the user overrides, as far as steps ask for it."""

    @property
    def overwrite(self) -> bool:
        """Whether files that were changed by hand are replaced."""
        ...

    @property
    def force(self) -> bool:
        """Whether to go on where users may feel it."""
        ...


class Work:
    """The steps' handlers, and what we hold of the balancers at the moment."""

    def __init__(
        self,
        sessions: Sessions,
        survey: Survey,
        package: Package | None,
        forced: Forced,
        report: Report,
    ) -> None:
        self._sessions = sessions
        self._survey = survey
        self._package = package
        self._forced = forced
        self._report = report
        self._drained: dict[str, tuple[str, ...]] = {}
        self._yielded: list[str] = []

    @property
    def is_holding_anything(self) -> bool:
        """Whether a server is drained, or has handed the address over, because of us."""
        return bool(self._drained or self._yielded)

    async def do(self, step: Step) -> None:
        """Do one step to its end."""
        match step:
            case Drain():
                await self._drain(step)
            case Undrain():
                await self._undrain(step.web, step.at)
            case Change():
                await self._change(step)
            case FirstRelease():
                await self._first_release(step)
            case Yield():
                await self._yield(step)
            case Resume():
                await self._resume(step.balancer)
            case AwaitUp() | AwaitVote() | AwaitHolder() | AwaitWhole() | OutwaitGrants():
                await self._await(step)
            case Found() | TakeLead():
                await self._database(step)
            case Elect() | Forget():
                await self._elect(step)
            case _:
                assert_never(step)

    async def _await(
        self, step: AwaitUp | AwaitVote | AwaitHolder | AwaitWhole | OutwaitGrants
    ) -> None:
        match step:
            case AwaitUp():
                await self._await_up(step)
            case AwaitVote():
                await self._await_vote(step.servers)
            case AwaitHolder():
                await self._await_holder(step.balancers)
            case AwaitWhole():
                step = replace(step, must=step.must and not self._forced.force)
                await await_whole(self._sessions, step, self._report)
            case OutwaitGrants():
                await pause(step.seconds)

    async def let_go(self) -> None:
        """Give users back to what we drained, and the address to who may hold it.

        After a failure: whether a server is fit to serve is for the balancers' checks to say.
        What cannot be reached is left; the next apply finds it.
        """
        for web, at in list(self._drained.items()):
            await together({name: self._set_drain(name, web, drain=False) for name in at})
        for balancer in list(self._yielded):
            await together({balancer: self._vip(balancer, "resume")})

    async def _database(self, step: Found | TakeLead) -> None:
        action = "found" if isinstance(step, Found) else "take"
        session = self._sessions.open[step.server]
        await session.request("database", {"action": action}, within_s=TAKE_WITHIN_S)

    async def _drain(self, step: Drain) -> None:
        if not step.for_good:
            self._drained[step.web] = step.at
        left: dict[str, int] = {}

        async def empty() -> bool:
            left.update(
                await self._sessions.ask(
                    lambda session: _drain(session, step.web, drain=True), step.at
                )
            )
            return not any(left.values())

        if not await until(empty, within_s=DRAIN_WITHIN_S):
            self._report(Told(step.web, f"{sum(left.values())} open sessions are not awaited"))

    async def _undrain(self, web: str, at: tuple[str, ...]) -> None:
        await self._sessions.ask(lambda session: _drain(session, web, drain=False), at)
        self._drained.pop(web, None)

    async def _set_drain(self, balancer: str, web: str, *, drain: bool) -> None:
        await _drain(self._sessions.open[balancer], web, drain=drain)

    async def _change(self, step: Change) -> None:
        survey = self._survey
        bundles = {**survey.bundles, **survey.keeping} if step.keeps_old else survey.bundles

        async def change(session: Connection) -> None:
            name = session.server.name
            answer = await session.request(
                "apply",
                {"bundle": bundles[name], "overwrite": self._forced.overwrite},
                on_event=lambda event: self._report(Told(name, _words(event))),
                within_s=CHANGE_WITHIN_S,
            )
            count = len(changes(answer.get("changed")))
            self._report(Told(name, f"{count} changes in {answer.get('seconds', 0)} s"))

        await self._sessions.ask(change, step.servers)

    async def _first_release(self, step: FirstRelease) -> None:
        assert self._package is not None
        package = self._package
        await self._sessions.ask(lambda session: upload(session, package), step.servers)
        await self._sessions.ask(lambda session: switch(session, step.release), step.servers)

    async def _await_up(self, step: AwaitUp) -> None:
        missing: list[str] = []

        async def all_up() -> bool:
            seen = await self._sessions.ask(_backends, step.at)
            missing[:] = [
                f"{balancer} does not see {web} up"
                for balancer, views in seen.items()
                for web in step.webs
                if not (views and web in views and views[web].up)
            ]
            return not missing

        if await until(all_up, within_s=UP_WITHIN_S):
            return
        text = f"{'; '.join(missing)} after {UP_WITHIN_S:g} s"
        if step.must:
            raise ServerFailed(f"{text}; `stillup status` says why")
        self._report(Told(", ".join(step.webs), text))

    async def _yield(self, step: Yield) -> None:
        mine = await _heartbeat(self._sessions.open[step.balancer])
        if mine is None or not mine.holding:
            return
        peers = await self._sessions.ask(_heartbeat, step.peers)
        able = [name for name, peer in peers.items() if peer and peer.healthy]
        if not able:
            if self._forced.force:
                self._report(Told(step.balancer, "no other balancer can take the virtual IP"))
                return
            reasons = "; ".join(
                f"{name}: {peer.reason if peer else 'its heartbeat is silent'}"
                for name, peer in peers.items()
            )
            raise ChangeRefused(
                f"{step.balancer} holds the virtual IP and no other balancer could take it "
                f"({reasons}), so it was left as it was; --force changes it all the same"
            )
        self._yielded.append(step.balancer)
        # To one of them by name: a balancer that is leaving the farm may be as fit.
        await self._vip(step.balancer, "yield", able[0])
        await self._await_holder(step.peers)
        await self._await_drained(step.balancer)

    async def _await_drained(self, balancer: str) -> None:
        """Wait for the connections that live on where the address was handed over.

        It ends those that are open too long, so this has a bound of its own making.
        """
        session = self._sessions.open[balancer]
        first = await _heartbeat(session)
        if first is None or not first.drain_left_s:
            return
        self._report(Told(balancer, f"{first.open} open connections are waited for"))

        async def drained() -> bool:
            seen = await _heartbeat(session)
            if seen is not None and seen.yielding_s < YIELD_FOR_S / 2:
                # Else the address would come back before they have ended.
                await self._vip(balancer, "yield")
            return seen is None or not seen.drain_left_s

        if not await until(drained, within_s=first.drain_left_s + DRAIN_SLACK_S):
            self._report(Told(balancer, "its open connections are not awaited any longer"))
        # The time that it stands back counts from here: the wait may have been long.
        await self._vip(balancer, "yield")

    async def _resume(self, balancer: str) -> None:
        await self._vip(balancer, "resume")
        if balancer in self._yielded:
            self._yielded.remove(balancer)

        async def fit() -> bool:
            mine = await _heartbeat(self._sessions.open[balancer])
            return mine is not None and mine.healthy

        if not await until(fit, within_s=HOLDER_WITHIN_S):
            raise ServerFailed(
                f"{balancer} is not fit to hold the virtual IP {HOLDER_WITHIN_S:g} s after its "
                "change; `stillup status` says why"
            )

    async def _vip(self, balancer: str, action: str, to: str | None = None) -> None:
        arguments: JsonObject = {"action": action}
        if action == "yield":
            arguments["seconds"] = YIELD_FOR_S
        if to is not None:
            arguments["to"] = to
        await self._sessions.open[balancer].request("vip", arguments)

    async def _elect(self, step: Elect | Forget) -> None:
        servers = step.servers if isinstance(step, Forget) else (step.server,)
        change = None if isinstance(step, Forget) else step.change.as_json()
        # One after another: a daemon that does not take it stops the round at the first.
        for server in servers:
            await self._sessions.open[server].request("electorate", {"change": change})

    async def _await_vote(self, servers: tuple[str, ...]) -> None:
        async def all_vote() -> bool:
            seen = await self._sessions.ask(_heartbeat, servers)
            return all(one is not None and one.votes for one in seen.values())

        if not await until(all_vote, within_s=HOLDER_WITHIN_S):
            raise ServerFailed(
                f"{', '.join(servers)}: the heartbeat does not vote {HOLDER_WITHIN_S:g} s after "
                "the change; `stillup status` says why"
            )

    async def _await_holder(self, balancers: tuple[str, ...]) -> None:
        async def held() -> bool:
            seen = await self._sessions.ask(_heartbeat, balancers)
            return any(peer is not None and peer.holding for peer in seen.values())

        if not await until(held, within_s=HOLDER_WITHIN_S):
            raise ServerFailed(
                f"none of {', '.join(balancers)} holds the virtual IP after {HOLDER_WITHIN_S:g} s; "
                "`stillup status` says why"
            )


async def _drain(session: Connection, web: str, *, drain: bool) -> int:
    arguments: JsonObject = {"server": web, "drain": drain, "by": BY_APPLY}
    sessions = (await session.request("drain", arguments)).get("sessions")
    return sessions if isinstance(sessions, int) else 0


async def _backends(session: Connection) -> Mapping[str, Backend] | None:
    return backends(await part_of_state(session, "haproxy"))


async def _heartbeat(session: Connection) -> Heartbeat | None:
    return heartbeat(await part_of_state(session, "heartbeat"))


def _words(event: JsonObject) -> str:
    return " ".join(str(event[key]) for key in ("step", "detail") if event.get(key))
