"""The firewall's guard in a network namespace: what another program flushes comes back."""

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from stillup.parts.template import text

pytestmark = [pytest.mark.netns, pytest.mark.timeout(60)]

RULES = """\
table inet stillup_firewall
delete table inet stillup_firewall
table inet stillup_firewall {
    chain input { type filter hook input priority filter; policy drop; }
}
"""
BACK_WITHIN_S = 2.0


@dataclass(frozen=True)
class Guarded:
    """A namespace whose firewall is guarded."""

    guard: subprocess.Popen[bytes]
    rules: Path

    def nft(self, *words: str) -> int:
        inside = ["nsenter", f"--net=/proc/{self.guard.pid}/ns/net", "nft", *words]
        return subprocess.run(inside, capture_output=True, check=False).returncode

    def is_shut(self) -> bool:
        return self.nft("list", "chain", "inet", "stillup_firewall", "input") == 0

    def becomes_shut(self) -> bool:
        ends = time.monotonic() + BACK_WITHIN_S
        while not (shut := self.is_shut()) and time.monotonic() < ends:
            pass
        return shut


@pytest.fixture
def guarded(namespaces: None, tmp_path: Path) -> Iterator[Guarded]:
    script, rules = tmp_path / "guard", tmp_path / "rules.nft"
    script.write_text(text("base/firewall-guard"))
    rules.write_text(RULES)
    guard = subprocess.Popen(["unshare", "--net", "bash", str(script), str(rules)])
    try:
        yield Guarded(guard, rules)
    finally:
        guard.terminate()
        guard.wait(10)


def test_what_is_flushed_is_back_and_nothing_else_is_touched(guarded: Guarded) -> None:
    assert guarded.becomes_shut()
    for _ in range(20):
        guarded.nft("flush", "ruleset")
        guarded.nft("add", "table", "inet", "somebody_elses")
        assert guarded.becomes_shut()
    assert guarded.nft("list", "table", "inet", "somebody_elses") == 0


def test_a_reload_of_the_rules_is_no_reason_to_load_them_again(guarded: Guarded) -> None:
    assert guarded.becomes_shut()
    guarded.rules.write_text("this is no rule")
    whole = guarded.rules.with_name("whole.nft")
    whole.write_text(RULES)
    assert guarded.nft("--file", str(whole)) == 0
    assert guarded.is_shut()
    guarded.nft("flush", "ruleset")
    assert not guarded.becomes_shut()
    assert guarded.guard.poll() is None
