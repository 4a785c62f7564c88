"""Several database servers on real machines: what is acknowledged stays, and somebody writes on.

One farm through its life: a database alone becomes one of two, the one that is written to loses its
power, another one is told to take over, and all of them go dark at once.
"""

import json
import random
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from tests.lab.figures import figure
from tests.lab.running import ROOT, RunningLab, lab_of

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(400)]

FARM = """\
[farm]
name = "pair"
[network]
lan = "10.0.0.0/24"
[vip]
addresses = ["10.0.0.1"]
[site]
hosts = ["pair.example"]
source = "site/"
[tls]
enabled = false
[servers]
lb1  = { address = "10.0.0.2", roles = ["balancer"] }
web1 = { address = "10.0.0.4", roles = ["web"] }
db1  = { address = "10.0.0.6", roles = ["database"] }
"""
SECOND = 'db2  = { address = "10.0.0.7", roles = ["database"] }\n'
DATABASES = ("db1", "db2")
KEEPER = "PYTHONPATH=/usr/lib/stillup/keeper python3 -m stillup.keeper"
OUTAGE_S = 4.0
PLANNED_S = 1.0


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """The four machines, with one database server applied."""
    folder = tmp_path_factory.mktemp("pair")
    (folder / "farm.toml").write_text(FARM + SECOND)
    (folder / "site").symlink_to(ROOT / "examples" / "site")
    with lab_of(folder / "farm.toml") as running:
        running.lab.up()
        (folder / "farm.toml").write_text(FARM)
        running.stillup("--lab", "apply")
        yield running


class Rows:
    """A page on web1 that writes rows without an end."""

    def __init__(self, farm: RunningLab) -> None:
        self._farm = farm
        script = (Path(__file__).parent / "row_writer.php").read_bytes()
        put = f"echo {b64encode(script).decode()} | base64 -d >/root/row_writer.php"
        farm.shell("web1", f"{put}; rm -f /root/rows")
        self._began = 0
        self.start()

    def start(self) -> None:
        """Begin, or go on after web1 was off."""
        self._began += 1_000_000
        run = f"php /root/row_writer.php {self._began}"
        self._farm.shell("web1", f"systemd-run --quiet --unit=rows-{self._began} {run}")
        self.await_more()

    def told(self) -> list[str]:
        return self._farm.shell("web1", "cat /root/rows").splitlines()

    def acknowledged(self) -> dict[int, float]:
        """Return each row that was acknowledged, and when, in seconds."""
        rows = (line.split() for line in self.told() if not line.startswith("!"))
        # The last line may be half written when web1 lost its power.
        return {int(row[0]): float(row[1]) for row in rows if len(row) == 2}

    def errors(self) -> list[str]:
        return [line for line in self.told() if line.startswith("!")]

    def await_more(self) -> None:
        """Wait until rows are acknowledged that were not when this began."""
        before = len(self.acknowledged())
        awaited(lambda: len(self.acknowledged()) > before + 20, "no row is acknowledged")

    def gap_s(self, since: int) -> float:
        """Return the longest time between two acknowledged rows, from the ``since``-th on."""
        times = list(self.acknowledged().values())[since:]
        return max(later - earlier for earlier, later in pairwise(times))

    def lost(self, server: str) -> set[int]:
        """Return what was acknowledged and is not on ``server``."""
        acknowledged = set(self.acknowledged())
        there = self._farm.shell(server, "mariadb -BN -e 'SELECT number FROM site.written'")
        return acknowledged - set(map(int, there.split()))


def awaited(is_so: Callable[[], bool], otherwise: str, within_s: float = 60.0) -> None:
    end = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < end, otherwise
        time.sleep(0.1)


def states(farm: RunningLab) -> dict[str, str]:
    told = json.loads(farm.stillup("--lab", "status", "--json", check=False).stdout)
    return {server["name"]: server["state"] for server in told["servers"]}


def writer(farm: RunningLab) -> str:
    leads = [name for name, state in states(farm).items() if state == "database is written to"]
    assert len(leads) == 1, states(farm)
    return leads[0]


def whole(farm: RunningLab) -> None:
    """Wait until ``stillup status`` has nothing to say: every copy whole, every vote there."""
    farm.stillup("--lab", "status", "--wait", "120")


def test_a_group_of_database_servers_from_birth_to_a_power_cut(pair: RunningLab) -> None:
    rows = Rows(pair)
    pair.farm_path.write_text(FARM + SECOND)
    pair.stillup("--lab", "apply")
    whole(pair)
    rows.await_more()
    assert {name: rows.lost(name) for name in DATABASES} == {"db1": set(), "db2": set()}
    figure(f"a second database server joins: rows stop for {rows.gap_s(0):.2f} s")

    # The one that is written to loses its power.
    before, dies = len(rows.acknowledged()), writer(pair)
    pair.lab.power(dies, on=False)
    rows.await_more()
    gap_s = rows.gap_s(before)
    figure(f"the database that is written to loses its power: rows stop for {gap_s:.2f} s")
    assert gap_s < OUTAGE_S
    before = len(rows.acknowledged())
    pair.lab.power(dies, on=True)
    whole(pair)
    figure(f"it comes back by itself: rows stop for {rows.gap_s(before):.2f} s")
    assert {name: rows.lost(name) for name in DATABASES} == {"db1": set(), "db2": set()}

    # Another one is told to take over.
    before, failed, gives = len(rows.acknowledged()), len(rows.errors()), writer(pair)
    pair.shell(gives, f"{KEEPER} yield")
    rows.await_more()
    assert writer(pair) != gives
    assert rows.errors()[failed:] == []
    gap_s = rows.gap_s(before)
    figure(f"another database takes over as planned: rows stop for {gap_s:.2f} s")
    assert gap_s < PLANNED_S

    # Everything is off at once, and comes back in any order.
    for server in pair.farm.servers:
        pair.lab.power(server.name, on=False)
    back = [server.name for server in pair.farm.servers]
    random.Random(4).shuffle(back)
    began = time.monotonic()
    for name in back:
        pair.lab.power(name, on=True)
    whole(pair)
    figure(f"all servers are off at once and back: whole after {time.monotonic() - began:.0f} s")
    rows.start()
    assert {name: rows.lost(name) for name in DATABASES} == {"db1": set(), "db2": set()}
