"""What the lab tests measured, told at the end of the run: a test that only passes says too little."""

_FIGURES: list[str] = []


def figure(text: str) -> None:
    """Note one line for the summary."""
    _FIGURES.append(text)


def figures() -> list[str]:
    """Return what was noted, in order."""
    return [*_FIGURES]
