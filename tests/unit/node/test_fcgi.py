"""Just enough FastCGI to run one script."""

import socket
import struct
import threading
from pathlib import Path

import pytest

from stillup.node.fcgi import END, STDERR, STDOUT, answer, call, request


def record(kind: int, content: bytes, padding: int = 0) -> bytes:
    head = struct.pack(">BBHHBx", 1, kind, 1, len(content), padding)
    return head + content + b"\0" * padding


def test_a_request_is_begun_has_its_parameters_and_no_input() -> None:
    script = "/usr/lib/stillup/" + "x" * 200 + ".php"
    data = request(script, {})
    kinds = []
    while data:
        _, kind, _, length, padding = struct.unpack(">BBHHBx", data[:8])
        kinds.append((kind, length))
        content, data = data[8 : 8 + length], data[8 + length + padding :]
        if kind == 4 and length:
            # A name shorter than 128 bytes has one byte of length, a longer value four.
            name = b"SCRIPT_FILENAME"
            head = bytes([len(name)]) + struct.pack(">I", len(script) | 1 << 31)
            assert content.startswith(head + name + script.encode())
    assert [kind for kind, _ in kinds] == [1, 4, 4, 5]
    assert [length for _, length in kinds][2:] == [0, 0]


def test_an_answer_is_joined_from_its_records_and_their_padding_dropped() -> None:
    data = record(STDOUT, b"Content-Type: x\r\n\r\n", 5) + record(STDERR, b"notice")
    data += record(STDOUT, b"body") + record(STDOUT, b"") + record(END, b"\0" * 8)
    assert answer(data) == (b"Content-Type: x\r\n\r\nbody", b"notice")


@pytest.mark.parametrize("data", [b"", record(STDOUT, b"half"), record(END, b"\0" * 8)[:5]])
def test_an_answer_without_its_end_is_none(data: bytes) -> None:
    with pytest.raises(ValueError, match="stops before its end"):
        answer(data)


def test_a_call_speaks_to_the_pool_and_hears_it_out(tmp_path: Path) -> None:
    place = tmp_path / "pool.sock"
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen(1)

        def pool() -> None:
            line, _ = listener.accept()
            with line:
                heard.append(line.recv(65536))
                line.sendall(record(STDOUT, b"ok") + record(END, b"\0" * 8))

        thread = threading.Thread(target=pool)
        thread.start()
        assert call(place, "/x.php", 5.0) == (b"ok", b"")
        thread.join()
    assert heard == [request("/x.php", {})]
