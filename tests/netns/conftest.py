"""A farm of namespaces, whole before each test; skipped where none can be made."""

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from tests.netns import engines
from tests.netns.farm import Farm, built, whole


def lacking() -> str:
    """Return what this machine lacks to run these tests; empty if nothing."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", "nft", "bridge"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    name = f"hb{os.getpid()}-try"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
    if made.returncode:
        return f"no network namespace can be made: {made.stderr.decode().strip()}"
    words = ["ip", "netns", "exec", name, "nft", "add", "table", "arp", "try"]
    table = subprocess.run(words, capture_output=True, check=False)
    subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)
    return "the kernel has no nftables for arp" if table.returncode else ""


@pytest.fixture(scope="session")
def namespaces() -> None:
    reason = lacking()
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def haproxy() -> None:
    try:
        engines.haproxy()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"haproxy is not installed and cannot be downloaded: {error}")


@pytest.fixture(scope="module")
def namespaced(namespaces: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """A farm for all tests of a module: to build it anew takes as long as a test."""
    with built(Farm(tmp_path_factory.mktemp("farm"))) as made:
        yield made


@pytest.fixture
def farm(namespaced: Farm) -> Iterator[Farm]:
    """A farm in which lb1 holds the address and all are well."""
    with whole(namespaced) as made:
        yield made
