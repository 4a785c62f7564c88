"""``stillup check``: what it says and writes nothing; in words and as JSON."""

import json
import os
from pathlib import Path

import pytest

from stillup.cli.main import run

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "tests/farms/six.toml"


@pytest.fixture
def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example in a folder of its own, with its site, entered."""
    (tmp_path / "farm.toml").write_bytes(EXAMPLE.read_bytes())
    (tmp_path / "site").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "farm.toml"


def change(farm: Path, old: str, new: str) -> None:
    text = farm.read_text(encoding="utf-8")
    assert old in text
    farm.write_text(text.replace(old, new), encoding="utf-8")


def test_a_sound_farm_is_told_with_its_weaknesses(
    farm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check"]) == 0
    assert capsys.readouterr() == (
        """\
shop: no problems; 2 balancers, 3 web servers and 1 database server on 6 servers
  single points of failure: 1
    when db1 dies every page that needs the database fails until it is back, and what its disk loses is lost [one-database]
      way out: give a second server the role "database"; until then keep backups
  votes: the virtual IP survives the loss of any 2 of 6 servers while a balancer lives, and of any 4 while both balancers live
  note: tls.certificate: not given, so stillup signs one itself, which browsers warn of
""",
        "",
    )


def test_checking_writes_nothing(farm: Path) -> None:
    run(["check"])
    assert sorted(path.name for path in farm.parent.iterdir()) == ["farm.toml", "site"]


def test_problems_are_told_by_line_with_code_2(
    farm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(farm, '"10.0.0.7"', '"10.0.1.7"')
    change(farm, "sticky", "stiky")
    assert run(["check"]) == 2
    assert capsys.readouterr().out == (
        "2 problems in farm.toml\n"
        "farm.toml:21: balancer.stiky: is no key of [balancer]; did you mean sticky? [unknown-key]\n"
        "farm.toml:35: servers.db1.address: 10.0.1.7 is outside the LAN 10.0.0.0/24; take one of "
        "10.0.0.1 to 10.0.0.254 [server-outside-lan]\n"
    )


def test_the_json_has_what_the_documentation_says(
    farm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["sound"], told["farm"], told["problems"]) == (True, "shop", [])
    assert [(one["code"], one["servers"]) for one in told["weaknesses"]] == [
        ("one-database", ["db1"])
    ]
    assert (told["votes"]["voters"], told["votes"]["majority"]) == (6, 4)
    assert told["votes"]["survives"] == {
        "anyhow": 1,
        "with_a_balancer": 2,
        "with_every_balancer": 4,
        "with_the_witness": None,
    }
    assert [note["code"] for note in told["notes"]] == ["self-signed"]
    change(farm, '"500ms"', '"5ms"')
    assert run(["check", "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "sound": False,
        "farm": None,
        "problems": [
            {
                "file": "farm.toml",
                "line": 14,
                "path": "vip.lease",
                "text": '"5ms" is out of range; it may be 150ms to 10s',
                "code": "out-of-range",
            }
        ],
        "weaknesses": [],
        "votes": None,
        "redundancy": [],
        "notes": [],
    }


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            '"site/"',
            '"sites/"',
            'farm.toml:18: site.source: "sites" is no folder here; make it, or name the site\'s',
        ),
        (
            'source = "site/"',
            'source = "site/"\ndocument_root = "public"',
            'farm.toml:19: site.document_root: "public" is no folder in "site"',
        ),
        (
            "[servers]",
            '[ssh]\nkey = "id"\n\n[servers]',
            'farm.toml:30: ssh.key: "id" does not exist',
        ),
        (
            "[servers]",
            '[ssh]\nknown_hosts = "site"\n\n[servers]',
            "farm.toml:30: ssh.known_hosts: site is a folder; name a file",
        ),
        (
            "[servers]",
            '[tls]\ncertificate = "c.pem"\nkey = "~nobody-of-this-name/k"\n\n[servers]',
            'farm.toml:30: tls.certificate: "c.pem" does not exist',
        ),
    ],
)
def test_what_the_farm_file_names_and_is_not_there_is_told_on_its_line(
    old: str, new: str, told: str, farm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(farm, old, new)
    assert run(["check"]) == 2
    assert told in capsys.readouterr().out


def test_secrets_that_others_can_read_are_a_problem(
    farm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = farm.with_name("farm.secrets.toml")
    secrets.write_text('stats_password = "not-to-be-seen"\n', encoding="utf-8")
    secrets.chmod(0o640)
    assert run(["check"]) == 2
    told = capsys.readouterr().out
    assert (
        "farm.secrets.toml:1: is open to others (mode 0640); `chmod 600` it, and if others may have "
        "read it, remove it so that new secrets are made" in told
    )
    secrets.chmod(0o600)
    assert run(["check"]) == 0
    secrets.write_text("stats_password = not-to-be-seen\n", encoding="utf-8")
    assert run(["check"]) == 2
    assert "not-to-be-seen" not in told + capsys.readouterr().out


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: path.mkdir(), "is a folder; name a file"),
        (os.mkfifo, "is a pipe; name a file"),
        (lambda path: path.symlink_to("/dev/zero"), "is a device; name a file"),
        (lambda path: path.symlink_to(path), "cannot be read: Too many levels of symbolic links"),
        (lambda path: path.symlink_to("/nowhere"), "does not exist"),
    ],
)
def test_what_is_no_file_in_the_farm_file_s_place_is_told(
    make: object, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "farm.toml"
    assert callable(make)
    make(path)
    assert run(["check", "-f", str(path)]) == 2
    assert capsys.readouterr().err.startswith(f"stillup: {path} {told}")


def test_of_a_large_file_no_more_than_the_limit_is_read(
    farm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with farm.open("ab") as file:
        file.truncate(10_000_000_000)  # sparse: read whole it would fill the memory
    assert run(["check"]) == 2
    assert capsys.readouterr().out == (
        "1 problem in farm.toml\n"
        "farm.toml:1: is larger than 1 MB, so it is not a farm file [too-large]\n"
    )


def test_a_name_that_no_file_can_have_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "-f", "x" * 300]) == 2
    assert "File name too long" in capsys.readouterr().err
    assert run(["check", "-f", "a\x00b"]) == 2
    assert "a\\x00b cannot be read: no file can have this name" in capsys.readouterr().err


def test_a_farm_that_keeps_all_twice_is_told_with_its_tie_breakers(
    farm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db1 = 'db1  = { address = "10.0.0.7", roles = ["database"] }'
    two = "".join(
        f'data{i} = {{ address = "10.0.0.{i + 6}", roles = ["storage", "database"] }}\n'
        for i in (1, 2)
    )
    change(farm, db1, two)
    assert run(["check"]) == 0
    told = capsys.readouterr().out
    assert "2 database servers and 2 storage servers on 7 servers\n" in told
    assert "  single points of failure: none\n" in told
    for role in ("database", "storage"):
        assert (
            f"  {role}: data1 and data2 each keep the whole {role}; half of an even number is no "
            "majority, so web3 votes with them and keeps none of it (the last web server of the "
            "file without that role); it survives the loss of any 1 of these 3\n" in told
        )
    assert "  note: site.shared: not given, so nothing lives on the storage; " in told
    change(farm, 'source = "site/"', 'shared = ["uploads"]\nsource = "site/"')
    assert run(["check", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [note["code"] for note in told["notes"]] == ["self-signed"]
    assert [
        (one["role"], one["servers"], one["tie_breaker"], one["survives"])
        for one in told["redundancy"]
    ] == [
        ("database", ["data1", "data2"], "web3", 1),
        ("storage", ["data1", "data2"], "web3", 1),
    ]


@pytest.mark.parametrize("name", ["farm.toml", "annotated.toml", "trio.toml"])
def test_the_examples_pass_with_all_that_they_name(name: str) -> None:
    assert run(["check", "-f", str(ROOT / "examples" / name)]) == 0


@pytest.mark.parametrize("command", ["check", "release", "plan", "apply"])
def test_a_site_that_holds_what_is_private_is_refused(
    farm: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    change(farm, 'source = "site/"', 'source = "."')
    assert run(["-f", "farm.toml", command]) == 2
    told = "".join(capsys.readouterr())
    assert '"farm.toml" lies in "." and would be released with the site' in told


def test_a_key_that_lies_in_the_site_is_a_problem(
    farm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (farm.parent / "elsewhere").touch()
    (farm.parent / "site" / "key").symlink_to("../elsewhere")
    change(farm, "[promises]", '[ssh]\nkey = "site/id"\n\n[promises]')
    (farm.parent / "site" / "id").touch()
    assert run(["check"]) == 2
    assert '"site/id" lies in "site" and would be released' in capsys.readouterr().out


def test_of_the_old_recipe_both_single_points_of_failure_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = Path(__file__).parents[3] / "examples" / "recipe.toml"
    assert run(["check", "-f", str(recipe)]) == 0
    told = capsys.readouterr().out
    assert "single points of failure: 2" in told
    assert "when db1 dies" in told
    assert "when nfs1 dies every page fails" in told


def test_what_the_farm_file_allows_and_nothing_is_is_told_with_the_nearest_fault(
    farm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(farm, "[servers]", '[drills]\nallow = ["planned", "power-of web1"]\n\n[servers]')
    assert run(["check"]) == 2
    line = farm.read_text(encoding="utf-8").split("\n").index("[drills]") + 2
    assert capsys.readouterr().out.split("\n")[1] == (
        f'farm.toml:{line}: drills.allow: "power-of web1" is no fault of this farm; '
        'did you mean "power-off web1"? [unknown-fault]'
    )
