"""Fixtures of the lab tests: six machines, booted once for all tests.

``lab`` has bare machines or whatever the tests before left on them; ``applied`` has the farm
file applied. After each test every link is healed and every machine switched on again, so
that tests may break what they like.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lab.figures import figures
from tests.lab.running import ROOT, SMALL, RunningLab, copy_of, lab_of


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the faults cost."""
    if figures():
        terminalreporter.section("measured in the lab")
        for line in figures():
            terminalreporter.write_line(line)


@pytest.fixture(autouse=True)
def _only_as_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("boots machines, which needs root")


@pytest.fixture(scope="session")
def whole_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """The lab of ``tests/farms/six.toml``, in a folder of its own, for the whole session."""
    folder = tmp_path_factory.mktemp("farm")
    with lab_of(copy_of(ROOT / "tests/farms/six.toml", folder)) as running:
        running.lab.up()
        yield running


@pytest.fixture
def lab(whole_lab: RunningLab) -> Iterator[RunningLab]:
    """Six machines that are up, with their links whole."""
    whole_lab.make_whole()
    yield whole_lab
    whole_lab.make_whole()


@pytest.fixture(scope="session")
def applied_lab(whole_lab: RunningLab) -> RunningLab:
    """The farm file applied once; a failure is said once for each test that needs it."""
    whole_lab.stillup("--lab", "apply")
    return whole_lab


@pytest.fixture
def applied(applied_lab: RunningLab, lab: RunningLab) -> RunningLab:
    """Six machines that serve the example's site."""
    return lab


@pytest.fixture
def farm(applied: RunningLab) -> RunningLab:
    """The farm with all its servers up and none drained."""
    applied.stillup("--lab", "status", "--wait", "60")
    return applied


@pytest.fixture
def small(tmp_path: Path) -> Iterator[RunningLab]:
    """A lab of two machines, not yet up, for one test alone."""
    with lab_of(copy_of(SMALL, tmp_path)) as running:
        yield running


@pytest.fixture
def other(tmp_path: Path) -> Iterator[RunningLab]:
    """A second lab with the same names and addresses as ``small``."""
    folder = tmp_path / "other"
    folder.mkdir()
    with lab_of(copy_of(SMALL, folder)) as running:
        yield running
