"""``stillup lab fail``: what one power failure costs, measured."""

import argparse
import json

from stillup.cli.arguments import Subparsers
from stillup.errors import EXIT_DONE
from stillup.lab.failing import Failing, fail
from stillup.lab.lab import Lab


def add(actions: Subparsers) -> None:
    """Add the action's parser."""
    parser = actions.add_parser(
        "fail",
        help="pull the plug of the virtual IP's holder, and measure what that costs",
        description="Asks the site's health page through the virtual IP every 5 ms, pulls the plug of\n"
        "a machine meanwhile, and says what the client saw. The machine stays off:\n"
        "`stillup lab up` brings back every machine that is off.",
    )
    parser.add_argument(
        "server", nargs="?", metavar="SERVER", help="which machine [the virtual IP's holder]"
    )


def run(lab: Lab, arguments: argparse.Namespace) -> int:
    """Do it; return the exit code."""
    if arguments.server is not None:
        lab.server(arguments.server)
    failing = fail(lab, arguments.server)
    if arguments.json:
        told = {"server": failing.server, "answers_now": failing.answered_after_by}
        print(json.dumps({**told, **failing.cost.as_json()}, indent=2))
        return EXIT_DONE
    print(sentence(failing))
    return EXIT_DONE


def sentence(failing: Failing) -> str:
    """Return what it cost, in words."""
    cost = failing.cost
    kinds = ", ".join(f"{count} {kind}" for kind, count in cost.failures)
    failed = f"{cost.failed} failed ({kinds})" if cost.failed else "none failed"
    outage = f"longest time without an answer: {cost.outage_s * 1000:.0f} ms"
    return (
        f"{failing.server} lost its power while a client asked every 5 ms\n"
        f"  {outage}\n"
        f"  of {cost.asked} requests {failed}\n"
        f"  {failing.answered_after_by} answers now"
    )
