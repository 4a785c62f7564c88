"""``stillup drain`` and ``undrain``: a web server out of use at every balancer, and back.

As JSON: ``{"server", "drained": bool, "at": [balancer], "sessions": int}``. ``drain`` exits with 1
when sessions are still open after the wait: the server gets no new users all the same.
"""

import asyncio
import json
import sys
from argparse import Namespace

from stillup.cli.arguments import Subparsers
from stillup.cli.context import access_for, load_farm
from stillup.errors import EXIT_DONE, EXIT_WORLD


def add(subparsers: Subparsers) -> None:
    """Add both commands' parsers."""
    out = subparsers.add_parser(
        "drain",
        help="take a web server out of use, losing nothing",
        description="Sends a web server no new users at any balancer, and waits for its open\n"
        "requests to end. It stays drained, through reloads, restarts and applies, until\n"
        "`stillup undrain`.",
    )
    back = subparsers.add_parser(
        "undrain",
        help="put a web server back into use",
        description="Sends a web server users again, and waits until every balancer sees it up.",
    )
    for parser in (out, back):
        parser.add_argument("server", metavar="SERVER", help="a web server of the farm")
        parser.add_argument(
            "--force",
            action="store_true",
            help="even if it is the last one, or a balancer cannot be reached",
        )


def run(arguments: Namespace) -> int:
    """Drain or undrain."""
    farm = load_farm(arguments.file)
    access = access_for(arguments, farm)

    from stillup.deploy.drain import drain, undrain
    from stillup.deploy.events import Told

    def tell(told: Told) -> None:
        print(f"{told.server} {told.text}", file=sys.stderr, flush=True)

    is_drain = arguments.command == "drain"
    act = drain if is_drain else undrain
    came_to = asyncio.run(act(farm, access, arguments.server, force=arguments.force, tell=tell))
    if arguments.json:
        told = {
            "server": came_to.web,
            "drained": is_drain,
            "at": [*came_to.at],
            "sessions": came_to.sessions,
        }
        print(json.dumps(told, indent=2))
    else:
        print(f"{came_to.web} is {'drained' if is_drain else 'in use'} at {', '.join(came_to.at)}")
    if is_drain and came_to.sessions:
        print(
            f"stillup: {came_to.web} has {came_to.sessions} requests still open; "
            "the same command waits again",
            file=sys.stderr,
        )
        return EXIT_WORLD
    return EXIT_DONE
