"""A TCP connection to the virtual IP, with TLS if need be; nothing here ever waits.

It ends with a reset, so that hundreds a second leave nothing behind. The kernel asks a silent
balancer whether it knows the connection still: one that died while it had a request says nothing
ever, but whoever has the address by then does not know the connection, and says so.

The certificate is not verified: that a farm answers is measured, with nothing to keep from it
but the drill's own token, and the certificate may well be self-signed.
"""

import errno
import select
import socket
import ssl
import struct
from dataclasses import dataclass

from stillup.drill.history import Outcome

_NO_ROUTE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})
_PIECE = 65536
SLOW_PIECE = 16384
"""What a reader who is to be slow takes at once; the kernel keeps little more for it."""


class Broken(Exception):
    """The connection is of no use any more.

    Attributes:
        outcome: What that means for the request.
    """

    def __init__(self, outcome: Outcome, told: str) -> None:
        super().__init__(told)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Destination:
    """Where connections lead; ``tls`` is None for none."""

    address: str
    port: int
    host: str
    tls: ssl.SSLContext | None


def destination(address: str, port: int, host: str, *, tls: bool) -> Destination:
    """Return where connections lead."""
    if not tls:
        return Destination(address, port, host, None)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return Destination(address, port, host, context)


class Connection:
    """A connection that takes one request at a time.

    Attributes:
        wants: The epoll events after which ``go_on`` is to be called.
        sent: Whether something of the present request may have reached the farm.

    Raises:
        Broken: If it is known at once that there will be none.
        OSError: If this machine has no more sockets, which is no fault of the farm's.
    """

    def __init__(self, to: Destination, *, slow: bool = False) -> None:
        self.wants = select.EPOLLOUT
        self.sent = False
        self._to = to
        self._slow = slow
        self._unsent = b""
        self._stands = False
        """TCP does."""
        self._greeted = to.tls is None
        family = socket.AF_INET6 if ":" in to.address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._set_up()
        number = self._socket.connect_ex((to.address, to.port))
        if number not in (0, errno.EINPROGRESS):
            self._socket.close()
            raise _broken(number)

    def _set_up(self) -> None:
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
            self._socket.setsockopt(socket.IPPROTO_TCP, option, 1)
        if self._slow:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2 * SLOW_PIECE)

    def fileno(self) -> int:
        """Return the file's number, for epoll."""
        return self._socket.fileno()

    def send(self, request: bytes) -> None:
        """Take a request; it goes out as soon as it can.

        Raises:
            Broken: If the connection is found to have ended.
        """
        self._unsent, self.sent = request, False
        if self._stands and self._greeted:
            try:
                self._send()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                self.wants = select.EPOLLOUT

    def go_on(self) -> bytes | None:
        """Do what can be done now and return what came in: None for nothing, b"" for the end.

        Raises:
            Broken: If the connection failed.
        """
        try:
            if not self._stands:
                self._establish()
            if not self._greeted:
                self._greet()
            if self._unsent:
                self._send()
                return None
            return self._receive()
        except (ssl.SSLWantReadError, BlockingIOError):
            self.wants = select.EPOLLIN
        except ssl.SSLWantWriteError:
            self.wants = select.EPOLLOUT
        return None

    def close(self) -> None:
        """End it."""
        self._socket.close()

    def _establish(self) -> None:
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            raise _broken(number)
        self._stands = True
        if self._to.tls is not None:
            try:
                self._socket = self._to.tls.wrap_socket(
                    self._socket, server_hostname=self._to.host, do_handshake_on_connect=False
                )
            except OSError as error:  # it ended in the same moment
                raise Broken(Outcome.REFUSED, _words(error)) from error

    def _greet(self) -> None:
        assert isinstance(self._socket, ssl.SSLSocket)
        try:
            self._socket.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError as error:
            raise Broken(Outcome.REFUSED, _words(error)) from error
        self._greeted = True

    def _send(self) -> None:
        self.sent = True
        try:
            done = self._socket.send(self._unsent)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            raise
        except OSError as error:
            raise Broken(Outcome.RESET, _words(error)) from error
        self._unsent = self._unsent[done:]
        self.wants = select.EPOLLOUT if self._unsent else select.EPOLLIN

    def _receive(self) -> bytes:
        try:
            data = self._socket.recv(SLOW_PIECE if self._slow else _PIECE)
            # What TLS has taken off the wire already, epoll does not tell of.
            while data and isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
                data += self._socket.recv(_PIECE)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            raise
        except ssl.SSLZeroReturnError:
            return b""
        except OSError as error:
            raise Broken(Outcome.RESET, _words(error)) from error
        return data


def _broken(number: int) -> Broken:
    """Return what an error means of which nothing was sent before."""
    outcome = Outcome.NO_ROUTE if number in _NO_ROUTE else Outcome.REFUSED
    return Broken(outcome, errno.errorcode.get(number, str(number)))


def _words(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason}"
    return errno.errorcode.get(error.errno or 0, type(error).__name__)
