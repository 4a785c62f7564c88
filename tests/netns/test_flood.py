"""A flood at the holder: it keeps the address and does not grow.

The senders stand on the same LAN, use another voter's address as their own, and send as fast as they can.
``FLOOD_S=60 python -m pytest -rA tests/netns/test_flood.py`` for a longer one.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from tests.flooder import Flooder
from tests.fuzz.datagrams import INSIDERS, STRANGERS
from tests.netns.farm import SERVERS, Farm, run
from tests.recorder import recorded

pytestmark = [pytest.mark.netns, pytest.mark.crowding, pytest.mark.timeout(180)]

FLOOD_S = float(os.environ.get("FLOOD_S", "8"))
GROWTH_KIB = 1024
SENDERS = 2


def resident_kib(process: int) -> int:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise LookupError(f"process {process} has no resident size")


def cpu_s(process: int) -> float:
    words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def flooded(
    farm: Farm, kind: str, source: str, datagrams: Sequence[bytes]
) -> Iterator[list[Flooder]]:
    """Flood lb1 from the client's namespace, with ``source`` for an address."""
    heads = farm.folder / "heads"
    heads.write_text("\n".join(data.hex() for data in datagrams))
    loopback = ("-n", farm.space("client"), "address")
    run("ip", *loopback, "replace", f"{source}/32", "dev", "lo")
    words = ["--to", SERVERS["lb1"], "--from", source, "--kind", kind, "--heads", str(heads)]
    flooders = [Flooder(farm.enter("client"), words) for _ in range(SENDERS)]
    try:
        yield flooders
    finally:
        for flooder in flooders:
            flooder.kill()
        run("ip", *loopback, "delete", f"{source}/32", "dev", "lo")


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        pytest.param("noise", "10.0.0.66", id="noise of a stranger"),
        pytest.param("noise", SERVERS["lb2"], id="noise in a voter's name"),
        pytest.param("heads", SERVERS["lb2"], id="what is like ours, in a voter's name"),
        pytest.param("lines", SERVERS["lb2"], id="what is ours, again and again"),
        pytest.param("fuzz", SERVERS["lb2"], id="what is ours, made wrong by one who has the key"),
    ],
)
def test_a_flood_does_not_take_the_address(farm: Farm, kind: str, source: str) -> None:
    heard = recorded(farm.enter("bridge"), "lb1", SERVERS["lb2"])
    if kind == "fuzz":
        luck, kind, key = Random(1), "lines", b"a key for these tests only"
        makers = STRANGERS + INSIDERS
        heard = [luck.choice(makers)(luck, luck.choice(heard), key) for _ in range(20_000)]
    before = farm.status("lb1")
    daemon = farm.daemons["lb1"].pid
    began_s, spent_s, size_kib = time.monotonic(), cpu_s(daemon), resident_kib(daemon)
    with flooded(farm, kind, source, heard) as flooders:
        time.sleep(FLOOD_S)
        pace = sum(flooder.stop() for flooder in flooders)
    share = (cpu_s(daemon) - spent_s) / (time.monotonic() - began_s)
    after = farm.status("lb1")

    grown = resident_kib(daemon) - size_kib
    figures = {key: after.get(key) for key in ("lateness_ms", "datagrams")}
    print(f"\n{pace:.0f} a second, {share:.0%} of a core, {grown} KiB, {figures}")  # noqa: T201
    assert after["moves"] == before["moves"]
    assert farm.holder() == "lb1"
    assert grown < GROWTH_KIB
