"""What a process and those it started cost: processor time and memory, as the kernel counts."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """Of one daemon with all its processes."""

    cpu_s: float
    rss_bytes: int
    pss_bytes: int

    def since(self, earlier: "Cost") -> "Cost":
        """Return the memory now, and the processor time since ``earlier``."""
        return Cost(self.cpu_s - earlier.cpu_s, self.rss_bytes, self.pss_bytes)


def cost(pid: int) -> Cost:
    """Return what the process ``pid`` and its descendants have cost so far."""
    family = _family(pid)
    return Cost(
        cpu_s=sum(_cpu_s(one) for one in family),
        rss_bytes=sum(_memory(one, "Rss") for one in family),
        pss_bytes=sum(_memory(one, "Pss") for one in family),
    )


def _family(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += _family(int(child))
    return found


def _cpu_s(pid: int) -> float:
    # schedstat counts nanoseconds; the ticks in stat would round a quiet daemon down to nothing.
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def _memory(pid: int, what: str) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) * 1024
    return 0
