"""The workload as the program that it is, asking a small server of the test's own."""

import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.drill.workload.site import TOKEN, Site

from stillup.drill.history import Deed, Kind, Outcome
from stillup.drill.workload.settings import LOADS, Load, Settings
from stillup.drill.workload.start import Worked, Working, working
from stillup.errors import DrillFailed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

# Whoever runs this may have no time for the site, so its answers are waited for.
LITTLE = {
    kind: replace(
        load, per_s=min(load.per_s, 20.0), timeout_s=30.0, connections=min(load.connections, 5)
    )
    for kind, load in LOADS.items()
}


@contextmanager
def asking(site: Site, **more: object) -> Iterator[Working]:
    settings = Settings("127.0.0.1", "shop.example", TOKEN, site.port, loads=LITTLE)
    with working(replace(settings, **more)) as load:  # type: ignore[arg-type]  # a test's own words
        yield load


def wait_for(load: Working, count: int) -> None:
    ends_s = time.monotonic() + 20
    while len(load.deeds) < count:
        assert time.monotonic() < ends_s, f"only {len(load.deeds)} are over"
        time.sleep(0.02)


def of(worked: Worked, kind: Kind) -> list[Deed]:
    return [deed for deed in worked.deeds if deed.kind is kind]


def test_every_kind_is_asked_and_each_wrong_answer_is_told() -> None:
    site = Site()
    with asking(site, first=1) as load:
        wait_for(load, 200)
        worked = load.stop()

    failed = {
        (deed.kind, deed.number): (deed.outcome, deed.status, deed.told)
        for deed in worked.deeds
        if deed.outcome is not Outcome.DONE
    }
    wrong = (Outcome.WRONG, 200, "page 4 of TOKEN")
    assert failed == {
        (Kind.NEW, 3): wrong,
        (Kind.KEPT, 3): wrong,
        (Kind.ROW, 5): (Outcome.NOT_DONE, 409, "no database"),
        (Kind.FILE, 2): (Outcome.CUT_SHORT, 200, "the connection was closed"),
    }
    assert {deed.kind for deed in worked.deeds} == {*Kind}
    assert [deed.number for deed in of(worked, Kind.ROW)] == [
        *range(1, len(of(worked, Kind.ROW)) + 1)
    ]
    for visitor in range(8):
        counts = [deed.number for deed in of(worked, Kind.SESSION) if deed.visitor == visitor]
        assert counts == [*range(1, len(counts) + 1)]
    assert {(deed.balancer, deed.web) for deed in of(worked, Kind.NEW)} == {("lb1", "web1")}
    assert worked.lasted_s >= max(deed.due_s for deed in worked.deeds)


def test_kept_connections_are_kept_and_used_in_turn() -> None:
    site = Site()
    with asking(site, loads={Kind.KEPT: Load(100.0, 1.5, 50, connections=5)}) as load:
        wait_for(load, 60)
        load.stop()
    # More than five only where this machine itself stalled; 60 if none were kept.
    assert 5 <= site.connections < 30


def test_a_stall_is_charged_with_every_request_it_kept_waiting() -> None:
    site = Site()
    with asking(site) as load:
        wait_for(load, 40)
        site.speaks.clear()
        silent_s = time.monotonic() - load.origin_s
        time.sleep(1.0)
        speaks_s = time.monotonic() - load.origin_s
        site.speaks.set()
        wait_for(load, len(load.deeds) + 60)
        worked = load.stop()

    kept_waiting = [
        deed
        for deed in worked.deeds
        if deed.kind is not Kind.DOWNLOAD and silent_s + 0.1 < deed.due_s < speaks_s - 0.1
    ]
    # 20 a second of new, kept, session and row and 10 of file, for 0.8 s.
    assert 67 <= len(kept_waiting) <= 77
    assert min(deed.ended_s for deed in kept_waiting) >= speaks_s
    assert {deed.outcome for deed in kept_waiting} == {Outcome.DONE}
    assert sorted(deed.sent_s - deed.due_s for deed in kept_waiting)[len(kept_waiting) // 2] < 0.05


def test_what_takes_too_long_is_given_up_counted_from_when_it_was_due() -> None:
    site = Site()
    site.speaks.clear()
    with asking(site, loads={Kind.ROW: Load(20.0, 0.5, 2, connections=2)}) as load:
        wait_for(load, 5)
        worked = load.stop()
    site.speaks.set()

    assert site.asked["row"] == 0
    assert {deed.outcome for deed in worked.deeds} == {Outcome.TIMED_OUT}
    assert all(0.5 <= deed.ended_s - deed.due_s < 1.0 for deed in worked.deeds)


def test_nobody_there_is_refused() -> None:
    site = Site()
    with asking(site) as load:
        wait_for(load, 40)
        site.close()
        wait_for(load, len(load.deeds) + 60)
        worked = load.stop()
    last = of(worked, Kind.NEW)[-1]
    assert (last.outcome, last.status, last.told) == (Outcome.REFUSED, 0, "ECONNREFUSED")


def test_over_tls(tmp_path: Path) -> None:
    pem = tmp_path / "site.pem"
    subject = ("-subj", "/CN=shop.example", "-days", "1")
    words = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    files = ("-nodes", "-keyout", str(pem), "-out", str(tmp_path / "certificate"))
    subprocess.run([*words, *subject, *files], check=True, capture_output=True)
    pem.write_text(pem.read_text() + (tmp_path / "certificate").read_text())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    site = Site(context)
    with asking(site, tls=True, first=10) as load:
        wait_for(load, 100)
        worked = load.stop()
    assert {deed.kind for deed in worked.deeds} == {*Kind}
    assert {deed.outcome for deed in worked.deeds} == {Outcome.DONE}


def test_who_cannot_begin_says_why() -> None:
    with (
        pytest.raises(
            DrillFailed, match=r"stillup\.drill\.workload ended with 1: .* to be allowed"
        ),
        working(Settings("127.0.0.1", "shop.example", TOKEN, 1), lambda _: DYING),
    ):
        raise AssertionError("it began")


DYING = ["sh", "-c", "read line; echo it asks to be allowed >&2; exit 1"]
