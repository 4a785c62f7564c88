"""Where the tie-breakers go, and what the database and the storage survive with them."""

from itertools import combinations

import pytest
from tests.unit.model.test_weakness import farm_of

from stillup.model.farm import Role
from stillup.model.redundancy import redundancy, survived
from stillup.model.tiebreakers import database_arbiter, storage_arbiter


def named(*servers: str) -> tuple[str | None, str | None]:
    """Return the tie-breakers of the database and of the storage, by name."""
    farm = farm_of(*servers)
    of = database_arbiter(farm), storage_arbiter(farm)
    return of[0].name if of[0] else None, of[1].name if of[1] else None


@pytest.mark.parametrize(
    ("servers", "database", "storage"),
    [
        (("b", "b", "w", "w", "d"), None, None),
        (("b", "b", "w", "w", "d", "d"), "s4", None),
        (("b", "b", "w", "w", "ds", "ds"), "s4", "s4"),
        (("w", "w", "b", "b", "ds", "ds"), "s2", "s2"),
        (("bwds", "bwds", "bwds"), None, None),
        (("bwd", "bwd", "b"), "s3", None),
        (("bwd", "bwd", "b", "s"), "s4", None),
        (("bws", "bws", "b", "d"), None, "s4"),
        (("bwd", "bwd", "s", "ws"), "s4", "s2"),
        (("bwds", "bwds"), None, None),
        (("bwd", "wd", "d", "d", "b"), "s5", None),
        (("bwd", "wd", "d", "d"), None, None),
        (("b", "w", "s", "s", "s", "d", "d", "d"), None, None),
    ],
)
def test_ties_are_broken_by_a_server_of_another_role(
    servers: tuple[str, ...], database: str | None, storage: str | None
) -> None:
    assert named(*servers) == (database, storage)


@pytest.mark.parametrize("servers", range(1, 6))
@pytest.mark.parametrize("tie_breaker", [False, True])
def test_what_survives_is_so_against_every_set_of_dead_servers(
    servers: int, *, tie_breaker: bool
) -> None:
    data = {f"d{place}" for place in range(servers)}
    voters = data | ({"arbiter"} if tie_breaker else set())

    def goes_on(dead: tuple[str, ...]) -> bool:
        alive = voters - set(dead)
        return 2 * len(alive) > len(voters) and bool(alive & data)

    most = max(
        lost
        for lost in range(len(voters))
        if all(goes_on(dead) for dead in combinations(sorted(voters), lost))
    )
    assert survived(servers, tie_breaker=tie_breaker) == most


def test_it_is_told_in_words_where_the_tie_breakers_are_and_why() -> None:
    database, storage = redundancy(farm_of("b", "b", "w", "w", "ds", "ds"))
    assert (database.role, database.servers, database.tie_breaker) == (
        Role.DATABASE,
        ("s5", "s6"),
        "s4",
    )
    assert database.text == (
        "s5 and s6 each keep the whole database; half of an even number is no majority, so s4 votes "
        "with them and keeps none of it (the last web server of the file without that role); it "
        "survives the loss of any 1 of these 3"
    )
    assert storage.text == database.text.replace("database", "storage")


@pytest.mark.parametrize(
    ("servers", "told"),
    [
        (("b", "w", "d"), ["s3 keeps the database alone"]),
        (
            ("bwds", "bwd", "bwd"),
            [
                "s1, s2 and s3 each keep the whole database; it survives the loss of any 1 of these 3",
                "s1 keeps the storage alone",
            ],
        ),
        (
            ("bwd", "bwd", "b"),
            [
                "s1 and s2 each keep the whole database; half of an even number is no majority, so "
                "s3 votes with them and keeps none of it (the last balancer of the file without "
                "that role); it survives the loss of any 1 of these 3"
            ],
        ),
        (
            ("bwd", "bwd"),
            ["s1 and s2 each keep the whole database; it survives the loss of none of these 2"],
        ),
    ],
)
def test_a_farm_without_tie_breakers_is_told_as_it_is(
    servers: tuple[str, ...], told: list[str]
) -> None:
    assert [one.text for one in redundancy(farm_of(*servers))] == told
