"""The heartbeat's code and key are changed on all six servers under load: nobody notices."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.asker import Asker, latest_s, longest_outage_s
from tests.lab.figures import figure
from tests.lab.running import ROOT, RunningLab

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(600)]

SERVERS = ("lb1", "lb2", "db1", "web1", "web2", "web3")
APPLY_S = 300.0


def heartbeat(lab: RunningLab, server: str) -> dict[str, object]:
    line = "PYTHONPATH=/usr/lib/stillup/heartbeat python3 -m stillup.heartbeat status"
    told: dict[str, object] = json.loads(lab.shell(server, line))
    return told


@contextmanager
def unnoticed(lab: RunningLab, what: str, tmp_path: Path) -> Iterator[None]:
    """Ask fifty times a second meanwhile: every question is answered, nothing moves."""
    before = {name: heartbeat(lab, name) for name in SERVERS}
    url = f"http://{lab.farm.vip.addresses[0]}/"
    asker = Asker(lab.client_command(), url, tmp_path / "asked.json", every_s=0.02, patience_s=2.0)
    time.sleep(0.5)
    try:
        yield
        time.sleep(1.0)
    finally:
        asked = asker.stop()
    outage_s = max(0.0, longest_outage_s(asked) - latest_s(asked))
    after = {name: heartbeat(lab, name) for name in SERVERS}
    failed = [each.error for each in asked if each.error]
    figure(f"{what}: {len(asked)} asked, {len(failed)} failed, no answer for {outage_s:.3f} s")
    assert failed == []
    for name in SERVERS:
        assert after[name]["moves"] == before[name]["moves"], name
        assert after[name]["pid"] != before[name]["pid"], name
    wakes = {
        name: lab.shell(name, "systemctl show -p NRestarts -p MainPID stillup-heartbeat")
        for name in SERVERS
    }
    for name, words in wakes.items():
        assert f"MainPID={after[name]['pid']}" in words, name


def test_another_version_takes_over_in_place(applied: RunningLab, tmp_path: Path) -> None:
    source = tmp_path / "src"
    shutil.copytree(ROOT / "src", source)
    with (source / "stillup/heartbeat/ballot.py").open("a") as file:
        file.write("\n# another version\n")
    with unnoticed(applied, "another version of the heartbeat", tmp_path):
        words = [sys.executable, "-P", "-m", "stillup", "-f", str(applied.farm_path)]
        done = subprocess.run(
            [*words, "--lab", "apply"],
            env={**os.environ, "PYTHONPATH": str(source)},
            capture_output=True,
            text=True,
            timeout=APPLY_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "another version" in applied.shell(
        "web2", "tail -1 /usr/lib/stillup/heartbeat/stillup/heartbeat/ballot.py"
    )


def test_the_key_is_changed_in_rounds(applied: RunningLab, tmp_path: Path) -> None:
    old = applied.shell("db1", "sha256sum /etc/stillup/heartbeat.key")
    with unnoticed(applied, "another heartbeat key", tmp_path):
        done = applied.stillup("--lab", "secrets", "rotate", "heartbeat", "--json")
    assert json.loads(done.stdout) == {"rotated": "heartbeat", "rounds": 3}
    assert applied.shell("db1", "sha256sum /etc/stillup/heartbeat.key") != old
    assert applied.shell("db1", "wc -l </etc/stillup/heartbeat.key").strip() == "1"
