"""Changes to a real machine that fail or are interrupted: a real nginx, a real systemd, a real apt."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.lab.running import RunningLab, lab_of

from stillup.errors import ChangeRefused, ChangeTakenBack, ServerFailed, ServerUnreachable
from stillup.lab.access import lab_access
from stillup.node.bundle import Bundle, Check, File, Health, Unit
from stillup.node.codec import encode
from stillup.node.message import Json, JsonObject
from stillup.servers.connection import Connection

pytestmark = [pytest.mark.lab, pytest.mark.apart, pytest.mark.slow]

FARM = """\
[farm]
name = "changes"
[network]
lan = "10.0.0.0/24"
[vip]
addresses = ["10.0.0.1"]
[site]
hosts = ["changes.example"]
source = "site/"
[servers]
one = { address = "10.0.0.2", roles = ["balancer", "web", "database"] }
two = { address = "10.0.0.3", roles = ["balancer", "web"] }
"""
SITE = "/etc/nginx/conf.d/trial.conf"
DROP_IN = "/etc/systemd/system/nginx.service.d/trial.conf"
ASK = ("/usr/bin/curl", "-sS", "--fail", "--max-time", "2", "http://127.0.0.1:8099/")
KILL = (
    "for path in /proc/[0-9]*; do case $(tr '\\0' ' ' <$path/cmdline) in "
    "'python3 -I -c'*) kill -9 ${path#/proc/};; esac; done"
)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """One machine, with nginx serving one word."""
    folder = tmp_path_factory.mktemp("changes")
    (folder / "farm.toml").write_text(FARM)
    (folder / "site").mkdir()
    with lab_of(folder / "farm.toml") as running:
        running.lab.up(["one"])
        yield running


@pytest.fixture
def one(machine: RunningLab) -> Iterator[RunningLab]:
    """The machine with the word "first" served; whatever a test did is put right after it."""
    apply(machine, wanted("first"), overwrite=True)
    yield machine
    machine.lab.heal()
    machine.shell("one", "umount /etc/nginx/conf.d /var/lib/stillup 2>/dev/null; true")


def wanted(word: str, *more: File, drop_in: str = "[Unit]\nDescription=trial\n") -> Bundle:
    site = f'server {{ listen 127.0.0.1:8099; location / {{ return 200 "{word}\\n"; }} }}\n'
    return Bundle(
        farm="changes",
        server="one",
        packages=("nginx",),
        files=(File(SITE, site), File(DROP_IN, drop_in), *more),
        checks=(Check("nginx", ("/usr/sbin/nginx", "-t", "-q"), ("/etc/nginx/",)),),
        units=(Unit("nginx.service", reload_on=(SITE,), restart_on=(DROP_IN,)),),
        healths=(Health("nginx answers", ASK, within_s=3.0),),
    )


async def _request(lab: RunningLab, operation: str, arguments: dict[str, Json]) -> JsonObject:
    connection = await _connect(lab)
    try:
        return await connection.request(operation, arguments)
    finally:
        await connection.close()


async def _connect(lab: RunningLab) -> Connection:
    server = next(server for server in lab.farm.servers if server.name == "one")
    return await lab_access(lab.farm, lab.farm_path).connect(server)


def apply(lab: RunningLab, bundle: Bundle, *, overwrite: bool = False) -> Json:
    arguments: dict[str, Json] = {"bundle": encode(bundle), "overwrite": overwrite}
    return asyncio.run(_request(lab, "apply", arguments))["changed"]


def differences(lab: RunningLab, bundle: Bundle) -> Json:
    return asyncio.run(_request(lab, "compare", {"bundle": encode(bundle)}))["changes"]


def served(lab: RunningLab) -> str:
    return lab.shell("one", "curl -sS http://127.0.0.1:8099/", check=False).strip()


def left(lab: RunningLab) -> str:
    """Return what of a change is still lying about."""
    line = "find /etc /var/lib/stillup -name '.*stillup-*'; ls -A /var/lib/stillup/journal"
    return lab.shell("one", line).strip()


def test_what_nginx_refuses_never_goes_live(one: RunningLab) -> None:
    started = one.shell("one", "systemctl show -p MainPID -p StateChangeTimestamp nginx")
    with pytest.raises(ChangeTakenBack, match=r"one: nginx refuses .*unknown directive"):
        apply(one, wanted('"; } nonsense'))
    assert served(one) == "first"
    assert one.shell("one", "systemctl show -p MainPID -p StateChangeTimestamp nginx") == started
    assert (left(one), differences(one, wanted("first"))) == ("", [])


def test_what_never_answers_is_taken_back_and_the_old_answers_again(one: RunningLab) -> None:
    silent = wanted("x")
    files = (File(SITE, silent.files[0].text.replace("8099", "8098")), *silent.files[1:])
    with pytest.raises(ChangeTakenBack, match="nginx answers did not come to health: curl"):
        apply(one, replace(silent, files=files))
    assert served(one) == "first"
    assert (left(one), differences(one, wanted("first"))) == ("", [])


def test_a_unit_that_does_not_start_is_taken_back_with_its_own_words(one: RunningLab) -> None:
    broken = "[Service]\nExecStartPre=/bin/sh -c 'echo fatal: no luck today; false'\n"
    with pytest.raises(ChangeTakenBack, match=r"nginx.service did not restart: .*no luck today"):
        apply(one, wanted("second", drop_in=broken))
    assert served(one) == "first"
    assert (left(one), differences(one, wanted("first"))) == ("", [])


def test_killed_at_several_moments_and_applied_again_it_arrives(one: RunningLab) -> None:
    moments = random.Random(2)
    unreachable = 0
    for number in range(6):
        more = [File(f"/etc/trial/{number % 2}/{index}", f"{number}\n") for index in range(20)]
        bundle = wanted(f"word{number}", *more, drop_in=f"[Unit]\nDescription=trial {number}\n")
        unreachable += asyncio.run(_killed(one, bundle, moments.uniform(0.0, 0.6)))
        apply(one, bundle)
        assert served(one) == f"word{number}"
        assert (left(one), differences(one, bundle)) == ("", [])
        others = one.shell("one", "cat /etc/trial/*/* | sort -u; ls /etc/trial")
        assert others.split() == [str(number), str(number % 2)]
    assert unreachable > 2


async def _killed(lab: RunningLab, bundle: Bundle, after_s: float) -> bool:
    """Apply, and kill what runs on the server in the middle; return whether it was in time."""
    connection = await _connect(lab)
    task = asyncio.create_task(connection.request("apply", {"bundle": encode(bundle)}))
    await asyncio.sleep(after_s)
    await asyncio.to_thread(lab.shell, "one", KILL)
    try:
        await task
    except ServerUnreachable:
        return True
    finally:
        await connection.close()
    return False


def test_when_the_line_breaks_in_the_middle_the_server_finishes_by_itself(one: RunningLab) -> None:
    async def cut() -> None:
        connection = await _connect(one)
        arguments: dict[str, Json] = {"bundle": encode(wanted("second"))}

        def on_event(_event: JsonObject) -> None:
            one.lab.cut("one")

        try:
            with pytest.raises(ServerUnreachable, match=r"^one"):
                await connection.request("apply", arguments, on_event=on_event, within_s=30)
        finally:
            await connection.close()

    asyncio.run(cut())
    assert served(one) == "second"
    assert left(one) == ""
    one.lab.heal()
    # It has the lock until it notices that nobody listens.
    one.shell("one", "flock --wait 60 /run/stillup/lock true")
    assert differences(one, wanted("second")) == []


@pytest.mark.parametrize("full", ["/etc/nginx/conf.d", "/var/lib/stillup"])
def test_a_full_disk_is_one_sentence_and_the_old_still_serves(one: RunningLab, full: str) -> None:
    one.shell(
        "one",
        f"cp -a {full} /root/kept; mount -t tmpfs -o size=64k tmpfs {full}; "
        f"cp -a /root/kept/. {full}/; rm -r /root/kept; "
        f"[ {full} = /etc/nginx/conf.d ] || dd if=/dev/zero of={full}/fill bs=1k 2>/dev/null; true",
    )
    large = wanted("second", File("/etc/nginx/conf.d/large.conf", "# x\n" * 40_000))
    with pytest.raises((ChangeTakenBack, ServerFailed), match=rf"one: the disk is full \({full}/"):
        apply(one, large)
    assert served(one) == "first"
    assert left(one) == ""
    one.shell("one", f"umount {full}")
    assert differences(one, wanted("first")) == []


def test_a_package_that_does_not_install_changes_nothing_else(one: RunningLab) -> None:
    with pytest.raises(ServerFailed, match=r"one: installing no-such failed, .*no-such"):
        apply(one, replace(wanted("second"), packages=("nginx", "no-such")))
    assert served(one) == "first"
    assert left(one) == ""


def test_a_package_is_installed_and_its_service_not_started_by_it(one: RunningLab) -> None:
    one.shell("one", _PACKAGE)
    more = File("/etc/trial.conf", "ours\n"), File("/etc/trial-made.conf", "ours\n")
    bundle = replace(wanted("first", *more), packages=("nginx", "stillup-trial"))
    changed = apply(one, bundle)
    assert isinstance(changed, list)
    assert [change["name"] for change in changed if isinstance(change, dict)] == [
        "stillup-trial",
        "/etc/trial.conf",
        "/etc/trial-made.conf",
    ]
    state = one.shell(
        "one", "systemctl is-active stillup-trial; ls /usr/sbin/policy-rc.d", check=False
    )
    assert state.split("\n")[0] == "inactive"
    assert one.shell("one", "cat /etc/trial.conf /etc/trial-made.conf") == "ours\nours\n"


def test_work_by_hand_is_refused_and_kept(one: RunningLab) -> None:
    one.shell("one", f"echo '# by hand' >> {SITE}")
    with pytest.raises(ChangeRefused, match=f"changed by hand: {SITE}; look at the difference"):
        apply(one, wanted("second"))
    assert served(one) == "first"
    apply(one, wanted("second"), overwrite=True)
    assert served(one) == "second"
    kept = one.shell("one", f"cat /var/lib/stillup/replaced{SITE}.*")
    assert kept.endswith("# by hand\n")


_PACKAGE = r"""
set -e
mkdir -p /srv/trial/tree/DEBIAN /srv/trial/tree/etc /srv/trial/tree/usr/lib/systemd/system
cd /srv/trial
printf 'Package: stillup-trial\nVersion: 1\nArchitecture: all\nMaintainer: n <n@example.org>\nDescription: trial\n' > tree/DEBIAN/control
echo /etc/trial.conf > tree/DEBIAN/conffiles
echo 'as packaged' > tree/etc/trial.conf
printf '[Service]\nExecStart=/bin/sleep infinity\n' > tree/usr/lib/systemd/system/stillup-trial.service
printf '#!/bin/sh\nsystemctl daemon-reload\ndeb-systemd-invoke start stillup-trial.service\necho made > /etc/trial-made.conf\n' > tree/DEBIAN/postinst
chmod 755 tree/DEBIAN/postinst
dpkg-deb --root-owner-group --build tree trial.deb >/dev/null
{ dpkg-deb -f trial.deb; echo "Filename: ./trial.deb"; echo "Size: $(stat -c %s trial.deb)"; echo "SHA256: $(sha256sum trial.deb | cut -d' ' -f1)"; } > Packages
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/srv/trial ./' > /etc/apt/sources.list.d/trial.list
"""
