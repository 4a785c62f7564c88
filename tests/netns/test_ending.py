"""What is left at the end of a drain is ended a few at a time, against this machine's own kernel."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from stillup.heartbeat.ending import AT_ONCE, Ending
from stillup.heartbeat.loop import Loop
from stillup.heartbeat.socket_diagnosis import Connections

pytestmark = [pytest.mark.netns, pytest.mark.timeout(20)]

ADDRESS = "127.0.0.77"
COUNT = 2 * AT_ONCE + 1


@pytest.fixture
def clients(namespaces: None) -> Iterator[list[socket.socket]]:
    """The clients' ends of connections to an address of this machine."""
    with ExitStack() as opened:
        listener = opened.enter_context(closing(socket.create_server((ADDRESS, 0), backlog=COUNT)))
        made = []
        for _ in range(COUNT):
            client = socket.create_connection(listener.getsockname())
            made.append(opened.enter_context(closing(client)))
            opened.enter_context(closing(listener.accept()[0]))
        yield made


def test_others_have_their_turn_meanwhile_and_each_client_is_told(
    clients: list[socket.socket],
) -> None:
    loop, connections = Loop(), Connections(ADDRESS)
    open_then: list[int] = []
    ended: list[int] = []
    ending = Ending(loop, ADDRESS, connections, lambda *_: None, ended.append)
    assert connections.count() == COUNT

    ending.begin()
    while not ended:
        loop.at("another", loop.now_s(), lambda _: open_then.append(connections.count()))
        loop.turn()

    assert open_then[0] == COUNT - AT_ONCE
    assert ended == [COUNT]
    assert connections.count() == 0
    for client in clients:
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    connections.close()


def test_what_is_held_again_stays_open(clients: list[socket.socket]) -> None:
    loop, connections = Loop(), Connections(ADDRESS)
    ended: list[int] = []
    ending = Ending(loop, ADDRESS, connections, lambda *_: None, ended.append)
    ending.begin()
    ending.stop()
    loop.at("later", loop.now_s() + 0.05, lambda _: loop.stop())
    loop.run()

    assert ended == []
    assert connections.count() == COUNT - AT_ONCE
    connections.close()
