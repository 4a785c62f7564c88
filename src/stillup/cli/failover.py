"""``stillup failover``: move the virtual IP to another balancer, losing nothing.

With ``--force``, for what is left to a person: a balancer may hold it although too few servers are
left to vote, because the others are dead; that is said by name, and what it risks is told first.

As JSON: ``{"forced": {"holder", "addresses", "dead"}, "risks"}``, or ``{"moved": [{"address", "from", "to", "took_s", "open"}]}``, where ``open`` counts the
connections that live on at the former holder.
"""

import asyncio
import json
import sys
from argparse import Namespace
from collections.abc import Sequence

from stillup.cli.arguments import Subparsers
from stillup.cli.context import access_for, load_farm
from stillup.errors import EXIT_DONE, ChangeRefused, InputRefused
from stillup.model.farm import Farm
from stillup.servers.connection import Access


def add(subparsers: Subparsers) -> None:
    """Add the command's parser."""
    parser = subparsers.add_parser(
        "failover",
        help="move the virtual IP, losing nothing",
        description="Has the balancer that holds the virtual IP hand it over to another one. Open\n"
        "connections live on where they are until they end, for `vip.drain` at most; new\n"
        "ones go to the new holder. It stays there until it is moved again, even if another\n"
        "balancer is preferred.",
    )
    parser.add_argument(
        "--to", metavar="SERVER", help="the balancer that shall hold it [a fit one]"
    )
    parser.add_argument("--address", metavar="VIP", help="which virtual IP [all of them]")
    parser.add_argument(
        "--force",
        metavar="DEAD",
        nargs="+",
        help="let the server named by --to hold it although too few are left to vote, because\n"
        "these servers are dead; says what that risks, and asks",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask, with --force")


def run(arguments: Namespace) -> int:
    """Move it."""
    farm = load_farm(arguments.file)
    access = access_for(arguments, farm)
    if arguments.force:
        return _force(arguments, farm, access)
    if arguments.yes:
        raise InputRefused("--yes: nothing is asked without --force")
    return _move(arguments, farm, access)


def _move(arguments: Namespace, farm: Farm, access: Access) -> int:
    from stillup.deploy.events import Told
    from stillup.deploy.failover import failover

    def tell(told: Told) -> None:
        print(f"{told.server} {told.text}", file=sys.stderr, flush=True)

    moved = asyncio.run(
        failover(farm, access, to=arguments.to, address=arguments.address, tell=tell)
    )
    if arguments.json:
        told = [
            {
                "address": each.address,
                "from": each.giver,
                "to": each.taker,
                "took_s": round(each.took_s, 3),
                "open": each.open,
            }
            for each in moved
        ]
        print(json.dumps({"moved": told}, indent=2))
        return EXIT_DONE
    for each in moved:
        print(f"{each.address} moved from {each.giver} to {each.taker} in {each.took_s:.2f} s")
        if each.open:
            print(f"{each.open} connections that were open at {each.giver} live on there")
    if not moved:
        print(f"{arguments.to} holds it already")
    return EXIT_DONE


def _force(arguments: Namespace, farm: Farm, access: Access) -> int:
    from stillup.deploy.force import Forcing, force, risks

    if arguments.to is None:
        raise InputRefused("--force: say with --to which balancer shall hold the virtual IP")
    forcing = Forcing(arguments.to, tuple(arguments.force), arguments.address)
    risked = asyncio.run(risks(farm, access, forcing))
    if not arguments.yes:
        _confirm(risked)
    held = asyncio.run(force(farm, access, forcing))
    if arguments.json:
        told = {"holder": forcing.to, "addresses": [*held], "dead": [*forcing.dead]}
        print(json.dumps({"forced": told, "risks": [*risked]}, indent=2))
    else:
        print(f"{forcing.to} holds {', '.join(held)} without {', '.join(forcing.dead)}")
    return EXIT_DONE


def _confirm(risked: Sequence[str]) -> None:
    for sentence in risked:
        print(sentence, file=sys.stderr)
    if not sys.stdin.isatty():
        raise InputRefused("nobody can be asked here; --yes says that you know what it risks")
    print("Type yes to go on: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != "yes":
        raise ChangeRefused("nothing was changed")
