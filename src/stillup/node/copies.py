"""What this server says of its copies, where several servers keep one.

One object a role, ``database`` and ``storage``; no key where this server keeps none, or keeps it
alone (a plain MariaDB, an NFS export):

well    its own copy is whole and current, and in the group that may write
why     what is missing for that, as a few words; "" for nothing
peers   the other servers with a copy, by its settings: one that has left the farm file is still
        there until this server is changed
leads   it is the one that the web servers write to; no storage server is
"""

from stillup.errors import ServerFailed
from stillup.node import copies_database, copies_storage
from stillup.node.disk import write_whole
from stillup.node.message import JsonObject
from stillup.node.recover import known
from stillup.node.said import first_lines
from stillup.node.world import World, at

BIRTH = "/var/lib/stillup/database-birth"
"""Its being there lets this server's keeper found the database's group, once."""
MEMBER = "/var/lib/stillup/database-member"
"""The keeper's mark of a server that belongs to a group."""
MEMORIES = (
    *(
        f"/var/lib/stillup/database-{mark}"
        for mark in ("member", "joining", "settled", "founding", "force")
    ),
    "/var/lib/mysql/grastate.dat",
    "/var/lib/mysql/gvwstate.dat",
)
"""What tells the keeper and Galera of the group that a server is in."""
PLAIN = "mariadb.service"
"""A unit of ours only where one server has the database alone."""
KEEPER = "/usr/lib/stillup/keeper"
TAKE_S = 60.0


def copies(world: World) -> JsonObject:
    """Return this server's copies; the shape is above."""
    told = {"database": copies_database.look(world), "storage": copies_storage.look(world)}
    return {role: copy for role, copy in told.items() if copy is not None}


def has_group(world: World) -> bool:
    """Tell whether this server belongs to a group of database servers, or may found one."""
    return any(at(world, mark).exists() for mark in (BIRTH, MEMBER))


def mark_birth(world: World) -> None:
    """Let this server found the database's group, with what its MariaDB has now.

    If it has run alone meanwhile, what it remembers of a group of before is out of date (an apply that
    was taken back leaves such a memory), and would have it wait for who was in it.
    """
    if PLAIN in known(world).units():
        for path in MEMORIES:
            at(world, path).unlink(missing_ok=True)
    place = at(world, BIRTH)
    place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    write_whole(place, b"this server founds the database's group\n")


def take_lead(world: World) -> None:
    """Have the web servers write to this database server from now on.

    Raises:
        ServerFailed: If it cannot be, with the keeper's sentence.
    """
    ran = world.run(
        ["python3", "-m", "stillup.keeper", "take"],
        within_s=TAKE_S,
        environment={"PYTHONPATH": KEEPER},
    )
    if ran.code:
        raise ServerFailed(f"it does not become the writer: {first_lines(ran)}")
