"""``stillup apply``: bring the servers to what the farm file says, serving all the while.

As JSON: ``{"steps": [str], "changed": [server], "notes": [str], "seconds": float}``. Progress
goes to stderr.
"""

import asyncio
import json
import signal
from argparse import Namespace
from typing import TYPE_CHECKING

from stillup.cli.arguments import Subparsers
from stillup.cli.context import access_for, load_farm, load_secrets
from stillup.cli.local_files import site_source
from stillup.errors import EXIT_DONE
from stillup.model.farm import Farm, Secrets

if TYPE_CHECKING:
    from stillup.cli.progress import Progress
    from stillup.deploy.apply import Outcome, Stop

_DESCRIPTION = """\
Compares every server with the farm file and makes the changes: the database first, then the
web servers, then the balancers; servers that serve one after another, drained before and
healthy again before the next one's turn. Ctrl-C stops after the server under way, a second one
at once; run again, it carries on."""


def add(subparsers: Subparsers) -> None:
    """Add the command's parser."""
    parser = subparsers.add_parser(
        "apply",
        help="bring the servers to what the farm file says",
        description=_DESCRIPTION,
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace files that were changed by hand (a copy is kept on the server)",
    )
    parser.add_argument(
        "--skip-unreachable",
        action="store_true",
        help="leave out servers that cannot be reached",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="go on where a web server is down, or no other balancer can take the virtual IP",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="each server's every step")


def run(arguments: Namespace) -> int:
    """Apply the farm file."""
    farm = load_farm(arguments.file)
    secrets = load_secrets(farm, arguments.file)
    outcome = applied(arguments, farm, secrets)
    print(_as_json(outcome) if arguments.json else _as_text(outcome))
    return EXIT_DONE


def applied(arguments: Namespace, farm: Farm, secrets: Secrets) -> "Outcome":
    """Apply this farm with these secrets; tell how it goes, and let signals stop it.

    Args:
        arguments: The command line; of ``apply`` or of a command without its options.
        farm: The farm.
        secrets: Its secrets.
    """
    access = access_for(arguments, farm)
    source = site_source(farm, arguments.file)

    from stillup.cli.progress import Progress
    from stillup.deploy.apply import Outcome, Stop, Wishes, apply

    progress = Progress(verbose=arguments.verbose)
    wishes = Wishes(
        overwrite=getattr(arguments, "overwrite", False),
        force=getattr(arguments, "force", False),
        skip_unreachable=getattr(arguments, "skip_unreachable", False),
    )

    async def applying() -> Outcome:
        stop = Stop()
        _hear_stop(stop, progress)
        return await apply(farm, secrets, access, source, wishes=wishes, report=progress, stop=stop)

    try:
        return asyncio.run(applying())
    except asyncio.CancelledError:
        # The second signal; what is under way on a server is finished there without us.
        raise KeyboardInterrupt from None


def _hear_stop(stop: "Stop", progress: "Progress") -> None:
    """Let a signal end the apply where nothing is half done, a second one at once."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def hear() -> None:
        if stop.asked:
            task.cancel()
            return
        stop.asked = True
        progress.say("stopping after the server under way; again to stop at once")

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, hear)


def _changed(outcome: "Outcome") -> list[str]:
    return [name for name, standing in outcome.plan.standings.items() if standing.to_change]


def _as_json(outcome: "Outcome") -> str:
    told = {
        "steps": [str(step) for step in outcome.plan.steps],
        "changed": _changed(outcome),
        "notes": [*outcome.plan.warnings],
        "seconds": round(outcome.seconds, 3),
    }
    return json.dumps(told, indent=2, ensure_ascii=False)


def _as_text(outcome: "Outcome") -> str:
    took = f"in {outcome.seconds:.1f} s"
    if not outcome.plan.steps:
        return f"nothing to change on {len(outcome.plan.standings)} servers, seen {took}"
    changed = _changed(outcome)
    return f"{', '.join(changed) or 'the balancers'} changed {took}; the farm stands as written"
