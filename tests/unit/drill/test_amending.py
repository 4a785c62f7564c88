"""What a drill adds to the engines' own files."""

import pytest
from tests.unit.drill.farms import FARM
from tests.unit.parts.farms import SECRETS

from stillup.drill.amending import BROKEN, broken, commented
from stillup.node.bundle import Bundle, Facts, File
from stillup.parts.bundle import wanted

SERVERS = {"haproxy": "lb1", "nginx": "web1", "php": "web1", "mariadb": "data1"}


def bundle_of(name: str) -> Bundle:
    server = FARM.server(name)
    assert server is not None
    return wanted(FARM, server, SECRETS, Facts(13, "8.4", "eth0", "3.13"), {})


def changed(before: Bundle, after: Bundle) -> list[tuple[str, str]]:
    """Return each file that is not as it was, with the line that was added."""
    pairs = zip(before.files, after.files, strict=True)
    return [(now.path, _added(was, now)) for was, now in pairs if was != now]


def _added(was: File, now: File) -> str:
    assert now.text.startswith(was.text.rstrip())
    return now.text.splitlines()[-1]


@pytest.mark.parametrize(("engine", "name"), SERVERS.items())
def test_one_line_that_the_engine_refuses_is_added_to_its_own_file_alone(
    engine: str, name: str
) -> None:
    before = bundle_of(name)
    (only,) = changed(before, broken(engine)(before))
    assert engine.removeprefix("maria") in only[0] or engine == "mariadb"
    assert only[1] == BROKEN[engine].strip()


def test_a_comment_touches_every_server() -> None:
    touched = {s.name: len(changed(b := bundle_of(s.name), commented(b))) for s in FARM.servers}
    assert touched == {"lb1": 1, "lb2": 1, "web1": 2, "web2": 2, "data1": 1, "data2": 1}
