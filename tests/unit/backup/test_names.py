"""What a backup is called says what it is; nothing half made is ever taken for one."""

from datetime import UTC, datetime, timedelta, timezone

from stillup.backup import names

MADE = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
NAME = "shop-20260304-050607Z"


def test_a_backup_is_named_for_its_farm_and_time_in_utc() -> None:
    assert names.name_of("shop", MADE) == NAME
    there = MADE.astimezone(timezone(timedelta(hours=5)))
    assert names.name_of("shop", there) == NAME


def test_only_a_finished_backup_of_this_farm_counts() -> None:
    assert names.is_of("shop", NAME)
    assert names.is_of(None, NAME)
    for other in (
        "web-shop-20260304-050607Z",
        names.unfinished(NAME, "ab12"),
        names.going(NAME),
        "shop-20260304",
        "shop-20261304-050607Z",
        "shop-20260304-250607Z",
        "shop",
        "lost+found",
    ):
        assert not names.is_of("shop", other), other


def test_what_this_machine_left_behind_goes_and_what_another_makes_stays() -> None:
    ours, gone = names.unfinished(NAME, "ab12"), names.going(NAME)
    theirs = names.unfinished(NAME, "cd34")
    another = names.unfinished("blog-20260304-050607Z", "ab12")
    found = [NAME, theirs, gone, another, ours, ".ssh", ".profile"]
    assert names.leftovers("shop", "ab12", found) == (ours, gone)


def test_the_oldest_beyond_those_kept_go_and_never_the_last() -> None:
    days = [names.name_of("shop", MADE + timedelta(days=day)) for day in range(4)]
    found = [*reversed(days), "blog-20260304-050607Z", names.unfinished(NAME, "ab12")]
    assert names.spare("shop", found, 3) == (days[0],)
    assert names.spare("shop", found, 4) == ()
    assert names.spare("shop", found, 0) == tuple(days[:3])
