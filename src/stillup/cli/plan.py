"""``stillup plan``: what apply would change, and in which order; changes nothing.

As JSON: ``{"servers": [{"name", "first", "unfinished", "changes": [{"kind", "name", "action",
"diff", "by_hand"}]}], "steps": [str], "notes": [str], "refusals": [{"code", "text",
"forced_by"}]}``. The exit code is 0 when apply would go through, and 1 when something speaks
against it.
"""

import asyncio
import json
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from stillup.cli.arguments import Subparsers
from stillup.cli.context import access_for, load_farm, load_secrets
from stillup.cli.local_files import site_source
from stillup.errors import EXIT_DONE, EXIT_WORLD

if TYPE_CHECKING:
    from rich.text import Text

    from stillup.deploy.plan import Plan
    from stillup.deploy.standing import Change, Standing

_DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def add(subparsers: Subparsers) -> None:
    """Add the command's parser."""
    parser = subparsers.add_parser(
        "plan",
        help="what apply would change",
        description="Compares every server with the farm file and shows the differences, and the\n"
        "steps that apply would take. Changes nothing, and locks nothing.",
    )
    parser.add_argument("--full", action="store_true", help="the text of new files, too")


def run(arguments: Namespace) -> int:
    """Show the plan."""
    farm = load_farm(arguments.file)
    secrets = load_secrets(farm, arguments.file)
    access = access_for(arguments, farm)

    from stillup.cli.progress import Progress
    from stillup.deploy.apply import look

    source = site_source(farm, arguments.file)
    plan = asyncio.run(look(farm, secrets, access, source, report=Progress()))
    if arguments.json:
        print(_as_json(plan))
    else:
        _show(plan, full=arguments.full)
    return EXIT_WORLD if plan.refusals else EXIT_DONE


def _as_json(plan: "Plan") -> str:
    told = {
        "servers": [
            {
                "name": name,
                "first": standing.first,
                "unfinished": standing.unfinished,
                "changes": [asdict(change) for change in standing.changes],
            }
            for name, standing in plan.standings.items()
        ],
        "steps": [str(step) for step in plan.steps],
        "notes": [*plan.warnings],
        "refusals": [asdict(refusal) for refusal in plan.refusals],
    }
    return json.dumps(told, indent=2, ensure_ascii=False)


def _show(plan: "Plan", *, full: bool) -> None:
    from rich.console import Console

    # No width of its own and no markup: a path is shown as it is, wherever it goes.
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    for line in _lines(plan, full=full):
        console.print(line)


def _lines(plan: "Plan", *, full: bool) -> Iterator["Text"]:
    from rich.text import Text

    for name, standing in plan.standings.items():
        if standing.to_change:
            yield Text(f"{name}: {_summary(standing)}", style="bold")
            for change in standing.changes:
                yield from _change(change, full=full)
    if plan.steps:
        yield Text("steps:", style="bold")
        for number, step in enumerate(plan.steps, start=1):
            yield Text(f"  {number}. {step}")
    elif not plan.refusals:
        yield Text(f"nothing to change on {', '.join(plan.standings)}")
    for sentence in plan.warnings:
        yield Text(f"note: {sentence}", style="yellow")
    for refusal in plan.refusals:
        yield Text(f"apply would refuse: {refusal}", style="red")


def _summary(standing: "Standing") -> str:
    count = len(standing.changes)
    words = [f"{count} change{'' if count == 1 else 's'}"]
    if standing.first:
        words.append("never applied before")
    if standing.unfinished:
        words.append("an interrupted apply is carried on")
    return ", ".join(words)


def _change(change: "Change", *, full: bool) -> Iterator["Text"]:
    from rich.text import Text

    by_hand = ", changed by hand" if change.by_hand else ""
    yield Text(f"  {change.action} {change.kind} {change.name}{by_hand}")
    if change.diff and (full or change.action != "add"):
        for line in change.diff.splitlines():
            yield Text(f"    {line}", style=_DIFF_STYLES.get(line[:1], ""))
