"""The pinger against this machine's own kernel."""

import resource

import pytest

from stillup.heartbeat.loop import Loop
from stillup.heartbeat.pinger import Pinger

pytestmark = [pytest.mark.netns, pytest.mark.timeout(10)]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_an_answer_is_told_with_the_number_that_was_asked(namespaces: None, address: str) -> None:
    loop = Loop()
    heard: list[tuple[str, int]] = []
    pinger = Pinger(
        loop, address, "lo", lambda *told: heard.append(told), lambda *_: None
    )  # fmt: skip

    pinger.ask("10.0.0.1", 7)
    pinger.ask("10.0.0.1", 70_000)
    while len(heard) < 2:
        loop.turn()

    assert sorted(heard) == [("10.0.0.1", 7), ("10.0.0.1", 70_000)]
    assert pinger.status() == {"asked": 2, "answered": 2, "unsent": {}}
    pinger.close()


def test_where_no_socket_can_be_had_that_is_counted(namespaces: None) -> None:
    logged: list[str] = []
    pinger = Pinger(
        Loop(), "::1", "lo", lambda *_: None, lambda event, _: logged.append(event)
    )  # fmt: skip
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        pinger.ask("10.0.0.1", 1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert pinger.status() == {"asked": 0, "answered": 0, "unsent": {"EMFILE": 1}}
    assert logged == ["witness not asked"]


def test_what_cannot_be_sent_is_counted(namespaces: None) -> None:
    logged: list[str] = []
    pinger = Pinger(
        Loop(), "192.0.2.1", "none0", lambda *_: None, lambda event, _: logged.append(event)
    )
    pinger.ask("10.0.0.1", 1)
    assert pinger.status() == {"asked": 0, "answered": 0, "unsent": {"ENODEV": 1}}
    assert logged == ["witness not asked"]
