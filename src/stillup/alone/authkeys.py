"""Reads ``authkeys`` of Linux-HA heartbeat 3.0.6: pure.

What it calls a method (crc, md5, sha1) is not used: every datagram is signed with
HMAC-SHA256. A secret there is often a short word, so the key is drawn from it in a way that
makes each guess cost (PBKDF2); that is no more than a delay, and a short secret is said to be one.

Source: authkeys(5) of heartbeat 3.0.6.
"""

import hashlib
from dataclasses import dataclass, field

from stillup.alone.fate import Fate, Verdict, honoured, not_needed, refused, translated

METHODS = {"crc", "md5", "sha1"}
NUMBERS = range(1, 16)
LONG_ENOUGH = 16
_SALT = b"stillup heartbeat: a key from authkeys"
_ROUNDS = 200_000


@dataclass(slots=True)
class AuthKeys:
    """What ``authkeys`` says.

    Attributes:
        signs: The number of the key that signs; None if the file does not say.
        secrets: The secrets by number; never shown.
        fates: What becomes of each line, without secrets.
    """

    signs: int | None = None
    secrets: dict[int, str] = field(default_factory=dict, repr=False)
    fates: list[Fate] = field(default_factory=list)

    def keys(self) -> dict[int, bytes]:
        """Return the keys by number, first the one that signs; takes a tenth of a second each."""
        order = sorted(self.secrets, key=lambda number: number != self.signs)
        return {number: _key(self.secrets[number]) for number in order}


def read(text: str, file: str, mode: int) -> AuthKeys:
    """Return the keys, and what becomes of each line.

    Args:
        text: The file's text.
        file: Its name, for the fates.
        mode: Its mode; heartbeat refuses a file that others than its owner can read.
    """
    asked = AuthKeys()

    def note(line: int, what: str, verdict: Verdict) -> None:
        asked.fates.append(Fate(file, line, what, verdict.kind, verdict.text))

    if mode & 0o077:
        note(0, f"mode {mode & 0o777:04o}", refused(f"others can read it; run: chmod 600 {file}"))
    signs_line, crc = 0, set[int]()
    for line, raw in enumerate(text.splitlines(), start=1):
        words = raw.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "auth":
            signs_line = line
            note(line, "auth", _auth(words, asked))
        else:
            verdict = _secret(words, asked, crc)
            # A word in the wrong place may be the secret.
            known = words[:2] if words[1:2] and words[1] in METHODS else ["..."]
            note(line, " ".join(known), verdict)
    if asked.signs is None:
        note(signs_line, "auth", refused("no key is said to sign; write auth and its number"))
    elif asked.signs not in asked.secrets:
        note(signs_line, f"auth {asked.signs}", _unsigned(asked.signs, is_crc=asked.signs in crc))
    return asked


def _auth(words: list[str], asked: AuthKeys) -> Verdict:
    number = _number(words[1]) if len(words) > 1 else None
    if number is None:
        return refused("write auth and the number of a key, 1 to 15")
    if asked.signs is not None:
        return refused("only one key can sign; keep one auth line")
    asked.signs = number
    return honoured("this key signs; the others are believed, so that keys can be changed")


def _secret(words: list[str], asked: AuthKeys, crc: set[int]) -> Verdict:
    number = _number(words[0])
    if number is None:
        return refused("a line is auth N, or N METHOD SECRET with a number from 1 to 15")
    if number in asked.secrets or number in crc:
        return refused("this number is taken; give the key another one")
    method = words[1] if len(words) > 1 else ""
    if method == "crc":
        crc.add(number)
        return not_needed("crc proves nothing of who speaks, so it is not believed")
    if method not in METHODS:
        return refused("there is no such method; write sha1 and a secret")
    if len(words) < 3:
        return refused("there is no secret; write one behind the method")
    asked.secrets[number] = words[2]
    told = "its secret is believed; datagrams are signed with HMAC-SHA256, not with "
    if len(asked.secrets[number]) < LONG_ENOUGH:
        short = "The secret is short: whoever guesses it can take the addresses. Make one with: "
        return translated(f"{told}{method}. {short}openssl rand -hex 16")
    return translated(f"{told}{method}")


def _unsigned(number: int, *, is_crc: bool) -> Verdict:
    if is_crc:
        return refused(
            "crc cannot sign, as it needs no secret and anybody could; write "
            f"{number} sha1 and what openssl rand -hex 16 prints"
        )
    return refused(f"there is no key {number}; write {number} sha1 and a secret")


def _number(word: str) -> int | None:
    return int(word) if word.isdecimal() and int(word) in NUMBERS else None


def _key(secret: str) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", secret.encode(), _SALT, _ROUNDS)
