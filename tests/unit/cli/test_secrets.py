"""The heartbeat's key is changed in rounds; what is kept between them, and who believes whom."""

from itertools import pairwise, product
from pathlib import Path

from tests.unit.cli.test_secrets_file import EXAMPLE

from stillup.cli.context import load_farm, load_secrets
from stillup.cli.secrets_file import change_secrets, given_secrets
from stillup.heartbeat.key_file import keys
from stillup.model.farm import Secrets
from stillup.model.secrets import GivenSecrets, next_round, with_next_key
from stillup.parts import heartbeat


def rounds(path: Path) -> list[Secrets]:
    """Return the secrets of every round, as an apply would find them."""
    farm = load_farm(path)
    found = [load_secrets(farm, path)]
    change_secrets(path, lambda given: with_next_key(given, "c" * 64))
    while True:
        found.append(load_secrets(farm, path))
        given = given_secrets(path)
        assert isinstance(given, GivenSecrets)
        if not given.is_rotating:
            return found
        change_secrets(path, next_round)


def test_servers_of_neighbouring_rounds_believe_each_other(tmp_path: Path) -> None:
    path = tmp_path / "farm.toml"
    path.write_bytes(EXAMPLE.read_bytes())

    made = [keys(heartbeat.keys(each).encode(), "key") for each in rounds(path)]

    assert len(made) == 4
    for neighbours in pairwise(made):
        for sender, receiver in product(neighbours, repeat=2):
            signs = next(iter(sender))
            assert receiver[signs] == sender[signs]
    assert not set(made[0]) & set(made[-1])
