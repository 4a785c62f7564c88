"""What a farm must endure under load, and what of it is looked at afterwards.

Each function does one thing to a farm while writers write through the virtual IP, waits until the
farm says that its redundancy is whole again, and returns what was broken, as sentences: none is
what is wanted. Tests and ``python -m tests.lab.endurance`` use the same ones.
"""

import asyncio
import hashlib
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.history import (
    FILE,
    ROW,
    SESSION,
    History,
    missing,
    never_answered,
    sessions_begun_anew,
)
from tests.lab.running import RunningLab, copy_of, lab_of
from tests.lab.writing import Writing, add_probe, writing

from stillup.deploy.copies import copies
from stillup.deploy.session import open_all
from stillup.lab import machine
from stillup.lab.access import lab_access
from stillup.lab.lab import Lab
from stillup.model.farm import Farm, Role, Server
from stillup.model.read import read_farm
from stillup.node.message import JsonObject
from stillup.servers.connection import Connection

GAPS_S = {ROW: 4.0, SESSION: 4.0, FILE: 6.0}
"""Nothing of a kind may be acknowledged for so long."""
STEADY_S = 1.5
"""Writing goes on for so long before and after what is done to the farm."""
DARK_S = 7.0
"""For so long a server stays off or cut off: longer than any gap that is allowed."""
BACK_S = 4.0
WHOLE_S = 240
APPLY_S = 600
LOOK_EVERY_S = 1.0
RUN = 1_000_000
"""Each run writes numbers of its own."""
BRICK = "/srv/stillup/brick/data/uploads/probe"


@dataclass
class Enduring:
    """A farm in the lab that is written to, and all that was acknowledged so far."""

    running: RunningLab
    report: Callable[[str], None]
    way: str = ""
    """How the session is kept, if not as the farm does it."""
    runs: int = 0
    rows: set[int] = field(default_factory=set)
    files: set[int] = field(default_factory=set)

    @property
    def names(self) -> tuple[str, ...]:
        """All servers."""
        return tuple(server.name for server in self.running.farm.servers)

    def lose(self, name: str) -> list[str]:
        """Pull the plug of one server, switch it on again after a while."""
        with self._writing() as (load, lasting):
            self.running.lab.power(name, on=False)
            lasting(DARK_S)
            self.running.lab.power(name, on=True)
            # It takes part again while users write.
            lasting(BACK_S)
            history = load.stop()
        return [*self._whole(), *self._judge(f"{name} off", history, bounded=True)]

    def cut(self, name: str) -> list[str]:
        """Cut one server off all others; the client reaches it still."""
        others = [other for other in self.names if other != name]
        with self._writing() as (load, lasting):
            self.running.lab.cut(name, silent=True, others=others)
            lasting(DARK_S)
            broken = [*self._minority_writes(name)]
            self.running.lab.heal()
            lasting(BACK_S)
            history = load.stop()
        broken += self._whole()
        return [*broken, *self._judge(f"{name} cut off", history, bounded=False)]

    def lose_all(self, seed: int) -> list[str]:
        """Pull every plug at once, and switch all on again in an order of the seed's."""
        order = list(self.names)
        random.Random(seed).shuffle(order)
        with self._writing() as (load, _):
            for name in self.names:
                self.running.lab.power(name, on=False)
            history = load.stop()
        for name in order:
            self.running.lab.power(name, on=True)
        began_s = time.monotonic()
        broken = self._whole()
        took = f"serving again {time.monotonic() - began_s:.0f} s after the last"
        return [
            *broken,
            *self._judge(f"all off, back {' '.join(order)}, {took}", history, bounded=False),
        ]

    def change(self, what: str, edit: Callable[[str], str]) -> list[str]:
        """Edit the farm file and apply it, as a person does, while users write."""
        with self._writing() as (load, lasting):
            broken = self._applied(edit)
            lasting(BACK_S)
            history = load.stop()
        return [*broken, *self._whole(), *self._judge(what, history, bounded=True)]

    def replace(self, name: str) -> list[str]:
        """Have a server die for good, and an empty one of its name take its place by an apply."""
        lab = self.running.lab
        with self._writing() as (load, lasting):
            machine.remove(lab.home, name)
            lasting(DARK_S)
            lab.up([name])
            broken = self._applied(lambda text: text)
            lasting(BACK_S)
            history = load.stop()
        return [*broken, *self._whole(), *self._judge(f"{name} replaced", history, bounded=True)]

    def _applied(self, edit: Callable[[str], str]) -> list[str]:
        path = self.running.farm_path
        path.write_text(edit(path.read_text()))
        farm = read_farm(path.read_bytes(), path.name)
        assert isinstance(farm, Farm), farm
        self.running = RunningLab(path, farm, Lab(farm, path))
        # Who joins is a machine that is on, as a new server would be.
        self.running.lab.up()
        done = self.running.stillup("--lab", "apply", check=False, within_s=APPLY_S)
        return (
            [] if done.returncode == 0 else [f"apply: {done.stdout[-2000:]}{done.stderr[-2000:]}"]
        )

    @contextmanager
    def _writing(self) -> Iterator[tuple[Writing, Callable[[float], None]]]:
        self.runs += 1
        with writing(self.running, first=self.runs * RUN, way=self.way) as load:
            time.sleep(STEADY_S)
            yield load, time.sleep

    def _whole(self) -> list[str]:
        """Wait until the farm says that its redundancy is whole, and each server that its copies are."""
        done = self.running.stillup("--lab", "status", "--wait", str(WHOLE_S), check=False)
        ends_s = time.monotonic() + WHOLE_S
        while (missing_ := asyncio.run(self._not_whole())) and time.monotonic() < ends_s:
            time.sleep(LOOK_EVERY_S)
        time.sleep(STEADY_S)
        if done.returncode == 0 and not missing_:
            return []
        return [f"not whole again after {WHOLE_S} s: {missing_}\n{done.stdout}{done.stderr}"]

    async def _not_whole(self) -> dict[str, str]:
        """Return which copy is not whole, and why, as the servers say themselves."""
        access = lab_access(self.running.farm, self.running.farm_path)
        found: dict[str, str] = {}
        async with open_all(access, self.running.farm.servers) as sessions:
            for name, state in (await sessions.ask(_state)).items():
                told = copies(state.get("copies"))
                found |= {
                    f"{name} {role}": copy.why for role, copy in told.items() if not copy.well
                }
        return found | {name: str(error) for name, error in sessions.unreached.items()}

    def _judge(self, what: str, history: History, *, bounded: bool) -> list[str]:
        self.report(f"{what}: {history.summary()}")
        self.rows |= history.done(ROW)
        self.files |= history.done(FILE)
        broken = [*self._lost()]
        if fresh := sessions_begun_anew(history):
            broken.append(f"{what}: the session began anew, at pages {fresh}")
        if bounded and (hung := never_answered(history)):
            broken.append(f"{what}: {hung} pages were never answered")
        for kind, most_s in GAPS_S.items() if bounded else ():
            if (gap_s := history.gap_s(kind)) >= most_s:
                said = history.told(kind, "unknown") + history.told(kind, "failed")
                broken.append(f"{what}: no {kind} for {gap_s:.2f} s ({'; '.join(said[:4])})")
        return broken

    def _lost(self) -> Iterable[str]:
        """Look at every copy: all that was acknowledged is there, and all copies agree."""
        rows = {one.name: self._rows(one) for one in self.running.farm.having(Role.DATABASE)}
        files = {one.name: self._files(one) for one in self.running.farm.having(Role.STORAGE)}
        for what, wanted, kept in (("rows", self.rows, rows), ("files", self.files, files)):
            for name, found in kept.items():
                if lost := missing(wanted, found):
                    yield f"{len(lost)} {what} lost at {name}: {lost[:10]}"
            if len({frozenset(found) for found in kept.values()}) > 1:
                counts = {name: len(found) for name, found in kept.items()}
                yield f"the copies do not agree on {what}: {counts}"

    def _rows(self, server: Server) -> set[int]:
        name = self.running.farm.database.name
        told = self.running.shell(server.name, f"mariadb -N -B -e 'SELECT n FROM probe' {name}")
        return set(map(int, told.split()))

    def _files(self, server: Server) -> set[int]:
        """Return the files whose content is right on the server's own disk."""
        told = self.running.shell(
            server.name, f"cd {BRICK} && find . -name '[0-9]*' -exec md5sum {{}} +"
        )
        sums = (line.split(maxsplit=1) for line in told.splitlines())
        return {
            number for sum_, path in sums if sum_ == _sum(number := int(path.removeprefix("./")))
        }

    def _minority_writes(self, name: str) -> Iterable[str]:
        """Try to write on a server that is cut off: neither rows nor files may be taken."""
        server = self.running.farm.server(name)
        assert server is not None
        if Role.DATABASE in server.roles:
            line = f"mariadb -e 'INSERT INTO probe VALUES (-{self.runs}, \"alone\")' site 2>&1 || echo refused"
            if "refused" not in (told := self.running.shell(name, f"timeout 20 {line}")):
                yield f"{name} took a row while it was cut off: {told}"
        if Role.WEB in server.roles and self.running.farm.site.shared:
            line = f"timeout 20 sh -c 'echo alone > /srv/shared/uploads/probe/-{self.runs}' || echo refused"
            if "refused" not in (told := self.running.shell(name, line)):
                yield f"{name} took a file while it was cut off: {told}"


async def _state(session: Connection) -> JsonObject:
    return await session.request("state")


def _sum(number: int) -> str:
    text = f"{number}\n" * 500
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@contextmanager
def enduring(farm_path: Path, folder: Path, report: Callable[[str], None]) -> Iterator[Enduring]:
    """Bring a farm of the examples up in a lab of its own, with the page that is written through."""
    copy = copy_of(farm_path, folder)
    add_probe(copy)
    with lab_of(copy) as running:
        running.stillup("lab", "up")
        running.stillup("--lab", "status", "--wait", str(WHOLE_S))
        yield Enduring(running, report)
