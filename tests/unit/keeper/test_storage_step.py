"""The storage keeper in every state that power, cuts, empty disks and a changed farm file reach."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.unit.keeper.storage_world import ADDRESSES, FARMS, Server, World, settings

from stillup.keeper import storage_step as step
from stillup.keeper.storage_seen import Brick, Disk, Storage, Volume

ONE = settings("two", "s1")
OTHERS = frozenset({ADDRESSES["s2"], ADDRESSES["a"]})
BRICKS = (
    Brick(ADDRESSES["s1"]),
    Brick(ADDRESSES["s2"]),
    Brick(ADDRESSES["a"], is_arbiter=True),
)
WELL = Storage(
    answers=True,
    volume=Volume(BRICKS, started=True, options=ONE.options),
    connected=OTHERS,
    known=OTHERS,
    disk=Disk.OURS,
    runs=True,
)


def happenings(world: World) -> Iterator[World]:
    """Yield what the world can do to the servers, beside what the keepers do."""
    members = [s for s in world.servers if s.name in FARMS[world.farm][0]]
    for server in members:
        yield from _to_one(world, server)
    yield world.with_servers(*(replace(s, on=False, cut=False) for s in world.servers))
    yield world.with_servers(*(replace(s, on=True, cut=False) for s in world.servers)).settled()
    yield world.healed()
    if not world.version and all(s.disk is Disk.EMPTY for s in world.servers):
        # The making failed half way.
        yield world.with_servers(*(replace(s, disk=Disk.BARE) for s in members[:2]))
    written = _written(world)
    if written is not None:
        yield written
    if world.farm == "two" and world.version == 1:
        yield from (replace(world, farm=f) for f in ("three", "moved") if _stays(world, f))
    if world.farm != "two" and _stays(world, "two"):
        yield replace(world, farm="two")


def _stays(world: World, farm: str, without: Server | None = None) -> bool:
    """Say whether a server of that farm has everything: an apply refuses another farm file."""
    return any(s.name in FARMS[farm][0] and s != without for s in world.copies())


def _to_one(world: World, server: Server) -> Iterator[World]:
    away = [s for s in world.servers if not s.on or s.cut]
    if server.on and not server.cut and len(away) < 1:
        yield world.with_servers(replace(server, on=False))
        yield world.with_servers(replace(server, cut=True))
    if not server.on or server.cut:
        yield world.with_servers(replace(server, on=True, cut=False)).settled()
    # One disk at a time is lost, and not the last that has everything.
    others = [s for b in world.bricks if (s := world.server(b.address)) != server]
    sound = all(other.disk is Disk.OURS and other.version for other in others)
    if not server.on and sound and _stays(world, world.farm, without=server):
        yield world.with_servers(replace(server, disk=Disk.EMPTY, version=0, fresh=False)).settled()


def _written(world: World) -> World | None:
    """Return the world after a write, where enough bricks take it; the others are behind."""
    there = [s for s in world.servers if world.runs(s) and not s.cut]
    data = {b.address for b in world.bricks if not b.is_arbiter}
    takes = [s for s in there if s.fresh]
    if len(takes) * 2 <= len(world.bricks) or not any(ADDRESSES[s.name] in data for s in takes):
        return None
    return world.with_servers(*(replace(s, fresh=s in takes) for s in world.servers))


def reachable() -> Iterator[World]:
    start = World("two")
    known, todo = {start}, deque([start])
    while todo:
        world = todo.popleft()
        yield world
        after = [world.done(*each).settled() for each in world.next_steps()]
        for new in (*after, *happenings(world)):
            # The layouts are counted, so that a farm file that goes to and fro ends somewhere.
            if new not in known and new.version <= 5:
                known.add(new)
                todo.append(new)


def carried_on(world: World) -> World:
    """Return the world after everything is on again and the keepers have had their time."""
    world = world.with_servers(*(replace(s, on=True, cut=False) for s in world.servers)).settled()
    for _ in range(60):
        world = world.healed()
        steps = [world.done(*each).settled() for each in world.next_steps()]
        changed = [after for after in steps if after != world]
        if not changed:
            return world
        world = changed[0]
    raise AssertionError("the keepers do not come to rest")


def left_to_a_person(end: World, wanted: set[Brick]) -> bool:
    """Say whether a server came back with files of its first life, or left with a lost disk."""
    extra = [end.server(brick.address) for brick in end.bricks if brick not in wanted]
    return any(s.disk is Disk.FOREIGN for s in end.servers) or any(
        s.disk is Disk.EMPTY for s in extra
    )


def test_no_state_lets_a_keeper_lose_what_was_written_and_each_ends_well() -> None:
    count = ended = 0
    for world in reachable():
        count += 1
        # The steps themselves refuse what must never happen: see the world.
        assert not world.version or world.copies(), world
        end = carried_on(world)
        names, arbiter = FARMS[world.farm]
        wanted = {Brick(ADDRESSES[name], name == arbiter) for name in names}
        waits = {w.why for _, w in end.next_steps() if isinstance(w, step.Wait)}
        if not left_to_a_person(end, wanted):
            assert set(end.bricks) == wanted, (world, end, waits)
            assert all(end.runs(end.server(b.address)) for b in wanted), (world, end)
            assert {s.name for s in end.copies()} == set(names) - {arbiter}, (world, end)
            ended += 1
    assert count > 3000
    assert ended > 1000


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (WELL, step.Rest()),
        (replace(WELL, answers=False), step.Wait("Gluster does not answer on this server")),
        (
            replace(WELL, connected=frozenset()),
            step.Wait("no majority: s2 and a not connected"),
        ),
        (replace(WELL, runs=False), step.Start()),
        (replace(WELL, runs=False, disk=Disk.EMPTY), step.ResetBrick()),
        (
            replace(WELL, runs=False, disk=Disk.EMPTY, connected=frozenset({ADDRESSES["a"]})),
            step.Wait(
                "this server's brick is empty, and no other server with the files is connected"
            ),
        ),
        (
            replace(WELL, runs=False, disk=Disk.FOREIGN),
            step.Wait("this server's brick folder holds files that are not the volume's"),
        ),
        (replace(WELL, runs=False, disk=Disk.AWAY), step.Wait(step.AWAY)),
        (Storage(answers=False, disk=Disk.AWAY), step.Wait(step.AWAY)),
        (replace(WELL, pending=3, pending_since_s=50.0), step.Rest()),
        (replace(WELL, pending=3, pending_since_s=100.0), step.Heal()),
        (replace(WELL, unsure=True), step.Compare()),
        (replace(WELL, unsure=True, unsure_since_s=50.0), step.Compare()),
        (replace(WELL, unsure=True, unsure_since_s=100.0), step.Heal()),
        (replace(WELL, unsure=True, runs=False), step.Start()),
        (replace(WELL, known=OTHERS | {"10.0.0.9"}), step.Detach("10.0.0.9")),
        (
            replace(WELL, volume=Volume(BRICKS, options={**ONE.options, "auth.allow": "*"})),
            step.SetOptions((("auth.allow", ""),)),
        ),
        (
            replace(WELL, volume=Volume(BRICKS[:2], options=ONE.options)),
            step.AddBrick(BRICKS[2], 3),
        ),
    ],
)
def test_what_is_next(seen: Storage, expected: step.Step) -> None:
    assert step.next_storage_step(ONE, seen) == expected


def test_a_server_that_comes_back_empty_first_of_all_makes_no_second_volume() -> None:
    seen = Storage(
        answers=True, connected=OTHERS, elsewhere={ADDRESSES["s2"]: True, ADDRESSES["a"]: False}
    )
    wanted = step.next_storage_step(ONE, seen)
    assert wanted == step.Wait("s2 knows the volume and will tell this server of it")


def test_a_copy_is_not_well_while_others_are_behind() -> None:
    assert step.well(ONE, WELL) == ""
    assert step.well(ONE, replace(WELL, pending=1)) == "1 file is still to heal"
    assert step.well(ONE, replace(WELL, unsure=True)) == (
        "all its servers are together again, and their copies are being compared"
    )
    assert step.well(ONE, replace(WELL, runs=False)) == "its brick does not run"
    assert step.well(ONE, replace(WELL, connected=frozenset())) == (
        "no majority of the storage's servers is connected"
    )
