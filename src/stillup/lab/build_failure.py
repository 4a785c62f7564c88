"""Tells from mmdebstrap's output why an image was not built, in one sentence: pure."""

from collections.abc import Callable

from stillup.lab.recipe import Mirror

_CAUSES: tuple[tuple[str, Callable[[Mirror], str]], ...] = (
    ("No space left on device", lambda _: "the disk is full: make room and run it again"),
    (
        "You don't have enough free space",
        lambda _: "the disk is too small: make room and run it again",
    ),
    (
        "Temporary failure resolving",
        lambda mirror: f"the name in {mirror.main} cannot be resolved: is this machine online?",
    ),
    (
        "Could not connect",
        lambda mirror: (
            f"{mirror.main} cannot be reached: is this machine online, or behind a"
            " proxy that apt does not know of (Acquire::http::Proxy)?"
        ),
    ),
    (
        "Failed to fetch",
        lambda mirror: (
            f"packages could not be fetched from {mirror.main} or"
            f" {mirror.security}: run it again, or give this machine's apt another mirror"
        ),
    ),
    ("NO_PUBKEY", lambda _: "the archive's key is unknown: update debian-archive-keyring"),
)


def why(text: str, mirror: Mirror, log: str) -> str:
    """Return in one sentence why a build failed and what to do.

    Args:
        text: What mmdebstrap wrote.
        mirror: Where the packages were to come from.
        log: The path at which ``text`` can be read.
    """
    for words, cause in _CAUSES:
        if words in text:
            return f"the image was not built: {cause(mirror)} (log: {log})"
    errors = [line for line in text.splitlines() if line.startswith("E: ")]
    last = errors[0][3:] if errors else "mmdebstrap failed"
    return f"the image was not built: {last} (log: {log})"
