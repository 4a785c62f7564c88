"""The command that keeps our block of /etc/hosts, run as it is, on files of our own."""

import subprocess
from pathlib import Path

import pytest

from stillup.parts import base

OURS = """\
# stillup: the farm's servers, begin (kept by stillup; your own lines outside are left alone)
10.0.0.2 lb1
10.0.0.3 lb2
# stillup: the farm's servers, end
"""
OLD = OURS.replace("10.0.0.3 lb2", "10.0.0.9 lb9")
CASES = {
    "nothing of ours yet": ("127.0.0.1 localhost\n", "127.0.0.1 localhost\n"),
    "an old block is replaced": (f"1.1.1.1 a\n{OLD}2.2.2.2 b\n", "1.1.1.1 a\n2.2.2.2 b\n"),
    "the end was removed by hand": (
        "127.0.0.1 localhost\n"
        + "".join(OURS.splitlines(keepends=True)[:2])
        + "192.168.1.9 printer\n10.9.9.9 lb2\n",
        "127.0.0.1 localhost\n192.168.1.9 printer\n10.9.9.9 lb2\n",
    ),
    "the begin was removed by hand": (
        "127.0.0.1 localhost\n" + "".join(OURS.splitlines(keepends=True)[1:]),
        "127.0.0.1 localhost\n10.0.0.2 lb1\n10.0.0.3 lb2\n",
    ),
    "twice": (f"{OURS}{OLD}1.1.1.1 a\n", "1.1.1.1 a\n"),
    "no end, and then a whole block": (
        "".join(OURS.splitlines(keepends=True)[:3]) + f"1.1.1.1 a b\n{OLD}2.2.2.2 b\n",
        "1.1.1.1 a b\n2.2.2.2 b\n",
    ),
    "no line end at the end": ("1.1.1.1 a", "1.1.1.1 a\n"),
}


@pytest.mark.parametrize(("before", "others"), CASES.values(), ids=CASES)
def test_our_block_is_kept_and_every_other_line_stays(
    tmp_path: Path, before: str, others: str
) -> None:
    hosts, ours = tmp_path / "hosts", tmp_path / "ours"
    hosts.write_text(before)
    ours.write_text(OURS)
    command = base.hosts()

    def run(argv: tuple[str, ...]) -> int:
        line = argv[-1].replace(base.HOSTS, str(ours)).replace("/etc/hosts", str(hosts))
        line = line.replace("/etc/.hosts", str(tmp_path / ".hosts"))
        return subprocess.run([*argv[:-1], line], check=False).returncode

    assert run(command.unless) != 0
    assert run(command.argv) == 0
    assert hosts.read_text() == others + OURS
    assert run(command.unless) == 0
