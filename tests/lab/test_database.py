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
        running.lab.up(own_disks=True)
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

    # The disk of the one that is written to fills up, until hardly anything can be written there.
    before, failed, full = len(rows.acknowledged()), len(rows.errors()), writer(pair)
    free = "$(( $(df --output=avail -BM /var/lib/mysql | tail -1 | tr -dc 0-9) - 16 ))M"
    pair.shell(full, f"fallocate -l {free} /var/lib/full")
    awaited(lambda: writer(pair) != full, "a server whose disk is full is still written to")
    rows.await_more()
    assert rows.errors()[failed:] == []
    figure(f"its disk fills up: rows stop for {rows.gap_s(before):.2f} s")
    takes = writer(pair)
    pair.shell(full, "rm /var/lib/full")
    awaited(lambda: said(pair, full)["room"] is True, "it has no room again")
    assert writer(pair) == takes
    whole(pair)

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


def test_a_person_decides_for_a_server_that_is_cut_off_and_who_was_given_up_stays_out(
    pair: RunningLab,
) -> None:
    whole(pair)
    pair.shell("web1", "systemctl stop 'rows-*'")
    keeps = writer(pair)
    gone = next(name for name in DATABASES if name != keeps)
    third = third_vote(pair)
    at = {server.name: server.address for server in pair.farm.servers}
    there = f"{{ {at[gone]}, {at[third]} }}"
    sql(pair, keeps, "CREATE TABLE site.decided (word CHAR(9) PRIMARY KEY)")
    first = said(pair, keeps)["cluster"]

    # The others go on without it for a moment, and then are gone.
    pair.shell(
        keeps,
        "nft 'add table inet cut; add chain inet cut in { type filter hook input priority -300; }; "
        f"add rule inet cut in ip saddr {there} drop'",
    )
    awaited(lambda: said(pair, keeps)["phase"] == "cut off", f"{keeps} is not cut off")
    awaited(lambda: writer(pair) == gone, f"{gone} does not write")
    sql(pair, gone, "INSERT INTO site.decided VALUES ('given up')")
    pair.lab.power(gone, on=False)
    pair.shell(third, "systemctl stop stillup-arbiter.service")
    pair.shell(keeps, "nft delete table inet cut")
    assert said(pair, keeps)["phase"] == "cut off"

    told = pair.shell(keeps, f"{KEEPER} bootstrap --force")
    assert f"{gone}: does not answer" in told
    awaited(lambda: said(pair, keeps)["phase"] == "member", "its data do not become the farm's")
    second = said(pair, keeps)["cluster"]
    assert second != first, "whoever went further in the old history would be taken for a copy"
    sql(pair, keeps, "INSERT INTO site.decided VALUES ('kept')")

    # Who was given up comes back, further in the old history than this one was.
    pair.shell(third, "systemctl start stillup-arbiter.service")
    pair.lab.power(gone, on=True)
    awaited(lambda: "gave up" in str(said(pair, gone)["reason"]), f"{gone} does not stay out")
    assert said(pair, gone)["phase"] == "stopped"
    assert sql(pair, keeps, "SELECT word FROM site.decided").split() == ["kept"]

    # Its data are moved away, by a person, and it is one of them again.
    pair.shell(gone, "mv /var/lib/mysql /var/lib/mysql.given-up")
    whole(pair)
    assert sql(pair, gone, "SELECT word FROM site.decided").split() == ["kept"]

    # The new history founds again by itself.
    for name in DATABASES:
        pair.lab.power(name, on=False)
    for name in DATABASES:
        pair.lab.power(name, on=True)
    whole(pair)
    assert said(pair, keeps)["cluster"] == second


def third_vote(farm: RunningLab) -> str:
    """Return the server that only votes for the database."""
    names = [server.name for server in farm.farm.servers if server.name not in DATABASES]
    asked = "systemctl is-active stillup-arbiter.service || true"
    return next(name for name in names if farm.shell(name, asked).strip() == "active")


def said(farm: RunningLab, server: str) -> dict[str, object]:
    """Return what a keeper says of its server."""
    state: dict[str, object] = json.loads(farm.shell(server, f"{KEEPER} state"))
    return state


def sql(farm: RunningLab, server: str, statement: str) -> str:
    return farm.shell(server, f'mariadb -BN -e "{statement}"')
