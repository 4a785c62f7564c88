"""Single points of failure, in words: what stops when which server dies, and what would help.

How many servers may be lost before the virtual IP has no quorum left to be held by, whichever
they are, stands in ``survival.py``.
"""

from dataclasses import dataclass

from stillup.model.farm import Farm, Role
from stillup.model.problems import joined
from stillup.model.survival import Survival, in_words, survival
from stillup.model.tiebreakers import database_arbiter, storage_arbiter


@dataclass(frozen=True, slots=True)
class Weakness:
    """Something whose loss stops something for users."""

    code: str
    servers: tuple[str, ...]
    """The servers whose loss, each alone, does it."""
    text: str
    """What stops, as a sentence."""
    remedy: str
    """What would help, as a sentence."""


@dataclass(frozen=True, slots=True)
class Votes:
    """How the farm's servers vote for the holder of the virtual IP."""

    voters: int
    majority: int
    balancers: int
    survives: Survival
    text: str
    """What may be lost and what then goes on, in words."""


def single_points_of_failure(farm: Farm) -> tuple[Weakness, ...]:
    """Return every single point of failure that the farm file alone can show."""
    found = (
        _one_balancer(farm),
        _one_web(farm),
        _one_database(farm),
        _one_storage(farm),
        _two_databases(farm),
        _two_storages(farm),
        _no_majority(farm),
    )
    return tuple(weakness for weakness in found if weakness is not None)


def votes(farm: Farm) -> Votes:
    """Return the counts of the vote and what they mean."""
    voters, balancers = len(farm.servers), len(farm.having(Role.BALANCER))
    majority = voters // 2 + 1
    if balancers == 1:
        only = farm.having(Role.BALANCER)[0].name
        text = f"{only} holds the virtual IP alone, so it needs nobody's vote and nobody takes over"
    else:
        text = in_words(farm)
    return Votes(voters, majority, balancers, survival(farm), text)


def _one_balancer(farm: Farm) -> Weakness | None:
    balancers = farm.having(Role.BALANCER)
    if len(balancers) > 1:
        return None
    name = balancers[0].name
    return Weakness(
        "one-balancer",
        (name,),
        f"when {name} dies nobody answers for the virtual IP, and the whole site is down until it is back",
        'give a second server the role "balancer"',
    )


def _one_web(farm: Farm) -> Weakness | None:
    servers = farm.having(Role.WEB)
    if len(servers) > 1:
        return None
    name = servers[0].name
    return Weakness(
        "one-web",
        (name,),
        f"when {name} dies every page fails until it is back; the balancers answer 503",
        'give a second server the role "web"',
    )


def _one_database(farm: Farm) -> Weakness | None:
    servers = farm.having(Role.DATABASE)
    if len(servers) > 1:
        return None
    name = servers[0].name
    return Weakness(
        "one-database",
        (name,),
        f"when {name} dies every page that needs the database fails until it is back, and what "
        "its disk loses is lost",
        'give a second server the role "database"; until then keep backups',
    )


def _one_storage(farm: Farm) -> Weakness | None:
    servers = farm.having(Role.STORAGE)
    if len(servers) != 1 or not farm.site.shared:
        return None
    name = servers[0].name
    return Weakness(
        "one-storage",
        (name,),
        f"when {name} dies {_stopped(farm)} until it is back, and what its disk loses is lost",
        'give a second server the role "storage"; until then keep backups',
    )


def _stopped(farm: Farm) -> str:
    """Return what stops without the storage."""
    shared = farm.site.shared
    if "." in shared:
        return "every page fails"
    return f"every page that needs {joined(shared)} fails or hangs"


def _two_databases(farm: Farm) -> Weakness | None:
    if len(farm.having(Role.DATABASE)) != 2 or database_arbiter(farm) is not None:
        return None
    return _no_tie_breaker(farm, Role.DATABASE, "every page that needs the database fails")


def _two_storages(farm: Farm) -> Weakness | None:
    if len(farm.having(Role.STORAGE)) != 2 or storage_arbiter(farm) or not farm.site.shared:
        return None
    return _no_tie_breaker(farm, Role.STORAGE, _stopped(farm))


def _no_tie_breaker(farm: Farm, role: Role, stopped: str) -> Weakness:
    names = tuple(server.name for server in farm.having(role))
    return Weakness(
        f"two-{role}-servers",
        names,
        f"when {joined(names, 'or')} dies the other one cannot tell that from a cut between them, "
        f"so it takes no write, and {stopped} until both are back",
        f'add a third server; with the role "{role}" it keeps the data too, with any other it '
        "breaks ties",
    )


def _no_majority(farm: Farm) -> Weakness | None:
    """Find the servers whose loss leaves balancers, but no quorum among what is left.

    With three servers or more any one may go: what is left is a majority. With two and a
    witness any one may go as well, but then two may hold the address.
    """
    if len(farm.servers) != 2 or len(farm.having(Role.BALANCER)) != 2:
        return None
    names = tuple(server.name for server in farm.servers)
    remedy = "add a third server; any role will do, as every server votes"
    if farm.vip.witness is not None:
        text = (
            f"when {joined(names)} cannot reach each other but both reach the witness "
            f"{farm.vip.witness}, both hold the virtual IP, and users reach either of them"
        )
        return Weakness("witness-of-both", names, text, remedy)
    text = (
        f"when {joined(names, 'or')} dies the other one cannot tell that from a cut between them, "
        "so it does not take the virtual IP, and the site is down"
    )
    remedy = f"{remedy}. Or give vip.witness, an address of the LAN that both can ping"
    return Weakness("two-voters", names, text, remedy)
