"""The old recipe as it was: the whole site on one NFS server, mounted by both web servers."""

import json
import shutil
import time
from collections.abc import Callable, Iterator

import pytest
from tests.lab.figures import figure
from tests.lab.probing import Probing
from tests.lab.running import ROOT, RunningLab, lab_of

from stillup.drill.history import Copies, Kind
from stillup.lab import kernels

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(900)]

WEBS = ("web1", "web2")
USERS = {"web1", "web2", "nfs1"}
BACK_S = 180.0
LAB_UP_S = 600.0
"""Three kernels of their own boot and are applied to: on a busy host that takes minutes."""

# What a visitor sends is written to the storage; whoever asks is told who answers, and what is there.
_NOTE = """\
<?php
$place = getenv('FILES_DIR') . '/note';
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    file_put_contents($place, file_get_contents('php://input'));
}
echo json_encode(['web' => gethostname(), 'note' => is_file($place) ? file_get_contents($place) : null]);
"""


@pytest.fixture(scope="module")
def told() -> dict[str, str]:
    """What ``lab up`` said, once it was run."""
    return {}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory, told: dict[str, str]) -> Iterator[RunningLab]:
    """The example's six machines with the farm applied, and one page more in its site."""
    folder = tmp_path_factory.mktemp("recipe")
    shutil.copytree(ROOT / "examples", folder, dirs_exist_ok=True)
    (folder / "site" / "note.php").write_text(_NOTE)
    with lab_of(folder / "recipe.toml") as running:
        began = time.monotonic()
        told["up"] = running.stillup("lab", "up", within_s=LAB_UP_S).stderr
        figure(f"recipe: lab up and apply with NFS in {time.monotonic() - began:.0f} s")
        yield running


def address(recipe: RunningLab, server: str) -> str:
    return str(recipe.lab.server(server).address)


def ask(recipe: RunningLab, *words: str) -> dict[str, str | None] | None:
    """Ask the virtual IP for the note, as a new visitor; None if no good answer comes."""
    page = f"http://{recipe.farm.vip.first}/note.php"
    done = recipe.client("curl", "-sS", "--fail", "--max-time", "5", *words, page, check=False)
    if done.returncode != 0:
        return None
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


def until(what: Callable[[], bool], within_s: float = BACK_S) -> float:
    """Wait until something is so; return how long it took."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < within_s, "it did not come to pass"
    return time.monotonic() - began


def both_show(recipe: RunningLab, note: str) -> Callable[[], bool]:
    """Return a question: has each web server shown the note in the last answers?"""

    def question() -> bool:
        answers = [ask(recipe) for _ in range(4)]
        shown = {answer["web"] for answer in answers if answer and answer["note"] == note}
        return shown == set(WEBS)

    return question


def test_the_machines_that_need_nfs_run_as_user_mode_linux_and_it_is_said(
    recipe: RunningLab, told: dict[str, str]
) -> None:
    if kernels.has_nfs():
        pytest.skip("this kernel has NFS, so that no machine needs another")
    assert "no NFS: as User-Mode Linux boot web1, web2, nfs1" in told["up"]
    status = json.loads(recipe.stillup("lab", "status", "--json").stdout)
    assert {m["name"] for m in status["machines"] if m["user_mode_linux"]} == USERS


def test_a_page_comes_from_the_storage_at_both_and_what_one_writes_the_other_shows(
    recipe: RunningLab,
) -> None:
    for web in WEBS:
        kind = recipe.shell(web, "findmnt -no FSTYPE,SOURCE -T $(realpath /srv/site/current)")
        assert kind.split() == ["nfs4", f"{address(recipe, 'nfs1')}:/"]
        assert recipe.shell(web, "readlink -f /srv/site/current").startswith("/var/www/releases/")
    written = ask(recipe, "--data-binary", "written once")
    assert written is not None
    figure(
        f"recipe: written by {written['web']}, seen by both "
        f"{until(both_show(recipe, 'written once'), 10.0):.1f} s later"
    )
    assert "www-data" in recipe.shell("nfs1", "stat -c %U /srv/stillup/export/files/note")


def test_only_the_web_servers_may_mount_it_and_no_portmapper_listens(recipe: RunningLab) -> None:
    exports = recipe.shell("nfs1", "exportfs -s")
    clients = {word.partition("(")[0] for word in exports.split() if "(" in word}
    assert clients == {address(recipe, web) for web in WEBS}
    for server in sorted(USERS):
        assert recipe.shell(server, "ss -Hltun 'sport = :111'") == ""


def test_the_mounts_come_back_after_the_storage_server_and_a_web_server_that_booted_meanwhile(
    recipe: RunningLab,
) -> None:
    assert ask(recipe, "--data-binary", "before the power cut") is not None
    recipe.lab.power("nfs1", on=False)
    recipe.lab.power("web1", on=False)
    # Its boot waits for nobody: this returns when its sshd answers.
    recipe.lab.power("web1", on=True)
    assert recipe.shell("web1", "findmnt -no FSTYPE /var/www || true") == ""
    recipe.lab.power("nfs1", on=True)
    took_s = until(both_show(recipe, "before the power cut"))
    figure(f"recipe: both web servers serve {took_s:.0f} s after the storage server is back")
    recipe.stillup("--lab", "status", "--wait", "60")


def test_a_drills_page_comes_from_the_storage_as_the_sites_do(recipe: RunningLab) -> None:
    pages = Probing(recipe)
    pages.install(300)
    try:
        assert pages.post("file?n=5") == (200, f"file 5 of {pages.token}")
        assert pages.post("row?n=6") == (200, f"row 6 of {pages.token}")
        assert pages.kept() == (
            Copies("db1", Kind.ROW, frozenset({6})),
            Copies("nfs1", Kind.FILE, frozenset({5})),
        )
        folder = f"/srv/stillup/export/files/.stillup-drill-{pages.token}"
        recipe.shell("nfs1", f"echo another > {folder}/page")
        assert pages.ask("page")[0] == 500
    finally:
        pages.remove()
    assert recipe.shell("nfs1", "ls -A /srv/stillup/export/files").split() == ["note"]
