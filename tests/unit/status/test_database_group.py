"""What is said of several database servers: two with a copy each, and a third vote on web1."""

import pytest
from tests.unit.parts.farms import GOLDEN

from stillup.model.farm import Farm
from stillup.model.read import read_farm
from stillup.status.observed import DatabaseCopy, Observed, Reached, Seen, Unreached
from stillup.status.rules_database import findings
from stillup.status.standing import redundancy, server_standing

WRITER = DatabaseCopy(well=True, leads=True, size=3)
FOLLOWER = DatabaseCopy(well=True, size=3)
JOINING = DatabaseCopy(well=False, why="it receives a copy of everything", size=3)
ALONE = DatabaseCopy(well=True, leads=True, size=2)
WAITING = DatabaseCopy(well=False, why="it waits for db2")
GONE = None


def farm() -> Farm:
    read = read_farm((GOLDEN / "pair" / "farm.toml").read_bytes(), "farm.toml")
    assert isinstance(read, Farm), read
    return read


def look(db1: DatabaseCopy | None, db2: DatabaseCopy | None) -> Observed:
    """Return a look at which both tell this of their copies; None for no answer."""
    servers: list[Seen] = [Reached("lb1"), Reached("web1")]
    for name, copy in {"db1": db1, "db2": db2}.items():
        silent = Unreached(name, f"{name} cannot be reached", "server-unreachable")
        told = Reached(name, applied_at_s=1.0, database_copy=copy) if copy else silent
        servers.append(told)
    return Observed(0.0, tuple(servers))


@pytest.mark.parametrize(
    ("db1", "db2", "found", "may_fail"),
    [
        (WRITER, FOLLOWER, [], 1),
        (WRITER, GONE, ["risk database-no-spare db1"], 0),
        (ALONE, GONE, ["risk database-no-spare db1"], 0),
        (
            WRITER,
            JOINING,
            ["risk database-copy-missing db2", "risk database-no-spare db1"],
            0,
        ),
        (
            DatabaseCopy(well=True, leads=True, size=2),
            DatabaseCopy(well=True, size=2),
            ["risk database-arbiter-missing web1"],
            0,
        ),
        (WAITING, GONE, ["down database-down None"], 0),
        (WAITING, JOINING, ["down database-down None"], 0),
        (GONE, GONE, ["down database-down None"], 0),
        (FOLLOWER, FOLLOWER, ["down database-no-writer None"], 1),
        # The one that does not answer us may be written to.
        (FOLLOWER, GONE, ["risk database-no-spare db1"], 0),
        (WRITER, WRITER, ["risk database-two-writers None"], 1),
    ],
)
def test_a_group_is_judged(
    db1: DatabaseCopy | None, db2: DatabaseCopy | None, found: list[str], may_fail: int
) -> None:
    observed = look(db1, db2)
    told = [f"{each.severity} {each.code} {each.server}" for each in findings(farm(), observed)]
    assert told == found
    databases = redundancy(farm(), observed)[-1]
    assert (databases.what, databases.by_design, databases.may_fail) == ("databases", 1, may_fail)


def test_the_sentences_say_what_each_server_waits_for() -> None:
    (finding,) = findings(farm(), look(WAITING, JOINING))
    assert finding.text == (
        "no database server can be used (db1: it waits for db2; db2: it receives a copy of everything)"
    )


def test_each_server_says_what_its_copy_is() -> None:
    observed = look(WRITER, JOINING)
    assert [
        server_standing(farm(), observed, server, ()).state for server in farm().servers[-2:]
    ] == [
        "database is written to",
        "no current copy of the database: it receives a copy of everything",
    ]
