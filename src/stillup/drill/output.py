"""Writes to a pipe without ever waiting for who reads it: what finds no room is kept."""

import os


class Output:
    """Text on its way to a file.

    Args:
        file: The file's number; it is made non-blocking.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self._kept = bytearray()
        os.set_blocking(file, False)

    def write(self, text: str) -> None:
        """Take text; it goes out with the next ``flush``."""
        self._kept += text.encode()

    def flush(self) -> None:
        """Write as much as there is room for.

        Raises:
            BrokenPipeError: If nobody reads any more.
        """
        try:
            while self._kept:
                del self._kept[: os.write(self._file, self._kept)]
        except BlockingIOError:
            return

    def drain(self) -> None:
        """Write all of it, however long the reader takes.

        Raises:
            BrokenPipeError: If nobody reads any more.
        """
        os.set_blocking(self._file, True)
        self.flush()
