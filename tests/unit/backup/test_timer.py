"""The units: what systemd itself says of them, where it is."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from stillup.backup.timer import Timed, service, timer

TIMED = Timed(
    "shop",
    ("/opt/100% mine/python", "-P", "-m", "stillup", "-f", '/srv/a "b"/farm.toml', "backup"),
    "root",
    Path("/var/backups/shop"),
    "daily",
)


def test_the_service_may_write_to_the_folder_of_backups_alone() -> None:
    text = service(TIMED)
    assert 'ExecStart="/opt/100%% mine/python" "-P"' in text
    assert '"/srv/a \\"b\\"/farm.toml" "backup"\n' in text
    for line in (
        "User=root",
        "ProtectSystem=strict",
        'ReadWritePaths="/var/backups/shop"',
        "CapabilityBoundingSet=",
        "NoNewPrivileges=yes",
        "UMask=0077",
        "TimeoutStartSec=12h",
    ):
        assert f"\n{line}\n" in text


def test_backups_that_go_elsewhere_write_nothing_here() -> None:
    assert "ReadWritePaths" not in service(replace(TIMED, writes=None))


def test_units_of_ones_own_ask_for_nothing_that_is_the_systems() -> None:
    text = service(replace(TIMED, user=None))
    assert "User=" not in text
    assert "ProtectSystem" not in text
    assert "NoNewPrivileges=yes" in text


def test_the_timer_makes_up_for_a_time_slept_through() -> None:
    text = timer(replace(TIMED, at="Mon..Fri 03:30"))
    assert "\nOnCalendar=Mon..Fri 03:30\n" in text
    assert "\nPersistent=yes\n" in text


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    timed = replace(TIMED, command=("/bin/true", "-f", '/srv/a "b"/farm.toml', "backup"))
    (tmp_path / f"{timed.name}.service").write_text(service(timed))
    (tmp_path / f"{timed.name}.timer").write_text(timer(timed))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / f"{timed.name}.timer")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    told = [line for line in done.stderr.splitlines() if timed.name in line]
    assert told == []
