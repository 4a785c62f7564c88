"""What is asked before the load begins and after it has ended: acts, and may wait."""

import http.client
import time

from stillup.drill.workload.connection import Destination
from stillup.drill.workload.pages import order, shortened

WITHIN_S = 60.0
_ANSWER_S = 10.0
_AGAIN_S = 0.5


class NotDone(Exception):
    """The farm did not do it in time; the text is what it said last."""


def until_done(to: Destination, page: str, token: str) -> None:
    """Ask for a page, again and again, until it says that it is done.

    Raises:
        NotDone: If it does not within ``WITHIN_S``.
    """
    ends_s = time.monotonic() + WITHIN_S
    while True:
        told = _asked(to, page, token)
        if not told:
            return
        if time.monotonic() > ends_s:
            raise NotDone(f"the probe page {page} was not done within {WITHIN_S:.0f} s: {told}")
        time.sleep(_AGAIN_S)


def _asked(to: Destination, page: str, token: str) -> str:
    """Ask once; return what came instead of "done", or ""."""
    if to.tls is None:
        connection = http.client.HTTPConnection(to.address, to.port, timeout=_ANSWER_S)
    else:
        connection = http.client.HTTPSConnection(
            to.address, to.port, timeout=_ANSWER_S, context=to.tls
        )
    try:
        connection.connect()
        connection.sock.sendall(order(page, token=token, host=to.host))
        answer = http.client.HTTPResponse(connection.sock, method="POST")
        answer.begin()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return "" if answer.status == 200 else f"{answer.status} {shortened(body, token)}"
