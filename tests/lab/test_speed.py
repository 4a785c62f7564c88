"""How long the lab and an apply without changes take, by the bounds that are promised."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lab.figures import figure
from tests.lab.running import ROOT, RunningLab, copy_of, lab_of

pytestmark = [pytest.mark.lab, pytest.mark.crowding, pytest.mark.timeout(300)]

FIRST_PAGE_S = 60.0
NOTHING_TO_CHANGE_S = 6.0
"""Twice what is promised: a machine may be half as fast as another."""


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[RunningLab]:
    """Six servers, in a lab of their own that does not exist yet."""
    with lab_of(copy_of(ROOT / "tests/farms/six.toml", tmp_path)) as running:
        yield running


def test_from_nothing_to_the_first_page(fresh: RunningLab) -> None:
    began_s = time.monotonic()
    fresh.stillup("lab", "up")
    page = fresh.client("curl", "-fsS", "--max-time", "5", f"http://{fresh.farm.site.hosts[0]}/")
    took_s = time.monotonic() - began_s
    figure(f"lab up to the first page, six machines: {took_s:.1f} s")
    assert "Guest book" in page.stdout
    assert took_s < FIRST_PAGE_S


def test_an_apply_with_nothing_to_change(applied: RunningLab) -> None:
    applied.stillup("--lab", "apply")
    took_s = min(timed(applied) for _ in range(3))
    figure(f"apply with nothing to change, six machines: {took_s:.2f} s")
    assert took_s < NOTHING_TO_CHANGE_S


def timed(running: RunningLab) -> float:
    """Return how long an apply took that changed nothing."""
    began_s = time.monotonic()
    done = running.stillup("--lab", "apply")
    assert "nothing to change" in (done.stdout + done.stderr)
    return time.monotonic() - began_s
