"""A node with operations that stream, as a process of its own: ``python streaming_node.py FOLDER``."""

import hashlib
import sys
from pathlib import Path

from stillup.errors import ServerFailed
from stillup.node.gently import given, started
from stillup.node.machine import Machine
from stillup.node.message import JsonObject
from stillup.node.requests import Operation, Session, number


def give(session: Session, request: JsonObject) -> JsonObject:
    """Stream ``size`` bytes that a program makes; say in a file when that program is gone."""
    with started(("head", "-c", str(number(request, "size")), "/dev/zero"), gives=True) as program:
        FOLDER.joinpath("pid").write_text(str(program.process.pid))
        for piece in given(session, program):
            session.send(piece)
        program.end_well(session)
    return {"done": True}


def take(session: Session, request: JsonObject) -> JsonObject:
    """Take a stream; give up after ``most`` bytes."""
    digest, size = hashlib.sha256(), 0
    for piece in session.pieces():
        digest.update(piece)
        size += len(piece)
        if size > number(request, "most"):
            raise ServerFailed("the disk is full")
    FOLDER.joinpath("whole").touch()
    return {"sha256": digest.hexdigest(), "bytes": size}


OPERATIONS: dict[str, Operation] = {"give": give, "take": take, "same": lambda _, __: {"same": 1}}

if __name__ == "__main__":
    FOLDER = Path(sys.argv[1])
    sys.stdout.write("have\n")
    sys.stdout.flush()
    Session(Machine(), OPERATIONS, sys.stdin.buffer, sys.stdout.buffer).serve()
