"""The farms of the examples, as values."""

from pathlib import Path

from stillup.model.farm import Farm
from stillup.model.read import read_farm

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def farm_of(name: str) -> Farm:
    """Return the farm of an example."""
    path = EXAMPLES / f"{name}.toml"
    farm = read_farm(path.read_bytes(), path.name)
    assert isinstance(farm, Farm)
    return farm


FARM, TRIO, RECIPE = farm_of("farm"), farm_of("trio"), farm_of("recipe")
