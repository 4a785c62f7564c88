"""What a server's answers become; the answers are those of real machines, shortened."""

import base64
from datetime import UTC, datetime, timedelta

import pytest

from stillup.errors import ServerFailed
from stillup.node.message import JsonObject
from stillup.status.observed import Asked, Backend, Database, Disk, Heartbeat, Reached
from stillup.status.parse import asked, reached

LB1: JsonObject = {
    "units": {"haproxy.service": "active", "stillup-heartbeat.service": "activating"},
    "load": 0.25,
    "disks": [
        {"path": "/", "free": 1000, "size": 2000, "read_only": False},
        {"path": "/var/lib", "free": 900, "size": 9000, "read_only": True},
    ],
    "uptime_s": 52.5,
    "heartbeat": {
        "name": "lb1",
        "candidate": True,
        "holder": {"10.0.0.1": "lb1"},
        "holding": ["10.0.0.1"],
        "since_s": 18.2,
        "healthy": True,
        "reason": "",
        "voters": {
            "lb2": {"address": "10.0.0.3", "heard_ms": 41, "votes": True},
            "web1": {"address": "10.0.0.4", "heard_ms": None, "votes": False},
        },
        "warnings": ["it ran late"],
        "moves": [],
        "vips": [
            {
                "address": "10.0.0.1",
                "since_s": 18.2,
                "moves": [{"at": 1700.5, "holder": "lb1", "ballot": "17.lb1", "reason": "won"}],
            },
            {"address": "fd00:10::1", "since_s": 3.0, "moves": []},
        ],
    },
    "haproxy": [
        {
            "backend": "site",
            "server": "web1",
            "status": "UP",
            "weight": 100,
            "drain": False,
            "check": "L7OK HTTP status check returned code 200",
            "drained_by": None,
        },
        {
            "backend": "site",
            "server": "web2",
            "status": "DRAIN",
            "weight": 0,
            "drain": True,
            "check": "L7OK",
            "drained_by": "user",
        },
        {"backend": "other", "server": "web1", "status": "DOWN", "drain": False, "check": ""},
    ],
    "database": None,
    "release": None,
    "manifest": {"at": 1600.0, "bundle": "ab12"},
    "unfinished": False,
    "clock": 2000.75,
}

VOTER: JsonObject = {
    "units": {},
    "load": 0,
    "disks": [
        {"path": "/", "free": 1000, "size": 2000, "read_only": False},
        {"path": "/var/lib", "free": 900, "size": 9000, "read_only": True},
    ],
    "uptime_s": 3,
    "heartbeat": None,
    "haproxy": None,
    "database": {"up": False, "reason": "Can't connect"},
    "release": "r1",
    "manifest": None,
    "unfinished": True,
    "clock": 2000,
}


def test_a_balancers_state() -> None:
    assert reached("lb1", LB1, asked_at_s=2000.0, took_s=0.5) == Reached(
        name="lb1",
        units={"haproxy.service": "active", "stillup-heartbeat.service": "activating"},
        load=0.25,
        disks=(Disk("/", 1000, 2000), Disk("/var/lib", 900, 9000, read_only=True)),
        uptime_s=52.5,
        heartbeat=Heartbeat(
            healthy=True,
            reason="",
            holding=("10.0.0.1",),
            believed={"10.0.0.1": "lb1"},
            since_s={"10.0.0.1": 18.2, "fd00:10::1": 3.0},
            heard_ms={"lb2": 41.0, "web1": None},
            warnings=("it ran late",),
            candidate=True,
            moved_at_s=(1700.5,),
        ),
        backends={
            "web1": Backend("UP", drained=False, check="L7OK HTTP status check returned code 200"),
            "web2": Backend("DRAIN", drained=True, drained_by="user", check="L7OK"),
        },
        applied_at_s=1600.0,
        bundle="ab12",
        clock_ahead_s=0.5,
        took_s=0.5,
    )


def test_a_server_that_has_little_to_tell() -> None:
    assert reached("db1", VOTER, asked_at_s=2000.0, took_s=0.0) == Reached(
        name="db1",
        disks=(Disk("/", 1000, 2000), Disk("/var/lib", 900, 9000, read_only=True)),
        uptime_s=3.0,
        database=Database(alive=False, reason="Can't connect"),
        release="r1",
        unfinished=True,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"load": "high"},
        {"load": None},
        {"load": True},
        {"units": ["a"]},
        {"disks": []},
        {"release": 7},
        {"haproxy": {}},
        {"manifest": "yes"},
        {"heartbeat": 1},
    ],
)
def test_an_answer_of_another_form_is_refused_with_its_place(
    wrong: JsonObject,
) -> None:
    with pytest.raises(ServerFailed, match=f"^lb1 told .*: {next(iter(wrong))} is "):
        reached("lb1", {**LB1, **wrong}, asked_at_s=2000.0, took_s=0.5)


@pytest.mark.parametrize(
    ("backend", "up"),
    [
        (Backend("UP", drained=False), True),
        (Backend("UP 1/3", drained=False), True),
        (Backend("UP", drained=True), False),
        (Backend("no check", drained=False), True),
        (Backend("DOWN", drained=False), False),
        (Backend("DOWN 1/2", drained=False), False),
        (Backend("MAINT", drained=False), False),
        (Backend("DRAIN", drained=True), False),
    ],
)
def test_which_words_of_haproxy_mean_up(backend: Backend, *, up: bool) -> None:
    assert backend.up is up


def test_a_request_that_was_answered() -> None:
    answer: JsonObject = {
        "status": 200,
        "seconds": 0.0123,
        "error": None,
        "balancer": "lb2",
        "certificate": base64.b64encode(certificate(datetime(2030, 1, 2, tzinfo=UTC))).decode(),
    }
    now_s = datetime(2030, 1, 1, tzinfo=UTC).timestamp()
    assert asked("web1", "https://10.0.0.1/health", answer, at_s=now_s) == Asked(
        "web1", "https://10.0.0.1/health", 200, 0.0123, balancer="lb2", expires_in_s=86_400.0
    )


def test_a_request_that_was_not() -> None:
    answer: JsonObject = {"status": None, "seconds": 3, "error": "nothing within 3 s"}
    made = asked("web1", "http://10.0.0.1/health", answer, at_s=0.0)
    assert made == Asked("web1", "http://10.0.0.1/health", None, 3.0, error="nothing within 3 s")
    assert not made.answered


def certificate(until: datetime) -> bytes:
    """Return a certificate that is valid until then, as it goes over the wire."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "shop.example")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1)
    dated = builder.not_valid_before(until - timedelta(days=30)).not_valid_after(until)
    return dated.sign(key, SHA256()).public_bytes(Encoding.DER)


def test_the_fullest_disk_is_the_one_with_the_least_share_free() -> None:
    disks = (Disk("/", 1000, 2000), Disk("/var/lib", 1100, 9000), Disk("/srv", 0, 0))
    assert Reached("db1", disks=disks[:2]).fullest == disks[1]
    assert Reached("db1", disks=disks).fullest == disks[2]
