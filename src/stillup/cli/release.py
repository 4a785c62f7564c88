"""``stillup release``: the site's new version to every web server at once, or back.

As JSON: ``{"release", "switched": [server], "skipped": [server], "seconds": float}``; nothing
was switched when all web servers serve that release already.
"""

import asyncio
import json
import sys
import time
from argparse import Namespace

from stillup.cli.arguments import Subparsers
from stillup.cli.context import access_for, load_farm
from stillup.cli.local_files import site_source
from stillup.errors import EXIT_DONE


def add(subparsers: Subparsers) -> None:
    """Add the command's parser."""
    parser = subparsers.add_parser(
        "release",
        help="bring the site to every web server at once",
        description="Packs the site's folder, brings it to every web server, and switches when all\n"
        "have it. A release is named for its content: the same content is released once.\n"
        "The last five are kept on the servers.",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--back", action="store_true", help="serve the release before this one")
    which.add_argument("--to", metavar="RELEASE", help="serve a release the servers still have")


def run(arguments: Namespace) -> int:
    """Release, or go back."""
    farm = load_farm(arguments.file)
    access = access_for(arguments, farm)

    from stillup.deploy.events import Told
    from stillup.deploy.release import back, release

    def tell(told: Told) -> None:
        print(f"{told.server} {told.text}", file=sys.stderr, flush=True)

    began_s = time.monotonic()
    if arguments.back or arguments.to:
        released = asyncio.run(back(farm, access, arguments.to))
    else:
        source = site_source(farm, arguments.file)
        released = asyncio.run(release(farm, access, source, tell=tell))
    seconds = time.monotonic() - began_s
    if arguments.json:
        told = {
            "release": released.release,
            "switched": [*released.switched],
            "skipped": [*released.skipped],
            "seconds": round(seconds, 3),
        }
        print(json.dumps(told, indent=2))
        return EXIT_DONE
    if released.skipped:
        names = ", ".join(released.skipped)
        print(f"left out, as `stillup apply` has yet to set it up: {names}", file=sys.stderr)
    if released.switched:
        names = ", ".join(released.switched)
        print(f"{released.release} is served by {names} after {seconds:.1f} s")
    else:
        print(f"{released.release} is served by all web servers already")
    return EXIT_DONE
