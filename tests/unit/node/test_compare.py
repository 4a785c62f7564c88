"""What is a change by hand, what a unit needs, what a secret is: the comparison alone."""

import hashlib

import pytest

from stillup.node.bundle import Absent, Bundle, Directory, File, Link, Unit, User
from stillup.node.compare import Change, Known, Touched, differences, unit_action
from stillup.node.journal import Journal
from stillup.node.manifest import Manifest, Stamp, link_stamp
from stillup.node.observed import Observed, Seen, SeenFile, SeenFolder, SeenLink, SeenUnit
from stillup.node.world import Account

PATH = "/etc/x"
WANTED = Bundle("shop", "web1", files=(File(PATH, "wanted\n"),))


def seen_file(text: str, mode: int = 0o644, owner: str = "root") -> SeenFile:
    return SeenFile(text.encode(), mode, owner, "root")


def stamp(text: str, *, secret: bool = False) -> Stamp:
    return Stamp(hashlib.sha256(text.encode()).hexdigest(), 0o644, "root", "root", secret=secret)


def applied(text: str, *, secret: bool = False) -> Known:
    return Known(Manifest(0.0, "", "", {PATH: stamp(text, secret=secret)}))


def one(seen: Seen, known: Known, *, pristine: bool = False, bundle: Bundle = WANTED) -> Change:
    observed = Observed(paths={PATH: seen}, pristine=frozenset({PATH} if pristine else ()))
    (change,) = differences(bundle, observed, known)
    return change


@pytest.mark.parametrize(
    ("seen", "known", "by_hand"),
    [
        (None, Known(), False),
        (None, applied("ours\n"), False),
        (seen_file("ours\n"), applied("ours\n"), False),
        (seen_file("edited\n"), applied("ours\n"), True),
        (seen_file("ours\n", mode=0o600), applied("ours\n"), True),
        (seen_file("ours\n", owner="www-data"), applied("ours\n"), True),
        (seen_file("a stranger's\n"), Known(), True),
        (seen_file("wanted\n", mode=0o600), Known(), False),
        (SeenLink("/somewhere"), Known(), True),
        (SeenLink("/somewhere"), applied("ours\n"), True),
        (SeenFolder(0o755, "root", "root"), Known(), True),
        (seen_file("planned\n"), Known(None, Journal("k", {PATH: (stamp("planned\n"),)})), False),
        (seen_file("fresh\n"), Known(None, Journal("k", fresh=(PATH,))), False),
    ],
)
def test_by_hand_is_what_neither_we_nor_a_package_left(
    seen: Seen, known: Known, *, by_hand: bool
) -> None:
    assert one(seen, known).by_hand is by_hand


def test_what_a_package_left_is_nobodys_work() -> None:
    assert not one(seen_file("as packaged\n"), Known(), pristine=True).by_hand


def test_what_is_as_wanted_is_no_change_whoever_made_it_so() -> None:
    observed = Observed(paths={PATH: seen_file("wanted\n")})
    assert differences(WANTED, observed, Known()) == ()
    assert differences(WANTED, observed, applied("earlier\n")) == ()


def test_a_file_that_was_a_secret_is_not_shown_when_it_no_longer_is_one() -> None:
    change = one(seen_file("hunter2\n"), applied("hunter2\n", secret=True))
    assert change.diff == "secret changed"


def test_a_private_file_that_is_not_ours_is_not_shown_when_it_goes() -> None:
    bundle = Bundle("shop", "web1", absent=(Absent(PATH),))
    assert one(seen_file("hunter2\n", mode=0o640), Known(), bundle=bundle) == Change(
        "absent", PATH, "remove", "secret changed", by_hand=True
    )


def test_a_file_becomes_a_link_and_a_link_a_file() -> None:
    bundle = Bundle("shop", "web1", links=(Link(PATH, "/there"),))
    change = one(seen_file("ours\n"), applied("ours\n"), bundle=bundle)
    assert (change.kind, change.action, change.by_hand) == ("link", "change", False)
    ours = Known(Manifest(0.0, "", "", {PATH: link_stamp("/there")}))
    change = one(SeenLink("/there"), ours)
    assert (change.kind, change.action, change.by_hand) == ("file", "change", False)


def test_folders_and_accounts_are_put_right_not_replaced() -> None:
    bundle = Bundle(
        "shop",
        "web1",
        users=(User("site", "/srv/site", groups=("adm", "site-data")), User("new", "/")),
        directories=(Directory("/srv/a", 0o750), Directory("/srv/b"), Directory("/srv/c")),
    )
    observed = Observed(
        accounts={"site": Account("site", "/home/site", "/usr/sbin/nologin", frozenset({"adm"}))},
        directories={
            "/srv/a": SeenFolder(0o755, "root", "root"),
            "/srv/b": SeenFolder(0o755, "root", "root"),
            "/srv/c": seen_file("in the way"),
        },
    )
    assert differences(bundle, observed, Known()) == (
        Change("user", "site", "change", "home /home/site -> /srv/site; groups + site-data"),
        Change("user", "new", "add"),
        Change("directory", "/srv/a", "change", "0755 root:root -> 0750 root:root"),
        Change("directory", "/srv/c", "change", "not a folder", by_hand=True),
    )


def test_sysctls_are_compared_by_value_and_go_back_when_no_longer_wanted() -> None:
    bundle = Bundle(
        "shop",
        "web1",
        sysctls=(("a.b", "1 2"), ("c.d", "5"), ("e.f", "1"), ("-g.h", "1"), ("-i.j", "1")),
    )
    known = Known(Manifest(0.0, "", "", sysctls={"old.key": "7", "gone.key": "1"}))
    values = {"a.b": "1 2", "c.d": "4", "e.f": None, "old.key": "8", "gone.key": None}
    values |= {"-g.h": "0", "-i.j": None}
    observed = Observed(sysctls=values)
    changes = differences(bundle, observed, known)
    assert [change for change in changes if change.kind == "sysctl"] == [
        Change("sysctl", "c.d", "change", "4 -> 5"),
        Change("sysctl", "e.f", "add", "-> 1"),
        Change("sysctl", "-g.h", "change", "0 -> 1"),
        Change("sysctl", "old.key", "remove", "8 -> 7"),
    ]


UNIT = Unit("x.service", reload_on=("/etc/x/",), restart_on=("/etc/x/port",))


@pytest.mark.parametrize(
    ("active", "paths", "action"),
    [
        ("active", [], ""),
        ("active", ["/etc/y"], ""),
        ("active", ["/etc/x/deep/file"], "reload"),
        ("active", ["/etc/x/port", "/etc/x/a"], "restart"),
        ("active", ["/etc/x-else"], ""),
        ("inactive", [], "start"),
        ("failed", ["/etc/x/a"], "start"),
        ("reloading", ["/etc/x/a"], "reload"),
    ],
)
def test_a_unit_reloads_or_restarts_by_what_changed(
    active: str, paths: list[str], action: str
) -> None:
    assert unit_action(UNIT, SeenUnit(active), Touched(frozenset(paths))) == action


def test_a_unit_that_shall_not_run_is_stopped_and_disabled() -> None:
    bundle = Bundle("shop", "web1", units=(Unit("x.service", enabled=False, running=False),))
    observed = Observed(units={"x.service": SeenUnit("active", "enabled")})
    assert differences(bundle, observed, Known()) == (
        Change("unit", "x.service", "disable"),
        Change("unit", "x.service", "stop"),
    )


@pytest.mark.parametrize("word", ["static", "alias", "generated", "indirect", "enabled"])
def test_what_starts_at_boot_by_other_means_needs_no_enabling(word: str) -> None:
    bundle = Bundle("shop", "web1", units=(Unit("x.service"),))
    observed = Observed(units={"x.service": SeenUnit("active", word)})
    assert differences(bundle, observed, Known()) == ()


def test_a_unit_file_that_changed_behind_systemds_back_is_read_again() -> None:
    bundle = Bundle("shop", "web1", units=(Unit("x.service"),))
    observed = Observed(units={"x.service": SeenUnit("active", "enabled", stale=True)})
    assert differences(bundle, observed, Known()) == (Change("reaction", "systemd", "reload"),)
