"""Where control groups are."""

from pathlib import Path

from stillup.lab.cgroup import unified

_OLD_KIND = """\
28 27 0:25 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
29 28 0:26 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
37 28 0:34 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw
"""
_NEW_KIND = (
    "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 master:1 - cgroup2 cgroup2 rw,nsdelegate\n"
)


def test_cgroup_v2_is_found_alone_and_beside_the_old_kind() -> None:
    assert unified(_OLD_KIND) == Path("/sys/fs/cgroup/unified")
    assert unified(_NEW_KIND) == Path("/sys/fs/cgroup")


def test_a_part_of_the_tree_mounted_elsewhere_does_not_count() -> None:
    assert unified(_NEW_KIND.replace("0:26 / ", "0:26 /some/group ")) is None


def test_a_host_without_cgroup_v2_has_none() -> None:
    assert unified("22 27 0:21 / /proc rw - proc proc rw\n") is None
