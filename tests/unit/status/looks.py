"""One look at the example's farm with all well, and ways to make it worse, piece by piece.

A change is a function from a look to a look; ``look(*changes)`` applies them in order.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from stillup.model.farm import Farm
from stillup.model.read import read_farm
from stillup.status.observed import (
    Asked,
    Backend,
    Database,
    Disk,
    Heartbeat,
    Observed,
    Reached,
    Seen,
    Unreached,
)

Change = Callable[[Observed], Observed]

VIP = "10.0.0.1"
AT_S = 1_700_000_000.0
WEBS = ("web1", "web2", "web3")
NAMES = ("lb1", "lb2", *WEBS, "db1")
DAY_S = 86_400.0


def farm() -> Farm:
    """Return the farm of ``tests/farms/six.toml``."""
    path = Path(__file__).parents[3] / "tests" / "farms" / "six.toml"
    read = read_farm(path.read_bytes(), path.name)
    assert isinstance(read, Farm), read
    return read


def look(*changes: Change) -> Observed:
    """Return the look at a farm in which all is well, changed."""
    observed = Observed(AT_S, tuple(map(_well, NAMES)), tuple(_asked()))
    for change in changes:
        observed = change(observed)
    return observed


def _well(name: str) -> Reached:
    backends = {web: Backend("UP", drained=False, check="L7OK/200") for web in WEBS}
    return Reached(
        name=name,
        units={"chrony.service": "active", "stillup-heartbeat.service": "active"},
        load=0.1,
        disks=(Disk(free_bytes=20 << 30),),
        uptime_s=3600.0,
        heartbeat=_heartbeat(name),
        backends=backends if name.startswith("lb") else None,
        database=Database(alive=True) if name == "db1" else None,
        release="r1" if name in WEBS else None,
        applied_at_s=AT_S - 600,
        bundle="aa",
        took_s=0.02,
    )


def _heartbeat(name: str) -> Heartbeat:
    return Heartbeat(
        healthy=name.startswith("lb"),
        candidate=name.startswith("lb"),
        reason="" if name.startswith("lb") else "it votes only",
        holding=(VIP,) if name == "lb1" else (),
        believed={VIP: "lb1"},
        since_s={"10.0.0.1": 200.0},
        heard_ms={other: 90.0 for other in NAMES if other != name},
        moved_at_s=(AT_S - 200,),
    )


def _asked() -> list[Asked]:
    return [
        Asked("web1", f"http://{VIP}/health", 200, 0.01, balancer="lb1"),
        Asked("web1", f"https://{VIP}/health", 200, 0.02, balancer="lb1", expires_in_s=300 * DAY_S),
        Asked("web2", f"http://{VIP}/health", 200, 0.01, balancer="lb1"),
        Asked("web2", f"https://{VIP}/health", 200, 0.02, balancer="lb1", expires_in_s=300 * DAY_S),
    ]


def silent(*names: str, code: str = "server-unreachable") -> Change:
    """These servers do not answer us; the holder no longer hears them."""

    def change(observed: Observed) -> Observed:
        servers: list[Seen] = []
        for seen in observed.servers:
            if seen.name in names:
                servers.append(Unreached(seen.name, f"{seen.name} cannot be reached", code))
            else:
                assert isinstance(seen, Reached)
                servers.append(_deaf_to(seen, names))
        return replace(observed, servers=tuple(servers))

    return change


def _deaf_to(seen: Reached, names: tuple[str, ...]) -> Reached:
    if seen.heartbeat is None:
        return seen
    heard = {n: None if n in names else ms for n, ms in seen.heartbeat.heard_ms.items()}
    return replace(seen, heartbeat=replace(seen.heartbeat, heard_ms=heard))


def cut_from_us(*names: str) -> Change:
    """These servers do not answer us, and are heard by the others as ever."""

    def change(observed: Observed) -> Observed:
        return replace(
            observed,
            servers=tuple(
                Unreached(seen.name, f"{seen.name} cannot be reached", "server-unreachable")
                if seen.name in names
                else seen
                for seen in observed.servers
            ),
        )

    return change


def told(name: str, alter: Callable[[Reached], Reached]) -> Change:
    """What one server says is other than it was."""

    def change(observed: Observed) -> Observed:
        return replace(
            observed,
            servers=tuple(
                alter(seen) if isinstance(seen, Reached) and seen.name == name else seen
                for seen in observed.servers
            ),
        )

    return change


def everywhere(alter: Callable[[Reached], Reached]) -> Change:
    """What every server that answers says is other than it was."""

    def change(observed: Observed) -> Observed:
        for name in NAMES:
            observed = told(name, alter)(observed)
        return observed

    return change


def beating(name: str, alter: Callable[[Heartbeat], Heartbeat]) -> Change:
    """What one server's daemon says is other than it was."""

    def change(seen: Reached) -> Reached:
        return seen if seen.heartbeat is None else replace(seen, heartbeat=alter(seen.heartbeat))

    return told(name, change)


def held_by(holder: str | None, *, claims: tuple[str, ...] | None = None) -> Change:
    """The address is held by another server, or by nobody."""
    claiming = claims if claims is not None else (holder,)

    def change(seen: Reached) -> Reached:
        if seen.heartbeat is None:
            return seen
        held = (VIP,) if seen.name in claiming else ()
        return replace(
            seen, heartbeat=replace(seen.heartbeat, holding=held, believed={VIP: holder})
        )

    return everywhere(change)


def web_seen(web: str, backend: Backend, *balancers: str) -> Change:
    """A web server is seen otherwise by these balancers, by all when none is named."""

    def change(seen: Reached) -> Reached:
        if seen.backends is None or (balancers and seen.name not in balancers):
            return seen
        backends: Mapping[str, Backend] = {**seen.backends, web: backend}
        return replace(seen, backends=backends)

    return everywhere(change)


def answered(status: int | None, *, by: str | None = None, error: str = "") -> Change:
    """The real requests (of one asker, of all when none is named) were answered so."""

    def change(observed: Observed) -> Observed:
        return replace(
            observed,
            asked=tuple(
                replace(asked, status=status, error=error) if by in {None, asked.by} else asked
                for asked in observed.asked
            ),
        )

    return change


def unasked(observed: Observed) -> Observed:
    """Nobody could make a real request."""
    return replace(observed, asked=())
