"""A difference as text for a person."""

from stillup.node.diff import HIDDEN, LINES_MAX, Content, difference

OLD = Content(b"one\ntwo\n", "0644 root:root")


def test_a_changed_line_is_a_unified_difference() -> None:
    new = Content(b"one\n2\n", "0644 root:root")
    assert difference("/etc/x", OLD, new, secret=False) == (
        "--- /etc/x\n+++ /etc/x\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
    )


def test_a_new_file_is_all_added_and_a_removed_one_all_taken_away() -> None:
    assert difference("/x", None, OLD, secret=False) == (
        "--- /dev/null\n+++ /x\n@@ -0,0 +1,2 @@\n+one\n+two\n"
    )
    assert difference("/x", OLD, None, secret=False) == (
        "--- /x\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-one\n-two\n"
    )


def test_a_mode_or_owner_that_changes_is_said() -> None:
    new = Content(OLD.data, "0600 root:haproxy")
    assert difference("/x", OLD, new, secret=True) == "0644 root:root -> 0600 root:haproxy\n"


def test_a_secret_only_says_that_it_changed() -> None:
    new = Content(b"hunter2\n", OLD.owner)
    assert difference("/x", OLD, new, secret=True) == HIDDEN
    assert difference("/x", None, new, secret=True) == HIDDEN
    assert difference("/x", new, None, secret=True) == HIDDEN


def test_what_is_no_text_is_counted() -> None:
    assert difference("/x", OLD, Content(b"\xff\xfe", OLD.owner), secret=False) == (
        "binary: 8 -> 2 bytes"
    )
    assert difference("/x", OLD, Content(b"a\0b", OLD.owner), secret=False) == (
        "binary: 8 -> 3 bytes"
    )


def test_what_is_too_long_to_compare_is_counted() -> None:
    long = Content(b"x\n" * LINES_MAX, OLD.owner)
    assert difference("/x", OLD, long, secret=False) == f"2 -> {LINES_MAX} lines"


def test_a_missing_line_end_and_a_form_feed_are_kept_apart_from_lines() -> None:
    new = Content(b"one\ntwo\x0cthree", OLD.owner)
    assert difference("/x", OLD, new, secret=False) == (
        "--- /x\n+++ /x\n@@ -1,2 +1,2 @@\n one\n-two\n+two\x0cthree\n\\ No newline at end of file\n"
    )
