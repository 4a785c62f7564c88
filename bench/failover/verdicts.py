"""What stillup must, row by row, and whether it did: pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.failover.measure import summary

Record = dict[str, object]
DEFAULT, FAST, RIVAL = "stillup", "stillup 150 ms", "keepalived 50 ms"
LEASES_S = {DEFAULT: 0.5, FAST: 0.15}
# "Nothing seen": what a busy host does by itself is less than this.
NOTHING_S = 0.05
MOVE_S = 0.02
HAPROXY_S = 0.05
# A lease and 100 ms is the bound that the heartbeat promises of every single run.
OVER_LEASE_S = 0.1
LOST_S = 1.0
MEMORY_MB, CPU_S = 25.0, 0.6


@dataclass(frozen=True)
class Verdict:
    """Of one promise.

    Args:
        fault: Its row's key.
        part: ``fault`` or ``after``.
        must: In words.
        told: What was measured, in words.
        kept: None if it was not measured.
    """

    fault: str
    part: str
    must: str
    told: str
    kept: bool | None

    def __str__(self) -> str:
        word = {True: "kept", False: "BROKEN", None: "NOT MEASURED"}[self.kept]
        return f"{word:>12}  {self.fault} ({self.part}): must {self.must}; {self.told}"


def good(records: Sequence[Record], contender: str, fault: str) -> list[Record]:
    """Return the runs that count: not the failed ones, not those the host disturbed."""
    return [
        one
        for one in records
        if (one["contender"], one["row"]) == (contender, fault)
        and "error" not in one
        and not one.get("disturbed")
    ]


def figures(
    records: Sequence[Record], contender: str, fault: str, part: str, what: str
) -> list[float]:
    """Return one figure of every run that counts."""
    parts = [one[part] for one in good(records, contender, fault) if part in one]
    return [float(each[what]) for each in parts if isinstance(each, dict)]


def lost(record: Record) -> bool:
    """Return whether the connection that was open during a planned move was lost."""
    stream = record.get("stream")
    assert isinstance(stream, dict)
    return bool(stream["lost"]) or stream["gap_s"] > LOST_S


def verdicts(records: Sequence[Record]) -> list[Verdict]:
    """Return the verdict on every promise, in the table's order."""
    return [
        _lease(records, "dies"),
        _move(records),
        _none(records, "killed", "both_s", "never have two hold it", 0.0),
        _none(records, "killed", "lasted_s", "let nothing be seen", NOTHING_S, part="after"),
        _none(records, "stopped", "both_s", "never have two hold it", 0.0),
        _none(records, "stopped", "lasted_s", "let nothing be seen", NOTHING_S, part="after"),
        _none(records, "link", "lasted_s", "let nothing be seen", NOTHING_S),
        _none(records, "link", "lasted_s", "let nothing be seen", NOTHING_S, part="after"),
        _lease(records, "carrier"),
        _lease(records, "silent"),
        _none(records, "silent", "lasted_s", "let nothing be seen", NOTHING_S, part="after"),
        _none(records, "haproxy", "lasted_s", "move within 0.05 s", HAPROXY_S),
        _none(records, "spin", "moves", "not move", 0.0, part="minute"),
        _never_both(records),
        _cost(records),
    ]


def _none(
    records: Sequence[Record], fault: str, what: str, must: str, most: float, part: str = "fault"
) -> Verdict:
    """No single run may be over ``most``."""
    told, kept = [], True
    for name in LEASES_S:
        found = figures(records, name, fault, part, what)
        if not found:
            return Verdict(fault, part, must, f"nothing of {name}", None)
        unit = "" if what == "moves" else " s"
        told.append(f"{name}: at most {max(found):.3g}{unit} in {len(found)} runs")
        kept = kept and max(found) <= most
    return Verdict(fault, part, must, "; ".join(told), kept)


def _lease(records: Sequence[Record], fault: str) -> Verdict:
    """The usual run within the lease, every run within a lease and 100 ms."""
    must = "be out for no longer than the lease"
    told, kept = [], True
    for name, lease_s in LEASES_S.items():
        found = figures(records, name, fault, "fault", "lasted_s")
        if not found:
            return Verdict(fault, "fault", must, f"nothing of {name}", None)
        told.append(f"{name}: median {summary(found)['median']:.3f}, at most {max(found):.3f} s")
        kept = kept and summary(found)["median"] <= lease_s and max(found) <= lease_s + OVER_LEASE_S
    if fault != "dies":
        return Verdict(fault, "fault", must, "; ".join(told), kept)
    rival = figures(records, RIVAL, fault, "fault", "lasted_s")
    if not rival:
        return Verdict(fault, "fault", must, f"nothing of {RIVAL}", None)
    limit_s = summary(rival)["median"]
    fast_s = summary(figures(records, FAST, fault, "fault", "lasted_s"))["median"]
    must += f"; with a lease of 150 ms no slower than {RIVAL}"
    told.append(f"{RIVAL}: median {limit_s:.3f} s")
    return Verdict(fault, "fault", must, "; ".join(told), kept and fast_s <= limit_s)


def _move(records: Sequence[Record]) -> Verdict:
    must = "have no gap over 20 ms, no request failed, no open connection lost"
    told, kept = [], True
    for name in LEASES_S:
        runs = good(records, name, "planned")
        if not runs:
            return Verdict("planned", "fault", must, f"nothing of {name}", None)
        gap_s = max(figures(records, name, "planned", "fault", "lasted_s"))
        failed = sum(int(str(one["failed"])) for one in runs)
        gone = sum(lost(one) for one in runs)
        told.append(
            f"{name}: at most {gap_s:.3f} s, {failed} failed, {gone} of {len(runs)} connections lost"
        )
        kept = kept and gap_s <= MOVE_S and failed == 0 and gone == 0
    return Verdict("planned", "fault", must, "; ".join(told), kept)


def _never_both(records: Sequence[Record]) -> Verdict:
    must = "never have two hold it, in no row and no run"
    found = [
        float(part["both_s"])
        for one in records
        if one["contender"] in LEASES_S
        for part in one.values()
        if isinstance(part, dict) and "both_s" in part
    ]
    if not found:
        return Verdict("all", "all", must, "nothing", None)
    told = f"{sum(found):.3g} s in {len(found)} times watched"
    return Verdict("all", "all", must, told, sum(found) == 0)


def _cost(records: Sequence[Record]) -> Verdict:
    must = f"cost no more than {MEMORY_MB:g} MB and {CPU_S} CPU s a minute at the default lease"
    read: Callable[[str], list[float]] = lambda what: figures(records, DEFAULT, "rest", "lb1", what)  # noqa: E731
    memory, spent = read("rss_mb"), read("cpu_s_a_minute")
    if not memory:
        return Verdict("rest", "lb1", must, "nothing", None)
    usual = summary(memory)["median"], summary(spent)["median"]
    told = f"holder: median {usual[0]:.1f} MB, {usual[1]:.2f} s"
    # As precisely as the bounds are given: whole megabytes, tenths of a second.
    kept = round(usual[0]) <= MEMORY_MB and round(usual[1], 1) <= CPU_S
    return Verdict("rest", "lb1", must, told, kept)
