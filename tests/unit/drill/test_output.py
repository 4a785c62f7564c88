"""What nobody reads yet keeps nobody waiting."""

import os
from threading import Thread

from stillup.drill.output import Output


def test_a_full_pipe_is_not_waited_for_and_nothing_is_lost() -> None:
    reads, writes = os.pipe()
    output = Output(writes)
    for number in range(50_000):
        output.write(f"{number}\n")
    output.flush()  # returns, although the pipe takes 64 kB of 280

    found: list[str] = []

    def read() -> None:
        with os.fdopen(reads) as lines:
            found.extend(lines)

    reader = Thread(target=read)
    reader.start()
    output.drain()
    os.close(writes)
    reader.join()
    assert found == [f"{number}\n" for number in range(50_000)]
