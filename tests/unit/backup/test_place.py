"""Where backups go: a folder, or an address of one form."""

import pytest

from stillup.backup.place import SshPlace, ssh_place
from stillup.errors import InputRefused


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("ssh://nas/srv/shop", SshPlace(None, "nas", 22, "/srv/shop")),
        ("ssh://me@nas.example:2222/srv", SshPlace("me", "nas.example", 2222, "/srv")),
        ("ssh://me@[fd00::1]/~/shop", SshPlace("me", "fd00::1", 22, "/~/shop")),
    ],
)
def test_an_address_is_taken_apart(text: str, place: SshPlace) -> None:
    assert ssh_place(text) == place


def test_a_path_is_no_address() -> None:
    assert ssh_place("/var/backups/shop") is None
    assert ssh_place("backups") is None


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/x",
        "ssh://nas",
        "ssh://me:secret@nas/x",
        "ssh://nas:0/x",
        "ssh://nas:99999/x",
        "ssh://nas/x?y",
        "sftp://nas/x",
    ],
)
def test_another_address_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(InputRefused, match=r"write a folder, or ssh://user@host/path"):
        ssh_place(text)
