"""Applying a bundle to a folder that stands for a server."""

import hashlib
import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.node.scripted import Folder

from stillup.errors import ChangeRefused, ChangeTakenBack, ServerFailed
from stillup.node.apply import apply
from stillup.node.bundle import (
    Absent,
    Bundle,
    Check,
    Command,
    Directory,
    File,
    Health,
    Link,
    Unit,
    User,
)
from stillup.node.compare import differences
from stillup.node.observe import observe
from stillup.node.recover import known

ARCHIVE = {"engine": {"/etc/engine.conf": "as packaged\n", "/etc/default-site": "in the way\n"}}


def bundle(text: str = "good\n", **more: object) -> Bundle:
    base = Bundle(
        farm="shop",
        server="web1",
        packages=("engine",),
        users=(User("stillup", "/nonexistent"),),
        directories=(Directory("/srv/site", 0o750),),
        sysctls=(("net.ipv4.ip_nonlocal_bind", "1"),),
        files=(
            File("/etc/engine.conf", text),
            File("/etc/new/deep/key", "hunter-secret-22\n", mode=0o600, secret=True),
        ),
        links=(Link("/etc/enabled-site", "/etc/engine.conf"),),
        absent=(Absent("/etc/default-site"),),
        checks=(Check("engine -t", ("engine", "/etc/engine.conf"), ("/etc/engine.conf",)),),
        commands=(Command("mark it", ("mark", "it"), ("marked", "it")),),
        units=(Unit("engine.service", reload_on=("/etc/engine.conf",)),),
        healths=(Health("engine answers", ("healthy", "engine.service"), within_s=2.0),),
    )
    return replace(base, **more)  # type: ignore[arg-type]  # fields by name


@pytest.fixture
def world(tmp_path: Path) -> Folder:
    return server(tmp_path)


def server(root: Path) -> Folder:
    for path in ("etc", "var/lib", "run", "usr/sbin", "srv", "proc/sys/net/ipv4"):
        (root / path).mkdir(parents=True)
    (root / "proc/sys/net/ipv4/ip_nonlocal_bind").write_text("0\n")
    return Folder(root, ARCHIVE)


def quiet(_step: str, _detail: str) -> None:
    pass


def run(world: Folder, wanted: Bundle, *, overwrite: bool = False) -> list[str]:
    changed = apply(world, wanted, overwrite=overwrite, report=quiet)
    return [f"{change.kind} {change.name} {change.action}" for change in changed]


def plan(world: Folder, wanted: Bundle) -> list[str]:
    earlier = known(world)
    changes = differences(wanted, observe(world, wanted, earlier), earlier)
    return [f"{change.kind} {change.name} {change.action}" for change in changes]


def text(world: Folder, path: str) -> str:
    return (world.root / path.lstrip("/")).read_text()


def leftovers(world: Folder) -> list[str]:
    kept = [str(path) for path in world.root.rglob(".*.stillup-*")]
    journal = world.root / "var/lib/stillup/journal/journal.json"
    return kept + ([str(journal)] if journal.exists() else [])


def test_a_bare_server_gets_everything_in_order(world: Folder) -> None:
    assert run(world, bundle()) == [
        "package engine add",
        "user stillup add",
        "directory /srv/site add",
        "sysctl net.ipv4.ip_nonlocal_bind change",
        "file /etc/engine.conf change",
        "file /etc/new/deep/key add",
        "link /etc/enabled-site add",
        "absent /etc/default-site remove",
        "file /etc/sysctl.d/90-stillup.conf add",
        "command mark it run",
        "unit engine.service enable",
        "unit engine.service start",
    ]
    assert text(world, "/etc/engine.conf") == "good\n"
    assert text(world, "/proc/sys/net/ipv4/ip_nonlocal_bind") == "1\n"
    assert stat.S_IMODE((world.root / "etc/new/deep/key").stat().st_mode) == 0o600
    assert not (world.root / "etc/default-site").exists()
    assert world.unit("engine.service") == ("active", "enabled")
    assert not (world.root / "usr/sbin/policy-rc.d").exists()
    assert leftovers(world) == []


def test_the_second_apply_changes_nothing_and_starts_few_processes(world: Folder) -> None:
    run(world, bundle())
    world.calls.clear()
    assert run(world, bundle()) == []
    assert [call[0] for call in world.calls] == ["dpkg-query", "systemctl", "marked"]


def test_a_setting_that_not_every_kernel_has_comes_with_the_kernel_and_goes_with_the_farm_file(
    world: Folder,
) -> None:
    optional = ("-net.ipv4.tcp_rto_min_us", "50000")
    wanted = bundle(sysctls=(*bundle().sysctls, optional))
    assert not [told for told in run(world, wanted) if "rto_min" in told]
    assert "-net.ipv4.tcp_rto_min_us = 50000\n" in text(world, "/etc/sysctl.d/90-stillup.conf")
    assert plan(world, wanted) == []

    # The next kernel has it, and sysctl.d set it at boot.
    setting = world.root / "proc/sys/net/ipv4/tcp_rto_min_us"
    setting.parent.mkdir(parents=True, exist_ok=True)
    setting.write_text("50000\n")
    assert plan(world, wanted) == []
    assert not [told for told in run(world, bundle()) if told.startswith("sysctl")]

    setting.write_text("200000\n")
    assert "sysctl -net.ipv4.tcp_rto_min_us change" in run(world, wanted)
    assert text(world, "/proc/sys/net/ipv4/tcp_rto_min_us").split() == ["50000"]
    assert "sysctl -net.ipv4.tcp_rto_min_us remove" in run(world, bundle())
    assert text(world, "/proc/sys/net/ipv4/tcp_rto_min_us").split() == ["200000"]


def test_a_changed_file_reloads_only_its_unit(world: Folder) -> None:
    run(world, bundle())
    assert run(world, bundle("better\n")) == [
        "file /etc/engine.conf change",
        "reaction engine.service reload",
    ]
    assert world.state()["runs"]["engine.service"] == ["better\n"]


def test_what_the_checker_refuses_never_goes_live(world: Folder) -> None:
    run(world, bundle())
    with pytest.raises(ChangeTakenBack, match=r"engine -t refuses .*unknown word in: BROKEN"):
        run(world, bundle("BROKEN\n"))
    assert text(world, "/etc/engine.conf") == "good\n"
    assert world.state()["runs"]["engine.service"] == ["good\n"]
    assert leftovers(world) == []
    assert plan(world, bundle()) == []


@pytest.mark.parametrize("word", ["SICK", "CRASH"])
def test_what_does_not_come_to_health_is_taken_back_and_the_old_runs_again(
    world: Folder, word: str
) -> None:
    run(world, bundle())
    worse = bundle(f"{word}\n", sysctls=(), links=(), units=(restarting(),))
    with pytest.raises(ChangeTakenBack, match="what was there before is back"):
        run(world, worse)
    assert text(world, "/etc/engine.conf") == "good\n"
    assert world.state()["runs"]["engine.service"] == ["good\n"]
    assert world.unit("engine.service") == ("active", "enabled")
    assert leftovers(world) == []
    assert plan(world, bundle()) == []


def restarting() -> Unit:
    return Unit("engine.service", restart_on=("/etc/engine.conf",))


def test_what_a_busy_engine_refuses_is_asked_of_it_again(world: Folder) -> None:
    patient = replace(bundle().commands[0], within_s=60.0)
    world.keep_busy(3)
    assert "command mark it run" in run(world, bundle(commands=(patient,)))
    assert [call[0] for call in world.calls].count("mark") == 4


def test_what_a_busy_engine_refuses_for_too_long_fails(world: Folder) -> None:
    patient = replace(bundle().commands[0], within_s=60.0)
    world.keep_busy(1000)
    with pytest.raises(ChangeTakenBack, match="mark it failed: busy"):
        run(world, bundle(commands=(patient,)))
    assert 60 <= [call[0] for call in world.calls].count("mark") <= 120


def test_what_is_not_to_be_asked_again_fails_at_once(world: Folder) -> None:
    world.keep_busy(1)
    with pytest.raises(ChangeTakenBack, match="mark it failed: busy"):
        run(world, bundle())
    assert [call[0] for call in world.calls].count("mark") == 1


def test_a_first_apply_that_fails_leaves_nothing_but_packages(world: Folder) -> None:
    with pytest.raises(ChangeTakenBack, match="engine answers did not come to health: error: 503"):
        run(world, bundle("SICK\n"))
    assert text(world, "/etc/engine.conf") == "as packaged\n"
    assert text(world, "/etc/default-site") == "in the way\n"
    assert not (world.root / "etc/new").exists()
    assert not (world.root / "srv/site").exists()
    assert text(world, "/proc/sys/net/ipv4/ip_nonlocal_bind") == "0\n"
    assert world.unit("engine.service") == ("inactive", "disabled")
    assert leftovers(world) == []


def test_after_a_first_apply_that_failed_what_packages_left_is_still_theirs(world: Folder) -> None:
    with pytest.raises(ChangeTakenBack):
        run(world, bundle("SICK\n"))
    run(world, bundle())
    assert text(world, "/etc/engine.conf") == "good\n"


def test_hand_made_changes_are_refused_and_kept_when_overwritten(world: Folder) -> None:
    run(world, bundle())
    (world.root / "etc/engine.conf").write_text("by hand\n")
    with pytest.raises(ChangeRefused, match=r"changed by hand: /etc/engine.conf;"):
        run(world, bundle("next\n"))
    assert text(world, "/etc/engine.conf") == "by hand\n"
    run(world, bundle("next\n"), overwrite=True)
    assert text(world, "/etc/engine.conf") == "next\n"
    kept = [path for path in (world.root / "var/lib/stillup/replaced").rglob("*") if path.is_file()]
    assert [path.read_text() for path in kept] == ["by hand\n"]


def test_a_strangers_file_is_refused_but_what_a_package_left_is_not(world: Folder) -> None:
    digest = hashlib.md5(b"as packaged\n").hexdigest()
    (world.root / "etc/engine.conf").write_text("as packaged\n")
    (world.root / "etc/default-site").write_text("somebody's\n")
    (world.root / "conffiles").write_text(
        f" /etc/engine.conf {digest}\n /etc/default-site {digest}\n"
    )
    with pytest.raises(ChangeRefused, match="changed by hand: /etc/default-site;"):
        run(world, bundle())


def test_what_is_no_longer_wanted_goes(world: Folder) -> None:
    run(world, bundle())
    less = replace(bundle(), files=bundle().files[:1], links=(), sysctls=(), units=(), healths=())
    assert run(world, less) == [
        "sysctl net.ipv4.ip_nonlocal_bind remove",
        "link /etc/enabled-site remove",
        "file /etc/new/deep/key remove",
        "file /etc/sysctl.d/90-stillup.conf remove",
        "unit engine.service remove",
    ]
    assert not (world.root / "etc/new/deep/key").exists()
    assert text(world, "/proc/sys/net/ipv4/ip_nonlocal_bind") == "0\n"
    assert world.unit("engine.service") == ("inactive", "disabled")
    assert plan(world, less) == []


def test_a_package_that_does_not_install_leaves_everything_else_alone(world: Folder) -> None:
    wanted = replace(bundle(), packages=("engine", "no-such"))
    with pytest.raises(ServerFailed, match="Unable to locate package no-such"):
        run(world, wanted)
    assert not (world.root / "etc/new").exists()
    assert leftovers(world) == []
    assert not (world.root / "usr/sbin/policy-rc.d").exists()


def test_a_folder_in_the_way_is_refused_even_with_overwrite(world: Folder) -> None:
    (world.root / "etc/enabled-site").mkdir()
    with pytest.raises(ChangeRefused, match="/etc/enabled-site is a folder on this server"):
        run(world, bundle(), overwrite=True)


def test_no_secret_is_in_a_difference_the_manifest_or_the_journal(world: Folder) -> None:
    earlier = known(world)
    changes = differences(bundle(), observe(world, bundle(), earlier), earlier)
    told = json.dumps([change.diff for change in changes])
    run(world, bundle())
    assert "hunter" not in told
    assert "hunter" not in text(world, "/var/lib/stillup/manifest.json")


def test_an_administrators_policy_that_is_a_link_is_left_alone(tmp_path: Path) -> None:
    world = server(tmp_path)
    own = world.root / "usr/local/policy"
    own.parent.mkdir(parents=True)
    own.write_text("#!/bin/sh\nexit 104\n")
    policy = world.root / "usr/sbin/policy-rc.d"
    policy.parent.mkdir(parents=True, exist_ok=True)
    policy.symlink_to(own)
    apply(world, bundle(), overwrite=False, report=quiet)
    assert policy.is_symlink()
    assert own.read_text() == "#!/bin/sh\nexit 104\n"
