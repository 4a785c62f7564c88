"""What the virtual IP survives: how many servers may be lost before nobody can hold it.

A quorum is a majority of all servers with a balancer among them, or all balancers; in a farm
of two with a witness, one server and the witness too. Only how many balancers and how many
others are lost matters, not which, so a table of those two numbers covers every set of dead
servers: at most 31 times 31 cases for thirty servers, where the sets are a thousand million.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from stillup.model.farm import Farm, Role


@dataclass(frozen=True, slots=True)
class Survival:
    """How many servers may be lost, whichever they are.

    Args:
        anyhow: Any so many.
        with_a_balancer: Any so many, as long as a balancer is among those that live.
        with_every_balancer: Any so many, as long as every balancer lives.
        with_the_witness: Any so many, as long as the witness answers; None without one.
    """

    anyhow: int
    with_a_balancer: int
    with_every_balancer: int
    with_the_witness: int | None


@dataclass(frozen=True, slots=True)
class _Lost:
    """So many balancers and so many others, of so many, are gone."""

    balancers: int
    others: int
    all_balancers: int
    all_others: int

    @property
    def count(self) -> int:
        return self.balancers + self.others

    @property
    def balancers_left(self) -> int:
        return self.all_balancers - self.balancers

    def has_quorum(self, *, witness: bool) -> bool:
        """Tell whether what is left can hold the address."""
        servers = self.all_balancers + self.all_others
        left = servers - self.count
        if self.balancers_left == 0:
            return False
        return 2 * left > servers or self.balancers == 0 or (witness and left == 1)


def survival(farm: Farm) -> Survival:
    """Return what the farm's virtual IP survives."""
    balancers = len(farm.having(Role.BALANCER))
    others = len(farm.servers) - balancers
    cases = list(_cases(balancers, others))

    def most(counts: Callable[[_Lost], bool], *, witness: bool = False) -> int:
        fatal = [
            lost.count for lost in cases if counts(lost) and not lost.has_quorum(witness=witness)
        ]
        # Where nothing of the kind is fatal, all that is not excluded may go.
        every = max(lost.count for lost in cases if counts(lost))
        return min(fatal) - 1 if fatal else every

    return Survival(
        anyhow=most(lambda _: True),
        with_a_balancer=most(lambda lost: lost.balancers_left > 0),
        with_every_balancer=most(lambda lost: lost.balancers == 0),
        with_the_witness=most(lambda _: True, witness=True) if farm.vip.witness else None,
    )


def can_be_held(farm: Farm, silent: Collection[str], unfit: Collection[str]) -> bool:
    """Tell whether somebody can hold the virtual IP.

    Args:
        farm: The farm.
        silent: Servers that do not vote.
        unfit: Servers that do vote and cannot hold it, as their HAProxy is gone.
    """
    balancers = {server.name for server in farm.having(Role.BALANCER)}
    others = {server.name for server in farm.servers} - balancers
    lost = _Lost(
        len(balancers & set(silent)), len(others & set(silent)), len(balancers), len(others)
    )
    fit = balancers - set(silent) - set(unfit)
    return bool(fit) and lost.has_quorum(witness=farm.vip.witness is not None)


def in_words(farm: Farm) -> str:
    """Return what the farm's virtual IP survives, as a sentence."""
    found = survival(farm)
    servers, balancers = len(farm.servers), len(farm.having(Role.BALANCER))
    every = "both balancers live" if balancers == 2 else f"all {balancers} balancers live"
    told = []
    if found.with_a_balancer > found.anyhow:
        told.append(f"any {found.with_a_balancer} of {servers} servers while a balancer lives")
    elif found.anyhow:
        told.append(f"any {found.anyhow} of {servers} servers")
    if found.with_the_witness:
        told.append(
            f"any {found.with_the_witness} of {servers} servers while the witness "
            f"{farm.vip.witness} answers"
        )
    if found.with_every_balancer > found.with_a_balancer:
        told.append(f"any {found.with_every_balancer} while {every}")
    if not told:
        return f"the virtual IP survives the loss of none of the {servers} servers"
    return f"the virtual IP survives the loss of {', and of '.join(told)}"


def _cases(balancers: int, others: int) -> Iterator[_Lost]:
    for gone in range(balancers + 1):
        for also in range(others + 1):
            yield _Lost(gone, also, balancers, others)
