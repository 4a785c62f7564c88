"""``stillup check``: every problem of the farm file, and every single point of failure.

As JSON: ``{"sound": bool, "farm": name or null, "problems": [{"file", "line", "path", "text",
"code"}], "weaknesses": [{"code", "servers", "text", "remedy"}], "votes": {"voters",
"majority", "balancers", "text"} or null}``. The exit code is 0 for a sound farm, weak or not,
and 2 for one with problems.
"""

import json
from argparse import Namespace
from dataclasses import asdict

from stillup.cli.arguments import Subparsers
from stillup.cli.context import load_farm_text
from stillup.errors import EXIT_DONE, EXIT_INPUT
from stillup.model.farm import Farm, Role
from stillup.model.problems import Problem, listing
from stillup.model.read import FarmText
from stillup.model.weakness import Weakness, single_points_of_failure, votes


def add(subparsers: Subparsers) -> None:
    """Add the command's parser."""
    subparsers.add_parser(
        "check",
        help="every problem and every single point of failure",
        description="Tells every problem of the farm file, and what stops when which server dies.",
    )


def run(arguments: Namespace) -> int:
    """Check the farm file."""
    read = load_farm_text(arguments.file)
    farm, problems = (read.farm, ()) if isinstance(read, FarmText) else (None, read)
    print(_as_json(farm, problems) if arguments.json else _as_text(farm, problems))
    return EXIT_INPUT if problems else EXIT_DONE


def _as_json(farm: Farm | None, problems: tuple[Problem, ...]) -> str:
    told = {
        "sound": not problems,
        "farm": farm.name if farm else None,
        "problems": [asdict(problem) for problem in problems],
        "weaknesses": [asdict(one) for one in single_points_of_failure(farm)] if farm else [],
        "votes": asdict(votes(farm)) if farm else None,
    }
    return json.dumps(told, indent=2, ensure_ascii=False)


def _as_text(farm: Farm | None, problems: tuple[Problem, ...]) -> str:
    if farm is None:
        return listing(problems)
    weaknesses = single_points_of_failure(farm)
    lines = [_summary(farm), f"Votes: {votes(farm).text}."]
    if not weaknesses:
        lines.append("No single point of failure.")
    for weakness in weaknesses:
        lines += _told(weakness)
    return "\n".join(lines)


def _summary(farm: Farm) -> str:
    counts = ", ".join(f"{len(farm.having(role))} {role}" for role in Role)
    return f"{farm.name}: no problems in the farm file; {len(farm.servers)} servers ({counts})."


def _told(weakness: Weakness) -> list[str]:
    return [
        f"Single point of failure: {weakness.text} [{weakness.code}].",
        f"    {weakness.remedy[0].upper()}{weakness.remedy[1:]}.",
    ]
