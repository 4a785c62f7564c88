"""Signs what keepers tell each other: pure.

Each answer repeats the question's nonce, so an old answer is never taken for a new one, and names who
speaks. A question is signed where it says something itself (``told``). HMAC-SHA256 (RFC 2104).
"""

import hmac
import json

from stillup.keeper.settings import Json


class Forged(ValueError):
    """What came was not signed with the farm's key, or answers another question."""


def mac(key: bytes, text: str) -> str:
    """Return the signature of ``text`` as hexadecimal digits."""
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def is_signed(key: bytes, text: str, signature: str) -> bool:
    """Whether ``signature`` is the one of ``text``."""
    return hmac.compare_digest(mac(key, text).encode(), signature.encode())


def told(nonce: str, asker: str, *, founding: bool) -> str:
    """Return what a question says, as the text that is signed."""
    return f"question {nonce} {asker} {'founding' if founding else 'asking'}"


def close(key: bytes, nonce: str, body: dict[str, Json]) -> bytes:
    """Return an answer with its signature, as JSON."""
    text = json.dumps({**body, "nonce": nonce})
    return json.dumps({"body": text, "mac": mac(key, text)}).encode()


def open_(key: bytes, nonce: str, speaker: str, answer: bytes) -> dict[str, Json]:
    """Return what the answer says.

    Raises:
        Forged: If it is not ``speaker``'s answer to the question with ``nonce``.
    """
    try:
        outer: Json = json.loads(answer)
    except ValueError as error:
        raise Forged("no JSON") from error
    body = outer.get("body") if isinstance(outer, dict) else None
    signature = outer.get("mac") if isinstance(outer, dict) else None
    if not isinstance(body, str) or not isinstance(signature, str):
        raise Forged("no signed answer")
    if not is_signed(key, body, signature):
        raise Forged("signed with another key")
    said: Json = json.loads(body)
    if not isinstance(said, dict) or said.get("nonce") != nonce or said.get("name") != speaker:
        raise Forged("an answer to another question, or another server's")
    return said
