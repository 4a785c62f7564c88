"""``stillup render``: files to read, with nothing in them that nobody may see."""

import shutil
import stat
from pathlib import Path

import pytest

from stillup.cli.main import run

EXAMPLE = Path(__file__).parents[3] / "tests" / "farms" / "six.toml"


@pytest.fixture
def farm(tmp_path: Path) -> Path:
    return Path(shutil.copy(EXAMPLE, tmp_path / "farm.toml"))


def rendered(farm: Path, out: Path, *words: str) -> int:
    return run(["-f", str(farm), "render", "--out", str(out), *words])


def test_each_server_has_its_files_and_a_list_of_the_rest(
    farm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert rendered(farm, out) == 0
    assert capsys.readouterr().out.endswith(f"files of 6 servers are in {out}\n")
    assert {path.name for path in out.iterdir() if path.is_dir()} == {
        "lb1",
        "lb2",
        "web1",
        "web2",
        "web3",
        "db1",
    }
    assert "server web1 10.0.0.4" in (out / "lb1" / "etc/haproxy/haproxy.cfg").read_text()
    assert (out / "web1" / "etc/php/8.4/fpm/pool.d/site.conf").is_file()
    rest = (out / "lb1.txt").read_text()
    assert "\nunits:\n" in rest
    assert "haproxy.service: enabled, running" in rest
    assert not (tmp_path / "farm.secrets.toml").exists()


def test_debian_12_has_another_php(farm: Path, tmp_path: Path) -> None:
    assert rendered(farm, tmp_path / "out", "--debian", "12") == 0
    assert (tmp_path / "out" / "web1" / "etc/php/8.2/fpm/pool.d/site.conf").is_file()


def test_real_secrets_are_written_on_demand_and_for_the_owner_alone(
    farm: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert rendered(farm, out) == 0
    key = out / "lb1" / "etc/stillup/heartbeat.key"
    placeholder = key.read_text()
    assert rendered(farm, out, "--secrets") == 0
    secrets = (tmp_path / "farm.secrets.toml").read_text()
    assert key.read_text() != placeholder
    assert key.read_text().strip() in secrets
    modes = {
        stat.S_IMODE(path.stat().st_mode)
        for path in (out / "lb1").rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    assert modes == {0o600}


def test_what_it_made_is_made_anew_and_what_others_made_is_left(
    farm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert rendered(farm, out) == 0
    leftover = out / "web9" / "etc"
    leftover.mkdir(parents=True)
    assert rendered(farm, out) == 0
    assert not leftover.exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine").write_text("mine")
    capsys.readouterr()
    assert rendered(farm, other) == 2
    assert "is not empty, and not made by render" in capsys.readouterr().err
    assert [path.name for path in other.iterdir()] == ["mine"]


def test_a_file_in_the_folders_place_is_one_sentence(
    farm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rendered(farm, farm) == 2
    assert capsys.readouterr().err == f"stillup: {farm}: File exists\n"
