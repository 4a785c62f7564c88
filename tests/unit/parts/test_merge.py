"""Joining fragments: doubles are dropped, contradictions refused."""

import pytest

from stillup.node.bundle import Absent, Bundle, Directory, File, Link, Unit
from stillup.parts.merge import merge


def fragment(**parts: object) -> Bundle:
    return Bundle("farm", "server", **parts)  # type: ignore[arg-type]  # the fields' own types


def test_the_same_wish_of_two_parts_is_one() -> None:
    one = fragment(packages=("curl", "nftables"), directories=(Directory("/etc/stillup"),))
    two = fragment(packages=("nftables", "haproxy"), directories=(Directory("/etc/stillup"),))
    assert merge("farm", "server", (one, two)) == fragment(
        packages=("curl", "nftables", "haproxy"), directories=(Directory("/etc/stillup"),)
    )


def test_order_is_the_order_of_the_fragments() -> None:
    one, two = fragment(units=(Unit("b.service"),)), fragment(units=(Unit("a.service"),))
    assert [unit.name for unit in merge("f", "s", (one, two)).units] == ["b.service", "a.service"]


@pytest.mark.parametrize(
    ("one", "two", "what"),
    [
        (
            fragment(files=(File("/etc/a", "1"),)),
            fragment(files=(File("/etc/a", "2"),)),
            "/etc/a differently",
        ),
        (
            fragment(sysctls=(("net.a", "1"),)),
            fragment(sysctls=(("net.a", "0"),)),
            "net.a differently",
        ),
        (
            fragment(directories=(Directory("/srv", 0o700),)),
            fragment(directories=(Directory("/srv", 0o755),)),
            "/srv differently",
        ),
        (
            fragment(files=(File("/etc/a", "1"),)),
            fragment(absent=(Absent("/etc/a"),)),
            "/etc/a to be different things",
        ),
        (
            fragment(directories=(Directory("/srv"),)),
            fragment(links=(Link("/srv", "/var/www"),)),
            "/srv to be different things",
        ),
    ],
)
def test_a_contradiction_is_refused(one: Bundle, two: Bundle, what: str) -> None:
    with pytest.raises(ValueError, match=f"^two parts want {what}$"):
        merge("farm", "server", (one, two))
