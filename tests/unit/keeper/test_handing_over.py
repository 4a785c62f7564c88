"""What a server tells HAProxy when the writer's role goes from one to another."""

from math import inf

import pytest

from stillup.keeper.writer import HANDS_OVER_S, is_said


@pytest.mark.parametrize(
    ("writer", "was_s_ago", "said"),
    [
        ("db1", 0.0, True),
        # It has just given the role up, in order: HAProxy may not have seen the new one yet.
        ("db2", 0.1, True),
        ("db2", HANDS_OVER_S, False),
        ("db2", inf, False),
        (None, inf, False),
    ],
)
def test_the_old_writer_says_so_until_the_new_one_is_seen(
    writer: str | None,
    was_s_ago: float,
    said: bool,  # noqa: FBT001 # a column of the table
) -> None:
    assert is_said("db1", writer, was_s_ago) is said
