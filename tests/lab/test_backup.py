"""A backup of real machines: made under writes, tried, damaged, cut, and put back elsewhere."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.lab.figures import figure
from tests.lab.running import RunningLab, lab_of

pytestmark = [pytest.mark.lab, pytest.mark.apart, pytest.mark.timeout(420)]

_FARM = """\
[farm]
name = "hoard"
[network]
lan = "10.0.0.0/24"
[vip]
addresses = ["10.0.0.1"]
[site]
hosts = ["hoard.example"]
source = "site/"
[backup]
to = "../backups"
keep = 2
[servers]
lb1 = { address = "10.0.0.2", roles = ["balancer"] }
web1 = { address = "10.0.0.3", roles = ["web"] }
db1 = { address = "10.0.0.4", roles = ["database"] }
"""
_FILL = """\
CREATE TABLE site.t (id INT PRIMARY KEY AUTO_INCREMENT, word TEXT);
INSERT INTO site.t (word) VALUES ('Zoë'), ('😀');
CREATE TABLE site.old (id INT) ENGINE=MyISAM; INSERT INTO site.old VALUES (1);
CREATE TABLE site.big (id INT PRIMARY KEY AUTO_INCREMENT, stuff LONGBLOB);
"""


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[RunningLab]:
    folder = tmp_path / "farm"
    (folder / "site").mkdir(parents=True)
    (folder / "site/health.php").write_text("<?php echo 'ok';")
    (folder / "farm.toml").write_text(_FARM)
    with lab_of(folder / "farm.toml") as running:
        running.stillup("lab", "up")
        yield running


def _sql(farm: RunningLab, sql: str) -> str:
    return farm.shell("db1", f"mariadb -N <<'END'\n{sql}\nEND").strip()


def _listed(farm: RunningLab) -> list[str]:
    told = json.loads(farm.stillup("backup", "list", "--json").stdout)
    assert told["broken"] == []
    return [backup["name"] for backup in told["backups"]]


def test_a_backup_is_made_tried_kept_and_put_back(farm: RunningLab, tmp_path: Path) -> None:
    place = tmp_path / "backups"
    _sql(farm, _FILL)

    # Made while the database is written to.
    writer = "i=0; while [ $i -lt 4000 ]; do echo 'INSERT INTO site.t (word) VALUES (NOW());'; i=$((i+1)); done | mariadb"
    with subprocess.Popen(farm.command("lab", "shell", "db1", "--", writer)) as writing:
        made = json.loads(farm.stillup("--lab", "backup", "--json").stdout)
        writing.terminate()
    figure(
        f"a backup of a database of {made['parts']['database']['bytes'] / 1e6:.0f} MB: {made['seconds']:.1f} s"
    )
    assert made["database"]["server"] == made["checked"] == "db1"
    assert made["secrets"]
    assert _listed(farm) == [made["name"]]
    assert farm.shell("db1", "ls -d /var/lib/mysql?* || true").strip() == ""
    sound = json.loads(farm.stillup("--lab", "backup", "verify", "--json").stdout)
    assert (sound["backup"], sound["sound"]) == (made["name"], True)

    _cut_backups_are_none(farm, place)
    _damage_is_found(farm, place, made["name"])
    _a_broken_table_is_found(farm, place)
    _restored(farm, made)
    _restored_after_an_interruption(farm, made)
    _into_a_fresh_farm(farm, made)
    if shutil.which("age") is None:
        pytest.skip("the program age is not here, so no encrypted backup was made")
    _encrypted(farm, tmp_path, made["name"])


def _cut_backups_are_none(farm: RunningLab, place: Path) -> None:
    """``kill -9`` and Ctrl-C in the middle, and a server that is gone: nothing half made counts."""
    before, command = _listed(farm), farm.command("--lab", "backup")
    _sql(farm, "INSERT INTO site.big (stuff) SELECT RANDOM_BYTES(1024) FROM site.seq_1_to_60000;")

    left: set[Path] = set()

    def is_copying() -> bool:
        new = set(place.glob(".*.part/database.gz")) - left
        return any(path.stat().st_size > 10**6 for path in new)

    for number in (signal.SIGKILL, signal.SIGINT):
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as making:
            _await(is_copying)
            left |= set(place.glob(".*.part/database.gz"))
            making.send_signal(number)
        assert _listed(farm) == before
    # What was killed left a folder, which the next one removed; what was stopped left none.
    assert list(place.glob(".*")) == []
    _await(lambda: farm.shell("db1", "pgrep -f '[m]ariadb-backup' || true").strip() == "")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as losing:
        _await(is_copying)
        farm.lab.power("db1", on=False)
        _, told = losing.communicate(timeout=60)
    assert losing.returncode == 1
    assert "db1" in told.splitlines()[-1]
    assert _listed(farm) == before
    farm.lab.power("db1", on=True)
    farm.stillup("--lab", "status", "--wait", "60")
    _sql(farm, "TRUNCATE TABLE site.big;")


def _await(is_so: Callable[[], bool]) -> None:
    until_s = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < until_s
        time.sleep(0.02)


def _damage_is_found(farm: RunningLab, place: Path, name: str) -> None:
    file = place / name / "database.gz"
    whole = file.read_bytes()
    data = bytearray(whole)
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    told = farm.stillup("--lab", "backup", "verify", check=False)
    assert told.returncode == 1
    assert f"{name}: database.gz" in told.stderr
    refused = farm.stillup("--lab", "restore", "--replace", "--yes", check=False)
    assert refused.returncode == 1
    assert _sql(farm, "SELECT word FROM site.t WHERE id = 1;") == "Zoë"
    file.write_bytes(whole)


def _a_broken_table_is_found(farm: RunningLab, place: Path) -> None:
    """Copied faithfully, checksums right, and worthless: a table whose file is broken on the server."""
    before = _listed(farm)
    farm.shell(
        "db1", "mariadb -e 'FLUSH TABLES site.old'; truncate -s 0 /var/lib/mysql/site/old.MYI"
    )
    told = farm.stillup("--lab", "backup", check=False)
    assert told.returncode == 1
    assert "not sound" in told.stderr
    assert "old" in told.stderr
    assert _listed(farm) == before
    assert list(place.glob(".*")) == []


def _restored(farm: RunningLab, made: dict[str, object]) -> None:
    refused = farm.stillup("--lab", "restore", check=False)
    assert refused.returncode == 1
    assert "is not empty" in refused.stderr
    unasked = farm.stillup("--lab", "restore", "--replace", check=False)
    assert unasked.returncode == 2
    _sql(farm, "DROP TABLE site.t; CREATE TABLE site.late (id INT);")
    told = json.loads(farm.stillup("--lab", "restore", "--replace", "--yes", "--json").stdout)
    figure(f"a restore of it: {told['seconds']:.1f} s")
    _is_as_it_was(farm, made)


def _is_as_it_was(farm: RunningLab, made: dict[str, object]) -> None:
    assert _sql(farm, "SELECT word FROM site.t WHERE id <= 2;").splitlines() == ["Zoë", "😀"]
    assert _sql(farm, "SHOW TABLES IN site;").split() == ["big", "old", "t"]
    assert _sql(farm, "SELECT id FROM site.old;") == "1"
    rows = _sql(
        farm,
        "SELECT COUNT(*) FROM site.t; SELECT COUNT(*) FROM site.old; SELECT COUNT(*) FROM site.big;",
    )
    assert sum(map(int, rows.split())) > 0
    farm.stillup("--lab", "status", "--wait", "60")
    database = made["database"]
    assert isinstance(database, dict)


def _restored_after_an_interruption(farm: RunningLab, made: dict[str, object]) -> None:
    """Killed when MariaDB stops, the same command goes on, and does not ask for what is gone."""
    _sql(farm, "DROP TABLE site.t;")
    command = farm.command("--lab", "restore", "--replace", "--yes")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as restoring:
        assert restoring.stderr is not None
        for line in restoring.stderr:
            if line.startswith("MariaDB stops"):
                os.kill(restoring.pid, signal.SIGKILL)
                break
    farm.stillup("--lab", "restore", "--replace", "--yes")
    _is_as_it_was(farm, made)


def _into_a_fresh_farm(farm: RunningLab, made: dict[str, object]) -> None:
    """Everything is lost but the place: the farm file comes from there, too."""
    farm.stillup("lab", "down")
    folder = farm.farm_path.parent
    for name in ("farm.toml", "farm.secrets.toml"):
        (folder / name).rename(folder / f"lost-{name}")
    place = str(folder.parent / "backups")
    farm.stillup("restore", "--farm-file", "--place", place)
    for name in ("farm.toml", "farm.secrets.toml"):
        assert (folder / name).read_bytes() == (folder / f"lost-{name}").read_bytes()
    farm.stillup("lab", "up")
    farm.stillup("--lab", "restore")
    _is_as_it_was(farm, made)


def _encrypted(farm: RunningLab, tmp_path: Path, older: object) -> None:
    """Tried without its owner's key, and opened with it alone."""
    key = subprocess.run(["age-keygen"], capture_output=True, text=True, check=True).stdout
    (tmp_path / "key").write_text(key)
    recipient = key.split("public key: ")[1].split()[0]
    text = farm.farm_path.read_text().replace("keep = 2", f'keep = 1\nencrypt_to = ["{recipient}"]')
    farm.farm_path.write_text(text)
    made = json.loads(farm.stillup("--lab", "backup", "--json").stdout)
    assert made["encrypted"]
    assert made["removed"] == [older]
    files = sorted(path.name for path in (tmp_path / "backups" / made["name"]).iterdir())
    assert files == ["database.gz.age", "farm.gz.age", "manifest.json", "tables.gz.age"]
    assert farm.stillup("--lab", "backup", "verify", check=False).returncode == 2
    farm.stillup("--lab", "backup", "verify", "--identity", str(tmp_path / "key"))
