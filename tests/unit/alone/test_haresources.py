"""``haresources``: addresses in every way they can be written, scripts, disks."""

import pytest

from stillup.alone.fate import Fate, Kind
from stillup.alone.haresources import HaResources, Wanted, read

NODES = {"lb1": 1, "lb2": 1}
SCRIPTS = {"httpd": "/etc/init.d/httpd", "MailTo": "/etc/ha.d/resource.d/MailTo"}


def asked(text: str) -> HaResources:
    return read(text, "haresources", NODES, SCRIPTS)


def refusals(resources: HaResources) -> list[Fate]:
    return [fate for fate in resources.fates if fate.kind is Kind.REFUSED]


def test_the_recipes_line_goes_on_behind_its_backslash() -> None:
    resources = asked("lb1 \\\n       IPaddr::10.0.0.1/24/eth0\n")

    assert resources.wanted == [Wanted("10.0.0.1", 24, "eth0", "lb1", 2)]
    assert [(fate.line, fate.kind) for fate in resources.fates] == [(2, Kind.HONOURED)]


@pytest.mark.parametrize(
    ("word", "prefix", "interface"),
    [
        ("10.0.0.1", None, None),
        ("IPaddr::10.0.0.1", None, None),
        ("IPaddr2::10.0.0.1/24", 24, None),
        ("10.0.0.1/28/eth0/10.0.0.15", 28, "eth0"),
        ("10.0.0.1/24/10.0.0.255", 24, None),
        ("IPaddr2::10.0.0.1/24/eth0:1", 24, "eth0"),
        ("10.0.0.1/255.255.255.0/eth0", 24, "eth0"),
    ],
)
def test_each_way_to_write_an_address(word: str, prefix: int | None, interface: str | None) -> None:
    resources = asked(f"lb1 {word}")

    assert resources.wanted == [Wanted("10.0.0.1", prefix, interface, "lb1", 1)]
    assert refusals(resources) == []


def test_an_ipv6_address() -> None:
    (wanted,) = asked("lb2 IPv6addr::2001:db8::1/64/eth0").wanted
    assert wanted == Wanted("2001:db8::1", 64, "eth0", "lb2", 1)


def test_addresses_of_two_servers() -> None:
    resources = asked("lb1 10.0.0.1 # one\n\nLB2 10.0.0.11 10.0.0.12\n")

    assert [(one.address, one.node) for one in resources.wanted] == [
        ("10.0.0.1", "lb1"),
        ("10.0.0.11", "lb2"),
        ("10.0.0.12", "lb2"),
    ]


def test_scripts_run_in_order_and_their_arguments_are_kept() -> None:
    resources = asked("lb1 10.0.0.1 httpd MailTo::me@here.example::moved")

    assert [script.words for script in resources.scripts] == [
        ("/etc/init.d/httpd",),
        ("/etc/ha.d/resource.d/MailTo", "me@here.example", "moved"),
    ]
    assert all(fate.kind is not Kind.REFUSED for fate in resources.fates)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "write one, as: lb1 IPaddr::10.0.0.1/24/eth0"),
        ("lb3 10.0.0.1", "ha.cf has no such node"),
        ("lb1 10.0.0.1 10.0.0.1", "asked for twice"),
        ("lb1 IPaddr::10.0.0.256", "is no address"),
        ("lb1 10.0.0.1/33", "is no netmask"),
        ("lb1 10.0.0.1 nothere", 'there is no script "nothere"'),
        ("lb1 10.0.0.1 Filesystem::/dev/sda1::/data::ext4", "a disk that two servers mount"),
        ("lb1 10.0.0.1 drbddisk::r0", "a disk that two servers mount"),
    ],
)
def test_what_is_refused_says_why(text: str, said: str) -> None:
    assert said in refusals(asked(text))[0].text
