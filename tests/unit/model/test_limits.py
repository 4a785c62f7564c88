"""What is beyond a bound of the engines is a problem, with its way out."""

from pathlib import Path

from stillup.heartbeat.settings import MOST_VOTERS
from stillup.model.farm import Farm
from stillup.model.limits import MOST_SERVERS, TAKEN_PORTS, beyond, connections, taken_ports
from stillup.model.problems import Problem
from stillup.model.read import read_farm
from stillup.parts import ports

EXAMPLE = Path(__file__).resolve().parents[3] / "tests" / "farms" / "six.toml"


def _problems(text: str) -> tuple[Problem, ...]:
    read = read_farm(text.encode(), "farm.toml")
    assert not isinstance(read, Farm)
    return read


def test_sshd_may_not_listen_where_a_part_does() -> None:
    text = EXAMPLE.read_text() + "\n[ssh]\nport = 443\n"
    problems = read_farm(text.encode(), "farm.toml")
    assert isinstance(problems, tuple)
    (problem,) = problems
    assert isinstance(problem, Problem)
    assert str(problem).endswith(
        ": ssh.port: 443 is the port of the site; have sshd listen on another one [port-taken]"
    )


def test_every_port_of_the_parts_is_known_to_be_taken() -> None:
    named = {port for port in vars(ports).values() if isinstance(port, int)}
    assert set(taken_ports(2, 1)) | set(taken_ports(1, 2)) == named | {*ports.BRICKS}


def test_what_only_a_larger_farm_listens_on_is_free_in_a_small_one() -> None:
    assert set(taken_ports(1, 0)) == set(TAKEN_PORTS)
    assert 4567 in taken_ports(2, 0)
    assert 4567 not in taken_ports(1, 3)
    text = EXAMPLE.read_text() + "\n[ssh]\nport = 4567\n"
    assert isinstance(read_farm(text.encode(), "farm.toml"), Farm)
    several = text.replace(
        "[servers]", '[servers]\ndb2 = { address = "10.0.0.8", roles = ["database"] }'
    )
    (problem,) = _problems(several)
    assert "4567 is the port of Galera" in problem.text


def test_no_more_servers_than_a_daemon_listens_to() -> None:
    assert MOST_SERVERS == MOST_VOTERS
    assert not [*beyond(MOST_SERVERS, 2, None, None)]
    (one,) = beyond(MOST_SERVERS + 1, 2, None, None)
    assert one.text == "has 251 servers; the heartbeat takes 250 at most"


def test_no_more_workers_than_the_database_takes_connections() -> None:
    assert connections(2000, 24) <= 100_000 < connections(2000, 25)
    assert not [*beyond(30, 24, 2000, None)]
    (one,) = beyond(30, 25, 2000, None)
    assert one.text == (
        "2000 on each of 25 web servers would need 100,080 connections to the database, which "
        "takes 100,000 at most; take fewer"
    )
    assert not [*beyond(30, 25, "many", "22")]
