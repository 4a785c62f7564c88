"""Durations and sizes as the farm file writes them, within bounds."""

import re
from dataclasses import dataclass

from stillup.model.problems import shown
from stillup.model.refused import ValueRefused

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?) ?(ms|s|min)", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0}
_SIZE = re.compile(r"(\d{1,9}) ?(MB|GB)", re.ASCII)
_BYTES = {"MB": 1024**2, "GB": 1024**3}


@dataclass(frozen=True, slots=True)
class DurationBetween:
    """Reads a duration such as ``500ms``, ``1.5s`` or ``2min`` as seconds, within bounds."""

    least: str
    most: str

    def __call__(self, text: str) -> float:
        """Return the seconds that ``text`` says.

        Raises:
            ValueRefused: ``bad-duration`` or ``out-of-range``.
        """
        found = _DURATION.fullmatch(text)
        if found is None or (found[2] == "ms" and "." in found[1]):
            told = f'{shown(text)} is not a duration; write a number with ms, s or min, as "500ms"'
            raise ValueRefused("bad-duration", told)
        seconds = _seconds(found)
        least, most = (_seconds(_DURATION.fullmatch(end)) for end in (self.least, self.most))
        if not least <= seconds <= most:
            told = f"{shown(text)} is out of range; it may be {self.least} to {self.most}"
            raise ValueRefused("out-of-range", told)
        return seconds


@dataclass(frozen=True, slots=True)
class SizeBetween:
    """Reads a size such as ``128MB`` as bytes, within bounds; a MB is 1024 * 1024 bytes."""

    least: str
    most: str

    def __call__(self, text: str) -> int:
        """Return the bytes that ``text`` says.

        Raises:
            ValueRefused: ``bad-size`` or ``out-of-range``.
        """
        if (found := _SIZE.fullmatch(text)) is None:
            told = f'{shown(text)} is not a size; write a whole number with MB or GB, as "128MB"'
            raise ValueRefused("bad-size", told)
        size = _bytes(found)
        least, most = (_bytes(_SIZE.fullmatch(end)) for end in (self.least, self.most))
        if not least <= size <= most:
            told = f"{shown(text)} is out of range; it may be {self.least} to {self.most}"
            raise ValueRefused("out-of-range", told)
        return size


def _seconds(found: re.Match[str] | None) -> float:
    assert found is not None
    # Whole milliseconds, so that 0.15 s and 150 ms are the same float.
    return round(float(found[1]) * _SECONDS[found[2]] * 1000) / 1000


def _bytes(found: re.Match[str] | None) -> int:
    assert found is not None
    return int(found[1]) * _BYTES[found[2]]
