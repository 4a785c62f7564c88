"""The parts at work on real machines: sessions, drains, planned changes, overload, TLS."""

import re
import sys
import time
from base64 import b64encode
from pathlib import Path

import pytest
from tests.lab.figures import figure
from tests.lab.running import RunningLab
from tests.lab.visitor import Visitor

from stillup.lab.answers import cost
from stillup.lab.asker import asking
from stillup.parts.balancer import CLAIMS
from stillup.parts.web import SESSIONS

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

WEBS = ("web1", "web2", "web3")
NO_WEB_SERVER = (
    "timeout 20 sh -c 'while curl -sf -o /dev/null 127.0.0.1:8405/ready; do sleep 0.2; done'"
)


def test_a_session_survives_each_web_server_and_php_itself(
    farm: RunningLab, tmp_path: Path
) -> None:
    visitor = Visitor(farm, tmp_path / "jar")
    assert visitor.get().visits == 1
    for count, server in enumerate(WEBS, 2):
        farm.lab.power(server, on=False)
        page = visitor.get()
        assert page.web != server
        assert page.visits == count
        farm.lab.power(server, on=True)
        farm.stillup("--lab", "status", "--wait", "60")
    for server in WEBS:
        farm.shell(server, "systemctl restart php8.4-fpm.service")
    assert visitor.get().visits == len(WEBS) + 2


def test_a_session_goes_on_after_its_database_was_away(farm: RunningLab, tmp_path: Path) -> None:
    visitor = Visitor(farm, tmp_path / "jar")
    assert visitor.get().visits == 1
    farm.shell("db1", "systemctl stop mariadb")
    try:
        page = visitor.get()
    finally:
        farm.shell("db1", "systemctl start mariadb")
    assert page.status == 503
    assert "set-cookie" not in page.head
    farm.stillup("--lab", "status", "--wait", "60")
    assert visitor.get().visits == 2


def test_what_needs_no_database_is_served_while_every_health_page_says_no(
    farm: RunningLab, tmp_path: Path
) -> None:
    visitor = Visitor(farm, tmp_path / "jar")
    assert visitor.get().visits == 1
    farm.shell("db1", "systemctl stop mariadb")
    try:
        for balancer in ("lb1", "lb2"):
            farm.shell(balancer, NO_WEB_SERVER)
        style, page = visitor.get("/style.css"), visitor.get()
        home = visitor.get("/style.css").web
        farm.stillup("--lab", "drain", "--force", home)
        others = {visitor.get("/style.css").web for _ in range(6)}
    finally:
        farm.shell("db1", "systemctl start mariadb")
        for web in WEBS:
            farm.stillup("--lab", "undrain", web)
    assert style.status == 200
    assert (page.status, page.web in WEBS) == (503, True), "PHP itself says what it lacks"
    assert home not in others, "a drained web server got users"
    farm.stillup("--lab", "status", "--wait", "60")
    assert visitor.get().visits == 2


def test_a_page_that_hung_does_not_put_its_session_back_to_what_it_was(farm: RunningLab) -> None:
    script = b64encode((Path(__file__).parent / "session_pages.php").read_bytes()).decode()
    settings = "/etc/php/8.4/fpm/pool.d/site-env.conf"
    told = farm.shell(
        "web1",
        f"echo {script} | base64 -d > /root/pages.php; php /root/pages.php {settings} {SESSIONS}",
    )

    assert told.split() == ["newer", "ended"]


def test_a_drained_web_server_keeps_nobody_even_after_a_reload(
    farm: RunningLab, tmp_path: Path
) -> None:
    visitor = Visitor(farm, tmp_path / "jar")
    home = visitor.get().web
    assert [visitor.get().web for _ in range(4)] == [home] * 4, "the cookie does not hold"
    farm.stillup("--lab", "drain", home)
    try:
        assert home not in {visitor.get().web for _ in range(6)}
        for balancer in ("lb1", "lb2"):
            farm.shell(balancer, "systemctl reload haproxy.service")
        assert home not in {visitor.get().web for _ in range(6)}
        for balancer in ("lb1", "lb2"):
            farm.shell(balancer, "systemctl restart haproxy.service")
        farm.stillup("--lab", "status", "--wait", "60", check=False)
        assert home not in {visitor.get().web for _ in range(6)}
    finally:
        farm.stillup("--lab", "undrain", home)
    page = visitor.get()
    assert page.web == home
    assert page.visits == 24


@pytest.mark.parametrize(
    ("servers", "line"),
    [
        (("lb1", "lb2"), "systemctl reload haproxy.service"),
        (WEBS, "systemctl reload nginx.service php8.4-fpm.service"),
        (("lb1", "lb2", *WEBS, "db1"), "systemctl reload stillup-firewall.service"),
    ],
    ids=["haproxy", "nginx and PHP", "firewall"],
)
def test_a_reload_costs_no_request(farm: RunningLab, servers: tuple[str, ...], line: str) -> None:
    with asking(farm.lab, "/", timeout_s=10.0) as client:
        for server in servers * 2:
            farm.shell(server, line)
        answers = client.stop()
    seen = cost(answers)
    figure(f"{line.removeprefix('systemctl ')}: {seen.failed} of {seen.asked} requests failed")
    assert seen.failures == ()
    assert seen.asked > 100


def test_a_new_database_password_costs_no_request(farm: RunningLab) -> None:
    """The line is taken out of the secrets file, as its comment says; the next apply makes one."""
    path = farm.farm_path.with_name("farm.secrets.toml")
    old = next(one for one in path.read_text().splitlines() if "database_password" in one)
    path.write_text(path.read_text().replace(f"{old}\n", ""))
    try:
        with asking(farm.lab, "/", timeout_s=10.0) as client:
            farm.stillup("--lab", "apply")
            answers = client.stop()
    finally:
        farm.stillup("--lab", "apply")
    seen = cost(answers)
    figure(f"a new database password: {seen.failed} of {seen.asked} requests failed")
    assert seen.failures == ()
    assert old not in path.read_text()
    page = "php -r \"new PDO('mysql:host=10.0.0.7;dbname=site','site','%s');\" 2>&1; true"
    assert "denied" in farm.shell("web1", page % old.split('"')[1])
    hashes = "mariadb -Ne \"SELECT Priv FROM mysql.global_priv WHERE User='site'\""
    assert farm.shell("db1", hashes).count('"authentication_string":"*') == 3


# Holds as many requests open as there are places, then asks once more and tells the answer.
OVERLOAD = """
import socket, sys
address, places = sys.argv[1], int(sys.argv[2])
held = []
# More than there are places: HAProxy's threads need not take connections in their order, and
# the last one shall find every place taken and others waiting before it.
for _ in range(places + 32):
    held.append(socket.create_connection((address, 80)))
    held[-1].sendall(b"GET /slow.php HTTP/1.1\\r\\nHost: shop.example\\r\\n\\r\\n")
last = socket.create_connection((address, 80))
last.sendall(b"GET /style.css HTTP/1.1\\r\\nHost: shop.example\\r\\nConnection: close\\r\\n\\r\\n")
sys.stdout.write(last.makefile().read())
"""

# Two hundred uploads that never end, all from one address: what a page is told there and elsewhere,
# and one more upload.
SLOW = """
import socket, sys
address, other = sys.argv[1], sys.argv[2]
head = b"POST / HTTP/1.1\\r\\nHost: shop.example\\r\\nContent-Length: 1000000\\r\\n\\r\\n"
held = []
for _ in range(200):
    held.append(socket.create_connection((address, 80)))
    held[-1].sendall(head + b"a" * 20000)
def ask(source, request):
    with socket.create_connection((address, 80), 8, source_address=(source, 0)) as one:
        one.sendall(request)
        return one.recv(12).decode()
page = b"GET /style.css HTTP/1.1\\r\\nHost: shop.example\\r\\nConnection: close\\r\\n\\r\\n"
same = held[0].getsockname()[0]
print(ask(other, page), ask(same, page), ask(same, head), sep="\\n")
"""


def test_one_request_too_many_waits_and_is_then_told_when_to_come_back(farm: RunningLab) -> None:
    """Every place at every web server is taken for longer than the queue lasts."""
    queue_s = farm.farm.balancer.queue_s
    places = farm.farm.balancer.maxconn_per_server * len(WEBS)
    for server in WEBS:
        page = f"<?php sleep({queue_s + 4:.0f});"
        farm.shell(server, f"echo '{page}' >/srv/site/current/slow.php")
    address = str(farm.farm.vip.addresses[0])
    try:
        began = time.monotonic()
        told = farm.client(sys.executable, "-c", OVERLOAD, address, str(places)).stdout
        waited_s = time.monotonic() - began
    finally:
        for server in WEBS:
            # The restart ends what is still asleep for users who are long gone.
            farm.shell(server, "rm /srv/site/current/slow.php; systemctl restart php8.4-fpm")
    assert told.startswith("HTTP/1.1 503 Service Unavailable"), f"after {waited_s:.1f} s: {told}"
    assert "retry-after: 5" in told
    assert "One moment, please" in told
    assert queue_s <= waited_s < queue_s + 4


def test_slow_uploads_from_one_address_leave_places_for_others(farm: RunningLab) -> None:
    address, other = str(farm.farm.vip.addresses[0]), "10.0.0.244"
    farm.client("ip", "address", "add", f"{other}/24", "dev", "eth0")
    try:
        told = farm.client(sys.executable, "-c", SLOW, address, other).stdout.splitlines()
    finally:
        farm.client("ip", "address", "delete", f"{other}/24", "dev", "eth0")
    assert told == ["HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 429"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("shop.example", 200),
        ("SHOP.EXAMPLE:80", 200),
        ("10.0.0.1", 200),
        ("127.0.0.1:8080", 200),
        ("evil.example", 421),
        ("shop.example.evil.example", 421),
    ],
)
def test_only_the_sites_own_names_are_served(
    farm: RunningLab, tmp_path: Path, host: str, status: int
) -> None:
    assert Visitor(farm, tmp_path / "jar").get("/", "-H", f"Host: {host}").status == status


def test_what_a_visitor_claims_of_proxies_does_not_reach_php(
    farm: RunningLab, tmp_path: Path
) -> None:
    for server in WEBS:
        page = '<?php echo implode(" ", array_keys(getallheaders()));'
        farm.shell(server, f"echo '{page}' >/srv/site/current/claims.php")
    try:
        claims = [word for name in CLAIMS for word in ("-H", f"{name}: 8.8.8.8")]
        seen = Visitor(farm, tmp_path / "jar").get("/claims.php", *claims).text.lower().split()
    finally:
        for server in WEBS:
            farm.shell(server, "rm /srv/site/current/claims.php")
    assert "x-forwarded-for" in seen
    assert not {name.lower() for name in CLAIMS} & set(seen)


def test_what_a_guest_writes_is_shown_as_text_and_kept(farm: RunningLab, tmp_path: Path) -> None:
    guest = Visitor(farm, tmp_path / "jar")
    assert guest.write("<b>Zoë</b>", "<script>alert(1)</script> 😀 'quoted'").status == 303
    page = Visitor(farm, tmp_path / "other").get()
    assert "&lt;script&gt;alert(1)&lt;/script&gt; 😀 &#039;quoted&#039;" in page.text
    assert "<script>" not in page.text
    assert guest.get("/", "--data", "proof=forged&name=a&words=b").status == 303
    assert "too old" in guest.get().text


def test_users_speak_http_2_and_modern_tls_only(farm: RunningLab, tmp_path: Path) -> None:
    visitor = Visitor(farm, tmp_path / "jar")
    address = f"https://{farm.farm.vip.addresses[0]}/"
    page = visitor.ask(address, "--insecure", "--http2", "--compressed")
    assert page.head.startswith("http/2 200")
    assert "content-encoding: gzip" in page.head
    old = ("curl", "-sS", "--insecure", "--tls-max", "1.1", "--tlsv1.0", address)
    assert farm.client(*old, check=False).returncode != 0


@pytest.mark.parametrize(
    "path", ["/.git/config", "/.env", "/dump.sql", "/index.php~", "/uploads/x.php", "/nothing"]
)
def test_what_is_no_page_is_not_found(farm: RunningLab, tmp_path: Path, path: str) -> None:
    assert Visitor(farm, tmp_path / "jar").get(path).status == 404


def test_a_visitor_cannot_claim_another_address_or_the_checks_workers(
    farm: RunningLab, tmp_path: Path
) -> None:
    claim = ("--header", "X-Forwarded-For: 8.8.8.8", "--header", "X-Forwarded-For;")
    assert Visitor(farm, tmp_path / "jar").get("/health?claimed", *claim).status == 200
    logged = "".join(
        farm.shell(server, "sleep 1.2; cat /var/log/nginx/access.log") for server in WEBS
    )
    lines = [line for line in logged.splitlines() if "/health?claimed" in line]
    assert lines
    assert not [line for line in lines if line.startswith("8.8.8.8")]


@pytest.mark.parametrize(
    ("server", "unit"),
    [("web1", "nginx"), ("web1", "php8.4-fpm"), ("db1", "mariadb"), ("web1", "chrony")],
)
def test_an_engine_that_is_killed_again_and_again_comes_back(
    farm: RunningLab, server: str, unit: str
) -> None:
    line = (
        f"before=$(systemctl show -P NRestarts {unit}); for i in 1 2 3 4 5 6 7; do "
        f"systemctl kill --kill-whom=all --signal=KILL {unit}; "
        f"timeout 20 sh -c 'until systemctl is-active -q {unit} && [ $(systemctl show -P NRestarts "
        f"{unit}) -ge '$((before + i))' ]; do sleep 0.1; done'; done; systemctl is-active {unit}"
    )
    assert farm.shell(server, line).strip() == "active"


def test_no_engine_warns_and_no_unit_has_failed(farm: RunningLab) -> None:
    units = "nginx php8.4-fpm haproxy mariadb chrony stillup-firewall stillup-heartbeat"
    for server in farm.farm.servers:
        failed = farm.shell(server.name, "systemctl --failed --no-legend --plain")
        assert failed.strip() == "", f"{server.name}: {failed}"
        told = farm.shell(
            server.name,
            "journalctl --no-pager -q -b -o cat -p err "
            + " ".join(f"-u {unit}" for unit in units.split()),
            check=False,
        )
        assert not re.search(r"(?i)deprecat|invalid|unknown", told), f"{server.name}: {told}"
