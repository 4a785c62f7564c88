"""Reading a farm file: what a sound one becomes, and what no bytes can make of it."""

from ipaddress import IPv4Address, IPv4Network, IPv6Network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillup.model.document import MOST_BYTES
from stillup.model.farm import (
    Balance,
    Balancer,
    Database,
    Farm,
    Promises,
    Role,
    Server,
    Site,
    Ssh,
    Tls,
    Vip,
    Web,
)
from stillup.model.problems import Problem, shown
from stillup.model.read import FarmText, read_farm, read_farm_text

EXAMPLE = (Path(__file__).resolve().parents[3] / "tests/farms/six.toml").read_bytes()


def server(name: str, last: int, role: Role) -> Server:
    return Server(name, IPv4Address(f"10.0.0.{last}"), frozenset({role}))


def problems(data: bytes) -> tuple[Problem, ...]:
    read = read_farm(data, "farm.toml")
    assert not isinstance(read, Farm)
    return read


def told(data: bytes) -> list[str]:
    return [str(problem) for problem in problems(data)]


def test_the_example_becomes_a_farm_with_every_default_filled_in() -> None:
    assert read_farm(EXAMPLE, "farm.toml") == Farm(
        name="shop",
        lan=IPv4Network("10.0.0.0/24"),
        lan6=None,
        vip=Vip((IPv4Address("10.0.0.1"),), lease_s=0.5, preferred=(None,), failback=True),
        site=Site(("shop.example",), "site/", "."),
        balancer=Balancer(Balance.LEAST_CONNECTIONS, "PHPSESSID", "/health", 64, 10.0),
        tls=Tls(enabled=True, certificate=None, key=None, redirect=False),
        web=Web(16, 128 * 1024**2, 32 * 1024**2),
        database=Database("site", "site", 128 * 1024**2),
        ssh=Ssh("root", 22, None, None),
        promises=Promises(1.0, 0, 0),
        servers=(
            server("lb1", 2, Role.BALANCER),
            server("lb2", 3, Role.BALANCER),
            server("web1", 4, Role.WEB),
            server("web2", 5, Role.WEB),
            server("web3", 6, Role.WEB),
            server("db1", 7, Role.DATABASE),
        ),
    )


def test_servers_may_be_tables_of_their_own_and_have_several_roles() -> None:
    text = EXAMPLE.split(b"[servers]")[0] + (
        b'[servers.one]\naddress = "10.0.0.9"\nroles = ["database", "web", "balancer", "storage"]\n'
    )
    farm = read_farm(text, "farm.toml")
    assert isinstance(farm, Farm)
    assert farm.servers == (Server("one", IPv4Address("10.0.0.9"), frozenset(Role)),)


def test_the_lines_come_with_a_sound_farm() -> None:
    read = read_farm_text(EXAMPLE, "farm.toml")
    assert isinstance(read, FarmText)
    assert read.lines.line(("tls", "key")) == 1
    assert EXAMPLE.split(b"\n")[read.lines.line(("site", "source")) - 1].startswith(b"source")


@pytest.mark.parametrize("data", [b"", b"\n", b" \r\n\t\n"])
def test_an_empty_file_is_told(data: bytes) -> None:
    assert told(data) == ["farm.toml:1: is empty; `stillup init` writes one to start from [empty]"]


def test_a_file_of_comments_misses_every_table() -> None:
    assert [problem.path for problem in problems(b"# nothing yet\n")] == [
        "farm",
        "network",
        "servers",
        "site",
        "vip",
    ]


@pytest.mark.parametrize(
    ("data", "line", "code"),
    [
        (b"\xef\xbb\xbf" + EXAMPLE, 1, "byte-order-mark"),
        (EXAMPLE.decode().encode("utf-16"), 1, "not-utf8"),
        (EXAMPLE.decode().encode("utf-16-le"), 1, "nul-byte"),
        (b"[farm]\nname = 'caf\xe9'\n", 2, "not-utf8"),
        (b"[farm]\n\nname = '\x00'\n", 3, "nul-byte"),
        (b"\x7fELF\x02\x01\x01\x00", 1, "nul-byte"),
        (b"[farm]\n" + b"#" * MOST_BYTES, 1, "too-large"),
        (b"a = 1\nb = " + b"[" * 500_000, 2, "too-deep"),
        (b"a = 1\n" + b"b." * 400_000 + b"c = 1", 2, "too-deep"),
        (b"a = 1\n\nb = " + b"{a=" * 300_000, 3, "too-deep"),
        (b"[" + b"a." * 400_000 + b"b]", 1, "too-deep"),
        (b"a = 1\nb = " + b"1" * 5000 + b"\n", 2, "syntax"),
        (b"a = 1\nb = " + b"1" * 900_000 + b"\n", 2, "syntax"),
    ],
)
def test_what_is_no_text_or_no_farm_file_is_one_problem(data: bytes, line: int, code: str) -> None:
    (problem,) = problems(data)
    assert (problem.line, problem.code) == (line, code)


def test_a_number_of_any_size_can_be_told() -> None:
    data = EXAMPLE + b"[web]\nphp_workers = 0x" + b"f" * 9000 + b"\n"
    (problem,) = problems(data)
    assert "a number beyond 64 bits is out of range" in str(problem)


def test_of_very_many_problems_the_first_hundred_are_told() -> None:
    rows = [f'w{i} = {{ address = "10.0.0.9", roles = ["web"] }}' for i in range(1000)]
    found = problems(EXAMPLE + "\n".join(rows).encode())
    assert len(found) == 101
    assert {problem.code for problem in found[:-1]} == {"too-many-servers", "address-twice"}
    assert str(found[-1]) == "farm.toml:136: and 900 more problems from here on [more]"


def test_a_file_of_unknown_keys_takes_no_minutes() -> None:
    rows = "".join(f"k{i} = 1\n" for i in range(80_000))
    assert len(problems(rows.encode() + EXAMPLE)) == 101


def test_one_mistake_does_not_hide_another() -> None:
    data = EXAMPLE
    for old, new in [
        (b'"10.0.0.0/24"', b'"10.0.0.0/33"'),
        (b'["10.0.0.1"]', b'["10.0.0.7"]'),
        (b'"10.0.0.3"', b'"10.0.0.2"'),
        (b'"PHPSESSID"', b"1"),
        (b'"1s"', b'"100ms"'),
    ]:
        data = data.replace(old, new)
    assert [(problem.line, problem.code) for problem in problems(data)] == [
        (10, "bad-network"),
        (13, "vip-is-server"),
        (21, "wrong-type"),
        (25, "promise-below-lease"),
        (31, "address-twice"),
    ]


def sound_problems(data: bytes) -> None:
    """Assert that reading ends in a farm, or in problems that have lines of the file."""
    read = read_farm(data, "farm.toml")
    if isinstance(read, Farm):
        return
    assert read
    last = data.count(b"\n") + 1
    for problem in read:
        assert 1 <= problem.line <= last
        assert str(problem).isprintable()
    assert list(read) == sorted(read, key=lambda problem: problem.line)


@given(st.binary(max_size=200))
def test_no_bytes_end_in_a_traceback(data: bytes) -> None:
    sound_problems(data)


SLIPS = [b"", b'"', b"'", b"[", b"]", b"{", b"}", b"=", b".", b"#", b"\n", b"\\", b"\r", b"0"]
SLIPS += [b"-", b" ", b"\xff", b"\x00", b'"""', b"true", b"[[x]]\n", b"a.b=1\n"]


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(EXAMPLE)),
            st.integers(0, 12),
            st.sampled_from(SLIPS),
        ),
        max_size=4,
    )
)
def test_no_slip_of_the_hand_in_the_example_ends_in_a_traceback(
    slips: list[tuple[int, int, bytes]],
) -> None:
    data = EXAMPLE
    for at, length, new in slips:
        data = data[:at] + new + data[at + length :]
    sound_problems(data)


VALUES = st.recursive(
    st.sampled_from(['"x"', "1", "-5.5", "true", "1979-05-27", '"10.0.0.1"', '"1s"', '"web"']),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.lists(inner, max_size=2).map(
            lambda items: f"{{ {', '.join(f'k{i} = {item}' for i, item in enumerate(items))} }}"
        )
    ),
    max_leaves=5,
)
LINES = [line for line in EXAMPLE.decode().split("\n") if " = " in line]


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(LINES), VALUES), min_size=1, max_size=3))
def test_no_value_in_the_place_of_another_ends_in_a_traceback(
    swaps: list[tuple[str, str]],
) -> None:
    text = EXAMPLE.decode()
    for line, value in swaps:
        text = text.replace(line, f"{line.split(' = ')[0]} = {value}")
    sound_problems(text.encode())


@given(st.text(max_size=300))
def test_any_text_is_shown_bounded_and_printable(text: str) -> None:
    assert shown(text).isprintable()
    assert len(shown(text)) <= 62


def several(vip: str, lan6: str = 'lan6 = "fd00:10::/64"') -> Farm | tuple[Problem, ...]:
    """Read the example with these lines for its virtual IPs."""
    text = EXAMPLE.decode().replace('addresses = ["10.0.0.1"]', vip)
    return read_farm(text.replace("[network]\n", f"[network]\n{lan6}\n").encode(), "farm.toml")


THREE = 'addresses = ["10.0.0.1", "10.0.0.11", "FD00:10:0::1"]'


@pytest.mark.parametrize(
    ("preferred", "each"),
    [
        ("", ("lb1", "lb2", "lb1")),
        ('preferred = "lb2"', ("lb2", "lb2", "lb2")),
        ('preferred = { "10.0.0.11" = "lb1", "fd00:10::1" = "lb2" }', (None, "lb1", "lb2")),
    ],
    ids=["in turn", "one for all", "a table"],
)
def test_several_addresses_each_have_their_balancer(
    preferred: str, each: tuple[str | None, ...]
) -> None:
    farm = several(f"{THREE}\n{preferred}\nfailback = false")
    assert isinstance(farm, Farm)
    assert farm.lan6 == IPv6Network("fd00:10::/64")
    assert farm.vip.preferred == each
    assert farm.vip.preferred_for("fd00:10::1") == each[2]
    assert not farm.vip.failback


@pytest.mark.parametrize(
    ("vip", "lan6", "problem"),
    [
        (THREE, "", "farm.toml:14: vip.addresses: fd00:10::1 needs the LAN's IPv6 network; write "
         "lan6 in [network], as fd00:10::/64 [no-lan6]"),
        (THREE, 'lan6 = "fd00:9::/64"', "farm.toml:14: vip.addresses: fd00:10::1 is outside the "
         "LAN's IPv6 network fd00:9::/64; take one of fd00:9::1 and up [vip-outside-lan]"),
        (THREE, 'lan6 = "fd00:10::7/64"', 'farm.toml:10: network.lan6: "fd00:10::7/64" is an '
         'address inside a network; the network is "fd00:10::/64" [host-bits]'),
        (THREE, 'lan6 = "10.9.0.0/24"', 'farm.toml:10: network.lan6: "10.9.0.0/24" is not an IPv6 '
         'network; write it with its length, as "fd00:10::/64" [bad-network]'),
        (THREE, 'lan6 = "fe80::/64"', 'farm.toml:10: network.lan6: "fe80::/64" is not a network '
         'for servers; private ones are like "fd00:10::/64" [bad-network]'),
    ],
)  # fmt: skip
def test_an_ipv6_address_needs_its_network(vip: str, lan6: str, problem: str) -> None:
    read = several(vip, lan6)
    assert not isinstance(read, Farm)
    assert problem in map(str, read)


@pytest.mark.parametrize(
    ("vip", "problem"),
    [
        ('addresses = ["fd00:10::1"]', "vip.addresses: has no IPv4 address; the farm needs one, "
         "as its servers speak IPv4 [no-ipv4-vip]"),
        ('addresses = ["10.0.0.1", "fd00:10::"]', "vip.addresses: fd00:10:: is every router's "
         "address (RFC 4291); take one of fd00:10::1 and up [vip-address-reserved]"),
        ('addresses = ["10.0.0.1", "fd00:10::1", "fd00:10:0::1"]',
         "vip.addresses: fd00:10::1 is listed twice [listed-twice]"),
        ('addresses = ["10.0.0.1", "fe80::1"]', 'vip.addresses: "fe80::1" is no address of a '
         'network; write one as "fd00:10::1" [bad-address]'),
        ('addresses = ["10.0.0.1", "fd00::x"]', 'vip.addresses: "fd00::x" is not an IPv6 address; '
         'write one as "fd00:10::1" [bad-address]'),
        (f"addresses = {[f'10.0.0.{last}' for last in range(20, 37)]}",
         "vip.addresses: has 17 entries; it may have 16 [too-many]"),
        (f'{THREE}\npreferred = {{ "10.0.0.9" = "lb1" }}', 'vip.preferred: "10.0.0.9" is none of '
         "vip.addresses; these are 10.0.0.1, 10.0.0.11 and fd00:10::1 [not-a-vip]"),
        (f'{THREE}\npreferred = {{ "10.0.0.1" = "web1" }}', 'vip.preferred: "web1" is no '
         "balancer; the balancers are lb1 and lb2 [not-a-balancer]"),
        (f"{THREE}\npreferred = 5", "vip.preferred: 5 is neither a name nor a table of names; "
         'write preferred = "lb1" [wrong-type]'),
        (f"{THREE}\npreferred = {{}}", "vip.preferred: a table is neither a name nor a table of "
         'names; write preferred = "lb1" [wrong-type]'),
    ],
)  # fmt: skip
def test_what_several_addresses_may_not_be_is_told(vip: str, problem: str) -> None:
    read = several(vip)
    assert not isinstance(read, Farm)
    assert [str(one).partition(": ")[2] for one in read] == [problem]
