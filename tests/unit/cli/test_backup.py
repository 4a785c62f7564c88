"""``stillup backup`` and ``restore`` before any server is asked: places, locks, the timer, the farm file."""

import fcntl
import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.backup.test_manifest import NAME, WHOLE

from stillup.backup.manifest import Part, write_manifest
from stillup.cli.backup_place import alone
from stillup.cli.main import run
from stillup.errors import ChangeRefused

FARM = """\
[farm]
name = "shop"
[network]
lan = "10.0.0.0/24"
[vip]
addresses = ["10.0.0.1"]
[site]
hosts = ["shop.example"]
source = "site/"
[backup]
to = "{to}"
[servers]
one = {{ address = "10.0.0.2", roles = ["balancer", "web", "database"] }}
"""


@pytest.fixture
def farm(tmp_path: Path) -> Path:
    return _farm(tmp_path, "backups")


def _farm(folder: Path, to: str) -> Path:
    (folder / "site").mkdir(exist_ok=True)
    path = folder / "farm.toml"
    path.write_text(FARM.format(to=to))
    return path


def _refused(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = run([*words])
    return code, capsys.readouterr().err


def _put(place: Path) -> bytes:
    """Put a backup there that has nothing but the farm's files; return its secrets."""
    made, secret = io.BytesIO(), b'stats_password = "of-the-backup"\n'
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, data in {"shop.toml": b"[farm]\n", "shop.secrets.toml": secret}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    data = made.getvalue()
    packed = gzip.compress(data)
    part = Part(
        "farm.gz",
        len(data),
        hashlib.sha256(data).hexdigest(),
        len(packed),
        hashlib.sha256(packed).hexdigest(),
    )
    (place / NAME).mkdir(parents=True)
    (place / NAME / "farm.gz").write_bytes(packed)
    manifest = replace(WHOLE, parts={**WHOLE.parts, "farm": part})
    (place / NAME / "manifest.json").write_bytes(write_manifest(manifest))
    return secret


def test_the_list_shows_backups_and_says_which_folders_are_none(
    farm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _put(farm.parent / "backups")
    (farm.parent / "backups/.shop-20260101-000000Z.ab.part").mkdir()
    assert run(["-f", str(farm), "backup", "list"]) == 0
    assert capsys.readouterr().out.startswith(f"{NAME}  ")
    (farm.parent / "backups/shop-20260101-000000Z").mkdir()
    assert run(["-f", str(farm), "backup", "list", "--json"]) == 1
    told = capsys.readouterr()
    assert [each["name"] for each in json.loads(told.out)["backups"]] == [NAME]
    assert "shop-20260101-000000Z has no manifest.json, so it is no backup" in told.err


def test_a_lost_farm_file_comes_back_under_the_name_that_was_asked_for(tmp_path: Path) -> None:
    secret = _put(tmp_path / "nas")
    farm = tmp_path / "new.toml"
    words = ["-f", str(farm), "restore", "--farm-file", "--place", str(tmp_path / "nas")]
    assert run(words) == 0
    assert farm.read_bytes() == b"[farm]\n"
    assert (tmp_path / "new.secrets.toml").read_bytes() == secret
    assert (tmp_path / "new.secrets.toml").stat().st_mode & 0o777 == 0o600
    assert run(words) == 2, "a farm file that is there is never written over"


def test_without_a_place_the_way_out_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    farm = _farm(tmp_path, "x")
    farm.write_text(farm.read_text().replace('to = "x"\n', ""))
    code, told = _refused(capsys, "-f", str(farm), "backup")
    assert code == 2
    assert "backup.to says where backups go" in told


def test_backups_are_not_put_into_the_site(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = _refused(capsys, "-f", str(_farm(tmp_path, "site/backups")), "backup")
    assert code == 2
    assert "would be released with the site" in told


def test_one_backup_at_a_time(farm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with farm.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        code, told = _refused(capsys, "-f", str(farm), "backup")
        assert code == 1
        assert "another backup" in told
        with pytest.raises(ChangeRefused), alone(farm):
            pass
    with alone(farm):
        pass


def test_a_lab_has_no_timer(farm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = _refused(capsys, "-f", str(farm), "--lab", "backup", "timer", "on")
    assert (code, "a lab has no timer" in told) == (2, True)


def test_without_systemd_a_line_for_cron_is_said(
    farm: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("stillup.cli.backup_timer._RUNS", tmp_path / "none")
    code, told = _refused(capsys, "-f", str(farm), "backup", "timer", "on")
    assert code == 1
    assert f"-f {farm} backup" in told


@pytest.mark.parametrize(
    ("place", "kept"),
    [
        ("else where", "'{here}/else where'"),
        ("ssh://me@nas.example/srv", "ssh://me@nas.example/srv"),
    ],
)
def test_the_timer_makes_backups_where_its_command_says(
    farm: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    kept: str,
) -> None:
    monkeypatch.setattr("stillup.cli.backup_timer._RUNS", farm.parent / "none")
    monkeypatch.chdir(farm.parent)
    _, told = _refused(capsys, "-f", str(farm), "backup", "--place", place, "timer", "on")
    assert f"-f {farm} backup --place {kept.format(here=farm.parent)}\n" in told


def test_replace_wants_an_answer(farm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = _refused(capsys, "-f", str(farm), "restore", "--replace")
    assert (code, "--yes" in told) == (2, True)
