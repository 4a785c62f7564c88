"""Ask this server's heartbeat daemon through its control socket: a JSON object each way."""

import json
import socket

from stillup.errors import ServerFailed
from stillup.node.message import JsonObject
from stillup.node.world import World, at

SOCKET = "/run/stillup/heartbeat.sock"
ANSWER_S = 3.0


def ask(world: World, request: JsonObject) -> JsonObject:
    """Send one request and return the answer.

    Raises:
        ServerFailed: If the daemon does not answer, or says no.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(ANSWER_S)
            line.connect(str(at(world, SOCKET)))
            line.sendall(json.dumps(request).encode() + b"\n")
            with line.makefile("rb") as lines:
                answer = json.loads(lines.readline() or b"null")
    except (OSError, ValueError) as error:
        raise ServerFailed("the heartbeat daemon of this server does not answer") from error
    if not isinstance(answer, dict):
        raise ServerFailed("the heartbeat daemon of this server answered nothing sensible")
    if "error" in answer:
        raise ServerFailed(f"the heartbeat daemon says no: {answer['error']}")
    return answer
