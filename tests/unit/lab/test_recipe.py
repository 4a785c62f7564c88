"""What is in the machines' image."""

import pytest

from stillup.lab.build_failure import why
from stillup.lab.recipe import BASE, ENGINES, Mirror, host_mirror, image_hash, mmdebstrap
from stillup.model.farm import Role
from stillup.parts import packages


def test_every_package_that_a_part_asks_for_is_in_the_image() -> None:
    assert set(packages.of(frozenset(Role))) <= {*BASE, *ENGINES}


def test_the_image_is_named_for_what_is_in_it_not_where_it_came_from() -> None:
    assert len(image_hash()) == 16
    assert "local" in " ".join(mmdebstrap(Mirror("http://local/debian"), "/target"))


def test_the_hosts_own_mirror_is_used() -> None:
    told = """\
Google Cloud https://packages.example/apt cloud-sdk
Debian http://mirror.example/debian-security/ bookworm-security
Debian http://mirror.example/debian/ bookworm
Debian http://other.example/debian/ bookworm-updates
"""
    assert host_mirror(told, "http://proxy:3128") == Mirror(
        "http://mirror.example/debian", "http://mirror.example/debian-security", "http://proxy:3128"
    )


@pytest.mark.parametrize(
    "told", ["", "Debian cdrom:[Debian]/ trixie\n", "Ubuntu http://x/ noble\n"]
)
def test_a_host_without_a_debian_mirror_gets_the_usual_one(told: str) -> None:
    assert host_mirror(told, None) == Mirror()


def test_the_proxy_reaches_apt() -> None:
    command = mmdebstrap(Mirror(proxy="http://proxy:3128"), "/target")
    assert '--aptopt=Acquire::http::Proxy "http://proxy:3128"' in command


@pytest.mark.parametrize(
    ("text", "words"),
    [
        # As written by mmdebstrap 1.3.5 without a network, on a full disk, and on any other day.
        (
            "E: Failed to fetch http://x  Temporary failure resolving 'x'\n",
            "is this machine online",
        ),
        ("E: You don't have enough free space in /x/archives/.\n", "make room"),
        ("dpkg: error: cannot copy: No space left on device\nE: x\n", "make room"),
        ("I: x\nE: Unable to locate package nginx\nE: mmdebstrap failed\n", "locate package nginx"),
        ("", "mmdebstrap failed"),
    ],
)
def test_a_failed_build_is_one_sentence_with_its_log(text: str, words: str) -> None:
    sentence = why(text, Mirror(), "/cache/build.log")
    assert words in sentence
    assert sentence.endswith("(log: /cache/build.log)")
    assert "\n" not in sentence
