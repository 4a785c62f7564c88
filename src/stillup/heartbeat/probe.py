"""Watches the service whose health decides whether this server is fit: HAProxy.

Three eyes, each for another way to die:

* a pidfd of the main process (HAProxy's master): its end is known at once;
* one kept connection to the service's own check page: when the worker that serves dies, the
  kernel closes it at once, and a new one is refused. A reload closes it too, but then a new
  one is answered by the new worker, so a reload does not look like a death;
* a question on that connection four times a second: a service that hangs (stopped, in an
  endless loop) does not answer.

A kept connection, not a new one each time, because a service that is merely full
(``maxconn``) must not lose the address: the other balancer would be as full.
"""

import contextlib
import errno
import os
import select
import socket
from collections.abc import Callable, Mapping

from stillup.heartbeat import health, http_answer
from stillup.heartbeat.health import Judge
from stillup.heartbeat.http_answer import Malformed
from stillup.heartbeat.loop import Loop
from stillup.heartbeat.service import main_process
from stillup.heartbeat.settings import Watch

_READ_BYTES = 4096


class Probe:
    """Watches one service.

    Args:
        loop: For descriptors and timers.
        watch: What to watch.
        on_change: Called whenever ``judge.healthy`` may have changed.
        log: Takes an event.
    """

    def __init__(
        self,
        loop: Loop,
        watch: Watch,
        on_change: Callable[[], None],
        log: Callable[[str, Mapping[str, object]], None],
    ) -> None:
        self.judge = Judge(watch.name)
        self._loop = loop
        self._watch = watch
        self._on_change = on_change
        self._log = log
        self._question = http_answer.question(f"{watch.host}:{watch.port}", watch.path)
        self._process: int | None = None
        self._connection: socket.socket | None = None
        self._asking = False
        self._proven = False
        self._said_unknown = False
        self._began_s = 0.0
        self._received = b""

    def go_on_with(self, judge: Judge) -> None:
        """Judge on from what a predecessor knew, if it watched the same service."""
        if judge.name == self.judge.name:
            self.judge = judge

    def start(self) -> None:
        """Check now, and from now on."""
        self._check(self._loop.now_s())

    # -- the process -----------------------------------------------------------------------

    def _find_process(self) -> None:
        if self._process is not None:
            return
        number = main_process(self._watch)
        if number is None:
            return
        try:
            process = os.pidfd_open(number)
        except OSError:  # it ended between the two lines; the next check finds its successor
            return
        if select.select([process], [], [], 0)[0]:  # it has ended, but its parent does not know yet
            os.close(process)
            return
        self._process = process
        self._log("service found", {"service": self.judge.name, "pid": number})
        self._loop.watch(self._process, self._on_process_end)

    def _on_process_end(self) -> None:
        assert self._process is not None
        self._loop.unwatch(self._process)
        os.close(self._process)
        self._process = None
        self._disconnect()
        self._died("died")

    # -- the question ----------------------------------------------------------------------

    def _check(self, now_s: float) -> None:
        """Ask, on the kept connection or a new one."""
        self._find_process()
        self._began_s = now_s
        self._received = b""
        self._asking = True
        self._loop.at("probe", now_s + health.TIMEOUT_S, self._on_timeout)
        if self._connection is None:
            self._connect()
        else:
            self._ask()

    def _connect(self) -> None:
        connection = socket.socket(
            socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        )
        self._proven = False
        number = connection.connect_ex((self._watch.host, self._watch.port))
        if number not in (0, errno.EINPROGRESS):
            connection.close()
            self._cannot_connect(number)
            return
        self._connection = connection
        self._loop.watch(connection, self._on_readable, self._on_connected)

    def _on_connected(self) -> None:
        assert self._connection is not None
        number = self._connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self._disconnect()
            self._cannot_connect(number)
            return
        self._loop.unwatch(self._connection)
        self._loop.watch(self._connection, self._on_readable)
        self._ask()

    def _cannot_connect(self, number: int) -> None:
        if number == errno.ECONNREFUSED:
            # It is this very server that refuses: nobody listens.
            self._died("refuses connections")
        else:
            self._failed(f"cannot be connected to: {os.strerror(number)}")

    def _ask(self) -> None:
        assert self._connection is not None
        # If it was closed meanwhile, _on_readable finds out.
        with contextlib.suppress(OSError):
            self._connection.send(self._question, socket.MSG_NOSIGNAL)

    def _on_readable(self) -> None:
        assert self._connection is not None
        try:
            data = self._connection.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._on_closed()
        elif self._asking:
            self._received += data
            self._read_answer()

    def _on_closed(self) -> None:
        self._disconnect()
        if self._proven:
            # Its worker ended, or was replaced: a new connection tells which, at once.
            self._check(self._loop.now_s())
        else:
            self._failed("closes connections")

    def _read_answer(self) -> None:
        try:
            found = http_answer.answer(self._received)
        except Malformed as error:
            self._failed(f"answers wrongly: {error}")
            return
        if found is None:
            return
        if not found.keep:
            self._disconnect()
        if not found.is_good:
            self._failed(f"answers {found.status}")
            return
        self._asking = False
        self._proven = True
        self.judge.answered()
        if self._process is None and not self._said_unknown:
            self._said_unknown = True
            self._log("service process unknown", {"service": self.judge.name})
        self._next()

    def _on_timeout(self, _now_s: float) -> None:
        self._failed("does not answer")

    def _failed(self, why: str) -> None:
        self._disconnect()
        self.judge.failed(why)
        self._next()

    def _died(self, why: str) -> None:
        self.judge.died(why)
        self._next()

    def _next(self) -> None:
        # Counted from when the last check began: one that waited in vain is followed at once.
        self._loop.at("probe", self._began_s + self.judge.period_s, self._check)
        self._on_change()

    def _disconnect(self) -> None:
        self._asking = False
        if self._connection is not None:
            self._loop.unwatch(self._connection)
            self._connection.close()
            self._connection = None
