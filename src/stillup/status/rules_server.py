"""What is wrong with one server, whatever its roles: silent, half-applied, full, late."""

from collections.abc import Iterator
from statistics import median

from stillup.model.farm import Farm
from stillup.status import picture
from stillup.status.observed import Disk, Observed, Reached, Unreached
from stillup.status.verdict import Finding, Severity

DISK_LOW_BYTES = 1 << 30
"""Less than this free is a risk: a release, a log burst or an upgrade fills it."""
DISK_FULL_BYTES = 64 << 20
"""Less than this and MariaDB, logs and uploads begin to fail."""
CLOCK_APART_S = 1.0
"""Sessions, logs and certificates live with a second; more says that chrony does not work."""
WELL_STATES = frozenset({"active", "activating", "reloading"})


def findings(farm: Farm, observed: Observed) -> Iterator[Finding]:
    """Yield every problem of single servers that answered, in the farm's order."""
    apart = _clocks_apart(observed)
    for server in farm.servers:
        seen = observed.reached(server.name)
        if seen is None:
            continue
        yield from _applied(seen)
        yield from _units(seen)
        yield from _firewall(seen)
        yield from _heartbeat(seen)
        for disk in seen.disks:
            yield from _disk(seen.name, disk)
        yield from _clock(seen, apart[seen.name])


def unreached(observed: Observed) -> Iterator[Finding]:
    """Yield every server that could not be asked: often the cause of all the rest."""
    for seen in observed.servers:
        if isinstance(seen, Unreached):
            named = seen.reason.startswith(seen.name)
            yield Finding(
                seen.code,
                Severity.RISK,
                seen.reason if named else f"{seen.name} cannot be asked: {seen.reason}",
                _way_out(seen.name, seen.code),
                seen.name,
            )


def outdated(observed: Observed) -> Iterator[Finding]:
    """Say once which servers have another configuration than the farm file asks for.

    After the farm file was changed, or stillup renewed, that is often all of them.
    """
    names = [
        seen.name
        for seen in picture.reached(observed)
        if seen.applied_at_s is not None and seen.wanted not in {None, seen.bundle}
    ]
    if names:
        have = "has" if len(names) == 1 else "have"
        yield Finding(
            "bundle-differs",
            Severity.NOTE,
            f"{', '.join(names)} {have} another configuration than the farm file asks for",
            "`stillup plan` shows the difference, `stillup apply` makes it so",
            names[0] if len(names) == 1 else None,
        )


def _way_out(name: str, code: str) -> str:
    if code == "server-refused":
        return f"check the [ssh] section and what {name} itself says of its host key"
    if code == "server-failed":
        return f"look at {name} itself: it answers, but cannot tell how it is"
    return f"start {name} or mend its network; it joins again by itself"


def _applied(seen: Reached) -> Iterator[Finding]:
    if seen.unfinished:
        yield Finding(
            "apply-unfinished",
            Severity.RISK,
            f"a change was interrupted on {seen.name}",
            "`stillup apply` carries it on",
            seen.name,
        )
    elif seen.applied_at_s is None:
        yield Finding(
            "never-applied",
            Severity.RISK,
            f"nothing was ever applied to {seen.name}",
            "`stillup apply` makes it part of the farm",
            seen.name,
        )


def _units(seen: Reached) -> Iterator[Finding]:
    for unit, state in seen.units.items():
        if state not in WELL_STATES:
            yield Finding(
                "unit-not-running",
                Severity.RISK,
                f"{unit} on {seen.name} is {state}",
                f"see `journalctl -u {unit}` on {seen.name}; `stillup apply` starts it again",
                seen.name,
            )


def _firewall(seen: Reached) -> Iterator[Finding]:
    if not seen.firewall:
        yield Finding(
            "firewall-open",
            Severity.RISK,
            f"the firewall's rules are gone on {seen.name}: another program flushed them",
            "`stillup apply` puts them back; look for `nft flush ruleset` in what else sets rules",
            seen.name,
        )


def _heartbeat(seen: Reached) -> Iterator[Finding]:
    if seen.heartbeat is None:
        if seen.applied_at_s is not None:
            yield Finding(
                "heartbeat-silent",
                Severity.RISK,
                f"the heartbeat daemon on {seen.name} does not answer: its vote is missing",
                f"see `journalctl -u stillup-heartbeat` on {seen.name}",
                seen.name,
            )
        return
    # It is over, and a short load of the machine does it too, so it is told and judged by nothing.
    for sentence in seen.heartbeat.warnings:
        yield Finding(
            "heartbeat-near-fault",
            Severity.NOTE,
            f"the heartbeat on {seen.name}: {sentence}",
            f"see what else loads {seen.name}, or choose a longer [vip] lease",
            seen.name,
        )


def _disk(name: str, disk: Disk) -> Iterator[Finding]:
    if disk.read_only:
        yield Finding(
            "disk-read-only",
            Severity.RISK,
            f"the file system {disk.path} of {name} is read-only: nothing can be written there",
            f"see `dmesg` on {name}: after an error of the disk the kernel allows no more writing; "
            f"check the disk, then restart {name}",
            name,
        )
    free = disk.free_bytes
    if free < DISK_LOW_BYTES:
        yield Finding(
            "disk-full" if free < DISK_FULL_BYTES else "disk-low",
            Severity.RISK,
            f"the file system {disk.path} of {name} has {free / (1 << 20):.0f} MB left",
            f"make room on {name}: `du -xh {disk.path} | sort -h | tail`",
            name,
        )


def _clocks_apart(observed: Observed) -> dict[str, float]:
    """Return each clock's distance from the farm's middle one, in seconds."""
    seen = picture.reached(observed)
    if not seen:
        return {}
    middle_s = median(server.clock_ahead_s for server in seen)
    return {server.name: server.clock_ahead_s - middle_s for server in seen}


def _clock(seen: Reached, apart_s: float) -> Iterator[Finding]:
    # What the answer took is how well its clock is known.
    if abs(apart_s) <= CLOCK_APART_S + seen.took_s:
        return
    way = "ahead of" if apart_s > 0 else "behind"
    yield Finding(
        "clock-apart",
        Severity.RISK,
        f"the clock of {seen.name} is {abs(apart_s):.1f} s {way} the others'",
        f"see `chronyc tracking` on {seen.name}",
        seen.name,
    )
