"""A value of the farm file that cannot stand, and reading one that perhaps cannot."""

from collections.abc import Callable
from typing import TypeVar

_Value = TypeVar("_Value")


class ValueRefused(ValueError):
    """A value that cannot stand; ``text`` says why and what would, ``code`` names the rule."""

    def __init__(self, code: str, text: str) -> None:
        """Keep the rule's code beside its sentence."""
        super().__init__(text)
        self.code = code
        self.text = text


def sound(parse: Callable[[str], _Value], value: object) -> _Value | None:
    """Return what ``parse`` reads in ``value``, or None when it cannot stand."""
    if not isinstance(value, str):
        return None
    try:
        return parse(value)
    except ValueRefused:
        return None
