"""How a plan and an apply's progress read."""

import json

import pytest

from stillup.cli.plan import _as_json, _lines
from stillup.cli.progress import Progress
from stillup.deploy.events import Began, Done, Planned, Reached, Stopped, Told
from stillup.deploy.plan import Plan
from stillup.deploy.refusals import Refusal
from stillup.deploy.standing import Change, Standing
from stillup.deploy.steps import Change as ChangeStep

DIFF = "--- /etc/a\n+++ /etc/a\n@@ -1 +1 @@\n-[one]\n+[two]\n"
PLAN = Plan(
    (ChangeStep(("web1",)),),
    (Refusal("changed-by-hand", "web1: /etc/b was changed", "--overwrite"),),
    ("db1: MariaDB restarts",),
    {
        "web1": Standing(
            "web1",
            first=False,
            unfinished=True,
            changes=(
                Change("file", "/etc/a", "change", DIFF),
                Change("file", "/etc/b", "change", "secret changed", by_hand=True),
                Change("file", "/etc/c", "add", "+new\n"),
            ),
        ),
        "web2": Standing("web2", first=False),
    },
)


def test_a_plan_reads_server_by_server_with_what_changes_and_why_not() -> None:
    assert [str(line) for line in _lines(PLAN, full=False)] == [
        "web1: 3 changes, an interrupted apply is carried on",
        "  change file /etc/a",
        "    --- /etc/a",
        "    +++ /etc/a",
        "    @@ -1 +1 @@",
        "    -[one]",
        "    +[two]",
        "  change file /etc/b, changed by hand",
        "    secret changed",
        "  add file /etc/c",
        "steps:",
        "  1. change web1",
        "note: db1: MariaDB restarts",
        "apply would refuse: web1: /etc/b was changed [changed-by-hand]",
    ]
    assert "    +new" in [str(line) for line in _lines(PLAN, full=True)]


def test_nothing_to_change_is_said() -> None:
    nothing = Plan((), standings={"web2": Standing("web2", first=False)})
    assert [str(line) for line in _lines(nothing, full=False)] == ["nothing to change on web2"]


def test_a_plan_as_json_has_all_of_it() -> None:
    told = json.loads(_as_json(PLAN))
    assert set(told) == {"servers", "steps", "notes", "refusals"}
    assert told["servers"][0]["changes"][0] == {
        "kind": "file",
        "name": "/etc/a",
        "action": "change",
        "diff": DIFF,
        "by_hand": False,
    }
    assert told["steps"] == ["change web1"]
    assert told["refusals"] == [
        {
            "code": "changed-by-hand",
            "text": "web1: /etc/b was changed",
            "forced_by": "--overwrite",
        }
    ]


def said(capsys: pytest.CaptureFixture[str], *, verbose: bool = False) -> list[str]:
    progress = Progress(verbose=verbose)
    for event in (
        Reached(("web1",), ("web2 does not answer",), 0.25),
        Planned(PLAN),
        Began(ChangeStep(("web1",))),
        Told("web1", "check nginx"),
        Told("web1", "reload nginx.service"),
        Done(ChangeStep(("web1",)), 2.0),
        Stopped((), ("web1",)),
    ):
        progress(event)
    return [line.split("] ", 1)[1] for line in capsys.readouterr().err.splitlines()]


def test_progress_is_a_line_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys) == [
        "1 server reached in 0.2 s",
        "web2 does not answer",
        "note: db1: MariaDB restarts",
        "3 changes to make on web1",
        "change web1",
        "  web1: reload nginx.service",
        "  done in 2.0 s",
        "not changed, or not to the end: web1",
        "`stillup apply` carries on from here",
    ]
    assert "  web1: check nginx" in said(capsys, verbose=True)
