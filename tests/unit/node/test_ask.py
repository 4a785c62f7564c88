"""Real requests to real servers on this machine's loopback."""

import base64
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socket import create_server

import pytest

from stillup.errors import InputRefused
from stillup.node.ask import ask


class Site(BaseHTTPRequestHandler):
    """Answers as a balancer does: 200 for the right host and path, else 503."""

    def do_GET(self) -> None:
        right = (self.headers["Host"], self.path) == ("shop.example", "/health")
        self.send_response(200 if right else 503)
        self.send_header("X-Balancer", "lb2")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@contextmanager
def site(context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve the site; give its ``address:port``."""
    server = HTTPServer(("127.0.0.1", 0), Site)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_request_that_is_answered() -> None:
    with site() as place:
        told = ask(f"http://{place}/health", "shop.example", 5)
    seconds = told.pop("seconds")
    assert isinstance(seconds, float)
    assert 0 < seconds < 5
    assert told == {"status": 200, "error": None, "balancer": "lb2", "certificate": None}


def test_an_answer_that_is_no_service_is_told_as_it_is() -> None:
    with site() as place:
        assert ask(f"http://{place}/", "shop.example", 5)["status"] == 503


def test_over_tls_the_certificate_shown_is_handed_back_unverified(tmp_path: Path) -> None:
    pem, der = self_signed()
    (tmp_path / "pair.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pair.pem")
    greeted: list[str | None] = []
    context.sni_callback = lambda _line, name, _context: greeted.append(name)
    with site(context) as place:
        told = ask(f"https://{place}/health", "shop.example", 5)
    assert told["status"] == 200
    assert told["certificate"] == base64.b64encode(der).decode()
    assert greeted == ["shop.example"]


def test_nobody_listens() -> None:
    with create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    told = ask(f"http://127.0.0.1:{port}/health", "shop.example", 5)
    assert (told["status"], told["error"]) == (None, "Connection refused")


def test_one_that_listens_and_says_nothing() -> None:
    with create_server(("127.0.0.1", 0)) as silent:
        told = ask(f"http://127.0.0.1:{silent.getsockname()[1]}/", "shop.example", 0.1)
    assert (told["status"], told["error"]) == (None, "nothing within 0.1 s")


def test_one_that_speaks_no_http() -> None:
    def hang_up() -> None:
        line, _ = listener.accept()
        line.sendall(b"220 mail.example ESMTP\r\n")
        line.close()

    with create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=hang_up)
        thread.start()
        told = ask(f"http://127.0.0.1:{listener.getsockname()[1]}/", "shop.example", 5)
        thread.join()
    assert told["status"] is None
    assert told["error"]


@pytest.mark.parametrize("url", ["ftp://10.0.0.1/", "/health", "http://", "file:///etc/shadow"])
def test_another_kind_of_address_is_refused(url: str) -> None:
    with pytest.raises(InputRefused, match="no http or https address"):
        ask(url, "shop.example", 1)


def self_signed() -> tuple[bytes, bytes]:
    """Return a certificate with its key as PEM, and the certificate alone as DER."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "shop.example")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1)
    dated = builder.not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
    made = dated.sign(key, SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + made.public_bytes(Encoding.PEM), made.public_bytes(Encoding.DER)
