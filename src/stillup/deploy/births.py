"""Which database server founds the group, where several have none yet (pure).

A group is founded once, and on what the founder has: all others take a copy of it, so the wrong
founder loses data. The rules:

* Nobody founds one while any server of the role belongs to one, or may found one already.
* A server that had the database alone founds it, with what it has. Otherwise all are new, and it is
  the first of the farm file.
* It is not decided while one of them cannot be asked.
* A server that had the database alone never meets one that belongs to a group: which of the two has
  what the site wrote last is for a person to say.
"""

from collections.abc import Iterator

from stillup.deploy.steps import Found
from stillup.deploy.view import Situation
from stillup.model.farm import Role


def founding(situation: Situation) -> list[Found]:
    """Return the step that lets a server found the group; none where there is nothing to found."""
    servers = _servers(situation)
    if len(servers) < 2 or _unreached(situation) or _born(situation):
        return []
    return [Found((_alone(situation) or servers)[0])]


def not_founding(situation: Situation) -> Iterator[tuple[str, str]]:
    """Yield why the group cannot be founded or joined: a code and a sentence each."""
    servers, alone, born = _servers(situation), _alone(situation), _born(situation)
    if len(servers) < 2:
        return
    if (unreached := _unreached(situation)) and not born:
        yield (
            "group-not-known",
            f"no database server that was reached belongs to a group yet, and {', '.join(unreached)} "
            "may: until all were asked, none may found one",
        )
    if alone and born:
        yield (
            "two-databases",
            f"{' and '.join(alone)} had the database alone, and {' and '.join(born)} still has another "
            "one, of a group of before, so joining them would delete one of the two; if it is the "
            f"one on {' and '.join(born)} that is out of date, move /var/lib/mysql and "
            f"/var/lib/stillup/database-member away there and apply again",
        )
    if len(alone) > 1:
        yield (
            "two-databases",
            f"{' and '.join(alone)} each had a database alone, and a group can only have one of "
            "them; leave one of them in the farm file, apply, and add the others when they are empty",
        )


def _servers(situation: Situation) -> list[str]:
    return [server.name for server in situation.farm.having(Role.DATABASE)]


def _unreached(situation: Situation) -> list[str]:
    return [name for name in _servers(situation) if name not in situation.standings]


def _born(situation: Situation) -> list[str]:
    """Return who belongs to a group, or was told to found one.

    Who had the database alone since then has only a memory of it.
    """
    return [
        name
        for name in _servers(situation)
        if name in situation.standings
        and situation.standings[name].has_group
        and not situation.standings[name].has_plain_database
    ]


def _alone(situation: Situation) -> list[str]:
    """Return who has the database alone by what was applied last."""
    return [
        name
        for name in _servers(situation)
        if name in situation.standings and situation.standings[name].has_plain_database
    ]
