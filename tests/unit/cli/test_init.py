"""``stillup init``: what it writes passes ``check`` as it stands, and nothing is overwritten."""

import json
import stat
import subprocess
from pathlib import Path

import pytest

from stillup.cli.context import load_farm
from stillup.cli.main import run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder named ``Our Shop``, entered."""
    made = tmp_path / "our-shop"
    made.mkdir()
    monkeypatch.chdir(made)
    return made


def test_init_writes_a_farm_that_passes_check_as_it_stands(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init"]) == 0
    assert capsys.readouterr().out == (
        "wrote farm.toml: six servers; put in your names and addresses\n"
        "wrote farm.secrets.toml: the farm's secrets; keep a copy safe\n"
        "wrote site/index.php\n"
        "wrote site/health.php\n"
        "wrote farm.schema.json\n"
        "\n"
        "next: `stillup check`, then `stillup lab up` to run it on this machine\n"
    )
    assert run(["check"]) == 0
    farm = load_farm(Path("farm.toml"))
    assert (farm.name, farm.site.hosts) == ("our-shop", ("our-shop.example",))
    assert stat.S_IMODE(Path("farm.secrets.toml").stat().st_mode) == 0o600
    assert Path(".gitignore").read_text(encoding="utf-8") == "*.secrets.toml\n"
    assert json.loads(Path("farm.schema.json").read_text(encoding="utf-8"))["$defs"]


def test_the_secrets_are_ignored_by_git(folder: Path) -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    assert run(["init"]) == 0
    listed = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert sorted(listed.stdout.split()) == [
        ".gitignore",
        "farm.schema.json",
        "farm.toml",
        "site/health.php",
        "site/index.php",
    ]


@pytest.mark.parametrize(
    ("ignore", "after"),
    [
        ("*.pyc", "*.pyc\n*.secrets.toml\n"),
        ("*.pyc\n", "*.pyc\n*.secrets.toml\n"),
        ("farm.secrets.toml\n", "farm.secrets.toml\n"),
        ("# *.secrets.toml\n", "# *.secrets.toml\n*.secrets.toml\n"),
    ],
)
def test_a_gitignore_that_is_there_is_added_to(ignore: str, after: str, folder: Path) -> None:
    Path(".gitignore").write_text(ignore, encoding="utf-8")
    assert run(["init"]) == 0
    assert Path(".gitignore").read_text(encoding="utf-8") == after


def test_a_gitignore_above_that_names_the_secrets_is_enough(folder: Path) -> None:
    (folder.parent / ".gitignore").write_text("*.secrets.toml\n", encoding="utf-8")
    assert run(["init"]) == 0
    assert not Path(".gitignore").exists()


def test_a_farm_file_is_never_overwritten_and_nothing_else_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("farm.toml").write_text("mine", encoding="utf-8")
    assert run(["init"]) == 2
    assert capsys.readouterr().err == (
        "stillup: farm.toml is there already and stays as it is; -f names another\n"
    )
    assert [path.name for path in folder.iterdir()] == ["farm.toml"]
    assert Path("farm.toml").read_text(encoding="utf-8") == "mine"


def test_a_site_that_is_there_is_left_alone(folder: Path) -> None:
    Path("site").mkdir()
    Path("site/index.html").write_text("mine", encoding="utf-8")
    assert run(["init"]) == 0
    assert [path.name for path in Path("site").iterdir()] == ["index.html"]


def test_name_host_and_file_may_be_given(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "--name", "intra", "--host", "intra.net", "-f", "intra.toml"]) == 0
    farm = load_farm(Path("intra.toml"))
    assert (farm.name, farm.site.hosts) == ("intra", ("intra.net",))
    assert Path("intra.secrets.toml").exists()
    assert "`stillup check -f intra.toml`" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--name", "My Shop"], '--name: "My Shop" cannot be a host name;'),
        (["--host", "https://shop.example"], '--host: "https://shop.example" is not a host name; '),
        (["-f", "no/such/farm.toml"], "no/such/site cannot be made: No such file or directory"),
    ],
)
def test_wrong_arguments_are_told_and_nothing_is_written(
    words: list[str], told: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", *words]) == 2
    assert capsys.readouterr().err.startswith(f"stillup: {told}")
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_name_a_farm_makes_a_shop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / "2026 farm!"
    odd.mkdir()
    monkeypatch.chdir(odd)
    assert run(["init"]) == 0
    assert load_farm(Path("farm.toml")).name == "shop"
