"""``stillup failover``: move the virtual IP to another balancer, losing nothing.

As JSON: ``{"moved": [{"address", "from", "to", "took_s", "open"}]}``, where ``open`` counts the
connections that live on at the former holder.
"""

import asyncio
import json
import sys
from argparse import Namespace

from stillup.cli.arguments import Subparsers
from stillup.cli.context import access_for, load_farm
from stillup.errors import EXIT_DONE


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


def run(arguments: Namespace) -> int:
    """Move it."""
    farm = load_farm(arguments.file)
    access = access_for(arguments, farm)

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
