"""Reads the first line of a program's input, and not a byte more: what comes after is its loop's."""

import os


def first_line(file: int) -> str:
    """Return the first line that comes on a file.

    Raises:
        EOFError: If there is none.
    """
    text = b""
    while not text.endswith(b"\n"):
        piece = os.read(file, 1)
        if not piece:
            raise EOFError("its settings belong on the first line of its standard input")
        text += piece
    return text.decode()
