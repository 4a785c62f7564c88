"""The words of ``[backup]``: where backups go, and who can open them (pure)."""

import re

from stillup.model.problems import shown
from stillup.model.refused import ValueRefused
from stillup.model.values import backup_text

SSH_PLACE = re.compile(
    r"ssh://(?:(?P<user>[a-z_][a-z0-9_.-]{0,31})@)?(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]{1,253})"
    r"(?::(?P<port>\d{1,5}))?(?P<path>/[^?#]*)"
)
_RECIPIENT = re.compile(
    r"age1[a-z0-9]{20,4000}|ssh-(?:ed25519|rsa) [A-Za-z0-9+/]{20,4000}={0,2}(?: [^\x00-\x1f]*)?"
)


def place(text: str) -> str:
    """Return where backups go: a folder, or an address ``ssh://user@host:port/path``.

    Raises:
        ValueRefused: ``bad-backup``, ``bad-backup-place``.
    """
    if "://" not in backup_text(text):
        return text
    found = SSH_PLACE.fullmatch(text)
    if found is None or not 0 < int(found["port"] or 22) < 65536:
        # Not shown: a password in an address would be.
        told = "is no folder and no address of the form ssh://user@host/path, with or without :port"
        raise ValueRefused("bad-backup-place", told)
    return text


def recipient(text: str) -> str:
    """Return a recipient of age: a public key.

    Raises:
        ValueRefused: ``secret-key``, ``bad-recipient``.
    """
    if "SECRET-KEY" in text or "PRIVATE KEY" in text:
        told = (
            "holds a private key, which opens every backup; keep that elsewhere, and write the "
            'public one that age-keygen prints with it ("age1..."); make a new pair if others '
            "may have read this file"
        )
        raise ValueRefused("secret-key", told)
    if _RECIPIENT.fullmatch(text) is None:
        told = f'{shown(text)} is no recipient of age; write "age1..." or "ssh-ed25519 ..."'
        raise ValueRefused("bad-recipient", told)
    return text
